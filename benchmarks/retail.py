"""Retail: one DAG (the baseline) and three connected by assets (ours).

Both do the same work on the recorded days, and on days with each row fifty times. The time is Airflow's: from the start
of the first run to the end of the last, including the wait for the next DAG. The limit is the work itself, without
Airflow.
"""

from __future__ import annotations

import tempfile
import time
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from upath import UPath

from benchmarks.comparison import Comparison, Goal, Role, Series, take_turns
from benchmarks.own_stack import OwnStack, own_stack
from devstack.state import REPOSITORY
from devstack.upstreams.records import DATA
from include.core.settings import RETAIL
from include.core.storage import url_of
from include.core.warehouse.attempt import Attempt
from include.domains.retail import pipeline
from include.domains.retail.files import find

ONE, THREE = "retail_monolith", ("retail_validate", "retail_transform", "retail_report")
COPIES = (1, 50)
WHY = (
    "the three do one after another what the monolith does in one run, and Airflow takes a second or two to start the"
    " next DAG. They are apart so that each can be repeated, owned and alerted on by itself."
)


def compare(repeats: int) -> list[Comparison]:
    """Measure both on an embedded stack."""
    files = {f"{dag_id}.py": (REPOSITORY / "dags" / f"{dag_id}.py").read_text("utf-8") for dag_id in (ONE, *THREE)}
    comparisons = []
    with (
        tempfile.TemporaryDirectory(prefix="spellbook-retail-") as folder,
        own_stack(files, ("airflow", "sinks"), {RETAIL.name: url_of(Path(folder))}) as own,
    ):
        Path(folder).chmod(0o755)
        own.unpause((ONE, *THREE))
        for copies in COPIES:
            rows = _write(Path(folder), copies)
            _run_chain(own, (ONE,))  # the first run pays for imports
            one, three, alone = take_turns(
                min(repeats, 3),
                partial(_run_chain, own, (ONE,)),
                partial(_run_chain, own, THREE),
                partial(_run_without_airflow, own.server.uri("warehouse"), Path(folder)),
            )
            series = (
                Series(Role.OURS, "three DAGs", three),
                Series(Role.BASELINE, "one DAG", one),
                Series(Role.LIMIT, "", alone),
            )
            comparisons.append(Comparison(f"{rows:,} rows", "s", series, Goal(at_most=1, of=Role.BASELINE), why=WHY))
    return comparisons


def _write(folder: Path, copies: int) -> int:
    """Write each recorded day with that many copies, each with its own invoices; return the rows of all days."""
    folder.mkdir(exist_ok=True)
    rows = 0
    for path in sorted((DATA / "retail").glob("online_retail_*.csv")):
        header, *lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        copied = (line.replace(",", f"-{copy},", 1) for copy in range(copies) for line in lines)
        (folder / path.name).write_text(header + "".join(copied), encoding="utf-8")
        rows += len(lines) * copies
    return rows


def _run_chain(own: OwnStack, dag_ids: tuple[str, ...]) -> float:
    """Start the first DAG, wait for those that its assets start in turn, and return the seconds until the last ends."""
    started_at = datetime.now(UTC)
    first = last = own.run(dag_ids[0])
    for dag_id in dag_ids[1:]:
        last = own.wait(dag_id, partial(own.airflow.runs_since, dag_id, started_at, "asset_triggered"))
    moments = [datetime.fromisoformat(moment) for moment in (first["queued_at"], last["end_date"])]
    return (moments[1] - moments[0]).total_seconds()


def _run_without_airflow(uri: str, folder: Path) -> float:
    started_at = time.perf_counter()
    attempt = Attempt("benchmark", "alone", datetime.now(UTC).isoformat(), 1, run_started=datetime.now(UTC))
    for file in find([UPath(folder)], None):
        pipeline.validate(UPath(file["source"]), uri, file["partition"], attempt)
        pipeline.transform(uri, file["partition"], attempt)
    return time.perf_counter() - started_at
