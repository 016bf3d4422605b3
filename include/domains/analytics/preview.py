"""Shows what a build would change in the marts: it goes to a scratch schema, which is compared and dropped."""

from __future__ import annotations

import datetime as dt
import json
import re
import secrets
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from psycopg import sql

from include.core.errors import ConfigurationError
from include.core.warehouse.connect import connect
from include.core.warehouse.dataset import LINEAGE, WHOLE_TABLE, Column, Dataset
from include.core.warehouse.preview.load import preview_load
from include.core.warehouse.quarantine import RejectedRows
from include.domains.analytics.manifest import MARTS, incremental_marts

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from include.core.warehouse.connect import Session
    from include.core.warehouse.preview.model import LoadPreview

COMMANDS = [["source", "freshness"], ["build", "--select", f"+path:{MARTS}"]]
TIME = "%Y%m%d%H%M%S"
STALE = dt.timedelta(days=1)
KEY_TESTS = ("unique", "unique_together")


@contextmanager
def scratch_schema(warehouse_uri: str, schema: str) -> Iterator[str]:
    """Yield the name of a schema for a build, which is dropped at the end with those of the build's other layers.

    It has copies of the incremental marts, so that the build changes them as it would change the published ones. What
    a killed process left behind is dropped after a day.
    """
    prefix, now = f"{schema}_preview_", dt.datetime.now(dt.UTC)
    scratch = f"{prefix}{now:{TIME}}_{secrets.token_hex(2)}"
    with connect(warehouse_uri) as session:
        for name in _schemas(session, rf"^{re.escape(prefix)}[0-9]{{14}}_[0-9a-f]{{4}}(_|$)"):
            if name < f"{prefix}{now - STALE:{TIME}}":
                _drop(session, name)
    try:
        with connect(warehouse_uri, statement_timeout=3600) as session, session.transaction():
            session.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(scratch)))
            for mart in incremental_marts():
                published = sql.Identifier(schema, mart)
                if session.execute("SELECT to_regclass(%s)", [published.as_string(session)]).fetchone() != (None,):
                    copy = sql.SQL("CREATE TABLE {} AS TABLE {}")
                    session.execute(copy.format(sql.Identifier(scratch, mart), published))
        yield scratch
    finally:
        with connect(warehouse_uri) as session:
            for name in _schemas(session, rf"^{re.escape(scratch)}(_|$)"):
                _drop(session, name)


def compare_marts(warehouse_uri: str, schema: str, scratch: str, folder: Path) -> list[LoadPreview]:
    """Compare the marts in the scratch schema with those in the published one.

    Args:
        warehouse_uri: the warehouse.
        schema: schema of the published marts.
        scratch: from :func:`scratch_schema`.
        folder: folder of the build, with dbt's manifest.

    Raises:
        ConfigurationError: if a mart has no key, or a column of a type that no dataset has.
    """
    manifest = json.loads((folder / "target" / "manifest.json").read_text(encoding="utf-8"))
    marts = {
        unique_id: node
        for unique_id, node in sorted(manifest["nodes"].items())
        if node["resource_type"] == "model" and node["original_file_path"].startswith(MARTS)
    }
    tests = [node for node in manifest["nodes"].values() if node["resource_type"] == "test"]
    with connect(warehouse_uri, statement_timeout=3600) as session:
        return [
            _compare(session, _dataset(session, scratch, node, _key(unique_id, node, tests)), schema, scratch)
            for unique_id, node in marts.items()
        ]


def _compare(session: Session, mart: Dataset, schema: str, scratch: str) -> LoadPreview:
    """Compare a mart as a load's stage is compared with its table."""
    with session.transaction(force_rollback=True), RejectedRows() as none:
        session.execute(sql.SQL("SET LOCAL search_path TO {}").format(sql.Identifier(schema)))
        built = sql.Identifier(scratch, mart.name)
        session.execute(sql.SQL("CREATE TEMPORARY VIEW stage AS TABLE {}").format(built))
        [rows] = session.execute("SELECT count(*) FROM stage").fetchone() or [0]
        return preview_load(
            session,
            mart,
            WHOLE_TABLE,
            rows_in=int(str(rows)),
            rejected=none,
            missing=(),
            complete=True,
            removes=True,
        )


def _key(unique_id: str, mart: dict[str, Any], tests: list[dict[str, Any]]) -> tuple[str, ...]:
    """Return the columns of a mart's first test that its rows are unique."""
    for test in tests:
        metadata = test.get("test_metadata") or {}
        if test.get("attached_node") == unique_id and metadata.get("name") in KEY_TESTS:
            return tuple(metadata["kwargs"].get("columns") or [test["column_name"]])
    raise ConfigurationError(
        f"mart {mart['name']} has no key: give it one of the tests {', '.join(KEY_TESTS)} in {MARTS}/_marts.yml"
    )


def _dataset(session: Session, scratch: str, mart: dict[str, Any], key: tuple[str, ...]) -> Dataset:
    """Return a mart's columns as a dataset; as in a load's comparison, those of the lineage don't count."""
    columns: list[Column] = []
    for name, kind in session.execute(
        "SELECT attname, format_type(atttypid, NULL) FROM pg_attribute"
        " WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped AND attname <> ALL(%s) ORDER BY attnum",
        [sql.Identifier(scratch, mart["name"]).as_string(session), list(LINEAGE)],
    ):
        declared = mart["columns"].get(name, {})
        is_personal = (declared.get("config", {}).get("meta") or declared.get("meta") or {}).get("pii") is True
        columns.append(Column(str(name), kind, nullable=name not in key, pii=is_personal))  # type: ignore[arg-type]
    try:
        return Dataset(mart["name"], tuple(columns), key)
    except ValueError as error:
        raise ConfigurationError(f"mart {mart['name']} can't be compared: {error}") from error


def _schemas(session: Session, pattern: str) -> list[str]:
    query = "SELECT nspname FROM pg_namespace WHERE nspname ~ %s"
    return [str(name) for (name,) in session.execute(query, [pattern]).fetchall()]


def _drop(session: Session, name: str) -> None:
    session.execute(sql.SQL("DROP SCHEMA {} CASCADE").format(sql.Identifier(name)))
