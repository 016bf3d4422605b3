"""What loads leave behind, in a warehouse and in a model of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Literal, cast
from urllib.parse import urlsplit

import psycopg

from devstack.state import free_port
from include.core.warehouse.connect import connect
from include.core.warehouse.dataset import Rejected
from include.core.warehouse.digest import table_digest
from include.core.warehouse.errors import LoadError
from include.core.warehouse.loader import load
from tests.faults.proxy import TcpProxy
from tests.integration.warehouse.cases import CITIES, DAY, FIRST, WEATHER, observation

if TYPE_CHECKING:
    from include.core.warehouse.connect import Session

Result = Literal["loaded", "refused", "killed"]
Killed = Literal["COPY", "log", "COMMIT", "reply"]
"""Where the line to the warehouse breaks: during COPY, before load_log is written, before the COMMIT or its reply."""
DAYS = (DAY, DAY + timedelta(days=1))
POISON = -400.0
BREAKS = """
    CREATE FUNCTION break_line() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF current_setting('test.killed', true) = TG_ARGV[0] THEN
            PERFORM pg_terminate_backend(pg_backend_pid());
            PERFORM pg_sleep(60);
        END IF;
        RETURN NULL;
    END $$;
    CREATE TRIGGER before_log BEFORE INSERT ON load_log EXECUTE FUNCTION break_line('log');
    CREATE CONSTRAINT TRIGGER before_commit AFTER INSERT ON load_log DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION break_line('COMMIT');
