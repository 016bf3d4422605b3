"""``python -m devstack.doctor [--json] [--only NAME]``: exit code 0 if nothing is wrong, 1 if something is."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict

from devstack.doctor import checkout, machine, settings, stack
from devstack.doctor.setup import Check, Problem, Setup
from devstack.own_settings import forget_libpq

CHECKS: tuple[Check, ...] = (
    machine.python_version,
    machine.memory,
    machine.disk,
    machine.clock,
    machine.engine_memory,
    machine.compose_version,
    machine.compose_port,
    checkout.locks,
    checkout.packages,
    checkout.permissions,
    checkout.plugins,
    settings.env_file,
    settings.env_file_is_used,
    settings.keys,
    settings.fernet_key,
    settings.connections,
    settings.warehouse,
    settings.statsd,
    stack.state_folder,
    stack.owner,
    stack.lock,
    stack.services,
    stack.database,
)


def main() -> int:
    """Run every check, and print what is wrong with its fix."""
    parser = argparse.ArgumentParser(prog="python -m devstack.doctor", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print a list of objects with check, cause and fix")
    parser.add_argument("--only", default="", help="the beginning of the names of checks, such as machine")
    arguments = parser.parse_args()
    forget_libpq()
    checks = [check for check in CHECKS if name(check).startswith(arguments.only)]
    found = [(name(check), problem) for check in checks for problem in problems(check, Setup())]
    if arguments.json:
        print(json.dumps([{"check": name} | asdict(problem) for name, problem in found], indent=1))
    else:
        for _, problem in found:
            print(f"✗ {problem.cause}\n  {problem.fix}")
        print(f"problems: {len(found)}" if found else f"nothing is wrong: {len(checks)} checks")
    return bool(found)


def name(check: Check) -> str:
    """Return a check's name, such as ``machine.disk``."""
    return f"{check.__module__.rpartition('.')[2]}.{check.__name__}"


def problems(check: Check, setup: Setup) -> list[Problem]:
    """Return what a check finds; an error of the check itself is a finding too."""
    try:
        return list(check(setup))
    except OSError as error:
        return [Problem(f"{name(check)} failed: {error}", "`git status` shows whether the file is damaged or missing")]
    except Exception as error:  # its text may hold a setting's value
        return [Problem(f"{name(check)} failed: {type(error).__name__}", "please report it, with what you have set")]


if __name__ == "__main__":
    sys.exit(main())
