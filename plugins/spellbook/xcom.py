"""An XCom backend that stores large values in object storage, and rejects values over a limit."""

from __future__ import annotations

from typing import Any, cast

from airflow.providers.common.io.xcom.backend import XComObjectStorageBackend
from airflow.sdk.bases.xcom import BaseXCom
from airflow.utils.json import XComEncoder
from typing_extensions import override

from include.core.errors import PermanentError
from include.core.settings import XCOM_LIMIT


class XComTooLargeError(PermanentError, ValueError):
    """A task returned or pushed a value over the limit."""


class GuardedXCom(XComObjectStorageBackend):
    """Rejects values of more than ``SPELLBOOK_XCOM_LIMIT`` bytes; passes the others to Airflow's backend."""

    @staticmethod
    @override
    def serialize_value(
        value: Any,
        *,
        key: str | None = None,
        task_id: str | None = None,
        dag_id: str | None = None,
        run_id: str | None = None,
        map_index: int | None = None,
    ) -> str:
        """Store a value, unless it is over the limit.

        Raises:
            XComTooLargeError: with the limit and the alternative.
        """
        refuse_large(key or BaseXCom.XCOM_RETURN_KEY, value)
        serialized = XComObjectStorageBackend.serialize_value(
            value, key=key, task_id=task_id, dag_id=dag_id, run_id=run_id, map_index=map_index
        )
        return cast("str", serialized)  # Airflow's annotation; it may be any JSON value


def refuse_large(key: str, value: Any) -> None:
    """Raise if the value's JSON is larger than the limit.

    Raises:
        XComTooLargeError: if it is larger.
    """
    limit, size = int(XCOM_LIMIT.read()), 0
    for piece in XComEncoder().iterencode(value):
        size += len(piece.encode("utf-8", "surrogatepass"))
        if size > limit:
            raise XComTooLargeError(
                f"XCom {key!r} of type {type(value).__name__} is larger than {limit} bytes ({XCOM_LIMIT.name}). Write"
                " the data to object storage (include.core.storage.writing, below SPELLBOOK_OBJECT_STORAGE) and return"
                " its URL"
            )
