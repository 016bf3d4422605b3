"""The server's HTTP interface: ``/health``, ``/predictions``, ``/outcomes``."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated, Any, Literal
from uuid import UUID, uuid4

from fastapi import FastAPI, Header, HTTPException, status
from pydantic import AwareDatetime, BaseModel, Field

from include.serving.spool import now
from include.titanic.passengers import Passenger, frame

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from include.serving.follower import Follower
    from include.serving.spool import Spool

MOST_ROWS = 1000


class Question(BaseModel):
    """Raw passengers, 1 to 1000."""

    passengers: Annotated[list[Passenger], Field(min_length=1, max_length=MOST_ROWS)]


class Prediction(BaseModel):
    """One passenger's answer: ``probability`` is that of survival; ``survived`` whether it is above a half."""

    prediction_id: UUID
    survived: bool
    probability: float


class Answer(BaseModel):
    """The answers, in the order of the question, and the version that gave them all."""

    model: str
    version: int
    predictions: list[Prediction]


class Outcome(BaseModel):
    """What turned out to be true of a prediction."""

    prediction_id: UUID
    survived: bool


class Outcomes(BaseModel):
    """Outcomes, 1 to 1000."""

    outcomes: Annotated[list[Outcome], Field(min_length=1, max_length=MOST_ROWS)]


class Health(BaseModel):
    """What serves.

    Attributes:
        version: the served version; null if there is none.
        sha256: checksum of its file.
        model_error: why the registry's champion isn't served, or null.
        log_error: why the warehouse takes no rows, or null.
        log_waiting: rows on this server's disk that the warehouse doesn't have yet.
    """

    model: str
    version: int | None
    sha256: str | None
    model_error: str | None
    log_error: str | None
    log_waiting: int


def create_app(name: str, follower: Follower, spool: Spool) -> FastAPI:
    """Return the application that serves the champion of the model ``name``."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        follower.start()
        spool.start()
        yield
        follower.stop()
        spool.stop()

    app = FastAPI(title=f"Model server: {name}", lifespan=lifespan)

    @app.get("/health")
    def health() -> Health:
        """Say what is served; answers 200 as long as the server lives."""
        served = follower.current
        return Health(
            model=name,
            version=served.version if served else None,
            sha256=served.sha256 if served else None,
            model_error=follower.error,
            log_error=spool.error,
            log_waiting=spool.waiting(),
        )

    @app.post("/predictions")
    def predict(
        question: Question,
        x_purpose: Annotated[Literal["live", "check", "replay"], Header()] = "live",
        x_served_at: Annotated[AwareDatetime | None, Header()] = None,
    ) -> Answer:
        """Predict, keep what was predicted, answer.

        Replayed traffic says when it is to be counted: at a past moment, in the header X-Served-At.
        """
        moment = now()
        if (x_purpose == "replay") != (x_served_at is not None) or (x_served_at and x_served_at > moment):
            raise HTTPException(
                status.HTTP_422_UNPROCESSABLE_CONTENT,
                f"X-Served-At: {x_served_at}; with X-Purpose: replay a past moment is wanted, otherwise none",
            )
        served = follower.current
        if served is None:
            raise HTTPException(status.HTTP_503_SERVICE_UNAVAILABLE, f"no model: {follower.error}")
        probabilities = served.model.predict_proba(frame(question.passengers))[:, 1]
        predictions = [
            Prediction(prediction_id=uuid4(), survived=bool(probability > 0.5), probability=float(probability))
            for probability in probabilities
        ]
        common = {
            "served_at": (x_served_at or moment).isoformat(),
            "model_name": name,
            "model_version": served.version,
            "purpose": x_purpose,
        }
        rows: list[dict[str, Any]] = [
            common
            | {
                "prediction_id": str(prediction.prediction_id),
                "inputs": passenger.model_dump(),
                "probability": prediction.probability,
                "outcome": prediction.survived,
            }
            for passenger, prediction in zip(question.passengers, predictions, strict=True)
        ]
        spool.put("prediction", rows)
        return Answer(model=name, version=served.version, predictions=predictions)

    @app.post("/outcomes", status_code=status.HTTP_202_ACCEPTED)
    def record(outcomes: Outcomes) -> None:
        """Keep what turned out to be true; a later word on the same prediction replaces an earlier one."""
        spool.put(
            "outcome", [{"prediction_id": str(one.prediction_id), "outcome": one.survived} for one in outcomes.outcomes]
        )

    return app
