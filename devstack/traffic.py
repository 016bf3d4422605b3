"""Passengers who ask the embedded stack's model server: ``python -m devstack.traffic [--older female-3]``.

Gives ``model_monitoring`` a day to look at: `make run DAG=model_monitoring DATE=<today>` afterwards.
"""

from __future__ import annotations

import argparse
import sys
import time
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from devstack.environment import local_url
from devstack.errors import StackError
from devstack.state import REPOSITORY, State
from include.core.ml.errors import ServingError
from include.core.ml.serving.client import ModelServer

if TYPE_CHECKING:
    import pandas as pd

    from devstack.api import Airflow

ASSET = "predictions"
LIST = REPOSITORY / "include" / "data" / "titanic" / "train.csv"
COUNT = 400
YEARS = 20
PATIENCE = 60  # seconds in which a server that was just started takes up its model


def replay(url: str, airflow: Airflow, day: date) -> str:
    """Have the model server answer a day's sample traffic, kept as replayed and as served at noon; say what was done.

    Airflow is told of a new event of the asset :data:`ASSET`.

    Raises:
        StackError: if the server at ``url`` doesn't answer, or serves no model.
    """
    from include.core.ml.spec import plain
    from include.domains.titanic.spec import TITANIC

    server = ModelServer(url, TITANIC)
    deadline = time.monotonic() + PATIENCE
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    try:
        while server.health()["version"] is None and time.monotonic() < deadline:
            time.sleep(0.5)
        answer = server.replay(plain(passengers(COUNT, seed=0)), noon)
    except ServingError as error:
        raise StackError(f"no sample traffic of {day}: {error}") from error
    airflow.publish(ASSET, {"day": day.isoformat(), "replayed": COUNT})
    return f"version {answer['version']} answered {COUNT} sample passengers, kept as replayed traffic of {day}"


def passengers(count: int, seed: int) -> pd.DataFrame:
    """Draw passengers of the list with replacement."""
    from include.domains.titanic.passengers import COLUMNS, read

    rows = read(LIST.read_bytes())[list(COLUMNS)]
    return rows.sample(count, replace=True, random_state=seed).reset_index(drop=True)


def main() -> int:
    """Draw passengers, ask for them, say what came of it."""
    from include.core.ml.spec import plain
    from include.domains.titanic.features import segment
    from include.domains.titanic.spec import TITANIC

    parser = argparse.ArgumentParser(prog="python -m devstack.traffic", description=__doc__)
    parser.add_argument("--count", type=int, default=COUNT, help="passengers, 1 to 1000")
    parser.add_argument("--seed", type=int, default=0, help="of the draw")
    parser.add_argument("--older", default="", metavar="SEGMENT", help=f"make one segment {YEARS} years older")
    arguments = parser.parse_args()
    rows = passengers(arguments.count, arguments.seed)
    known = sorted(segment(rows).unique())
    if arguments.older and arguments.older not in known:
        parser.error(f"--older {arguments.older}: there are {', '.join(known)}")
    rows["Age"] += YEARS * segment(rows).eq(arguments.older)
    server = ModelServer(local_url(State.open(), "model_server"), TITANIC)
    try:
        answer = server.predict(plain(rows))
    except ServingError as error:
        print(f"{error}; run `make run DAG=titanic_ml_pipeline` first", file=sys.stderr)
        return 1
    survive = sum(one["survived"] for one in answer["predictions"])
    print(f"version {answer['version']} answered {arguments.count} passengers: {survive} survive")
    return 0


if __name__ == "__main__":
    sys.exit(main())
