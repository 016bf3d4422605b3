"""What PostgreSQL and libpq say, in a form that may be shown."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict

if TYPE_CHECKING:
    import psycopg

PUBLIC = frozenset({"host", "hostaddr", "port", "user", "dbname"})
QUOTED = re.compile(r"""(["'])(.*?)\1""", re.DOTALL)


def shown(error: psycopg.Error, conninfo: str) -> str:
    """Return an error's message without the values of a connection's other options, and without control characters.

    libpq quotes an option's value that it can't use, and a value may have been meant for another option: a password.

    Args:
        error: of connecting.
        conninfo: a URI or connection string, as it was given.
    """
    try:
        public = {str(value) for name, value in conninfo_to_dict(conninfo).items() if name in PUBLIC}
    except ProgrammingError:
        public = set()
    message = QUOTED.sub(lambda quoted: quoted[0] if quoted[2] in public else "…", str(error).strip())
    return "".join(char if char.isprintable() or char in "\n\t" else "�" for char in message)