"""
EMPTY = "TRUNCATE weather_data, quarantine, load_log, load_fence, load_profile"
WAITING = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


@dataclass(frozen=True)
class Step:
    """A call of ``load``.

    Attributes:
        day: the partition.
        run: the attempt's run.
        try_number: the attempt's try.
        rows: city and temperature of each row.
        rejected: number of rows that were rejected before.
        expects: whether all cities are expected.
        replaces: whether rows that it lacks are removed.
        hour: when the source was asked.
        killed: where the line breaks.
    """

    day: date
    run: str
    try_number: int
    rows: tuple[tuple[str, float], ...]
    rejected: int
    expects: bool
    replaces: bool
    hour: int | None
    killed: Killed | None

    @property
    def is_valid(self) -> bool:
        """Whether the audit accepts the rows."""
        cities = [city for city, _ in self.rows]
        return (
            len(cities) == len(set(cities))
            and all(temperature != POISON for _, temperature in self.rows)
            and (set(cities) <= set(CITIES) if self.expects else bool(self.rows or self.rejected))
        )


@dataclass
class State:
    """What is in the warehouse; loads are numbered in the order of their commits.

    Attributes:
        table: temperature, and the load that wrote it, by day and city.
        quarantine: load and reasons, by day and run.
        log: day, run, try, rows read, loaded, quarantined, changed and removed, completeness, what is missing.
        fence: newest try, by day and run.
        history: the loads that later ones are compared with.
    """

    table: dict[date, dict[str, tuple[float, int]]] = field(default_factory=lambda: {day: {} for day in DAYS})
    quarantine: dict[tuple[date, str], tuple[int, list[str]]] = field(default_factory=dict)
    log: list[tuple[object, ...]] = field(default_factory=list)
    fence: dict[tuple[date, str], int] = field(default_factory=dict)
    history: list[int] = field(default_factory=list)


class Model:
    """What the warehouse must hold.

    Attributes:
        state: as far as it is stored.
        newest: hour of the newest answer, by day.
    """

    def __init__(self) -> None:
        self.state = State()
        self.newest = dict.fromkeys(DAYS, 0)

    def run(self, step: Step) -> Result:
        state, rows, instance, number = self.state, dict(step.rows), (step.day, step.run), len(self.state.log)
        if step.try_number < state.fence.get(instance, 0) or (step.hour or 24) < self.newest[step.day]:
            return "refused"
        if step.killed == "COPY":
            return "killed"
        if not step.is_valid:
            return "refused"
        if step.killed in {"log", "COMMIT"}:
            return "killed"
        missing = sorted(set(CITIES) - rows.keys()) if step.expects else []
        complete = not (missing if step.expects else step.rejected)
        before = state.table[step.day]
        changed = {city: (value, number) for city, value in rows.items() if before.get(city, (None,))[0] != value}
        removed = before.keys() - rows.keys() if complete and step.replaces else set()
        state.table[step.day] = {city: row for city, row in (before | changed).items() if city not in removed}
        state.quarantine.pop(instance, None)
        if step.rejected:
            state.quarantine[instance] = number, reasons(step)
        counts = len(rows) + step.rejected, len(rows), step.rejected, len(changed), len(removed)
        state.log.append((*instance, step.try_number, *counts, complete, missing))
        state.fence[instance] = step.try_number
        state.history.append(number)
        if step.hour and (rows or not step.expects):
            self.newest[step.day] = step.hour
        return "killed" if step.killed else "loaded"


class Warehouse:
    """A warehouse that steps are run on.

    Attributes:
        session: a session of its own, for what the tests ask.
        uri: where loads connect.
        load: the loader.
    """

    def __init__(self, session: Session, uri: str) -> None:
        self.session, self.uri, self.load = session, uri, load
        session.execute(BREAKS)

    def clear(self) -> None:
        """Remove every row."""
        self.session.execute(EMPTY)

    def run(self, *steps: Step) -> list[Result]:
        """Run a step; or two, of which the second begins while the first has staged its rows and holds the lock."""
        with ThreadPoolExecutor() as pool:
            others: list[Future[Result]] = []

            def overlap() -> None:
                for step in steps[1:]:
                    others.append(pool.submit(self._run, step, lambda: None))
                    while not others[-1].done() and self.session.execute(WAITING).fetchone() == (0,):
                        pass

            first = self._run(steps[0], overlap)
            if not others:
                overlap()
            return [first, *(other.result() for other in others)]

    def _run(self, step: Step, meanwhile: Callable[[], None]) -> Result:
        port = urlsplit(self.uri).port or 0
        with (
            closing(TcpProxy(free_port(), port)) as line,
            connect(self.uri.replace(f":{port}/", f":{line.port}/")) as own,
        ):
            own.execute("SELECT set_config('test.killed', %s, false)", [step.killed or ""])

            def rows() -> Iterator[dict[str, object]]:
                for city, temperature in step.rows:
                    yield observation(city, temperature, step.day)
                meanwhile()
                if step.killed == "reply":
                    line.lose_next_commit()
                if step.killed == "COPY":
                    self.session.execute("SELECT pg_terminate_backend(%s, 60000)", [own.info.backend_pid])

            try:
                self.load(
                    own,
                    WEATHER,
                    partition=step.day,
                    rows=rows(),
                    attempt=replace(FIRST, run_id=step.run, try_number=step.try_number),
                    rejected=[Rejected({}, reason) for reason in reasons(step)],
                    expected=CITIES if step.expects else None,
                    replace=step.replaces,
                    requested_at=datetime(2024, 6, 3, step.hour, tzinfo=UTC) if step.hour else None,
                )
            except LoadError:
                return "refused"
            except psycopg.OperationalError:
                return "killed"
            return "loaded"

    def state(self) -> State:
        """Return what is stored."""
        ids = [load_id for (load_id,) in self.session.execute("SELECT load_id FROM load_log ORDER BY load_id")]
        state = State()
        for day, city, temperature, load_id in self.session.execute(
            "SELECT date, city, temperature, load_id FROM weather_data"
        ):
            state.table[cast("date", day)][str(city)] = cast("float", temperature), ids.index(load_id)
        for day, run, load_id, found in self.session.execute(
            "SELECT partition_key::date, run_id, load_id, array_agg(reason ORDER BY reason) FROM quarantine"
            " GROUP BY 1, 2, 3"
        ):
            assert (day, run) not in state.quarantine
            state.quarantine[cast("date", day), str(run)] = ids.index(load_id), cast("list[str]", found)
        state.log = self.session.execute(
            "SELECT partition_key::date, run_id, try_number, rows_in, loaded, quarantined, changed, removed, complete,"
            " missing FROM load_log ORDER BY load_id"
        ).fetchall()
        for day, run, number in self.session.execute("SELECT partition_key::date, run_id, try_number FROM load_fence"):
            state.fence[cast("date", day), str(run)] = cast("int", number)
        profiles = self.session.execute("SELECT load_id FROM load_profile ORDER BY load_id")
        state.history = [ids.index(load_id) for (load_id,) in profiles]
        return state

    def has_logged_digests(self) -> bool:
        """Return whether each day's rows have the digest that its last load logged."""
        logged = self.session.execute(
            "SELECT DISTINCT ON (partition_key) partition_key::date, digest FROM load_log"
            " ORDER BY partition_key, load_id DESC"
        ).fetchall()
        return all(table_digest(self.session, WEATHER, cast("date", day)) == digest for day, digest in logged)


def reasons(step: Step) -> list[str]:
    """Return why the step's rejected rows were rejected."""
    return [f"reason {number}" for number in range(step.rejected)]
