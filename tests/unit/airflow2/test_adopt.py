"""Files of Airflow 2: what is named, and what is replaced."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest
from airflow.sdk.definitions.context import Context

from devstack.adopt import adopt
from devstack.errors import StackError
from include.core.airflow2.find import findings
from include.core.airflow2.names import CONTEXT, MODULES

OLD = '''"""Sales of a day."""
from airflow import DAG
from airflow.operators.dummy import DummyOperator
from airflow.operators.python import PythonOperator
from airflow.utils.dates import days_ago
from airflow.providers.postgres.operators.postgres import PostgresOperator

default_args = {"owner": "ä", "sla": 3}


def extract(ds, next_ds, **kwargs):
    """Extract {{ nothing }} of execution_date."""
    print(ds, next_ds, kwargs["execution_date"], kwargs.get('triggering_dataset_events'), {"execution_date": 1})


with DAG("sales", schedule_interval="@daily", start_date=days_ago(1), default_view="graph", concurrency=2) as dag:
    begin = DummyOperator(task_id="begin")
    get = PythonOperator(task_id="ü", provide_context=True, python_callable=extract)
    put = PostgresOperator(
        task_id="put",
        sql="SELECT '{{ execution_date.year }}', '{{ dag_run.conf }}', '{{ tomorrow_ds }}', '{{ prev_ds }}'",
    )
    begin >> get >> put
'''
NEW = '''"""Sales of a day."""
from airflow.utils.dates import days_ago
from airflow.providers.postgres.operators.postgres import PostgresOperator
from airflow.sdk import DAG
from airflow.providers.standard.operators.python import PythonOperator
from airflow.providers.standard.operators.empty import EmptyOperator

default_args = {"owner": "ä", "sla": 3}


def extract(ds, next_ds, **kwargs):
    """Extract {{ nothing }} of execution_date."""
    print(ds, next_ds, kwargs["logical_date"], kwargs.get("triggering_asset_events"), {"execution_date": 1})


with DAG("sales", schedule="@daily", start_date=days_ago(1), max_active_tasks=2) as dag:
    begin = EmptyOperator(task_id="begin")
    get = PythonOperator(task_id="ü", python_callable=extract)
    put = PostgresOperator(
        task_id="put",
        sql="SELECT '{{ logical_date.year }}', '{{ dag_run.conf }}', '{{ macros.ds_add(ds, 1) }}', '{{ prev_ds }}'",
    )
    begin >> get >> put
'''


@pytest.fixture
def old(tmp_path: Path) -> Path:
    file = tmp_path / "old.py"
    file.write_text(OLD, encoding="utf-8")
    file.chmod(0o640)
    return file


def test_what_is_gone_is_named_with_its_replacement(old: Path) -> None:
    assert [(each.line, each.removed.rpartition(".")[2]) for each in findings(old)] == [
        (6, "postgres"),
        (8, "sla"),
        (11, "next_ds"),
        (13, "execution_date"),
        (13, "triggering_dataset_events"),
        (16, "days_ago"),
        (16, "concurrency"),
        (16, "default_view"),
        (16, "schedule_interval"),
        (17, "DummyOperator"),
        (18, "provide_context"),
        (21, "execution_date"),
        (21, "prev_ds"),
        (21, "tomorrow_ds"),
    ]
    texts = "\n".join(map(str, findings(old)))
    assert "line 16: `schedule_interval` is gone in Airflow 3: use `schedule` instead" in texts
    assert "line 18: `provide_context` is gone in Airflow 3: remove it" in texts


def test_what_has_a_replacement_is_replaced_and_the_rest_is_left(old: Path) -> None:
    before, after, left = adopt(old)
    assert before == OLD
    assert after == old.read_text(encoding="utf-8") == NEW
    assert old.stat().st_mode & 0o777 == 0o640
    assert [each.removed.rpartition(".")[2] for each in left] == [
        "postgres", "sla", "next_ds", "days_ago", "prev_ds"
    ]  # fmt: skip
    assert adopt(old)[:2] == (NEW, NEW)
    assert [path.name for path in old.parent.iterdir()] == ["old.py"]


SDK = "from airflow.sdk import DAG\nfrom airflow.providers.standard.operators.python import PythonOperator\n"
ALONE = """t = PythonOperator(
    task_id="t",  # noqa: T201
    # the pool is small
    provide_context=True,
    python_callable=print,
)
"""


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (ALONE, ALONE.replace("    provide_context=True,\n", "")),
        ('DAG(default_view="tree", orientation="LR", dag_id="x")', 'DAG(dag_id="x")'),
        ('DAG(("my" "3"), default_view="tree", schedule=None)', 'DAG(("my" "3"), schedule=None)'),
        ('DAG("x", default_view="tree")', 'DAG("x")'),
        ('DAG("x", default_view="tree",)', 'DAG("x", )'),
        ('DAG("é", default_view="tree")\r\n', 'DAG("é")\r\n'),
        ("PythonOperator.partial(task_id='t', provide_context=True)", "PythonOperator.partial(task_id='t')"),
        ("SQLExecuteQueryOperator(postgres_conn_id='p')", "SQLExecuteQueryOperator(conn_id='p')"),
        ("x = '{{ execution_date.year }} execution_date'", "x = '{{ logical_date.year }} execution_date'"),
        ("x = '{{ execution_date | ds if a is mine }}'", "x = '{{ logical_date | ds if a is mine }}'"),
        ('x = f"{{{{ execution_date }}}} {n}"', 'x = f"{{{{ logical_date }}}} {n}"'),
        ("def f(**c):\n    c['execution_date']\nPythonOperator(python_callable=f)",
         'def f(**c):\n    c["logical_date"]\nPythonOperator(python_callable=f)'),
    ],
)  # fmt: skip
def test_only_what_is_meant_is_replaced(tmp_path: Path, before: str, after: str) -> None:
    file = tmp_path / "old.py"
    used = "DAG, PythonOperator\n"
    file.write_text(SDK + used + before, newline="")
    assert adopt(file)[1] == SDK + used + after
    with file.open(newline="") as stream:
        assert stream.read() == SDK + used + after


@pytest.mark.parametrize(
    "source",
    [
        "def helper(**options):\n    return options['execution_date']\n",
        "PdfOperator(task_id='p', orientation='landscape')\n",
        "CsvToPostgresOperator(task_id='p', postgres_conn_id='p')\n",
        "x = \"{% set yesterday_ds = 'x' %}{{ yesterday_ds }}\"\n",
        "x = '{{ f(execution_date=ds) }}'\n",
        "x = \"{{ params.get('the execution_date') }}\"\n",
        "@task\ndef train(conf: dict, execution_date: str):\n    context = {'conf': 1}\n    context['conf']\n",
        "def f(execution_date):\n    ...\nPythonOperator(python_callable=f, op_kwargs={'execution_date': 1})\n",
        '"""Renders {{ conf }}."""\n',
        "Template('{{ conf }}').render(conf=1)\n",
    ],
)
def test_what_means_something_else_stays(tmp_path: Path, source: str) -> None:
    file = tmp_path / "new.py"
    file.write_text(source)
    assert findings(file) == []
    assert adopt(file)[1] == source


@pytest.mark.parametrize(
    ("source", "removed"),
    [
        ("x = '{{ dag_run.execution_date }}'", "dag_run.execution_date"),
        ("DAG(sla_miss_callback=print)", "sla_miss_callback"),
        ("@task\ndef f(prev_ds=None): ...", "prev_ds"),
        ("def f(context):\n    context['next_ds']\nDAG(on_failure_callback=f)", "next_ds"),
        ("default_args = dict(sla=1)", "sla"),
    ],
)
def test_more_that_is_gone_is_named(tmp_path: Path, source: str, removed: str) -> None:
    file = tmp_path / "old.py"
    file.write_text(source)
    assert [each.removed for each in findings(file)] == [removed]


def test_a_link_stays_a_link(tmp_path: Path, old: Path) -> None:
    link = tmp_path / "link.py"
    link.symlink_to(old)
    adopt(link)
    assert link.is_symlink()
    assert old.read_text(encoding="utf-8") == NEW


def test_a_file_that_is_not_utf_8_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "old.py"
    content = "# -*- coding: latin-1 -*-\nx = 'é'\n".encode("latin-1")
    file.write_bytes(content)
    assert findings(file) == []
    with pytest.raises(StackError, match="utf-8"):
        adopt(file)
    assert file.read_bytes() == content


@pytest.mark.parametrize("source", ["def f(:\n", "f(a=1, a=2)\n", "x = '\0'\n"])
def test_a_file_with_an_error_stays_as_it_is(tmp_path: Path, source: str) -> None:
    file = tmp_path / "old.py"
    file.write_text(source)
    with pytest.raises(StackError, match=r"old\.py: "):
        adopt(file)
    assert file.read_text() == source


def test_a_name_of_ones_own_is_not_reported(tmp_path: Path) -> None:
    file = tmp_path / "new.py"
    file.write_text(
        "def price(execution_date, row):\n    return report(sla=3, provide_context=1) + row['execution_date']\n"
        "text = 'the {{ params.conf }} of execution_date and {{ dag_run.conf[\"next_ds\"] }}'\n"
    )
    assert findings(file) == []


def test_the_names_are_really_gone() -> None:
    assert CONTEXT.keys().isdisjoint(Context.__annotations__)
    for module in MODULES:
        with pytest.raises(ImportError):
            importlib.import_module(module)
