"""One valid call of each kind of API."""

from __future__ import annotations

from uuid import uuid4

import requests

ARCHIVE = {
    "latitude": "40.71,51.51,35.69",
    "longitude": "-74.01,-0.13,139.69",
    "start_date": "2024-06-01",
    "end_date": "2024-06-02",
    "daily": "weather_code,temperature_2m_mean,wind_speed_10m_mean",
}


def archive(upstreams: str, **query: str) -> requests.Response:
    return requests.get(f"{upstreams}/v1/archive", params=ARCHIVE | query, timeout=10)


def weather(upstreams: str) -> requests.Response:
    query = {"q": "London", "appid": uuid4().hex, "units": "metric"}
    return requests.get(f"{upstreams}/data/2.5/weather", params=query, timeout=10)


def sales(upstreams: str) -> requests.Response:
    return requests.get(f"{upstreams}/sales", params={"date": "2010-12-20", "limit": "3"}, timeout=10)
