"""``python -m include.core.ml.serving MODULE:SPEC``: serve the champion of the registered model of a spec."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path
from pkgutil import resolve_name

import uvicorn

from include.core.ml.serving.app import create_app
from include.core.ml.serving.champions import Champions
from include.core.ml.serving.follower import Follower
from include.core.ml.serving.limits import MAX_CONNECTIONS, TimelyProtocol
from include.core.ml.serving.spool import Spool
from include.core.ml.tracking import Server


def main() -> None:
    """Serve until terminated."""
    parser = argparse.ArgumentParser(prog="python -m include.core.ml.serving", description=__doc__)
    parser.add_argument("spec", type=resolve_name, help="the ModelSpec, as package.module:NAME")
    parser.add_argument("--mlflow-uri", required=True, help="MLflow's URL, http://host:port")
    parser.add_argument("--mlflow-login", default="", help="user in MLflow, if it has users; needs only to read")
    parser.add_argument("--mlflow-password-file", type=Path, help="file with that user's password")
    parser.add_argument("--model", help="name of the registered model, if it isn't the spec's")
    parser.add_argument(
        "--warehouse-file",
        required=True,
        type=Path,
        help="file with the warehouse's URI, postgresql://…; read on each use",
    )
    parser.add_argument("--spool", required=True, type=Path, help="SQLite file for rows not yet in the warehouse")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", required=True, type=int)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    name = arguments.model or arguments.spec.name
    password = arguments.mlflow_password_file.read_text().strip() if arguments.mlflow_password_file else ""
    server = Server(arguments.mlflow_uri, arguments.mlflow_login, password)

    def warehouse() -> str:
        return str(arguments.warehouse_file.read_text().strip())

    follower = Follower(Champions(server, name, warehouse), arguments.spec.trusted_types)
    spool = Spool(arguments.spool, warehouse)
    app = create_app(arguments.spec, name, follower, spool)
    uvicorn.run(
        app,
        host=arguments.host,
        port=arguments.port,
        access_log=False,
        http=TimelyProtocol,
        ws="none",
        limit_concurrency=MAX_CONNECTIONS,
    )


if __name__ == "__main__":
    main()
