"""An XCom backend that stores large values in object storage, and rejects what is too large or would arrive changed."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

from airflow.providers.common.io.xcom.backend import XComObjectStorageBackend
from airflow.sdk.bases.xcom import BaseXCom
from airflow.sdk.configuration import conf
from airflow.sdk.serde import deserialize, serialize
from airflow.utils.json import XComDecoder, XComEncoder
from typing_extensions import override

from include.core.errors import PermanentError
from include.core.json_limits import LARGEST, SMALLEST, is_in_range
from include.core.settings import XCOM_LIMIT
from include.core.warehouse.storable import is_storable

if TYPE_CHECKING:
    from collections.abc import Iterator

SCALARS = (bool, int, float, str, bytes, Decimal, dt.date, dt.time, dt.timedelta, UUID, set, frozenset)


class XComTooLargeError(PermanentError, ValueError):
    """A task returned or pushed a value over the limit."""


class XComChangedError(PermanentError, ValueError):
    """A task returned or pushed a value that other tasks would receive changed, or not at all."""


class GuardedXCom(XComObjectStorageBackend):
    """Rejects values of more than ``SPELLBOOK_XCOM_LIMIT`` bytes, and those that JSON changes.

    The others are passed to Airflow's backend.
    """

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
        """Store a value, unless it is over the limit or would arrive changed.

        Raises:
            XComChangedError: naming the place in the value, and the alternative.
            XComTooLargeError: with the limit and the alternative.
        """
        name = key or BaseXCom.XCOM_RETURN_KEY
        refuse_changed(name, value, refuse_large(name, value))
        serialized = XComObjectStorageBackend.serialize_value(
            value, key=key, task_id=task_id, dag_id=dag_id, run_id=run_id, map_index=map_index
        )
        return cast("str", serialized)  # Airflow's annotation; it may be any JSON value


def refuse_large(key: str, value: Any) -> str:
    """Return the value's JSON.

    Raises:
        XComChangedError: if it has none.
        XComTooLargeError: if it is larger than the limit.
    """
    limit, size, pieces = int(XCOM_LIMIT.read()), 0, []
    try:
        for piece in XComEncoder().iterencode(value):
            size += len(piece.encode("utf-8", "surrogatepass"))
            if size > limit:
                raise XComTooLargeError(
                    f"XCom {key!r} of type {type(value).__name__} is larger than {limit} bytes ({XCOM_LIMIT.name})."
                    " Write the data to object storage (include.core.storage.writing, below SPELLBOOK_OBJECT_STORAGE)"
                    " and return its URL"
                )
            pieces.append(piece)
    except (AttributeError, TypeError, RecursionError) as error:
        raise XComChangedError(f"XCom {key!r}: {error}") from error
    return "".join(pieces)


def refuse_changed(key: str, value: Any, text: str) -> None:
    """Check that a value survives being stored and read.

    Args:
        key: the XCom's key.
        value: the value.
        text: its JSON, see :func:`refuse_large`.

    Raises:
        XComChangedError: naming the first place in the value that doesn't.
    """
    threshold = conf.getint("common.io", "xcom_objectstorage_threshold", fallback=-1)
    try:
        # Airflow stores small values with another encoder than large ones, which turns their tuples into lists.
        if 0 <= threshold <= len(text.encode()):
            copy = json.loads(text, cls=XComDecoder)
        else:
            copy = deserialize(json.loads(json.dumps(serialize(value))))
    except (AttributeError, ImportError, TypeError, ValueError) as error:
        raise XComChangedError(f"XCom {key!r} can't be read back: {error}") from error
    for problem in _changes(value, copy, key):
        raise XComChangedError(f"XCom {problem}. Pass it as text, or as a list of pairs; or write it to a file")


def _changes(value: Any, copy: Any, path: str) -> Iterator[str]:
    """Yield each place at which ``copy`` differs, and how."""
    kind = type(value).__name__
    if isinstance(value, dict) and isinstance(copy, dict):
        for name, item in value.items():
            if not isinstance(name, str):
                yield f"{path}: the key {name!r} is of type {type(name).__name__}; keys must be strings"
            elif name not in copy:
                yield f"{path}: the key {name!r} gets lost"
            else:
                yield from _changes(item, copy[name], f"{path}[{name!r}]")
    elif isinstance(value, list | tuple) and type(value) is type(copy) and len(value) == len(copy):
        for number, item in enumerate(value):
            yield from _changes(item, copy[number], f"{path}[{number}]")
    elif isinstance(value, int | float) and not is_in_range(value):
        yield f"{path}: {value} is out of range; allowed: {SMALLEST} to {LARGEST}"
    elif isinstance(value, str) and not is_storable(value):
        yield f"{path}: the text contains a NUL character or a lone surrogate"
    elif not isinstance(value, type(copy)) and not isinstance(copy, type(value)):
        yield f"{path}: a {kind} arrives as a {type(copy).__name__}"
    elif isinstance(value, list | tuple) or (isinstance(value, SCALARS) and not _is_same(value, copy)):
        yield f"{path}: a {kind} arrives changed"


def _is_same(value: object, copy: object) -> bool:
    return str(value) == str(copy) if isinstance(value, Decimal) else value == copy
