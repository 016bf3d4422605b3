"""A cache that all workers share; without it results are only slower.

An entry's key is derived from its inputs and the code that computes it. While one worker computes an entry, the others
wait on a lock of its transaction, which PostgreSQL releases when the worker dies. The index is the table
``cache_entry`` of the warehouse; contents above :data:`INLINE` bytes are files in object storage.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import logging
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple
from uuid import uuid4

import psycopg

from include.core.errors import TransientUpstreamError
from include.core.storage import file_name, write
from include.core.warehouse.connect import Session, connect

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from types import ModuleType

    from include.core.storage import File

log = logging.getLogger(__name__)

INLINE = 64 * 1024
COMPUTING_SECONDS = 3600  # after which others no longer wait for an entry
FOLDER = "cache"


class Outcome(StrEnum):
    """Origin of a result: a fresh entry, a computation, an expired entry, or a computation without the cache."""

    HIT = "hit"
    MISS = "miss"
    STALE = "stale"
    BYPASS = "bypass"


class Cached(NamedTuple):
    """A result; ``created_at`` is when it was computed."""

    content: bytes
    created_at: datetime
    outcome: Outcome


@dataclass(frozen=True)
class Cache:
    """A named group of entries.

    Attributes:
        name: name of the group; part of each key.
        uri: the warehouse, see :func:`include.core.warehouse.connect.conninfo`.
        root: object-storage root; files are stored in ``cache/<name>/`` under it.
        ttl: how long an entry is fresh.
        stale_for: how long after that it may still be served when the upstream fails.
        patience: seconds to wait for another worker that computes the entry, before it is computed here too.
        count: called with each outcome.
    """

    name: str
    uri: str
    root: File
    ttl: timedelta = timedelta(hours=6)
    stale_for: timedelta = timedelta(hours=18)
    patience: float = 300
    count: Callable[[Outcome], None] = lambda _: None

    def get(self, key: str, compute: Callable[[], bytes], *, refresh: bool = False) -> Cached:
        """Return the entry, computing it if there is no fresh one.

        On a transient upstream failure an expired entry is served, if there is one; permanent failures are raised.
        ``refresh`` always computes and replaces the entry.

        Raises:
            Exception: what ``compute`` raises.
        """
        result = self._entry(key, compute, refresh=refresh)
        self.count(result.outcome)
        log.info("cache %s: %s, computed at %s", self.name, result.outcome, result.created_at.isoformat())
        return result

    def key(self, inputs: Mapping[str, object], code: str) -> str:
        """Return the key for these JSON-serializable inputs and this version of the code."""
        text = json.dumps([self.name, code, inputs], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def invalidate(self, key: str | None = None) -> int:
        """Remove an entry, or all entries of this cache; return how many were removed.

        Raises:
            psycopg.OperationalError: if the warehouse is unavailable.
        """
        with self._session() as session:
            removed = session.execute(
                "DELETE FROM cache_entry WHERE cache_name = %s AND coalesce(entry_key = %s, true) RETURNING url",
                [self.name, key],
            ).fetchall()
        self._remove(removed)
        return len(removed)

    def _entry(self, key: str, compute: Callable[[], bytes], *, refresh: bool) -> Cached:
        if not refresh and (entry := self._read(key, self.ttl)):
            return entry._replace(outcome=Outcome.HIT)
        with self._locked(key) as locked:
            if not refresh and (entry := self._read(key, self.ttl)):
                return entry._replace(outcome=Outcome.HIT)
            try:
                content = compute()
            except TransientUpstreamError as error:
                if entry := self._read(key, self.ttl + self.stale_for):
                    log.warning("cache %s: upstream failed, using an expired entry: %s", self.name, error)
                    return entry
                raise
            self._store(key, content)
        return Cached(content, datetime.now(UTC), Outcome.MISS if locked else Outcome.BYPASS)

    @contextmanager
    def _locked(self, key: str) -> Iterator[bool]:
        """Hold the key's lock; yield False if the warehouse is unavailable or the lock isn't acquired in time.

        The lock is that of an open transaction, so that it also holds behind a pooler such as PgBouncer.
        """
        with ExitStack() as stack:
            try:
                session = stack.enter_context(closing(self._session(self.patience, idle_timeout=COMPUTING_SECONDS)))
                session.autocommit = False
                session.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [key])
                locked = True
            except psycopg.Error as error:
                log.warning("cache %s: computing without the cache: %s", self.name, error)
                locked = False
            yield locked

    def _session(self, patience: float = 30, *, idle_timeout: float = 60) -> Session:
        return connect(self.uri, lock_timeout=patience, statement_timeout=patience + 10, idle_timeout=idle_timeout)

    def _read(self, key: str, max_age: timedelta) -> Cached | None:
        """Return an entry not older than ``max_age``; None if there is none or it can't be read."""
        try:
            with self._session() as session:
                row = session.execute(
                    "SELECT created_at, sha256, body, url FROM cache_entry"
                    " WHERE entry_key = %s AND created_at > clock_timestamp() - %s",
                    [key, max_age],
                ).fetchone()
            if row is None:
                return None
            created_at, digest, inline, url = row
            content = bytes(inline) if isinstance(inline, bytes) else self._file(str(url)).read_bytes()
        except (psycopg.Error, OSError) as error:
            log.warning("cache %s: can't read the entry: %s", self.name, error)
            return None
        if hashlib.sha256(content).hexdigest() != digest or not isinstance(created_at, datetime):
            log.warning("cache %s: the entry is corrupt and is recomputed", self.name)
            return None
        return Cached(content, created_at, Outcome.STALE)

    def _store(self, key: str, content: bytes) -> None:
        """Store an entry and remove expired ones; a failure is logged only."""
        url = None
        try:
            if len(content) > INLINE:
                url = write(self._folder() / f"{key}-{uuid4().hex}", content)
            with self._session() as session, session.transaction():
                removed = session.execute(
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
            log.warning("cache %s: can't store the entry: %s", self.name, error)
            return
        self._remove(removed)

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
                    log.warning("cache %s: can't remove %s: %s", self.name, url, error)


def code_version(*modules: ModuleType) -> str:
    """Return a digest of the modules' source code."""
    return hashlib.sha256("\0".join(map(inspect.getsource, modules)).encode()).hexdigest()
