"""Create one user for each role that is given as an argument: its name is the role's, its password comes from stdin."""

from __future__ import annotations

import sys

from airflow.providers.fab.auth_manager.cli_commands.utils import get_application_builder

if __name__ == "__main__":
    password = sys.stdin.read()
    with get_application_builder() as builder:
        for role in sys.argv[1:]:
            mail = f"{role}@example.com"
            assert builder.sm.add_user(role, role, "Test", mail, builder.sm.find_role(role), password=password)
