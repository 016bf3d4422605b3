"""A cache that all workers share: losing it costs time, never an answer.

An entry's key is made of its inputs and of the code that computes it. While one worker computes an entry the others
wait for it: a session lock in PostgreSQL, which ends with its worker. The index is the table ``cache_entry`` of the
warehouse; contents above :data:`INLINE` bytes are files in object storage.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import logging
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple
from uuid import uuid4

import psycopg

from include.core.errors import TransientUpstreamError
from include.core.storage import file_name, write
from include.core.warehouse.connect import Session, connect
from include.core.warehouse.schema import run_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from types import ModuleType

    from include.core.storage import File

log = logging.getLogger(__name__)

INLINE = 64 * 1024
FOLDER = "cache"


class Outcome(StrEnum):
    """Where an answer came from: the cache; a computation; the cache although it is old; a computation without it."""

    HIT = "hit"
    MISS = "miss"
    STALE = "stale"
    BYPASS = "bypass"


class Cached(NamedTuple):
    """An answer; ``created_at`` is when it was computed."""

    content: bytes
    created_at: datetime
    outcome: Outcome


@dataclass(frozen=True)
class Cache:
    """One kind of entries.

    Attributes:
        name: what the entries are; goes into the key.
        uri: the warehouse, see :func:`include.core.warehouse.connect.conninfo`.
        root: object-storage root; files lie in ``cache/<name>/`` under it.
        ttl: for so long an entry is as good as a new one.
        stale_for: for so long after that it may still stand in for an upstream that fails.
        patience: seconds to wait for another worker that computes the entry; then it is computed here too.
        count: told of each outcome.
    """

    name: str
    uri: str
    root: File
    ttl: timedelta = timedelta(hours=6)
    stale_for: timedelta = timedelta(hours=18)
    patience: float = 300
    count: Callable[[Outcome], None] = lambda _: None

    def get(self, key: str, compute: Callable[[], bytes], *, refresh: bool = False) -> Cached:
        """Return the entry, computed if there is no fresh one.

        An upstream that fails for now is stood in for by an old entry, if there is one; what it refuses for good isn't
        hidden. ``refresh`` computes in any case, and replaces the entry.

        Raises:
            Exception: what ``compute`` raises.
        """
        found = self._entry(key, compute, refresh=refresh)
        self.count(found.outcome)
        log.info("cache %s: %s, computed at %s", self.name, found.outcome, found.created_at.isoformat())
        return found

    def key(self, inputs: Mapping[str, object], code: str) -> str:
        """Return the key of the entry with these inputs (as JSON has them), computed by this code."""
        text = json.dumps([self.name, code, inputs], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def invalidate(self, key: str | None = None) -> int:
        """Remove an entry, or all of this name; return how many were removed.

        Raises:
            psycopg.OperationalError: if the warehouse is away.
        """
        with self._session() as session:
            gone = session.execute(
                "DELETE FROM cache_entry WHERE cache_name = %s AND coalesce(entry_key = %s, true) RETURNING url",
                [self.name, key],
            ).fetchall()
        self._remove(gone)
        return len(gone)

    def _entry(self, key: str, compute: Callable[[], bytes], *, refresh: bool) -> Cached:
        if not refresh and (found := self._read(key, self.ttl)):
            return found._replace(outcome=Outcome.HIT)
        with self._flight(key) as alone:
            if not refresh and (found := self._read(key, self.ttl)):
                return found._replace(outcome=Outcome.HIT)
            try:
                content = compute()
            except TransientUpstreamError as error:
                if found := self._read(key, self.ttl + self.stale_for):
                    log.warning("cache %s: an old entry stands in for the upstream: %s", self.name, error)
                    return found
                raise
            self._store(key, content)
        return Cached(content, datetime.now(UTC), Outcome.MISS if alone else Outcome.BYPASS)

    @contextmanager
    def _flight(self, key: str) -> Iterator[bool]:
        """Hold the key's lock; False if the warehouse is away, or another worker keeps the lock for too long."""
        with ExitStack() as stack:
            try:
                session = stack.enter_context(self._session(self.patience))
                session.execute("SELECT pg_advisory_lock(hashtextextended(%s, 0))", [key])
                alone = True
            except psycopg.Error as error:
                log.warning("cache %s: computing without it: %s", self.name, error)
                alone = False
            yield alone

    def _session(self, patience: float = 30) -> Session:
        session = connect(self.uri, lock_timeout=patience, statement_timeout=patience + 10)
        if session.execute("SELECT to_regclass('cache_entry')").fetchone() == (None,):
            run_file(session, "cache_entry.sql")
        return session

    def _read(self, key: str, age: timedelta) -> Cached | None:
        """Return an entry that isn't older than ``age``; None if there is none, or it can't be read."""
        try:
            with self._session() as session:
                row = session.execute(
                    "SELECT created_at, sha256, body, url FROM cache_entry"
                    " WHERE entry_key = %s AND created_at > clock_timestamp() - %s",
                    [key, age],
                ).fetchone()
            if row is None:
                return None
            created_at, digest, inline, url = row
            content = bytes(inline) if isinstance(inline, bytes) else self._file(str(url)).read_bytes()
        except (psycopg.Error, OSError) as error:
            log.warning("cache %s: an entry can't be read: %s", self.name, error)
            return None
        if hashlib.sha256(content).hexdigest() != digest or not isinstance(created_at, datetime):
            log.warning("cache %s: an entry isn't what was stored; it is computed anew", self.name)
            return None
        return Cached(content, created_at, Outcome.STALE)

    def _store(self, key: str, content: bytes) -> None:
        """Keep an entry, and drop those that are of no use any more; a failure costs the entry only."""
        url = None
        try:
            if len(content) > INLINE:
                url = write(self._folder() / f"{key}-{uuid4().hex}", content)
            with self._session() as session, session.transaction():
                gone = session.execute(
                    "DELETE FROM cache_entry WHERE entry_key = %s"
                    " OR cache_name = %s AND created_at < clock_timestamp() - %s RETURNING url",
                    [key, self.name, self.ttl + self.stale_for],
                ).fetchall()
                session.execute(
                    "INSERT INTO cache_entry (entry_key, cache_name, created_at, sha256, body, url)"
                    " VALUES (%s, %s, clock_timestamp(), %s, %s, %s) ON CONFLICT DO NOTHING",
                    [key, self.name, hashlib.sha256(content).hexdigest(), None if url else content, url],
                )
        except (psycopg.Error, OSError) as error:
            log.warning("cache %s: an entry wasn't kept: %s", self.name, error)
            return
        self._remove(gone)

    def _folder(self) -> File:
        return self.root / FOLDER / file_name(self.name)

    def _file(self, url: str) -> File:
        return self._folder() / url.rpartition("/")[2]

    def _remove(self, rows: list[tuple[object, ...]]) -> None:
        for (url,) in rows:
            if url is not None:
                try:
                    self._file(str(url)).unlink(missing_ok=True)
                except OSError as error:
                    log.warning("cache %s: %s stays behind: %s", self.name, url, error)


def code_version(*modules: ModuleType) -> str:
    """Return a digest of the modules' source: another one whenever a line of them changes."""
    return hashlib.sha256("\0".join(map(inspect.getsource, modules)).encode()).hexdigest()
