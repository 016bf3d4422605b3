"""What the application of each model has: its state, and the limits of requests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import Response
from pydantic import BaseModel

from include.core.ml.serving.limits import Limits
from include.core.ml.serving.metrics import exposition
from include.core.settings import MODEL_SERVER_HOSTS

if TYPE_CHECKING:
    from collections.abc import Callable

    from fastapi import FastAPI

    from include.core.ml.serving.challenger import Challenger


class ChallengerHealth(BaseModel):
    """State of the challenger; see :class:`include.core.ml.serving.challenger.Challenger` for the numbers of rows.

    Attributes:
        version: the version that gets a copy of the requests; null if there is none.
        error: why the registry's challenger doesn't, or null.
        is_refused: whether that is an error, rather than that there is no challenger.
    """

    version: int | None
    error: str | None
    is_refused: bool
    waiting: int
    answered: int
    dropped: int
    failed: int
    disagreements: int

    @classmethod
    def of(cls, challenger: Challenger) -> ChallengerHealth:
        """Return the state of a challenger."""
        served = challenger.follower.current
        return cls(
            version=served.version if served else None,
            error=challenger.follower.error,
            is_refused=challenger.follower.is_refused,
            waiting=challenger.waiting,
            answered=challenger.answered,
            dropped=challenger.dropped,
            failed=challenger.failed,
            disagreements=challenger.disagreements,
        )


class Health(BaseModel):
    """State of the server.

    Attributes:
        version: the served version; null if there is none.
        sha256: checksum of its file.
        model_error: why the registry's champion isn't served, or null.
        is_refused: whether that is an error, rather than that there is no champion.
        failed_requests: requests since the start that the model had no valid answer to.
        log_error: why rows can't be written to the warehouse, or null.
        log_waiting: rows on this server's disk that aren't in the warehouse yet.
        challenger: state of the challenger; null if none can be served.
        others: why other models aren't served, by name, if the server's first model answers for all.
    """

    model: str
    version: int | None = None
    sha256: str | None = None
    model_error: str | None
    is_refused: bool
    failed_requests: int = 0
    log_error: str | None = None
    log_waiting: int = 0
    challenger: ChallengerHealth | None = None
    others: dict[str, str] = {}


def add_common(app: FastAPI, health: Callable[[], Health]) -> None:
    """Add ``/health``, ``/metrics`` and the limits of requests.

    The application's ``state.health`` holds the functions whose results both show, its own first.
    """
    app.add_middleware(Limits, hosts=MODEL_SERVER_HOSTS.read().lower().replace(" ", "").split(","))
    app.state.health = [health]

    @app.get("/health")
    def show_health() -> Health:
        """Return the state of the server, always with status 200."""
        checks: list[Callable[[], Health]] = app.state.health
        own, *others = (check() for check in checks)
        errors = {state.model: state.model_error for state in others if state.model_error}
        return own.model_copy(update={"others": errors})

    @app.get("/metrics", include_in_schema=False)
    def show_metrics() -> Response:
        """Return the state of the server as metrics for Prometheus."""
        return exposition(check() for check in app.state.health)
