"""Paths of a run's files under the object-storage root, with a folder for each kind and UTC day.

A repeated run overwrites its own files; two runs of the same day (scheduled and manual) have separate files.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from include.core.storage import file_name

if TYPE_CHECKING:
    import datetime as dt

    from include.core.storage import File

Kind = Literal["raw", "observations", "rejected"]
SUFFIXES: dict[Kind, str] = {"raw": "json", "observations": "parquet", "rejected": "jsonl"}


def file_of(root: File, kind: Kind, date: dt.date, run_id: str) -> File:
    """Return ``{root}/weather/{kind}/day=YYYY-MM-DD/{run_id}.{suffix}``, with a portable run id."""
    return root / "weather" / kind / f"day={date.isoformat()}" / f"{file_name(run_id)}.{SUFFIXES[kind]}"


def beside(raw: File, kind: Kind) -> File:
    """Return the file of another kind that belongs to the same day and run as ``raw``, a path of :func:`file_of`."""
    return raw.parents[2] / kind / raw.parent.name / f"{raw.stem}.{SUFFIXES[kind]}"
