"""Twenty reads of a day's purchases from the sales API.

Ours asks the cache, which asks the API once; the baseline asks the API each time. The tutorial keeps the rows in an
Airflow Variable, whose cost is shown too; the limit is a dictionary in memory, which ends with the process.
"""

from __future__ import annotations

import datetime as dt
import os
import sys
import time
from collections.abc import Callable

import psycopg
from upath import UPath

from benchmarks.comparison import Comparison, Goal, Role, Series, take_turns
from benchmarks.own_stack import own_stack
from devstack.state import REPOSITORY
from include.core.cache import Cache
from include.core.sources.client import SourceClient
from include.core.sources.files import load_source
from include.domains.customers.data import get_customer_data
from include.domains.customers.purchases import purchases_of
from include.domains.sources import FOLDER

READS = 20
DAY = dt.date(2010, 12, 1)
SAVED = 0.4


def compare(repeats: int) -> list[Comparison]:
    """Measure on a stack with the sample API; each repeat starts with nothing cached."""
    with own_stack({}, services=("airflow", "upstreams")) as own:
        os.environ.update(own.stack.airflow_environment())
        sys.path.append(str(REPOSITORY / "plugins"))
        from airflow.models.variable import Variable
        from airflow.sdk import Connection

        uri = own.server.uri("warehouse")
        source = load_source(FOLDER / "sales.yaml")
        client = SourceClient.of(Connection.get("sources_default"), source, uri)
        cache = Cache("customers", uri, UPath(own.folder / "storage"))

        def fetch() -> bytes:
            return purchases_of(source, DAY, client.rows(DAY))

        def cached() -> float:
            cache.invalidate()
            return _seconds(lambda: get_customer_data(cache, client, DAY))

        def variable() -> float:
            Variable.delete("purchases")

            def read() -> str:
                if (text := Variable.get("purchases", default_var=None)) is None:
                    text = fetch().decode()
                    Variable.set("purchases", text)
                return str(text)

            return _seconds(read)

        def dictionary() -> float:
            kept: dict[dt.date, bytes] = {}
            return _seconds(lambda: kept.get(DAY) or kept.setdefault(DAY, fetch()))

        before = _metadata_bytes(own.server.uri("airflow"))
        fetched, ours = take_turns(repeats, lambda: _seconds(fetch), cached)
        grown = _metadata_bytes(own.server.uri("airflow")) - before
        stored, kept = take_turns(repeats, variable, dictionary)
        stored_bytes = _metadata_bytes(own.server.uri("airflow")) - before - grown
    limit = Series(Role.LIMIT, "a dictionary", kept)
    return [
        Comparison(
            f"{READS} reads",
            "s",
            (Series(Role.OURS, "", ours), Series(Role.BASELINE, "no cache", fetched), limit),
            Goal(at_most=1 - SAVED, of=Role.BASELINE),
        ),
        Comparison(
            f"{READS} reads, beside a Variable",
            "s",
            (Series(Role.OURS, "", ours), Series(Role.BASELINE, "an Airflow Variable", stored), limit),
        ),
        Comparison(
            "variables in Airflow's database",
            "bytes",
            (Series(Role.OURS, "", [grown]), Series(Role.BASELINE, "an Airflow Variable", [stored_bytes])),
            Goal(at_most=0),
        ),
    ]


def _seconds(read: Callable[[], object]) -> float:
    started_at = time.perf_counter()
    for _ in range(READS):
        read()
    return time.perf_counter() - started_at


def _metadata_bytes(uri: str) -> int:
    with psycopg.connect(uri) as session:
        row = session.execute("SELECT coalesce(sum(pg_column_size(variable.*)), 0) FROM variable").fetchone()
    return int(row[0]) if row else 0
