"""``python -m include.core.ml.serving MODULE:NAME``: serve each spec's registered model: champion and challenger.

A model whose spec can't be used is named in the log, in ``/health`` and in ``/metrics``; the others are served.
"""

from __future__ import annotations

import argparse
import logging
from pathlib import Path
from pkgutil import resolve_name
from typing import TYPE_CHECKING

import uvicorn

from include.core.ml.serving.app import create_app
from include.core.ml.serving.challenger import Challenger, Challengers
from include.core.ml.serving.champions import Champions
from include.core.ml.serving.follower import Follower
from include.core.ml.serving.limits import MAX_CONNECTIONS, TimelyProtocol
from include.core.ml.serving.several import several
from include.core.ml.serving.spool import Spool
from include.core.ml.serving.unserved import create_unserved_app
from include.core.ml.specs import Specs
from include.core.ml.tracking import Server

if TYPE_CHECKING:
    from fastapi import FastAPI


def main() -> None:
    """Serve until terminated."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    parser = argparse.ArgumentParser(prog="python -m include.core.ml.serving", description=__doc__)
    parser.add_argument("specs", type=_specs, help="a ModelSpec, or Specs, as package.module:NAME")
    parser.add_argument("--mlflow-uri", required=True, help="MLflow's URL, http://host:port")
    parser.add_argument("--mlflow-login", default="", help="user in MLflow, if it has users; needs only to read")
    parser.add_argument("--mlflow-password-file", type=Path, help="file with that user's password")
    parser.add_argument("--model", help="name of the registered model of the only spec, if it isn't the spec's")
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
    specs: Specs = arguments.specs
    if arguments.model and len(specs.names) != 1:
        parser.error(f"--model {arguments.model}: there are {len(specs.names)} specs")
    password = arguments.mlflow_password_file.read_text().strip() if arguments.mlflow_password_file else ""
    server = Server(arguments.mlflow_uri, arguments.mlflow_login, password)

    def warehouse() -> str:
        return str(arguments.warehouse_file.read_text().strip())

    apps: dict[str, FastAPI] = {}
    for spec in specs.valid.values():
        name = arguments.model or spec.name
        follower = Follower(Champions(server, name, warehouse), spec.trusted_types)
        challengers = Challengers(server, name, warehouse, {column: spec.dtypes[column] for column in spec.columns})
        # One file for each model, since each writes with a connection of its own; the first keeps the given name.
        file = arguments.spool.with_stem(f"{arguments.spool.stem}-{name}") if apps else arguments.spool
        answers = Spool(file.with_stem(f"{file.stem}-challenger"), warehouse, durable=False)
        challenger = Challenger(Follower(challengers, spec.trusted_types), answers)
        apps[spec.path] = create_app(spec, name, follower, Spool(file, warehouse), challenger)
    for name, reason in specs.broken.items():
        apps.setdefault(f"/models/{name}", create_unserved_app(name, reason, is_refused=True))
    apps = apps or {"/models": create_unserved_app("", "no domain has a model", is_refused=False)}
    uvicorn.run(
        several(apps),
        host=arguments.host,
        port=arguments.port,
        access_log=False,
        http=TimelyProtocol,
        ws="none",
        limit_concurrency=MAX_CONNECTIONS,
    )


def _specs(name: str) -> Specs:
    resolved = resolve_name(name)
    return resolved if isinstance(resolved, Specs) else Specs({resolved.name: resolved}, {})


if __name__ == "__main__":
    main()
