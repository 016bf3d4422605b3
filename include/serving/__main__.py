"""``python -m include.serving``: serve the champion of a registered model for raw passengers."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

import uvicorn

from include.ml.registry import Registry
from include.serving.app import create_app
from include.serving.follower import Follower
from include.serving.spool import Spool
from include.titanic.models import TRUSTED_TYPES
from include.titanic.pipeline import MODEL_NAME


def main() -> None:
    """Serve until told to end."""
    parser = argparse.ArgumentParser(prog="python -m include.serving", description=__doc__)
    parser.add_argument("--mlflow-uri", required=True, help="MLflow's URL, http://host:port")
    parser.add_argument("--model", default=MODEL_NAME, help="name of the registered model")
    parser.add_argument(
        "--warehouse-file",
        required=True,
        type=Path,
        help="file with the warehouse's URI, postgresql://…; read anew on each use",
    )
    parser.add_argument("--spool", required=True, type=Path, help="SQLite file for what the warehouse doesn't have yet")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", required=True, type=int)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    follower = Follower(Registry(arguments.mlflow_uri, arguments.model), TRUSTED_TYPES)
    spool = Spool(arguments.spool, lambda: arguments.warehouse_file.read_text().strip())
    uvicorn.run(
        create_app(arguments.model, follower, spool), host=arguments.host, port=arguments.port, access_log=False
    )


if __name__ == "__main__":
    main()
