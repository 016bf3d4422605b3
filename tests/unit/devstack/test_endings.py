"""A signal ends a command in an orderly way, even if it comes again while the command cleans up."""

from __future__ import annotations

import errno
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from devstack.endings import SIGNALS, ending
from devstack.exits import Exit
from devstack.state import REPOSITORY

COMMAND = """
import os, sys
from devstack.endings import Stopped, ending, stopped_by_signals
signum = int(sys.argv[1])
try:
    with stopped_by_signals():
        try:
            print("running", flush=True)
            sys.stdin.readline()
        finally:
            os.kill(os.getpid(), signum)
            print("cleaned up", flush=True)
except Stopped as error:
    sys.exit(ending(error)[1])
"""
TEST = """
import os, pathlib, signal, pytest

@pytest.fixture
def server():
    yield
    pathlib.Path("stopped").touch()

def test_it(server):
    os.kill(os.getpid(), signal.{name})
    signal.pause()
"""


@pytest.mark.parametrize("signum", SIGNALS)
def test_a_signal_ends_a_command_that_still_cleans_up(signum: signal.Signals) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", COMMAND, str(int(signum))],
        cwd=REPOSITORY,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    assert process.stdout.readline() == "running\n"
    process.send_signal(signum)
    output, _ = process.communicate()
    assert output == "cleaned up\n"
    assert process.returncode == SIGNALS[signum] == 128 + signum


def test_every_signal_has_an_exit_code_of_its_own() -> None:
    assert len({*SIGNALS.values(), Exit.OK, Exit.FAILED, Exit.USAGE, Exit.MACHINE}) == len(Exit)


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (PermissionError(errno.EACCES, "Permission denied", "/srv/airflow/state"), "/srv/airflow/state: Permission"),
        (BrokenPipeError(errno.EPIPE, "Broken pipe"), "Broken pipe"),
    ],
)
def test_an_error_of_the_system_is_a_message_with_the_file(error: OSError, message: str) -> None:
    text, code = ending(error)
    assert text.startswith(message)
    assert code is Exit.MACHINE


def test_an_unexpected_error_keeps_its_traceback() -> None:
    with pytest.raises(OSError, match="nobody said what"):
        ending(OSError("nobody said what"))


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_a_signal_ends_the_tests_with_what_they_have_started(name: str, tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(TEST.format(name=name))
    process = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-c", "/dev/null", "-p", "tests.conftest", "test_it.py"],
        cwd=tmp_path,
        env={"PATH": "", "HOME": str(tmp_path), "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (tmp_path / "stopped").exists(), process.stdout + process.stderr
    assert process.returncode == pytest.ExitCode.INTERRUPTED
