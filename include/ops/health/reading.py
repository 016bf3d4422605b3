"""Reads the warehouse for people who wait: read-only, few sessions, short statements, answers kept for seconds."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import psycopg

from include.core.errors import ConfigurationError
from include.core.settings import EnvironmentKey
from include.core.warehouse.connect import connect
from include.core.warehouse.errors import NotMigratedError
from include.core.warehouse.migrations import require_migrated

if TYPE_CHECKING:
    from include.core.warehouse.connect import Session

READER_URL_FILE = EnvironmentKey(
    "SPELLBOOK_READER_URL_FILE",
    "/run/secrets/reader-password/url",
    "File with the warehouse's URL, for the page Data health; read access is sufficient.",
)
SESSIONS = 2  # of a process at a time
CONNECT_SECONDS, STATEMENT_SECONDS = 3, 5
KEPT_SECONDS = 10
KEPT_ANSWERS = 100

T = TypeVar("T")
log = logging.getLogger(__name__)


class UnavailableError(Exception):
    """The warehouse can't be read; the message is for a person and holds no secret."""


def reader_uri() -> str | None:
    """Return the URL of the role that only reads; ``None`` if this deployment gives the process none."""
    file = Path(READER_URL_FILE.read())
    return file.read_text(encoding="utf-8").strip() if file.is_file() else None


@dataclass
class Reader:
    """Runs queries on the warehouse, and keeps their results, and errors, for :data:`KEPT_SECONDS`.

    Attributes:
        find_uri: returns the warehouse's URI, see :func:`include.core.warehouse.connect.conninfo`; raises
            :class:`UnavailableError` if there is none.
    """

    find_uri: Callable[[], str]
    _kept: dict[Hashable, tuple[float, Any]] = field(default_factory=dict)
    _turns: threading.BoundedSemaphore = field(default_factory=lambda: threading.BoundedSemaphore(SESSIONS))

    def read(self, key: Hashable, query: Callable[[Session], T]) -> T:
        """Return the result of ``query``, in one read-only transaction; a kept one if there is one under ``key``.

        Raises:
            UnavailableError: if the warehouse can't be read.
        """
        result = self._find(key)
        if result is None:
            with self._turns:
                result = self._find(key) or self._keep(key, self._run(query))
        if isinstance(result, UnavailableError):
            raise UnavailableError(str(result))
        return result  # type: ignore[no-any-return]  # what was kept under the key

    def _find(self, key: Hashable) -> Any:
        expires, result = self._kept.get(key, (0.0, None))
        return result if expires > time.monotonic() else None

    def _keep(self, key: Hashable, result: Any) -> Any:
        if len(self._kept) >= KEPT_ANSWERS:
            self._kept.clear()
        self._kept[key] = time.monotonic() + KEPT_SECONDS, result
        return result

    def _run(self, query: Callable[[Session], T]) -> T | UnavailableError:
        try:
            with connect(
                self.find_uri(),
                statement_timeout=STATEMENT_SECONDS,
                lock_timeout=1,
                idle_timeout=STATEMENT_SECONDS,
                connect_timeout=CONNECT_SECONDS,
            ) as session:
                session.read_only = True
                session.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
                with session.transaction():
                    require_migrated(session)
                    return query(session)
        except UnavailableError as error:
            return error
        except (ConfigurationError, NotMigratedError) as error:
            return UnavailableError(str(error))
        except psycopg.errors.QueryCanceled:
            return UnavailableError(f"A query took longer than {STATEMENT_SECONDS} s, or waited for a lock.")
        except psycopg.Error as error:
            log.warning("the warehouse can't be read: %s", error)
            name = type(error).__name__
            return UnavailableError(f"The warehouse can't be read ({name}); the API server's log says why.")
