"""Sample requests to the embedded stack's model server: ``python -m devstack.traffic [--shift female-3]``.

Gives ``model_monitoring`` a day to check: `make run DAG=model_monitoring DATE=<today>` afterwards. The module
``traffic`` of a domain defines the requests: its model (``SPEC``), rows (``rows``) and a shifted segment (``shifted``).
"""

from __future__ import annotations

import argparse
import sys
import time
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from devstack.environment import local_url
from devstack.errors import StackError
from devstack.state import State
from include import domains
from include.core.collect import import_modules
from include.core.ml.errors import ServingError
from include.core.ml.serving.client import ModelServer

if TYPE_CHECKING:
    from devstack.api import Airflow

ASSET = "predictions"
COUNT = 400
START_TIMEOUT = 60  # seconds for a freshly started server to load its model


def sample() -> Any:
    """Return the module that defines the sample traffic; None if no domain has one."""
    return next(import_modules(domains, "traffic"), None)


def replay(url: str, airflow: Airflow, day: date) -> str:
    """Send a day's sample traffic to the model server, logged as replayed and served at noon; return a summary.

    Then publish an event of the asset :data:`ASSET`.

    Raises:
        StackError: if the server at ``url`` doesn't respond, or serves no model.
    """
    from include.core.ml.spec import to_records

    traffic = sample()
    server = ModelServer(url, traffic.SPEC)
    deadline = time.monotonic() + START_TIMEOUT
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    try:
        while server.health()["version"] is None and time.monotonic() < deadline:
            time.sleep(0.5)
        response = server.replay(to_records(traffic.rows(COUNT, seed=0)), noon)
    except ServingError as error:
        raise StackError(f"no sample traffic of {day}: {error}") from error
    airflow.publish(ASSET, {"day": day.isoformat(), "replayed": COUNT})
    kind = traffic.SPEC.rows_name
    return f"version {response['version']} answered {COUNT} sample {kind}, logged as replayed traffic of {day}"


def main() -> int:
    """Draw rows, request predictions for them and print a summary."""
    from include.core.ml.spec import to_records

    parser = argparse.ArgumentParser(prog="python -m devstack.traffic", description=__doc__)
    parser.add_argument("--count", type=int, default=COUNT, help="rows, 1 to 10000")
    parser.add_argument("--seed", type=int, default=0, help="of the random draw")
    parser.add_argument("--shift", default="", metavar="SEGMENT", help="segment whose rows differ from the training's")
    arguments = parser.parse_args()
    traffic = sample()
    if traffic is None:
        parser.error("no domain has a served model")
    spec = traffic.SPEC
    rows = traffic.rows(arguments.count, arguments.seed)
    segments = sorted(spec.segment(rows).unique())
    if arguments.shift and arguments.shift not in segments:
        parser.error(f"--shift {arguments.shift}: allowed: {', '.join(segments)}")
    server = ModelServer(local_url(State.open(), "model_server"), spec)
    try:
        response = server.predict(to_records(traffic.shifted(rows, arguments.shift)))
    except ServingError as error:
        print(f"{error}; train and deploy a model first", file=sys.stderr)
        return 1
    positive = sum(prediction[spec.positive] for prediction in response["predictions"])
    print(f"version {response['version']} answered {arguments.count} {spec.rows_name}: {positive} {spec.positive_text}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
