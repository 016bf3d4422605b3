"""Run several dbt commands in one process, so that dbt is imported and the project is parsed only once.

Run it with the Python of dbt's environment: ``python commands.py '[["build"], ["docs", "generate"]]' --target-path=…``.
The options apply to all commands; execution stops at the first command that fails.
"""

from __future__ import annotations

import json
import signal
import sys

from dbt.cli.main import dbtRunner


def main(commands: list[list[str]], options: list[str]) -> int:
    """Return dbt's exit code: 0: success; 1: a node failed; 2: dbt itself failed."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # dbt cancels its queries on KeyboardInterrupt
    parsed = dbtRunner().invoke(["parse", *options])
    if not parsed.success:
        return 2
    dbt = dbtRunner(manifest=parsed.result)
    for command in commands:
        result = dbt.invoke([*command, *options])
        if not result.success:
            return 2 if result.exception else 1
    return 0


if __name__ == "__main__":
    sys.exit(main(json.loads(sys.argv[1]), sys.argv[2:]))
