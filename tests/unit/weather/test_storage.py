from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import pytest
from upath import UPath

from include.core.storage import json_lines, url_of, write
from include.domains.weather import storage

DAY = dt.date(2024, 6, 1)


def test_the_files_of_a_run_are_stored_next_to_each_other() -> None:
    raw = storage.file_of(UPath("memory://bucket"), "raw", DAY, "scheduled__2024-06-01T00:00:00+00:00")
    assert str(raw) == "memory://bucket/weather/raw/day=2024-06-01/scheduled__2024-06-01T00-00-00-00-00.json"
    assert str(storage.beside(raw, "rejected")) == str(raw).replace("/raw/", "/rejected/") + "l"
    assert str(storage.beside(raw, "observations")) == str(raw).replace("/raw/", "/observations/")[:-4] + "parquet"


def test_a_rerun_overwrites_its_file(tmp_path: Path) -> None:
    path = storage.file_of(UPath(url_of(tmp_path)), "raw", DAY, "run")
    assert write(path, b"one") == write(path, b"two")
    assert path.read_bytes() == b"two"
    assert [file.name for file in tmp_path.rglob("*") if file.is_file()] == ["run.json"]


def test_a_failed_write_keeps_the_existing_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = storage.file_of(UPath(url_of(tmp_path)), "raw", DAY, "run")
    write(path, b"one")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="No space left"):
        write(path, b"two")
    assert path.read_bytes() == b"one"
    assert [file.name for file in tmp_path.rglob("*") if file.is_file()] == ["run.json"]


def test_an_object_store_needs_no_rename() -> None:
    path = storage.file_of(UPath("memory://bucket"), "raw", DAY, "run")
    assert write(path, b"one") == "memory://bucket/weather/raw/day=2024-06-01/run.json"
    assert path.read_bytes() == b"one"


def test_json_lines_encode_nan_and_dates() -> None:
    rows = [{"temp": float("nan"), "day": DAY, "text": "a\nb\u2028°"}]
    [line] = json_lines(rows).splitlines()
    assert json.loads(line) == {"temp": "NaN", "day": "2024-06-01", "text": "a\nb\u2028°"}
