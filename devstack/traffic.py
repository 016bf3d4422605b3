"""Sample requests to the embedded stack's model server: ``python -m devstack.traffic [--shift female-3]``.

Gives ``model_monitoring`` a day to look at: `make run DAG=model_monitoring DATE=<today>` afterwards. What is asked, the
module ``traffic`` of a domain says: its model (``SPEC``), rows (``rows``), and a change of a segment (``shifted``).
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
from include.core.ml.errors import ServingError
from include.core.ml.serving.client import ModelServer
from include.core.registry import modules_of, names_of

if TYPE_CHECKING:
    from devstack.api import Airflow

ASSET = "predictions"
COUNT = 400
PATIENCE = 60  # seconds in which a server that was just started takes up its model


def served_spec() -> str | None:
    """Return where the spec of the model that is served is, ``module:NAME``; None if no domain has a model."""
    return next((f"{name}:SPEC" for name in names_of(domains, "traffic")), None)


def sample() -> Any:
    """Return the module that says what is asked; None if no domain has one."""
    return next(modules_of(domains, "traffic"), None)


def replay(url: str, airflow: Airflow, day: date) -> str:
    """Have the model server answer a day's sample traffic, kept as replayed and as served at noon; say what was done.

    Airflow is told of a new event of the asset :data:`ASSET`.

    Raises:
        StackError: if the server at ``url`` doesn't answer, or serves no model.
    """
    from include.core.ml.spec import plain

    traffic = sample()
    server = ModelServer(url, traffic.SPEC)
    deadline = time.monotonic() + PATIENCE
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    try:
        while server.health()["version"] is None and time.monotonic() < deadline:
            time.sleep(0.5)
        answer = server.replay(plain(traffic.rows(COUNT, seed=0)), noon)
    except ServingError as error:
        raise StackError(f"no sample traffic of {day}: {error}") from error
    airflow.publish(ASSET, {"day": day.isoformat(), "replayed": COUNT})
    kind = traffic.SPEC.rows_name
    return f"version {answer['version']} answered {COUNT} sample {kind}, kept as replayed traffic of {day}"


def main() -> int:
    """Draw rows, ask for them, say what came of it."""
    from include.core.ml.spec import plain

    parser = argparse.ArgumentParser(prog="python -m devstack.traffic", description=__doc__)
    parser.add_argument("--count", type=int, default=COUNT, help="rows, 1 to 1000")
    parser.add_argument("--seed", type=int, default=0, help="of the draw")
    parser.add_argument("--shift", default="", metavar="SEGMENT", help="segment whose rows differ from the training's")
    arguments = parser.parse_args()
    traffic = sample()
    if traffic is None:
        parser.error("no domain has a model that is served")
    spec = traffic.SPEC
    rows = traffic.rows(arguments.count, arguments.seed)
    known = sorted(spec.segment(rows).unique())
    if arguments.shift and arguments.shift not in known:
        parser.error(f"--shift {arguments.shift}: there are {', '.join(known)}")
    server = ModelServer(local_url(State.open(), "model_server"), spec)
    try:
        answer = server.predict(plain(traffic.shifted(rows, arguments.shift)))
    except ServingError as error:
        print(f"{error}; train and deploy a model first", file=sys.stderr)
        return 1
    positive = sum(one[spec.positive] for one in answer["predictions"])
    print(f"version {answer['version']} answered {arguments.count} {spec.rows_name}: {positive} {spec.positive_text}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
