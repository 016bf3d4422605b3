"""The dependencies of DAGs on one another, derived from assets as the REST API describes them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from devstack import needs
from devstack.needs import Asset


def asset_json(name: str, producers: str, starts: str = "", consumers: str = "", *, published: bool = False) -> Any:
    """An asset; DAG ids are separated by spaces."""
    keys = {"producing_tasks": producers, "scheduled_dags": starts, "consuming_tasks": consumers}
    references = {key: [{"dag_id": dag_id} for dag_id in ids.split()] for key, ids in keys.items()}
    event = {"id": 7, "timestamp": "2026-03-01T12:00:00Z"} if published else {"id": None, "timestamp": None}
    return {"name": name, "last_asset_event": event, "watchers": [], **references}


CHAIN = [
    asset_json("file", "arrival", starts="validate"),
    asset_json("lines", "validate", starts="transform", consumers="report", published=True),
    asset_json("sales", "transform shop", starts="report"),
    asset_json("traffic", "", consumers="report"),
]


class ParsingAirflow:
    """An Airflow that has parsed some files, one more at each request."""

    def __init__(self, *files: str) -> None:
        self.remaining = list(files)
        self.parsed: set[str] = set()

    def assets(self) -> list[dict[str, Any]]:
        return [asset_json("sales", "shop" if "shop.py" in self.parsed else "", starts="report")]

    def files(self) -> set[str]:
        self.parsed.update(self.remaining[:1])
        del self.remaining[:1]
        return self.parsed

    def import_errors(self) -> dict[str, Any]:
        return {}


def test_a_dag_needs_the_dags_that_publish_its_assets() -> None:
    graph = needs.graph(map(Asset.of, CHAIN))
    assert graph == {
        "arrival": set(),
        "validate": {"arrival"},
        "transform": {"validate"},
        "shop": set(),
        "report": {"validate", "transform", "shop"},
    }


def test_an_asset_that_the_triggerer_publishes_is_no_missing_input(tmp_path: Path) -> None:
    class WatchingAirflow(ParsingAirflow):
        def assets(self) -> list[dict[str, Any]]:
            return [asset_json("waiting", "", starts="report") | {"watchers": [{"name": "waiting"}]}]

    assert needs.missing(WatchingAirflow(), tmp_path, "report") == []  # type: ignore[arg-type]


def test_a_dag_that_reads_its_own_asset_needs_no_other() -> None:
    assert needs.graph([Asset.of(asset_json("history", "model", consumers="model"))]) == {"model": set()}


def test_an_asset_without_an_event_was_never_published() -> None:
    file, lines, *_ = map(Asset.of, CHAIN)
    assert file.published is None
    assert lines.published == datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_the_file_that_publishes_may_be_parsed_later(tmp_path: Path) -> None:
    for name in ("report", "shop", "other"):
        (tmp_path / f"{name}.py").write_text("from airflow.sdk import dag")
    (tmp_path / "notes.py").write_text("# no such thing here")
    airflow: Any = ParsingAirflow("report.py", "shop.py", "other.py")
    [asset] = needs.missing(airflow, tmp_path, "report")
    assert asset.producers == {"shop"}
    assert needs.missing(airflow, tmp_path, "shop") == []
