"""Follows the version with an alias in the registry: loads and checks a new one before it replaces the served one."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from include.core.ml.errors import ArtifactError, UnrecordedError
from include.core.ml.serving.lean import lean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from include.core.ml.serving.champions import Champions

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Served:
    """The served model, with its version in the registry and the checksum of its file."""

    version: int
    sha256: str
    model: Any


class Follower:
    """Follows the registry's champion, or its challenger.

    Attributes:
        current: the served model.
        error: why the champion isn't served.
        is_refused: whether that is an error, rather than that there is no champion or that it is being loaded.

    Args:
        registry: registry of the model.
        trusted: types that a model file may contain.
        interval: seconds between polls of the registry.
    """

    def __init__(self, registry: Champions, trusted: Sequence[str], interval: float = 2.0) -> None:
        self._registry = registry
        self._trusted = tuple(trusted)
        self._interval = interval
        self._stopping = threading.Event()
        self._refused: int | None = None
        self.current: Served | None = None
        self.error: str | None = f"{registry.name} is being loaded"
        self.is_refused = False
        self._thread = threading.Thread(target=self._run, name="follower", daemon=True)

    def start(self) -> None:
        """Poll now, then every ``interval`` seconds."""
        self._thread.start()

    def stop(self) -> None:
        """Stop polling; the current model stays."""
        self._stopping.set()
        self._thread.join(self._interval + 5)

    def poll(self) -> None:
        """Load the champion if it is new; keep the current model if the champion can't be loaded.

        Without a champion in the registry, as after a rollback, nothing is served.

        A refused file is not fetched again until the alias moves, unless only its checksum is missing; an unavailable
        registry or warehouse is polled again.
        """
        champion = None
        try:
            champion = self._registry.aliased()
            if champion is None:
                self._serve(None)
                self.is_refused, self._refused = False, None
                self.error = f"no version of {self._registry.name} is {self._registry.alias}"
                return
            if self.current and champion.number == self.current.version:
                self.error, self.is_refused, self._refused = None, False, None
                return
            if champion.number == self._refused:
                return
            loaded = self._registry.load(champion, self._trusted)
            served = Served(champion.number, loaded.sha256, lean(loaded.model))
        except UnrecordedError as error:
            self._fail(error)
        except ArtifactError as error:
            self._refused = champion.number if champion else None
            self._fail(error)
        except Exception as error:  # the current model is served whatever happens
            self._fail(error)
        else:
            self._serve(served)
            self.error, self.is_refused, self._refused = None, False, None
            log.info("serving %s version %d as %s", self._registry.name, champion.number, self._registry.alias)

    def _serve(self, served: Served | None) -> None:
        former, self.current = self.current, served
        if former and hasattr(former.model, "close"):
            former.model.close()

    def _fail(self, error: Exception) -> None:
        text = f"{type(error).__name__}: {' '.join(str(error).split())}"
        if text != self.error:
            log.error("%s; still serving %s", text, self.current and self.current.version)
        self.error, self.is_refused = text, True

    def _run(self) -> None:
        while True:
            self.poll()
            if self._stopping.wait(self._interval):
                return
