"""The server's HTTP interface: ``/health``, ``/predictions``, ``/outcomes``."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple
from uuid import UUID, uuid4

from fastapi import FastAPI, Header, HTTPException, status
from fastapi.exceptions import RequestValidationError
from pydantic import AwareDatetime, BaseModel, Field, create_model

from include.core.ml.serving.bodies import INVALID, StrictRoute, describe
from include.core.ml.serving.limits import Limits
from include.core.ml.serving.spool import now
from include.core.settings import MODEL_SERVER_HOSTS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from include.core.ml.serving.follower import Follower
    from include.core.ml.serving.spool import Spool
    from include.core.ml.spec import ModelSpec

MAX_ROWS = 1000


class Schemas(NamedTuple):
    """Schemas of a model's requests and responses.

    Attributes:
        request: raw rows, 1 to 1000, in the field ``spec.rows_name``.
        response: the version, and a prediction for each row, in order: ``probability`` is that of 1; the field
            ``spec.positive`` tells whether it is above 0.5.
        outcomes: actual outcomes of predictions, 1 to 1000.
    """

    request: type[BaseModel]
    response: type[BaseModel]
    outcomes: type[BaseModel]

    @classmethod
    def of(cls, spec: ModelSpec) -> Schemas:
        """Return the schemas of a model."""
        many: Any = Field(min_length=1, max_length=MAX_ROWS)
        fields: dict[str, Any] = {"prediction_id": UUID, spec.positive: bool}
        prediction = create_model("Prediction", **fields, probability=float)
        outcome = create_model("Outcome", **fields)
        return cls(
            create_model("Question", **{spec.rows_name: (list[spec.row], many)}),  # type: ignore[call-overload, name-defined]
            create_model("Answer", model=str, version=int, predictions=list[prediction]),  # type: ignore[valid-type]
            create_model("Outcomes", outcomes=(list[outcome], many)),  # type: ignore[valid-type]
        )


class Health(BaseModel):
    """State of the server.

    Attributes:
        version: the served version; null if there is none.
        sha256: checksum of its file.
        model_error: why the registry's champion isn't served, or null.
        log_error: why rows can't be written to the warehouse, or null.
        log_waiting: rows on this server's disk that aren't in the warehouse yet.
    """

    model: str
    version: int | None
    sha256: str | None
    model_error: str | None
    log_error: str | None
    log_waiting: int


def create_app(spec: ModelSpec, name: str, follower: Follower, spool: Spool) -> FastAPI:
    """Return the application that serves the champion of the registered model ``name``, described by ``spec``."""
    schemas = Schemas.of(spec)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        follower.start()
        spool.start()
        yield
        follower.stop()
        spool.stop()

    app = FastAPI(title=f"Model server: {name}", lifespan=lifespan)
    app.router.route_class = StrictRoute
    app.add_exception_handler(RequestValidationError, describe)  # type: ignore[arg-type]
    app.add_middleware(Limits, hosts=MODEL_SERVER_HOSTS.read().lower().replace(" ", "").split(","))

    @app.get("/health")
    def health() -> Health:
        """Return the state of the server, always with status 200."""
        served = follower.current
        return Health(
            model=name,
            version=served.version if served else None,
            sha256=served.sha256 if served else None,
            model_error=follower.error,
            log_error=spool.error,
            log_waiting=spool.waiting(),
        )

    def predict(
        request: Any,
        x_purpose: Annotated[Literal["live", "check", "replay"], Header()] = "live",
        x_served_at: Annotated[AwareDatetime | None, Header()] = None,
    ) -> BaseModel:
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
        requested = getattr(request, spec.rows_name)
        try:
            frame = spec.frame(requested)
        except (ValueError, TypeError, OverflowError) as error:  # such as an integer of more than 64 bits
            raise HTTPException(INVALID, f"{spec.rows_name}: {error}") from error
        predictions = [
            {"prediction_id": uuid4(), spec.positive: bool(probability > 0.5), "probability": float(probability)}
            for probability in served.model.predict_proba(frame)[:, 1]
        ]
        common = {
            "served_at": (x_served_at or received_at).isoformat(),
            "model_name": name,
            "model_version": served.version,
            "purpose": x_purpose,
        }
        rows: list[dict[str, Any]] = [
            common
            | {
                "prediction_id": str(prediction["prediction_id"]),
                "inputs": row.model_dump(),
                "probability": prediction["probability"],
                "outcome": prediction[spec.positive],
            }
            for row, prediction in zip(requested, predictions, strict=True)
        ]
        spool.put("prediction", rows)
        return schemas.response(model=name, version=served.version, predictions=predictions)

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
