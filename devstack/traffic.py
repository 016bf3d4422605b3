"""Passengers who ask the embedded stack's model server: ``python -m devstack.traffic [--older female-3]``.

Gives ``model_monitoring`` a day to look at: `make run DAG=model_monitoring DATE=<today>` afterwards.
"""

from __future__ import annotations

import argparse
import sys

from devstack.environment import local_url
from devstack.state import REPOSITORY, State
from include.ml.errors import ServingError
from include.serving.client import ModelServer
from include.titanic.features import segment
from include.titanic.passengers import COLUMNS, plain, read

LIST = REPOSITORY / "include" / "data" / "titanic" / "train.csv"
YEARS = 20


def main() -> int:
    """Draw passengers of the list with replacement, ask for them, say what came of it."""
    parser = argparse.ArgumentParser(prog="python -m devstack.traffic", description=__doc__)
    parser.add_argument("--count", type=int, default=400, help="passengers, 1 to 1000")
    parser.add_argument("--seed", type=int, default=0, help="of the draw")
    parser.add_argument("--older", default="", metavar="SEGMENT", help=f"make one segment {YEARS} years older")
    arguments = parser.parse_args()
    rows = read(LIST.read_bytes())[list(COLUMNS)]
    rows = rows.sample(arguments.count, replace=True, random_state=arguments.seed).reset_index(drop=True)
    known = sorted(segment(rows).unique())
    if arguments.older and arguments.older not in known:
        parser.error(f"--older {arguments.older}: there are {', '.join(known)}")
    rows["Age"] += YEARS * segment(rows).eq(arguments.older)
    server = ModelServer(local_url(State.open(), "model_server"))
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
