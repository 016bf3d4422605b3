"""A full disk and another user's folder: each error says what to do."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from devstack import state as state_module
from devstack.errors import StackError
from devstack.postgres import Postgres
from devstack.state import STATE_VARIABLE, State, free_port
from tests.integration.devstack.conftest import as_ordinary_user

OPEN = """
try:
    State.open()
except StackError as error:
    print(error)
"""
Disk = Callable[[str], Path]


@pytest.fixture
def disk(open_folder: Path) -> Iterator[Disk]:
    """Mount a small disk of the given size."""

    def mount(size: str) -> Path:
        program = shutil.which("mount")
        command = [program or "mount", "-t", "tmpfs", "-o", f"size={size},mode=755", "tmpfs", str(open_folder)]
        if not program or subprocess.run(command, capture_output=True, check=False).returncode:
            pytest.skip("a disk of its own can't be mounted here (it takes root on Linux)")
        return open_folder

    yield mount
    if open_folder.is_mount():
        subprocess.run(["umount", str(open_folder)], check=True)


def test_a_small_disk_is_refused_before_anything_starts(disk: Disk) -> None:
    with pytest.raises(StackError, match=rf"has 16 MB free; the stack needs 500 MB.*{STATE_VARIABLE}"):
        State.open(disk("16m") / "state")


def test_a_disk_without_free_space_is_reported_as_full(disk: Disk) -> None:
    folder = disk("64k")
    with pytest.raises(OSError, match="No space left"):
        (folder / "filler").write_bytes(bytes(128 * 1024))
    with pytest.raises(StackError, match="has 0 MB free"):
        State.open(folder / "state")


def test_a_full_disk_leaves_the_secrets_unchanged(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state_module, "MINIMUM_FREE_BYTES", 0)
    folder = disk("128k")
    state = State.open(folder / "state")
    known = state.secret("first")
    with pytest.raises(OSError, match="No space left"):
        (folder / "filler").write_bytes(bytes(256 * 1024))
    with pytest.raises(OSError, match="No space left"):
        state.secret("second" * 2000)
    assert state.secret("first") == known


def test_a_disk_that_fills_up_during_initdb_is_reported(disk: Disk) -> None:
    cluster = Postgres(disk("12m") / "postgres", free_port(), "secret", durable=False)
    with pytest.raises(StackError, match=r"(?s)initdb could not create.*No space left on device"):
        cluster.start()
    cluster.remove()


def test_a_folder_that_only_root_can_write_is_named_with_its_owner() -> None:
    output = as_ordinary_user(OPEN, **{STATE_VARIABLE: "/usr/spellbook"})
    assert output == (
        "/usr/spellbook can't be written: /usr belongs to root. Remove /usr/spellbook as that user, "
        f"or set {STATE_VARIABLE} to a folder that you own.\n"
    )


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has another user's folder at hand")
@pytest.mark.parametrize(("mode", "owned"), [(0o755, "home/state/lock"), (0o700, "home")])
def test_a_state_that_root_left_is_named_with_its_owner(open_folder: Path, mode: int, owned: str) -> None:
    state = State.open(open_folder / "home" / "state")
    (open_folder / "home").chmod(mode)
    output = as_ordinary_user(OPEN, **{STATE_VARIABLE: str(state.root)})
    assert f"{open_folder / owned} belongs to root. Remove {state.root} as that user, or set {STATE_VARIABLE}" in output
