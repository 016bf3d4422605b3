"""Has the challenger answer the champion's requests once these are answered.

It can't delay or change an answer: it runs in a process of its own, gets copies of what was answered, and loses those
that it has no time for. Its answers go to the warehouse, never to callers.
"""

from __future__ import annotations

import logging
import queue
import sqlite3
import threading
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from include.core.ml import artifact
from include.core.ml.errors import ArtifactError, SandboxError, failure
from include.core.ml.registry import CHALLENGER, Loaded
from include.core.ml.serving.champions import Champions
from include.core.ml.serving.predictor import SHARE
from include.core.ml.serving.worker import Worker

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from include.core.ml.registry import Version
    from include.core.ml.serving.follower import Follower
    from include.core.ml.serving.spool import Spool
    from include.core.ml.tracking import Server

MAX_WAITING = 10_000  # rows that wait for the challenger
MAX_SPOOLED = 50_000  # of its answers on the disk, while the warehouse is down

log = logging.getLogger(__name__)


class Challengers(Champions):
    """The challengers of a registered model, each in a process of its own."""

    alias = CHALLENGER

    def __init__(self, server: Server, name: str, warehouse: Callable[[], str], dtypes: Mapping[str, str]) -> None:
        super().__init__(server, name, warehouse)
        self._dtypes = dtypes

    def load(self, version: Version, trusted: Sequence[str]) -> Loaded:
        """Load a version's model in a new process.

        Raises:
            ArtifactError: if its file isn't the one that was published, or can't be loaded.
        """
        content, sha256 = self._file(version)
        name = f"{self.name} version {version.number}"
        try:
            artifact.verify(content, sha256, name)
            return Loaded(Worker(name, content, trusted, self._dtypes), b"", sha256)
        except SandboxError as error:
            raise ArtifactError(f"{name}: {error}") from error


class Challenger:
    """A thread that passes answered requests on to the challenger.

    Attributes:
        answered: number of rows since the start that the challenger answered.
        dropped: number of those that it had no time for, or whose answers couldn't be stored.
        failed: number of those that it had no valid answer to.
        disagreements: number of answers with another outcome than the champion's.
        waiting: number of rows that wait for it.

    Args:
        follower: follows the challenger.
        spool: for its answers; not the champion's, which mustn't wait for them.
    """

    def __init__(self, follower: Follower, spool: Spool) -> None:
        self.follower, self._spool = follower, spool
        self._arrived: queue.SimpleQueue[list[dict[str, Any]] | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._reported = ""
        self.answered = self.dropped = self.failed = self.disagreements = self.waiting = 0
        self._thread = threading.Thread(target=self._run, name="challenger", daemon=True)

    def start(self) -> None:
        """Start to follow the challenger, and to pass requests on."""
        self.follower.start()
        self._spool.start()
        self._thread.start()

    def stop(self) -> None:
        """Stop, without waiting for the challenger's answers."""
        self._stopping.set()
        self.follower.stop()
        if self.follower.current:
            self.follower.current.model.close()
        self._arrived.put(None)
        self._thread.join()
        self._spool.stop()

    def offer(self, records: list[dict[str, Any]]) -> None:
        """Pass on the stored rows of answered requests, unless too many wait or there is no challenger."""
        if not records or self.follower.current is None:
            return
        with self._lock:
            if self.waiting + len(records) > MAX_WAITING:
                self.dropped += len(records)
                return
            self.waiting += len(records)
        self._arrived.put(records)

    def _run(self) -> None:
        while (records := self._arrived.get()) is not None:
            for start in range(0, len(records), SHARE):
                share = records[start : start + SHARE]
                try:
                    self._pass_on(share)
                except Exception as error:  # the thread passes on the next requests, whatever happens
                    self._fail(len(share), failure(error))
            with self._lock:
                self.waiting -= len(records)

    def _pass_on(self, records: list[dict[str, Any]]) -> None:
        """Store the challenger's answers to rows."""
        served = self.follower.current
        if served is None or self._stopping.is_set() or self._spool.waiting() > MAX_SPOOLED:
            self._drop(len(records))
            return
        try:
            probabilities, milliseconds = served.model.predict([record["inputs"] for record in records])
        except SandboxError as error:
            if served is self.follower.current:
                self._fail(len(records), f"version {served.version}: {error}")
            else:  # its process was ended, since another version is challenger
                self._drop(len(records))
            return
        answers = [
            {
                "prediction_id": str(uuid4()),
                "champion_id": record["prediction_id"],
                "served_at": record["served_at"],
                "model_name": record["model_name"],
                "model_version": served.version,
                "purpose": record["purpose"],
                "probability": probability,
                "outcome": probability > 0.5,
                "milliseconds": milliseconds,
            }
            for record, probability in zip(records, probabilities.tolist(), strict=True)
            if 0 <= probability <= 1
        ]
        if invalid := len(records) - len(answers):
            problem = f"{invalid} of {len(records)} answers aren't probabilities (finite, within 0 and 1)"
            self._fail(invalid, f"version {served.version}: {problem}")
        try:
            self._spool.put("challenger", answers)
        except sqlite3.Error as error:
            self._report(f"its answers can't be stored: {error}")
            self._drop(len(answers))
            return
        self.answered += len(answers)
        outcomes = {record["prediction_id"]: record["outcome"] for record in records}
        self.disagreements += sum(answer["outcome"] != outcomes[answer["champion_id"]] for answer in answers)

    def _drop(self, rows: int) -> None:
        with self._lock:
            self.dropped += rows

    def _fail(self, rows: int, problem: str) -> None:
        self.failed += rows
        self._report(problem)

    def _report(self, problem: str) -> None:
        if problem != self._reported:  # once, not for each request
            log.error("challenger: %s", problem)
        self._reported = problem
