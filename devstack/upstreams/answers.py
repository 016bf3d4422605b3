"""Responses: JSON bodies, and the error format of each API."""

from __future__ import annotations

import json

from starlette.responses import Response

JSON_TYPE = "application/json; charset=utf-8"


class RefusedError(Exception):
    """A request that is refused with ``status`` and an error body with the message."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def json_response(body: object, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Return ``body`` as compact UTF-8 JSON; a float NaN is written as a bare ``NaN``."""
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    return Response(text.encode(), status, {"content-type": JSON_TYPE} | (headers or {}))


def open_meteo_error(reason: str) -> dict[str, object]:
    """Return Open-Meteo's error body, which is the same for every status."""
    return {"error": True, "reason": reason}


def openweather_error(message: str, status: int = 400) -> dict[str, object]:
    """Return OpenWeather's error body: ``cod`` is a string for 400 and 404, an integer otherwise."""
    return {"cod": str(status) if status in {400, 404} else status, "message": message}


def source_error(message: str, status: int = 400) -> dict[str, object]:
    """Return the error body of the sources, the job service and the control endpoints."""
    return {"error": {"status": status, "message": message}}
