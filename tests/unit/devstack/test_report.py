"""The tables that `make run` prints at the end."""

from __future__ import annotations

from datetime import date
from io import StringIO

from rich.console import Console

from devstack.report import _rows


def test_no_name_is_cut_on_a_narrow_terminal() -> None:
    output = StringIO()
    load = {
        "dataset": "weather_data",
        "partition_key": "2026-11-26",
        "replayed_from": date(2024, 11, 26),
        "rows_in": 3,
        "loaded": 3,
        "quarantined": 0,
        "complete": True,
        "missing": [],
    }
    assert _rows(Console(file=output, width=80), [load])
    cells = [line.split("│")[1].strip() for line in output.getvalue().splitlines() if "│" in line]
    assert cells == ["weather_data"]
