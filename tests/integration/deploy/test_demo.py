"""What `make demo` checks before it starts the Compose stack, which the end-to-end tests do."""

from __future__ import annotations

import os
import socket
import subprocess
from pathlib import Path

from devstack.state import REPOSITORY


def demo(folder: Path, engine: str, **settings: str) -> tuple[str, list[str]]:
    """Run it with a ``docker`` that does what ``engine`` says; return its output, and how ``docker`` was called."""
    program, calls = folder / "docker", folder / "calls"
    program.write_text(f'#!/bin/sh\necho "$*" >> {calls}\n{engine}\n')
    program.chmod(0o755)
    process = subprocess.run(
        ["make", "--assume-old=install", "demo"],
        cwd=REPOSITORY,
        env=os.environ | {"PATH": f"{folder}:{os.environ['PATH']}"} | settings,
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 2
    return process.stdout + process.stderr, calls.read_text().splitlines()


def test_without_a_container_engine_it_names_what_needs_none(tmp_path: Path) -> None:
    output, calls = demo(tmp_path, "exit 1")
    assert "no container engine answers: start Docker, or use 'make up', which needs none" in output
    assert calls == ["info"]


def test_a_taken_port_is_named_before_anything_starts(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        output, calls = demo(tmp_path, 'case "$1" in info|ps) echo "{}";; esac', SPELLBOOK_PORT=str(port))
    assert f"port {port} is taken by another program" in output
    assert "SPELLBOOK_PORT in .env" in output
    assert not [call for call in calls if call.startswith("compose") and " up" in call]
