"""``python -m include.core.ml.tracking_server``: MLflow's server with two users.

``pipeline`` may do everything, ``reader`` may only read, and nobody else gets an answer. The users, with their current
passwords, are written to MLflow's database before the server starts.
"""

from __future__ import annotations

import argparse
import os
import secrets
from pathlib import Path

from include.core.ml.tracking import ENVIRONMENT

PIPELINE, READER = "pipeline", "reader"
DATABASE = "MLFLOW_BACKEND_STORE_URI"
PASSWORDS = {PIPELINE: "MLFLOW_PIPELINE_PASSWORD", READER: "MLFLOW_READER_PASSWORD"}
"""Environment variable with the password of each user."""


def main() -> None:
    """Write the users and serve until terminated."""
    parser = argparse.ArgumentParser(
        prog="python -m include.core.ml.tracking_server",
        description="MLflow's server with two users. Other options are those of `mlflow server`. The environment has"
        f" the database's URI ({DATABASE}) and the users' passwords ({', '.join(PASSWORDS.values())}).",
    )
    parser.add_argument("--auth-config", required=True, type=Path, help="file to write; it contains the database's URI")
    arguments, options = parser.parse_known_args()
    passwords = {user: os.environ.pop(variable) for user, variable in PASSWORDS.items()}
    _write_config(arguments.auth_config, os.environ[DATABASE])
    os.environ |= {
        **ENVIRONMENT,
        "MLFLOW_AUTH_CONFIG_PATH": str(arguments.auth_config),
        "MLFLOW_FLASK_SERVER_SECRET_KEY": secrets.token_hex(32),  # for one form, and there is one worker
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # six more processes that no DAG uses
    }
    from mlflow.cli import cli
    from mlflow.server import auth

    auth.store.init_db(os.environ[DATABASE])  # type: ignore[no-untyped-call]
    for user, password in passwords.items():
        if auth.store.has_user(user):
            auth.store.update_user(user, password=password)
        else:
            auth.store.create_user(user, password, is_admin=user == PIPELINE)
    cli(["server", "--app-name", "basic-auth", "--workers", "1", "--serve-artifacts", *options], prog_name="mlflow")


def _write_config(path: Path, database: str) -> None:
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    escaped = database.replace("%", "%%")
    path.write_text(
        f"[mlflow]\ndatabase_uri = {escaped}\nadmin_username = {PIPELINE}\ndefault_permission = READ\n"
        "auth_cache_ttl_seconds = 60\n"  # or each request would cost the hash of a password: the model server polls
    )


if __name__ == "__main__":
    main()
