"""The commands of docs/first-dag.md do what the page says."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from devstack.state import REPOSITORY, STATE_VARIABLE

PAGE = REPOSITORY / "docs/first-dag.md"
BLOCK = re.compile(r"^```sh\n(.*?)^```\n(?:\n```text\n(.*?)^```\n)?", re.MULTILINE | re.DOTALL)
FAILS = "  # fails\n"
AUTHOR = {f"GIT_{who}_{what}": "x@example.com" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}


def shell(clone: Path, script: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != STATE_VARIABLE} | AUTHOR
    command = ["sh", "-e", "-c", f"exec 2>&1\n{script}"]
    return subprocess.run(command, cwd=clone, env=environment, capture_output=True, text=True, check=False)


def dated_before_the_installation(clone: Path) -> None:
    """The copy's environments are the repository's: they must not be installed again."""
    for path in (*clone.glob("requirements/*"), *clone.glob(".ci/*")):
        os.utime(path, (0, 0))


@pytest.mark.weekly
def test_every_command_of_the_page_does_what_it_says(clone: Path) -> None:
    dated_before_the_installation(clone)
    blocks = BLOCK.findall(PAGE.read_text(encoding="utf-8"))
    assert len(blocks) == PAGE.read_text(encoding="utf-8").count("```sh\n") > 5
    try:
        for script, expected in blocks:
            process = shell(clone, script)
            assert (process.returncode != 0) == script.endswith(FAILS), process.stdout[-5000:]
            assert [line for line in expected.splitlines() if line not in process.stdout] == [], process.stdout[-5000:]
        assert shell(clone, "git diff --stat HEAD~2").stdout == ""
    finally:
        shell(clone, "make clean")
