"""Several models behind one address: each answers below its own path, and the first one without a path too."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pandas as pd

from include.core.ml.serving.app import create_app
from include.core.ml.serving.several import several
from include.core.ml.serving.spool import Spool
from include.domains.titanic.spec import TITANIC
from tests.unit.ml.application import Fixed, no_warehouse

KELLY = {"Pclass": 3, "Name": "Kelly, Mr. James", "Sex": "male", "SibSp": 0, "Parch": 0, "Ticket": "330911"}
OTHER = replace(TITANIC, name="other", positive="rescued")


class Constant:
    """Always answers with the same probability."""

    def __init__(self, answer: float) -> None:
        self.answer = answer

    def predict_proba(self, rows: pd.DataFrame) -> Any:
        return np.tile([1 - self.answer, self.answer], (len(rows), 1))


def test_each_model_answers_below_its_path(tmp_path: Path) -> None:
    apps = {}
    for spec, version, answer in ((TITANIC, 3, 0.25), (OTHER, 8, 0.75)):
        follower: Any = Fixed(Constant(answer), version)
        apps[spec.path] = create_app(spec, spec.name, follower, Spool(tmp_path / spec.name, no_warehouse))

    async def ask() -> tuple[list[dict[str, Any]], str, int]:
        app = several(apps)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost", timeout=60) as client,
        ):
            urls = ("/models/titanic/predictions", "/models/other/predictions", "/predictions")
            answers = [(await client.post(url, json={"passengers": [KELLY]})).json() for url in urls]
            unknown = await client.post("/models/nobody/predictions", json={"passengers": [KELLY]})
            return answers, (await client.get("/metrics")).text, unknown.status_code

    answers, metrics, unknown = asyncio.run(ask())
    assert [(answer["model"], answer["version"]) for answer in answers] == [
        ("titanic", 3),
        ("other", 8),
        ("titanic", 3),
    ]
    [prediction] = answers[1]["predictions"]
    assert (prediction["rescued"], prediction["probability"]) == (True, 0.75)
    assert 'spellbook_model_version{model="titanic"} 3.0' in metrics
    assert 'spellbook_model_version{model="other"} 8.0' in metrics
    assert unknown == 404
