"""What is examined, and what a check finds."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dotenv import dotenv_values

from devstack.state import REPOSITORY, State


@dataclass(frozen=True)
class Setup:
    """A checkout, the environment in which its commands run, and the stack's state folder."""

    root: Path = REPOSITORY
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    state: State = field(default_factory=State.current)

    @property
    def env_file(self) -> Path:
        """The checkout's ``.env``, which may be missing."""
        return self.root / ".env"

    def settings(self) -> dict[str, str]:
        """Return what is set in ``.env``, if it can be read, and in the environment, which counts first."""
        try:
            in_file = dotenv_values(self.env_file)
        except (OSError, UnicodeDecodeError):
            in_file = {}
        return {name: value for name, value in in_file.items() if value} | {
            name: value for name, value in self.environment.items() if value
        }

    def state_file(self, name: str) -> dict[str, Any]:
        """Return a JSON file of the state folder; empty if it is missing or damaged. Nothing is created."""
        try:
            content = json.loads((self.state.root / name).read_text())
        except (OSError, ValueError):
            return {}
        return content if isinstance(content, dict) else {}


@dataclass(frozen=True)
class Problem:
    """What is wrong, and what to do about it; neither holds a secret."""

    cause: str
    fix: str


Check = Callable[[Setup], Iterator[Problem]]
