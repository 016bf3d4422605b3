"""Stands in for a model that can't be served: says so and why."""

from __future__ import annotations

from fastapi import FastAPI, HTTPException, status

from include.core.ml.serving.health import Health, add_common


def create_unserved_app(name: str, reason: str, *, is_refused: bool) -> FastAPI:
    """Return an application that refuses every request but those for its state.

    Args:
        name: what is known of the model, such as its domain.
        reason: why it isn't served.
        is_refused: whether that is an error.
    """
    app = FastAPI(title=f"Model server: {name}")
    add_common(app, lambda: Health(model=name, model_error=reason, is_refused=is_refused))

    @app.api_route("/{path:path}", methods=["GET", "POST"], include_in_schema=False)
    def refuse(path: str) -> None:
        del path
        raise HTTPException(status.HTTP_503_SERVICE_UNAVAILABLE, f"no model: {reason}")

    return app
