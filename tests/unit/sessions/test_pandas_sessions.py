"""Sessions computed by hand: gaps, repeats, cancellations, rows that can't be used."""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd
import pytest
from upath import UPath

from include.core.storage import url_of
from include.domains.sessions import output, pandas_sessions
from include.domains.sessions.rules import COLUMNS

LINES = [
    "1,A,x,2,2010-12-01 08:00:00,1.25,17850.0,UK",
    "1,A,x,2,2010-12-01 08:00:00,1.25,17850.0,UK",
    '1,B,"y, ""z""",1,2010-12-01 08:30:00,0.5,17850.0,UK',
    "C2,A,x,-2,2010-12-01 09:00:01,1.25,17850.0,UK",
    "3,A,x,1,2010-12-01 08:00:00,1.25,,UK",
    "4,A,x,many,2010-12-01 08:00:00,1.25,17850.0,UK",
    "5,A,x,1,yesterday,1.25,17850.0,UK",
]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "lines.csv"
    path.write_text("\n".join([",".join(COLUMNS), *LINES]) + "\n")
    return path


def test_sessions(file: Path) -> None:
    lines = pandas_sessions.typed(pandas_sessions.read(url_of(file)))
    result = pandas_sessions.sessions(lines[lines["status"] == "used"], gap_minutes=30)
    begin, end, cancel = (pd.Timestamp(f"2010-12-01 {time}") for time in ("08:00", "08:30", "09:00:01"))
    assert result.to_numpy().tolist() == [
        [17850, 1, begin, end, 1, 0, 2, 3, 300],
        [17850, 2, cancel, cancel, 1, 1, 1, -2, -250],
    ]


def test_main_accounts_for_every_row(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    attempt = tmp_path / "sessions/pandas/run/try-1"
    arguments = ["main", "--input", url_of(file), "--output", url_of(attempt)]
    monkeypatch.setattr(sys, "argv", arguments)
    pandas_sessions.main()
    published = output.publish(UPath(attempt.parent))
    assert published.counts == {"read": 7, "unreadable": 2, "repeated": 1, "anonymous": 1, "used": 3}
    assert published.sessions == 2
