"""Watch a running stack: stop it when it is idle, and request a parse of the DAG files when what they read changes.

Airflow detects a changed DAG file by itself, but not a changed module or YAML file that it reads. The keeper is
stopped with the stack.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

from devstack.stack import Stack
from devstack.state import REPOSITORY, State

IDLE_VARIABLE = "SPELLBOOK_IDLE_SECONDS"
IDLE_SECONDS = 900.0
ROUND_SECONDS = 5.0
READ_BY_DAG_FILES = {".py", ".yaml", ".json", ".sql"}


def main() -> None:
    """Watch the stack of the current state folder; stop it when its idle timeout has passed."""
    state = State.open()
    timeout = float(os.environ.get(IDLE_VARIABLE) or IDLE_SECONDS)
    last_change = newest_change(REPOSITORY / "include")
    while state.last_used.exists():
        if time.time() - state.last_used.stat().st_mtime > timeout:
            print(f"idle for {timeout:.0f} s: stopped {', '.join(Stack(state).stop())}", flush=True)
            return
        if (now := newest_change(REPOSITORY / "include")) != last_change:
            last_change = now
            dags = Stack(state).dags
            state.parses.request(path.relative_to(dags).as_posix() for path in dags.rglob("*.py"))
        time.sleep(min(ROUND_SECONDS, timeout / 4))


def newest_change(folder: Path) -> tuple[int, float]:
    """Return the number of files that DAG files may read in ``folder``, and the latest modification among them."""
    times = [path.stat().st_mtime for path in folder.rglob("*") if path.suffix in READ_BY_DAG_FILES]
    return len(times), max(times, default=0.0)


if __name__ == "__main__":
    main()
