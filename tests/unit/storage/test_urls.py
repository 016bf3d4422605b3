"""A URL leads back to its path, whatever characters it contains, and no other code creates file URLs."""

from __future__ import annotations

from pathlib import Path

import pytest
from airflow.sdk import ObjectStoragePath
from upath import UPath

from devstack.state import REPOSITORY
from include.core.storage import url_of, write

FOLDERS = ("mein Ordner äöü", "100 %", "%20", "#1", "a?b", "a+b", "a&b=c", "日本", "a;b,c'd")


@pytest.mark.parametrize("kind", [UPath, ObjectStoragePath])
@pytest.mark.parametrize("name", FOLDERS)
def test_a_file_is_written_where_its_url_says(
    kind: type[UPath] | type[ObjectStoragePath], name: str, tmp_path: Path
) -> None:
    file = tmp_path / name / "deeper" / "file"
    url = write(kind(url_of(tmp_path / name)) / "deeper" / "file", b"content")
    assert file.read_bytes() == b"content"
    assert url == url_of(file), "what a task returns in XCom"
    assert kind(url).read_bytes() == b"content"
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_only_one_function_creates_file_urls() -> None:
    folders = ("benchmarks", "dags", "deploy", "devstack", "include", "plugins", "tests")
    files = [file for folder in folders for file in (REPOSITORY / folder).rglob("*.py")]
    assert files
    encoding = [file for file in files if ".as_uri(" in file.read_text() and file != Path(__file__)]
    assert encoding == []
