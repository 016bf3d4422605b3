"""One genuine call of each kind of API."""

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


def archive(base_url: str, **query: str) -> requests.Response:
    return requests.get(f"{base_url}/v1/archive", params=ARCHIVE | query, timeout=2)


def weather(base_url: str) -> requests.Response:
    query = {"q": "London", "appid": uuid4().hex, "units": "metric"}
    return requests.get(f"{base_url}/data/2.5/weather", params=query, timeout=2)


def sales(base_url: str) -> requests.Response:
    return requests.get(f"{base_url}/sales", params={"date": "2010-12-20", "limit": "3"}, timeout=2)
