"""Checksums of registered models' files, kept in the warehouse: whoever can change MLflow's files can't change them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from psycopg import sql

from include.core.ml.errors import ArtifactError, UnrecordedError
from include.core.warehouse.connect import connect
from include.core.warehouse.migrations import require_migrated

if TYPE_CHECKING:
    from include.core.warehouse.connect import Session

INSERT = sql.SQL("INSERT INTO model_checksum (model, version, sha256) VALUES ({}, {}, {})")

DELETE = sql.SQL("DELETE FROM model_checksum WHERE model = {}")


def record(uri: str, model: str, version: int, sha256: str) -> None:
    """Record a version's checksum; recording it again changes nothing.

    Raises:
        ArtifactError: if another checksum was recorded.
    """
    with connect(uri) as session, session.transaction():
        require_migrated(session)
        session.execute(INSERT.format(model, version, sha256) + sql.SQL(" ON CONFLICT DO NOTHING"))
        recorded = _find(session, model, version)
    if recorded != sha256:
        raise ArtifactError(
            f"{model} version {version} was registered with a file whose SHA-256 is {recorded}; this one's is {sha256}."
            " If you deleted the model in MLflow, so that versions are numbered from 1 again, run in the warehouse:"
            f" {DELETE.format(model).as_string()};"
        )


def require(uri: str, model: str, version: int, actual: str) -> str:
    """Return a version's recorded checksum.

    Raises:
        UnrecordedError: if there is none; ``actual``, the checksum of the file in MLflow, is part of the message.
    """
    with connect(uri) as session:
        require_migrated(session)
        recorded = _find(session, model, version)
        if recorded is None:
            statement = INSERT.format(model, version, actual).as_string(session)
            raise UnrecordedError(
                f"{model} version {version} has no checksum in the warehouse: it was registered by an earlier release,"
                f" or not by this pipeline. If you trust its file, run in the warehouse: {statement};"
            )
    return recorded


def _find(session: Session, model: str, version: int) -> str | None:
    query = "SELECT sha256 FROM model_checksum WHERE model = %s AND version = %s"
    row = session.execute(query, [model, version]).fetchone()
    return str(row[0]) if row else None
