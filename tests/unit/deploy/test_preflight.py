"""A folder that Airflow can't use is named before anything starts."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from deploy.compose.errors import SetupError
from deploy.compose.preflight import check
from deploy.compose.written import Written

SOMEBODY = 65534


def as_somebody(action: Callable[[], None]) -> str:
    """Run an action in a child process that is an ordinary user; return what it refused."""
    reader, writer = os.pipe()
    if (child := os.fork()) == 0:
        said = ""
        try:
            if os.getuid() == 0:
                os.setgid(SOMEBODY)
                os.setuid(SOMEBODY)
            action()
        except SetupError as error:
            said = str(error)
        finally:
            os.write(writer, said.encode())
            os._exit(0)
    os.close(writer)
    os.waitpid(child, 0)
    with os.fdopen(reader) as pipe:
        return pipe.read()


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that other users can come to."""
    with tempfile.TemporaryDirectory() as scratch:
        Path(scratch).chmod(0o755)
        made = Path(scratch) / "logs"
        made.mkdir()
        yield made


def test_good_folders_pass(folder: Path) -> None:
    (folder / "dag.py").write_text("")
    folder.chmod(0o777)
    assert as_somebody(lambda: check([folder], [folder])) == ""


def test_a_folder_that_cannot_be_written_is_named_with_owner_and_fix(folder: Path) -> None:
    folder.chmod(0o555)
    said = as_somebody(lambda: check([folder], []))
    assert said.startswith(f"{folder} can't be written by uid ")
    assert f"it belongs to uid {folder.stat().st_uid}, gid {folder.stat().st_gid}, mode 0555" in said
    assert "--entrypoint chown airflow-init -R" in said


def test_a_file_that_cannot_be_read_is_named(folder: Path) -> None:
    secret = folder / "hidden.py"
    secret.write_text("")
    secret.chmod(0)
    folder.chmod(0o755)
    said = as_somebody(lambda: check([], [folder]))
    assert said.startswith(f"{secret} can't be read by uid ")
    assert "chmod -R a+rX logs" in said


def test_a_folder_that_is_missing_is_named(tmp_path: Path) -> None:
    missing = tmp_path / "nowhere"
    with pytest.raises(SetupError, match="nowhere can't be written"):
        check([missing], [])
    with pytest.raises(SetupError, match="nowhere can't be read"):
        check([], [missing])


def test_what_was_written_is_told_from_what_was_changed_since(tmp_path: Path) -> None:
    path = tmp_path / "written.json"
    Written(path).note("admin", "first")
    assert Written(path).was("admin", "first")
    assert not Written(path).was("admin", "second")
    assert not Written(path).was("weather_default", "first")
    assert "first" not in path.read_text()
