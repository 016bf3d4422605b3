"""What DAGs need of one another, derived from assets as the REST API describes them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from devstack import needs
from devstack.needs import Asset


def described(name: str, producers: str, starts: str = "", consumers: str = "", *, published: bool = False) -> Any:
    """An asset; DAG ids are separated by blanks."""
    keys = {"producing_tasks": producers, "scheduled_dags": starts, "consuming_tasks": consumers}
    references = {key: [{"dag_id": dag_id} for dag_id in ids.split()] for key, ids in keys.items()}
    event = {"id": 7, "timestamp": "2026-03-01T12:00:00Z"} if published else {"id": None, "timestamp": None}
    return {"name": name, "last_asset_event": event, **references}


CHAIN = [
    described("file", "arrival", starts="validate"),
    described("lines", "validate", starts="transform", consumers="report", published=True),
    described("sales", "transform shop", starts="report"),
    described("traffic", "", consumers="report"),
]


class Known:
    """An Airflow that has parsed some files, one more each time that it is asked."""

    def __init__(self, *files: str) -> None:
        self.left = list(files)
        self.there: set[str] = set()

    def assets(self) -> list[dict[str, Any]]:
        return [described("sales", "shop" if "shop.py" in self.there else "", starts="report")]

    def files(self) -> set[str]:
        self.there.update(self.left[:1])
        del self.left[:1]
        return self.there

    def import_errors(self) -> dict[str, Any]:
        return {}


def test_a_dag_needs_those_that_publish_what_starts_it_or_what_its_tasks_read() -> None:
    graph = needs.graph(map(Asset.of, CHAIN))
    assert graph == {
        "arrival": set(),
        "validate": {"arrival"},
        "transform": {"validate"},
        "shop": set(),
        "report": {"validate", "transform", "shop"},
    }


def test_a_dag_that_reads_what_it_published_itself_needs_nothing() -> None:
    assert needs.graph([Asset.of(described("history", "model", consumers="model"))]) == {"model": set()}


def test_an_asset_without_an_event_was_never_published() -> None:
    file, lines, *_ = map(Asset.of, CHAIN)
    assert file.published is None
    assert lines.published == datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_the_file_that_publishes_may_be_parsed_later(tmp_path: Path) -> None:
    for name in ("report", "shop", "other"):
        (tmp_path / f"{name}.py").write_text("from airflow.sdk import dag")
    (tmp_path / "notes.py").write_text("# no such thing here")
    airflow: Any = Known("report.py", "shop.py", "other.py")
    [asset] = needs.missing(airflow, tmp_path, "report")
    assert asset.producers == {"shop"}
    assert needs.missing(airflow, tmp_path, "shop") == []
