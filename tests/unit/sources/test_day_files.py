"""The file of a day: its name, the folders that are allowed, and what is missing."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import pytest
from upath import UPath

from include.core.errors import ConfigurationError
from include.core.settings import SOURCE_FOLDERS
from include.core.sources.day_files import NoFileError, SeveralFilesError, find
from include.core.sources.errors import SourceError
from include.core.sources.files import parse_source

if TYPE_CHECKING:
    from pathlib import Path

    from include.core.sources.model import Source

DAY = dt.date(2024, 6, 1)
YAML = """
name: orders
description: Orders of a shop, one row each.
owner: me
schedule: "0 6 * * *"
start_date: 2024-01-01
{reads}
key: [id]
columns:
  id: {{type: integer}}
"""


def source(path: Path, reads: str) -> Source:
    return parse_source(YAML.format(reads=reads), path / "orders.yaml")


def found(tmp_path: Path, folder: str, name: str) -> str:
    files = source(tmp_path, f"files: {{folder: '{folder}', name: '{name}'}}")
    assert files.files is not None
    return str(find(files, files.files, DAY, UPath(tmp_path / "storage"), UPath))


def put(*files: Path) -> None:
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("id\n1\n")


@pytest.mark.parametrize(
    ("folder", "name", "file"),
    [
        ("orders", "orders_{day}.csv", "orders/orders_2024-06-01.csv"),
        ("orders/{day:%Y/%m/%d}", "part.parquet", "orders/2024/06/01/part.parquet"),
        ("orders", "o{day:%Y%m%d}_*.csv.gz", "orders/o20240601_0815.csv.gz"),
        ("orders", "[{day}]?.csv", "orders/[2024-06-01]?.csv"),
    ],
)
def test_the_day_is_in_the_name_or_the_folder(tmp_path: Path, folder: str, name: str, file: str) -> None:
    inbox = tmp_path / "storage" / "inbox"
    put(inbox / file, inbox / "orders" / "orders_2024-06-02.csv", inbox / "orders" / "12.csv")
    assert found(tmp_path, folder, name) == str(inbox / file)


def test_a_missing_file_may_come_and_several_are_refused(tmp_path: Path) -> None:
    with pytest.raises(NoFileError, match=r"orders, 2024-06-01: no file a_2024-06-01\*\.csv in .*inbox/orders"):
        found(tmp_path, "orders", "a_{day}*.csv")
    inbox = tmp_path / "storage" / "inbox" / "orders"
    put(inbox / "a_2024-06-01.csv", inbox / "a_2024-06-01_2.csv")
    with pytest.raises(SeveralFilesError, match=r"2 files match .*a_2024-06-01\.csv, a_2024-06-01_2\.csv"):
        found(tmp_path, "orders", "a_{day}*.csv")


def test_only_allowed_folders_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path / "in" / "a_2024-06-01.csv", tmp_path / "in2" / "a_2024-06-01.csv")
    monkeypatch.setenv(SOURCE_FOLDERS.name, f"s3://aws_default@bucket/in, {tmp_path}/in")
    assert found(tmp_path, f"{tmp_path}/in", "a_{day}.csv")
    assert found(tmp_path, f"file://{tmp_path}/in", "a_{day}.csv")
    link = tmp_path / "in" / "link"
    link.symlink_to(tmp_path / "in2")
    for folder in (f"{tmp_path}/in2", f"{tmp_path}", "/etc", "s3://aws_default@bucket/inner", str(link)):
        with pytest.raises(
            ConfigurationError, match=r"orders: files\.folder: .* isn't in an allowed folder: .*storage"
        ):
            found(tmp_path, folder, "a_{day}.csv")


@pytest.mark.parametrize(
    ("reads", "message"),
    [
        ("", "path, files: must have one of them"),
        ("path: /a\nfiles: {folder: a, name: '{day}.csv'}", "path, files: must have one of them"),
        ("files: {folder: a, name: a.csv}", "orders.yaml:7: files: name: must contain {day}"),
        ("files: {folder: ../a, name: '{day}.csv'}", "files.folder: must be a folder without .."),
        ("files: {folder: 'ftp://x/a', name: '{day}.csv'}", "files.folder: must be below inbox/"),
        ("files: {folder: a, name: '../{day}.csv'}", "files.name: String should match pattern"),
        ("files: {folder: a, name: '{day.year}.csv'}", "files.name: has braces that aren't {day}"),
        ("files: {folder: a, name: '{day}****.csv'}", r"name: may contain \* at most 3 times"),
        ("files: {folder: a, name: '{day}.csv', encoding: rot13}", "files.encoding: must be an encoding of text"),
        ("files: {folder: a, name: '{day}', format: json, delimiter: ;}", "are for the format csv, not for json"),
        ("files: {folder: a, name: '{day}.csv', colour: red}", "files.colour: unknown field; allowed: folder, name"),
        ("files: {name: '{day}.csv'}", "files.folder: is missing"),
    ],
)
def test_a_wrong_declaration_names_the_field(tmp_path: Path, reads: str, message: str) -> None:
    with pytest.raises(SourceError, match=message.replace("{", r"\{").replace("}", r"\}")):
        source(tmp_path, reads)


@pytest.mark.parametrize("given", [{"format": "csv", "encoding": "latin-1", "delimiter": ";"}, {"format": "parquet"}])
def test_format_encoding_and_delimiter_can_be_said(tmp_path: Path, given: dict[str, Any]) -> None:
    said = ", ".join(f"{name}: '{value}'" for name, value in given.items())
    files = source(tmp_path, f"files: {{folder: a, name: 'a_{{day}}', {said}}}").files
    assert files is not None
    assert files.model_dump(include=set(given)) == given
