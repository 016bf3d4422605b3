"""Checksums of registered models' files, kept in the warehouse: who can change MLflow's files can't change them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from psycopg import sql

from include.core.ml.errors import ArtifactError, UnrecordedError
from include.core.warehouse.connect import connect
from include.core.warehouse.migrations import require_migrated

if TYPE_CHECKING:
    from collections.abc import Mapping

    from include.core.warehouse.connect import Session

INSERT = sql.SQL("INSERT INTO model_checksum (model, version, path, sha256) VALUES ({}, {}, {}, {})")

DELETE = sql.SQL("DELETE FROM model_checksum WHERE model = {}")


def record(uri: str, model: str, version: int, files: Mapping[str, str]) -> None:
    """Record the checksums of a version's ``files``, by path; recording them again changes nothing.

    Raises:
        ArtifactError: if another checksum was recorded.
    """
    with connect(uri) as session, session.transaction():
        require_migrated(session)
        for path, sha256 in files.items():
            session.execute(INSERT.format(model, version, path, sha256) + sql.SQL(" ON CONFLICT DO NOTHING"))
            recorded = _find(session, model, version, path)
            if recorded != sha256:
                raise ArtifactError(
                    f"{model} version {version} was registered with a file {path} whose SHA-256 is {recorded}; this"
                    f" one's is {sha256}. If you deleted the model in MLflow, so that versions are numbered from 1"
                    f" again, run in the warehouse: {DELETE.format(model).as_string()};"
                )


def require(uri: str, model: str, version: int, path: str, actual: str) -> str:
    """Return the recorded checksum of a version's file.

    Raises:
        UnrecordedError: if there is none; ``actual``, the checksum of the file in MLflow, is part of the message.
    """
    with connect(uri) as session:
        require_migrated(session)
        recorded = _find(session, model, version, path)
        if recorded is None:
            statement = INSERT.format(model, version, path, actual).as_string(session)
            raise UnrecordedError(
                f"{path} of {model} version {version} has no checksum in the warehouse: the version was registered by"
                " an earlier release, or not by this pipeline. If you trust the file, run in the warehouse:"
                f" {statement};"
            )
    return recorded


def is_recorded(uri: str, model: str, version: int) -> bool:
    """Tell whether the checksums of a version were recorded; all of them are in one transaction."""
    with connect(uri) as session:
        require_migrated(session)
        query = "SELECT FROM model_checksum WHERE model = %s AND version = %s LIMIT 1"
        return session.execute(query, [model, version]).fetchone() is not None


def _find(session: Session, model: str, version: int, path: str) -> str | None:
    query = "SELECT sha256 FROM model_checksum WHERE model = %s AND version = %s AND path = %s"
    row = session.execute(query, [model, version, path]).fetchone()
    return str(row[0]) if row else None
