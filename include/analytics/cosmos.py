"""How Cosmos runs our dbt project: as a group with a task a model, or as one task a command.

A task gets an environment with nothing of the worker's in it but its profile, whose password travels in an environment
variable and never in a file. What a command left behind is judged by :func:`include.analytics.results.keep`.
"""

from __future__ import annotations

import os
from typing import Any

from cosmos import (
    DbtTaskGroup,
    ExecutionConfig,
    InvocationMode,
    LoadMode,
    ProfileConfig,
    ProjectConfig,
    RenderConfig,
    TestBehavior,
    TestIndirectSelection,
)
from cosmos.profiles import PostgresUserPasswordProfileMapping

from include.analytics.manifest import MANIFEST, PROFILE, PROJECT
from include.settings import DBT

ENVIRONMENT = {"PATH": os.defpath, "DBT_LOG_FORMAT_FILE": "json", "PYTHONUTF8": "1"}
COMMON = {"append_env": False, "callback": "include.analytics.results.keep", "pool": "database_access"}


def marts(group_id: str, conn_id: str, schema: str) -> DbtTaskGroup:
    """Return the group of every model and snapshot, its tests right after it.

    It is made of the manifest beside the project, so a parse needs neither dbt nor a database.

    Args:
        group_id: name of the task group.
        conn_id: connection of type postgres; its role must be allowed to create schemas.
        schema: where marts go; the schemas of other layers begin with this name.
    """
    project = ProjectConfig(PROJECT, manifest_path=MANIFEST, env_vars=ENVIRONMENT, install_dbt_deps=False)
    project.manifest_path = MANIFEST  # the ObjectStoragePath that it became would load every plugin and file system
    return DbtTaskGroup(
        group_id=group_id,
        project_config=project,
        profile_config=_profile(conn_id, schema),
        execution_config=ExecutionConfig(
            invocation_mode=InvocationMode.SUBPROCESS,
            dbt_executable_path=DBT.read(),
            # A test of two models runs after the later one.
            test_indirect_selection=TestIndirectSelection.BUILDABLE,
        ),
        render_config=RenderConfig(
            load_method=LoadMode.DBT_MANIFEST,
            invocation_mode=InvocationMode.SUBPROCESS,
            test_behavior=TestBehavior.AFTER_EACH,
            emit_datasets=False,
        ),
        operator_args=dict(COMMON),
    )


def command(conn_id: str, schema: str) -> dict[str, Any]:
    """Return the arguments of a Cosmos operator that runs one dbt command on the whole project; see :func:`marts`."""
    return {
        "project_dir": str(PROJECT),
        "profile_config": _profile(conn_id, schema),
        "dbt_executable_path": DBT.read(),
        "invocation_mode": InvocationMode.SUBPROCESS,
        "env": ENVIRONMENT,
        "install_deps": False,
        "emit_datasets": False,
        **COMMON,
    }


def _profile(conn_id: str, schema: str) -> ProfileConfig:
    arguments = {"schema": schema, "threads": 4, "connect_timeout": 10}
    return ProfileConfig(
        profile_name=PROFILE,
        target_name=PROFILE,
        profile_mapping=PostgresUserPasswordProfileMapping(conn_id, profile_args=arguments),
    )
