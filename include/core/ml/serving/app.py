"""The server's HTTP interface: ``/health``, ``/predictions``, ``/outcomes``."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple
from uuid import UUID, uuid4

from fastapi import FastAPI, Header, HTTPException, Response, status
from fastapi.exceptions import RequestValidationError
from pydantic import AwareDatetime, BaseModel, Field, create_model

from include.core.ml.errors import AnswerError, BusyError, DataError
from include.core.ml.serving.bodies import INVALID, StrictRoute, describe
from include.core.ml.serving.health import ChallengerHealth, Health, add_common
from include.core.ml.serving.predictor import Predictor
from include.core.ml.serving.rows import strict
from include.core.ml.serving.spool import now

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from include.core.ml.serving.challenger import Challenger
    from include.core.ml.serving.follower import Follower
    from include.core.ml.serving.spool import Spool
    from include.core.ml.spec import ModelSpec

MAX_ROWS = 10_000


class Schemas(NamedTuple):
    """Schemas of a model's requests and responses.

    Attributes:
        request: raw rows, 1 to :data:`MAX_ROWS`, in the field ``spec.rows_name``; no value is converted.
        response: the version, and a prediction for each row, in order: ``probability`` is that of 1; the field
            ``spec.positive`` tells whether it is above 0.5.
        outcomes: actual outcomes of predictions, 1 to :data:`MAX_ROWS`.
    """

    request: type[BaseModel]
    response: type[BaseModel]
    outcomes: type[BaseModel]

    @classmethod
    def of(cls, spec: ModelSpec) -> Schemas:
        """Return the schemas of a model."""
        row = strict(spec.row)
        many: Any = Field(min_length=1, max_length=MAX_ROWS)
        fields: dict[str, Any] = {"prediction_id": UUID, spec.positive: bool}
        prediction = create_model("Prediction", **fields, probability=float)
        outcome = create_model("Outcome", **fields)
        return cls(
            create_model("Question", **{spec.rows_name: (list[row], many)}),  # type: ignore[call-overload, valid-type]
            create_model("Answer", model=str, version=int, predictions=list[prediction]),  # type: ignore[valid-type]
            create_model("Outcomes", outcomes=(list[outcome], many)),  # type: ignore[valid-type]
        )


def create_app(
    spec: ModelSpec, name: str, follower: Follower, spool: Spool, challenger: Challenger | None = None
) -> FastAPI:
    """Return the application that serves the champion of the registered model ``name``, described by ``spec``.

    What it has answered is passed on to the ``challenger``.
    """
    schemas = Schemas.of(spec)
    predictor = Predictor(spec, spool, challenger.offer if challenger else lambda _: None)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        follower.start()
        spool.start()
        predictor.start()
        if challenger:
            challenger.start()
        yield
        predictor.stop()
        if challenger:
            challenger.stop()
        follower.stop()
        spool.stop()

    app = FastAPI(title=f"Model server: {name}", lifespan=lifespan)
    app.state.predictor = predictor
    app.router.route_class = StrictRoute
    app.add_exception_handler(RequestValidationError, describe)  # type: ignore[arg-type]

    def health() -> Health:
        served = follower.current
        return Health(
            model=name,
            version=served.version if served else None,
            sha256=served.sha256 if served else None,
            model_error=follower.error,
            is_refused=follower.is_refused,
            failed_requests=predictor.failed,
            log_error=spool.error,
            log_waiting=spool.waiting(),
            challenger=ChallengerHealth.of(challenger) if challenger else None,
        )

    add_common(app, health)

    async def predict(
        request: Any,
        x_purpose: Annotated[Literal["live", "check", "replay"], Header()] = "live",
        x_served_at: Annotated[AwareDatetime | None, Header()] = None,
    ) -> Response:
        """Predict and log the predictions.

        Replayed traffic has a past time of serving in the header X-Served-At.
        """
        received_at = now()
        if (x_purpose == "replay") != (x_served_at is not None) or (x_served_at and x_served_at > received_at):
            raise HTTPException(
                INVALID,
                f"X-Served-At: {x_served_at}; X-Purpose: replay requires a past time, other purposes none",
            )
        served = follower.current
        if served is None:
            raise HTTPException(status.HTTP_503_SERVICE_UNAVAILABLE, f"no model: {follower.error}")
        rows = getattr(request, spec.rows_name)
        common = {
            "served_at": (x_served_at or received_at).isoformat(),
            "model_name": name,
            "model_version": served.version,
            "purpose": x_purpose,
        }
        predictions: list[dict[str, Any]] = []

        def records(probabilities: list[float]) -> list[dict[str, Any]]:
            predictions.extend(
                {"prediction_id": str(uuid4()), spec.positive: probability > 0.5, "probability": probability}
                for probability in probabilities
            )
            return [
                {
                    **common,
                    "prediction_id": prediction["prediction_id"],
                    "inputs": row.model_dump(),
                    "probability": prediction["probability"],
                    "outcome": prediction[spec.positive],
                }
                for row, prediction in zip(rows, predictions, strict=True)
            ]

        try:
            await predictor.predict(served, rows, records)
        except DataError as error:
            raise HTTPException(INVALID, f"{spec.rows_name}: {error}") from error
        except AnswerError as error:
            raise HTTPException(status.HTTP_500_INTERNAL_SERVER_ERROR, str(error)) from error
        except BusyError as error:
            raise HTTPException(status.HTTP_503_SERVICE_UNAVAILABLE, str(error), {"Retry-After": "1"}) from error
        # Already of the declared types: validating and converting each prediction again would take longer than it.
        content = {"model": name, "version": served.version, "predictions": predictions}
        return Response(json.dumps(content), media_type="application/json")

    def record(outcomes: Any) -> None:
        """Log actual outcomes; a later outcome of a prediction replaces an earlier one."""
        spool.put(
            "outcome",
            [
                {"prediction_id": str(outcome.prediction_id), "outcome": getattr(outcome, spec.positive)}
                for outcome in outcomes.outcomes
            ],
        )

    # FastAPI takes the schema of a body from the annotation, which is known only at run time.
    predict.__annotations__["request"] = schemas.request
    record.__annotations__["outcomes"] = schemas.outcomes
    app.post("/predictions", response_model=schemas.response)(predict)
    app.post("/outcomes", status_code=status.HTTP_202_ACCEPTED)(record)
    return app
