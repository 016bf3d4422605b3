"""The arguments of ``spark-submit``, checked against the settings in force."""

from __future__ import annotations

import os
from itertools import chain
from typing import TYPE_CHECKING

from include.core import settings
from include.domains.sessions import checks
from include.domains.sessions import settings as sessions

if TYPE_CHECKING:
    from include.core.storage import File


def check(lines: File, host: str, port: int | None, deploy_mode: str | None) -> None:
    """Look at input, connection, programs and sizes all at once.

    Args:
        lines: the file or folder that is to be read.
        host: that of the connection ``spark_default``; so are the others.
        port: ``None`` if the host says it all.
        deploy_mode: from the connection's extra.

    Raises:
        ConfigurationError: with one line for each thing that must be fixed.
    """
    heaps = (sessions.SPARK_DRIVER_MEMORY, sessions.SPARK_EXECUTOR_MEMORY)
    checks.demand(
        chain(
            checks.connection_problems(host, port, deploy_mode),
            checks.program_problems(os.environ.get("JAVA_HOME", "")),
            checks.memory_problems({key.name: key.read() for key in heaps}, driver=sessions.SPARK_DRIVER_MEMORY.name),
            checks.number_problems(sessions.SPARK_PARTITIONS.name, sessions.SPARK_PARTITIONS.read()),
            checks.input_problems(settings.RETAIL.name, lines),
        )
    )
