"""A user's own settings for the embedded stack: connections, variables and keys, in the environment or in ``.env``."""

from __future__ import annotations

import os

from dotenv import dotenv_values

from devstack.errors import StackError
from devstack.state import REPOSITORY
from include.settings import ENVIRONMENT

FILE = REPOSITORY / ".env"
CONNECTION = "AIRFLOW_CONN_"
PREFIXES = (CONNECTION, "AIRFLOW_VAR_")
KEYS = frozenset(key.name for key in ENVIRONMENT) | {"SPELLBOOK_UPSTREAM"}


def load() -> dict[str, str]:
    """Take the settings of :data:`FILE` into the environment, whose own count first; return where each comes from.

    Raises:
        StackError: if the file can't be read.
    """
    origins = {name: "the environment" for name in sorted(os.environ) if _counts(name) and os.environ[name]}
    try:
        in_file = dotenv_values(FILE)
    except (OSError, UnicodeDecodeError) as error:
        raise StackError(f"{FILE} can't be read: {error}") from error
    for name, value in sorted(in_file.items()):
        if value and _counts(name) and name not in origins:
            os.environ[name] = value
            origins[name] = FILE.name
    return origins


def forget_libpq() -> None:
    """Remove the variables that libpq would take for what a connection leaves open: tasks don't have them."""
    for name in [name for name in os.environ if name.startswith("PG")]:
        del os.environ[name]


def for_airflow() -> dict[str, str]:
    """Return the connections and variables; a process of Airflow has the keys anyway."""
    return {name: value for name, value in os.environ.items() if name.startswith(PREFIXES) and is_read(name) and value}


def described(origins: dict[str, str]) -> list[str]:
    """Return a line about each setting, without its value, which may be secret."""
    return [f"{_label(name)}: from {origin}" for name, origin in origins.items()]


def _counts(name: str) -> bool:
    return name in KEYS or (name.startswith(PREFIXES) and is_read(name))


def is_read(name: str) -> bool:
    """Tell whether Airflow reads a connection of this name: it looks for capitals."""
    return not name.startswith(CONNECTION) or name == name.upper()


def _label(name: str) -> str:
    return name.removeprefix(CONNECTION).lower() if name.startswith(CONNECTION) else name
