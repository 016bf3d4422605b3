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

ORDINARY_UID = 65534


def as_ordinary_user(action: Callable[[], None]) -> str:
    """Run an action in a child process that is an ordinary user; return the message of its refusal."""
    reader, writer = os.pipe()
    if (child := os.fork()) == 0:
        message = ""
        try:
            if os.getuid() == 0:
                os.setgid(ORDINARY_UID)
                os.setuid(ORDINARY_UID)
            action()
        except SetupError as error:
            message = str(error)
        finally:
            os.write(writer, message.encode())
            os._exit(0)
    os.close(writer)
    os.waitpid(child, 0)
    with os.fdopen(reader) as pipe:
        return pipe.read()


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that other users can reach."""
    with tempfile.TemporaryDirectory() as scratch:
        Path(scratch).chmod(0o755)
        logs = Path(scratch) / "logs"
        logs.mkdir()
        yield logs


def test_good_folders_pass(folder: Path) -> None:
    (folder / "dag.py").write_text("")
    folder.chmod(0o777)
    assert as_ordinary_user(lambda: check([folder], [folder])) == ""


def test_a_folder_that_cannot_be_written_is_named_with_owner_and_fix(folder: Path) -> None:
    folder.chmod(0o555)
    message = as_ordinary_user(lambda: check([folder], []))
    assert message.startswith(f"{folder} can't be written by uid ")
    assert f"it belongs to uid {folder.stat().st_uid}, gid {folder.stat().st_gid}, mode 0555" in message
    assert "--entrypoint chown airflow-init -R" in message


def test_a_file_that_cannot_be_read_is_named(folder: Path) -> None:
    secret = folder / "hidden.py"
    secret.write_text("")
    secret.chmod(0)
    folder.chmod(0o755)
    message = as_ordinary_user(lambda: check([], [folder]))
    assert message.startswith(f"{secret} can't be read by uid ")
    assert "chmod -R a+rX logs" in message


def test_a_folder_that_is_missing_is_named(tmp_path: Path) -> None:
    missing = tmp_path / "nowhere"
    with pytest.raises(SetupError, match="nowhere can't be written"):
        check([missing], [])
    with pytest.raises(SetupError, match="nowhere can't be read"):
        check([], [missing])


def test_written_values_are_distinguished_from_changed_ones(tmp_path: Path) -> None:
    path = tmp_path / "written.json"
    Written(path).record("admin", "first")
    assert Written(path).matches("admin", "first")
    assert not Written(path).matches("admin", "second")
    assert not Written(path).matches("weather_default", "first")
    assert "first" not in path.read_text()
