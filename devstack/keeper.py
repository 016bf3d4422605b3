"""Ends a warm stack that nobody has used for a while; it is itself ended with the stack."""

from __future__ import annotations

import os
import time

from devstack.stack import Stack
from devstack.state import State

IDLE_VARIABLE = "SPELLBOOK_IDLE_SECONDS"
IDLE_SECONDS = 900.0


def main() -> None:
    """Watch the stack of the state in force; stop it when its idle time-out has passed."""
    state = State.open()
    patience = float(os.environ.get(IDLE_VARIABLE) or IDLE_SECONDS)
    while state.last_used.exists():
        if time.time() - state.last_used.stat().st_mtime > patience:
            print(f"idle for {patience:.0f} s: stopped {', '.join(Stack(state).stop())}", flush=True)
            return
        time.sleep(min(5, patience / 4))


if __name__ == "__main__":
    main()
