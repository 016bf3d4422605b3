"""Run dbt commands one after another in one process: dbt is imported once, and parses the project once.

Run by the Python of dbt's environment: ``python commands.py '[["build"], ["docs", "generate"]]' --target-path=…``.
The options are those of every command; a command that fails is the last one.
"""

from __future__ import annotations

import json
import signal
import sys

from dbt.cli.main import dbtRunner


def main(commands: list[list[str]], options: list[str]) -> int:
    """Return dbt's exit code: 0 done, 1 a node failed, 2 dbt itself failed."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # dbt cancels its queries when it is interrupted
    parsed = dbtRunner().invoke(["parse", *options])
    if not parsed.success:
        return 2
    dbt = dbtRunner(manifest=parsed.result)
    for command in commands:
        done = dbt.invoke([*command, *options])
        if not done.success:
            return 2 if done.exception else 1
    return 0


if __name__ == "__main__":
    sys.exit(main(json.loads(sys.argv[1]), sys.argv[2:]))
