"""The XCom backend: large values go to object storage; what is far too large is refused, with what to do instead."""

from __future__ import annotations

from typing import Any, cast

from airflow.providers.common.io.xcom.backend import XComObjectStorageBackend
from airflow.sdk.bases.xcom import BaseXCom
from airflow.utils.json import XComEncoder
from typing_extensions import override

from include.core.errors import PermanentError
from include.core.settings import XCOM_LIMIT


class XComTooLargeError(PermanentError, ValueError):
    """A task returned or pushed more than XCom is for."""


class GuardedXCom(XComObjectStorageBackend):
    """Refuses values of more than ``SPELLBOOK_XCOM_LIMIT`` bytes; the others go where Airflow's backend puts them."""

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
        """Store a value, unless it is too large.

        Raises:
            XComTooLargeError: with the limit and what to do instead.
        """
        refuse_large(key or BaseXCom.XCOM_RETURN_KEY, value)
        stored = XComObjectStorageBackend.serialize_value(
            value, key=key, task_id=task_id, dag_id=dag_id, run_id=run_id, map_index=map_index
        )
        return cast("str", stored)  # Airflow's annotation; it is any value that JSON has


def refuse_large(key: str, value: Any) -> None:
    """Add up the value's JSON, as far as the limit.

    Raises:
        XComTooLargeError: if there is more.
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
