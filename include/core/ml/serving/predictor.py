"""Predicts for all requests that wait, in one call of the model, and stores their rows in one commit.

A prediction of one row takes nearly as long as one of a hundred: the time goes to scikit-learn and pandas, not to the
arithmetic. A single thread also keeps several predictions from competing for Python's lock.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
import time
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from threadpoolctl import threadpool_limits

from include.core.ml.errors import AnswerError, BusyError, DataError, failure

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray
    from pydantic import BaseModel

    from include.core.ml.serving.follower import Served
    from include.core.ml.serving.spool import Spool
    from include.core.ml.spec import ModelSpec

SHARE = 250  # rows of one request that are predicted at once, so that a large request doesn't hold up small ones
MAX_WAITING = 50_000  # rows of all requests together

log = logging.getLogger(__name__)


@dataclass(eq=False)
class _Request:
    """A request that waits: its rows, what was predicted for the first of them, and how long each one's call took.

    ``records`` returns the rows to store, given all probabilities.
    """

    served: Served
    rows: Sequence[BaseModel]
    records: Callable[[list[float]], list[dict[str, Any]]]
    done: asyncio.Future[None]
    loop: asyncio.AbstractEventLoop
    probabilities: list[float] = field(default_factory=list)
    milliseconds: list[float] = field(default_factory=list)

    @property
    def share(self) -> Sequence[BaseModel]:
        """The rows to predict next."""
        return self.rows[len(self.probabilities) : len(self.probabilities) + SHARE]

    def finish(self, error: Exception | None = None) -> None:
        """Wake the request up."""
        self.loop.call_soon_threadsafe(_resolve, self.done, error)


class Predictor:
    """A thread that predicts.

    Attributes:
        failed: number of requests since the start that the model had no valid answer to.
        waiting: number of rows that wait for their prediction.

    Args:
        spec: spec of the model.
        spool: where predictions are stored.
        answered: gets the stored rows of requests once these are answered; returns at once and never raises.
    """

    def __init__(self, spec: ModelSpec, spool: Spool, answered: Callable[[list[dict[str, Any]]], None]) -> None:
        self._spec, self._spool, self._answered = spec, spool, answered
        self._arrived: queue.SimpleQueue[_Request | None] = queue.SimpleQueue()
        self.waiting = 0
        self._lock = threading.Lock()
        self.failed = 0
        self._thread = threading.Thread(target=self._run, name="predictor", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Finish what waits, and stop the thread."""
        self._arrived.put(None)
        self._thread.join()

    async def predict(
        self, served: Served, rows: Sequence[BaseModel], records: Callable[[list[float]], list[dict[str, Any]]]
    ) -> None:
        """Wait until the predictions of ``rows`` are stored durably, as the ``records`` of their probabilities.

        Raises:
            AnswerError: if the model fails, or gives anything but probabilities; nothing is stored.
            BusyError: if too many rows wait.
            DataError: if a row doesn't fit the types of the spec.
            sqlite3.Error: if they can't be stored.
        """
        if self.waiting + len(rows) > MAX_WAITING:
            raise BusyError(f"{self.waiting} rows wait for their prediction; at most {MAX_WAITING} may")
        self._count(len(rows))
        loop = asyncio.get_running_loop()
        request = _Request(served, rows, records, loop.create_future(), loop)
        self._arrived.put(request)
        await request.done

    def _count(self, rows: int) -> None:
        with self._lock:
            self.waiting += rows

    def _run(self) -> None:
        waiting: list[_Request] = []
        stopping = False
        with threadpool_limits(1):
            while waiting or not stopping:
                while not stopping and not (waiting and self._arrived.empty()):
                    request = self._arrived.get()
                    stopping |= request is None
                    waiting += [request] if request else []
                try:
                    waiting = self._advance(waiting)
                except Exception as error:  # the thread serves the next requests, whatever happens
                    log.exception("prediction failed")
                    for request in waiting:
                        self._count(-len(request.rows))
                        request.finish(error)
                    waiting = []

    def _advance(self, waiting: list[_Request]) -> list[_Request]:
        """Predict a share of each request; finish those that are complete, and return the others."""
        by_model: dict[int, list[_Request]] = defaultdict(list)
        for request in waiting:
            by_model[id(request.served)].append(request)
        errors: dict[_Request, Exception] = {}
        for requests in by_model.values():
            errors |= self._predict(requests)
        complete = [
            request for request in waiting if request not in errors and len(request.probabilities) == len(request.rows)
        ]
        try:
            records = [
                record | {"milliseconds": milliseconds}
                for request in complete
                for record, milliseconds in zip(
                    request.records(request.probabilities), request.milliseconds, strict=True
                )
            ]
            if records:
                self._spool.put("prediction", records)
        except Exception as error:  # each request reports it
            errors |= dict.fromkeys(complete, error)
            records = []
        for request in (*complete, *(request for request in errors if request not in complete)):
            self._count(-len(request.rows))
            request.finish(errors.get(request))
        self._answered(records)
        return [request for request in waiting if request not in errors and request not in complete]

    def _predict(self, requests: list[_Request]) -> dict[_Request, Exception]:
        """Predict a share of each request, all of one model; return the errors.

        If all together fail, each request is predicted alone, so that one can't fail the others.
        """
        shares = [request.share for request in requests]
        started = time.perf_counter()
        try:
            probabilities = self._probabilities(requests[0].served, [row for share in shares for row in share])
        except (AnswerError, DataError) as error:
            if len(requests) == 1:
                return {requests[0]: self._counted(error)}
            return {failed: problem for one in requests for failed, problem in self._predict([one]).items()}
        milliseconds = (time.perf_counter() - started) * 1000
        errors: dict[_Request, Exception] = {}
        ends = np.cumsum([len(share) for share in shares])
        for request, part in zip(requests, np.split(probabilities, ends[:-1]), strict=True):
            if invalid := int(np.sum(~((part >= 0) & (part <= 1)))):
                problem = f"{invalid} of {len(part)} answers aren't probabilities (finite, within 0 and 1)"
                errors[request] = self._counted(AnswerError(f"version {request.served.version}: {problem}"))
            else:
                request.probabilities += part.tolist()
                request.milliseconds += [milliseconds] * len(part)
        return errors

    def _probabilities(self, served: Served, rows: list[BaseModel]) -> NDArray[np.float64]:
        frame = self._spec.frame(rows)
        try:
            probabilities = np.asarray(served.model.predict_proba(frame)[:, 1], dtype=np.float64)
        except Exception as error:  # its message may contain a row
            raise AnswerError(f"version {served.version}: {failure(error)}") from None
        if len(probabilities) != len(rows):
            raise AnswerError(f"version {served.version}: {len(probabilities)} answers for {len(rows)} rows")
        return probabilities

    def _counted(self, error: Exception) -> Exception:
        """Count and log a request without a valid answer."""
        if isinstance(error, AnswerError):
            self.failed += 1
            log.error("%s", error)
        return error


def _resolve(done: asyncio.Future[None], error: Exception | None) -> None:
    if done.done():  # the client has gone
        return
    if error:
        done.set_exception(error)
    else:
        done.set_result(None)
