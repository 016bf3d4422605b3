"""A challenger beside the champion: a real MLflow, a real model server, a real warehouse."""

from __future__ import annotations

import datetime as dt
import io
import shutil
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import psutil
import psycopg
import pytest
from rich.console import Console
from upath import UPath

from devstack import challenger as commands
from devstack.errors import UsageError
from devstack.state import REPOSITORY
from include.core.ml import artifact, deployment, skops_io, verdicts
from include.core.ml.comparison import compare
from include.core.ml.drift.history import served
from include.core.ml.drift.summary import WHOLE
from include.core.ml.errors import ArtifactError, RefusedError
from include.core.ml.gates import Rule
from include.core.ml.registry import MODEL, Record, Registry, Version
from include.core.ml.spec import ModelSpec, to_records
from include.core.settings import OBJECT_STORAGE
from include.domains.titanic import traffic
from include.domains.titanic.passengers import LABEL, PASSENGER_LIST
from include.domains.titanic.spec import TITANIC
from tests.integration.titanic import estimators
from tests.integration.titanic.conftest import PATIENCE, Serving, accept, copy_as, deploy, files_of
from tests.integration.titanic.estimators import TRUSTED, Contrary
from tests.integration.titanic.test_titanic import KELLY, Serve, wait

SPEC = replace(TITANIC, trusted_types=(*TITANIC.trusted_types, *TRUSTED))
TABLE = PASSENGER_LIST.read((REPOSITORY / "include/data/titanic/train.csv").read_bytes()).head(300)
ROWS, LABELS = TABLE[SPEC.columns], TABLE[LABEL].to_numpy()
RECORDS = to_records(ROWS)
TRAFFIC = to_records(traffic.rows(200, seed=1))
CRASH = KELLY | {"Name": "Crash, Mr. Sudden"}

eventually = partial(wait, seconds=PATIENCE)


def fitted(name: str) -> Any:
    return getattr(estimators, name)().fit(ROWS, LABELS)


class Stranger(estimators.BySex):
    """No type that is trusted."""


def register(registry: Registry, model: Any, name: str, folder: Path) -> Version:
    """Register a fitted model, as nobody could who has to pass the gates."""
    file = folder / name / MODEL
    file.parent.mkdir(parents=True)
    file.write_bytes(skops_io.dumps(model))
    files = {MODEL: artifact.digest(file.read_bytes())}
    return registry.publish(name, files, folder / name, Record({}, {}, {}))


def challenger_of(serving: Serving) -> dict[str, Any]:
    state: dict[str, Any] = serving.server.health()["challenger"]
    return state


def challenge(registry: Registry, version: Version, serving: Serving) -> None:
    registry.challenge(version)
    eventually(lambda: challenger_of(serving)["version"] == version.number)


def probabilities(serving: Serving, rows: Sequence[dict[str, Any]], size: int = 40) -> list[float]:
    """The champion's probabilities, asked in several requests at once."""
    requests = [rows[start : start + size] for start in range(0, len(rows), size)]
    with ThreadPoolExecutor(4) as pool:
        responses = list(pool.map(serving.server.predict, requests))
    assert {response["version"] for response in responses} == {1}
    return [item["probability"] for response in responses for item in response["predictions"]]


def require(answers: list[float], expected: list[float]) -> None:
    """Check that answers are the same, but for the last bits, which depend on the rows that are predicted together."""
    np.testing.assert_allclose(answers, expected, rtol=0, atol=1e-12)


def passed_on(serving: Serving) -> int:
    """The rows that were passed on to the challenger, and have left its queue."""
    state = challenger_of(serving)
    return sum(state[name] for name in ("answered", "dropped", "failed"))


@pytest.fixture
def served_by_process(candidate: UPath, registry: Registry, serve_process: Serve) -> Serving:
    """A model server in a process of its own, whose champion is the candidate."""
    serving = serve_process(registry.name, f"{__name__}:SPEC")
    accept(candidate, registry)
    deploy(candidate, registry, serving)
    return serving


def test_no_challenger_changes_an_answer(registry: Registry, served_by_process: Serving, tmp_path: Path) -> None:
    serving = served_by_process
    expected = probabilities(serving, TRAFFIC)
    assert challenger_of(serving)["answered"] == 0

    challenge(registry, register(registry, fitted("Crashing"), "crashing", tmp_path), serving)
    require(probabilities(serving, TRAFFIC), expected)
    eventually(lambda: passed_on(serving) == 200)
    assert challenger_of(serving)["answered"] == 200
    assert serving.server.predict([CRASH])["version"] == 1
    eventually(lambda: challenger_of(serving)["failed"] == 1)
    require(probabilities(serving, TRAFFIC), expected)  # while its process is down
    eventually(lambda: passed_on(serving) == 401)

    failed = challenger_of(serving)["failed"]
    challenge(registry, register(registry, fitted("NanForUnseenPorts"), "nan", tmp_path), serving)
    assert np.isfinite(probabilities(serving, [row | {"Embarked": None, "Age": None} for row in TRAFFIC[:50]])).all()
    eventually(lambda: passed_on(serving) == 451)
    assert challenger_of(serving)["failed"] == failed + 50

    challenge(registry, register(registry, fitted("Slow"), "slow", tmp_path), serving)
    dropped = challenger_of(serving)["dropped"]
    require(probabilities(serving, TRAFFIC * 100, size=2500), expected * 100)  # 20,000 rows, of which 10,000 may wait
    eventually(lambda: challenger_of(serving)["dropped"] > dropped)
    registry.challenge(None)
    eventually(lambda: challenger_of(serving)["version"] is None)
    eventually(lambda: passed_on(serving) == 20_451)
    require(probabilities(serving, TRAFFIC), expected)
    assert passed_on(serving) == 20_451

    health = serving.server.health()
    assert (health["version"], health["failed_requests"], health["model_error"]) == (1, 0, None)
    assert serving.process
    assert serving.process.running
    server = psutil.Process(serving.process.running.pid)
    eventually(lambda: server.children() == [])


def test_a_planted_disagreement_in_one_segment_is_found(
    registry: Registry, served_by_process: Serving, tmp_path: Path
) -> None:
    serving = served_by_process
    champion = registry.champion()
    assert champion
    model = registry.load(champion, TITANIC.trusted_types).model
    challenge(registry, register(registry, Contrary(model), "contrary", tmp_path), serving)
    predictions = serving.server.predict(TRAFFIC)["predictions"]
    eventually(lambda: challenger_of(serving)["answered"] == len(TRAFFIC))
    outcomes = [{"prediction_id": item["prediction_id"], "survived": item["survived"]} for item in predictions[:150]]
    serving.server._call("POST", "/outcomes", {"outcomes": outcomes})
    with psycopg.connect(serving.warehouse, autocommit=True) as connection:
        eventually(
            lambda: (
                connection.execute(
                    "SELECT count(*) FILTER (WHERE purpose = 'live'), count(*) FILTER (WHERE role = 'challenger'),"
                    " (SELECT count(*) FROM outcomes) FROM predictions"
                ).fetchone()
                == (400, 200, 150)
            )
        )
    today = dt.datetime.now(dt.UTC).date()
    days = (today - dt.timedelta(days=1), today)
    [found] = compare(TITANIC, serving.warehouse, registry.name, *days)
    assert (found.champion, found.challenger) == (1, 2)
    segments = SPEC.segment(traffic.rows(200, seed=1)).astype(str).tolist()
    chances = np.array([item["probability"] for item in predictions])
    is_planted = np.array(segments) == "female-3"
    assert next(iter(found.segments)) == WHOLE
    assert set(found.segments) == {WHOLE, *segments}
    for segment, agreement in found.segments.items():
        is_inside = np.array([segment in {WHOLE, item} for item in segments])
        difference = np.where(is_planted, 1 - 2 * chances, 0)[is_inside]
        assert agreement.rows == is_inside.sum()
        assert agreement.agreement == 1 - (is_inside & is_planted).sum() / is_inside.sum()
        assert agreement.mean_difference == pytest.approx(difference.mean(), abs=1e-9)
        assert agreement.mean_distance == pytest.approx(np.abs(difference).mean(), abs=1e-9)
        assert agreement.outcomes == is_inside[:150].sum()
        wrong = (is_inside & is_planted)[:150].sum()
        assert agreement.accuracies
        assert agreement.accuracies == pytest.approx((1, 1 - wrong / agreement.outcomes))
    assert found.segments["female-3"].agreement == 0
    assert found.segments["female-3"].accuracies == (1, 0)
    assert challenger_of(serving)["disagreements"] == is_planted.sum() > 0
    for latency in (found.champion_latency, found.challenger_latency):
        assert latency
        assert 0 < latency.median <= latency.high
    assert compare(TITANIC, serving.warehouse, registry.name, days[0], days[0]) == []

    [day] = served(TITANIC, serving.warehouse, registry.name, today)  # the monitoring sees the champion alone
    assert (day.version, day.predictions) == (1, len(TRAFFIC))


def with_rule(registry: Registry, name: str, rule: Rule) -> None:
    """Record that a candidate also broke a rule."""
    verdict = verdicts.require(registry.warehouse(), registry.name, name)
    verdicts.record(registry.warehouse(), registry.name, verdict.model_copy(update={"rules": [*verdict.rules, rule]}))


def promote(registry: Registry, serving: Serving) -> int:
    return deployment.promote(TITANIC, registry, serving.server, PATIENCE, keep=20, by="a test")


def test_an_accepted_challenger_is_promoted(candidate: UPath, registry: Registry, serving: Serving) -> None:
    with pytest.raises(RefusedError, match="has no challenger"):
        promote(registry, serving)
    version = deployment.challenge(TITANIC, copy_as(candidate, "second", registry), registry)
    assert registry.challenger() == version
    assert (version.number, version.previous) == (2, None)
    assert registry.prune(0) == 0  # neither champion nor challenger
    eventually(lambda: challenger_of(serving)["version"] == 2)
    assert serving.server.predict([KELLY])["version"] == 1
    assert promote(registry, serving) == 2
    assert serving.server.predict([KELLY])["version"] == 2
    champion = registry.champion()
    assert champion
    assert (champion.number, champion.previous) == (2, 1)
    assert registry.challenger() is None
    eventually(lambda: challenger_of(serving)["version"] is None)


def test_nothing_but_the_verdict_promotes_a_challenger(candidate: UPath, registry: Registry, serving: Serving) -> None:
    harmful = copy_as(candidate, "harmful", registry)
    with_rule(registry, "harmful", Rule(name="segment female-3", passed=False, details="worse"))
    with pytest.raises(RefusedError, match="harmful was refused: segment female-3: worse"):
        deployment.challenge(TITANIC, harmful, registry)
    assert registry.challenger() is None

    equal = copy_as(candidate, "equal", registry)
    with_rule(registry, "equal", Rule(name="gain", passed=False, details="nothing is better", is_harm=False))
    assert deployment.challenge(TITANIC, equal, registry).number == 2
    with pytest.raises(RefusedError, match="equal was refused: gain: nothing is better"):
        promote(registry, serving)

    late = deployment.challenge(TITANIC, copy_as(candidate, "late", registry), registry)
    deploy(copy_as(candidate, "faster", registry), registry, serving)
    assert registry.challenger() == late
    with pytest.raises(RefusedError, match="late was compared with version 1, but version 4 is champion"):
        promote(registry, serving)
    assert serving.server.health()["version"] == 4


def test_a_version_with_another_ones_name_is_not_promoted(
    candidate: UPath, registry: Registry, serving: Serving, tmp_path: Path
) -> None:
    """As a person with MLflow's password would name it: its files aren't those that were judged."""
    accepted, folder = copy_as(candidate, "accepted", registry), tmp_path / "forged"
    shutil.copytree(str(accepted.parent), folder)
    (folder / MODEL).write_bytes(skops_io.dumps(fitted("BySex")))
    files = files_of(accepted) | {MODEL: artifact.digest((folder / MODEL).read_bytes())}
    registry.challenge(registry.publish("accepted", files, folder, Record({}, {}, {})))
    with pytest.raises(ArtifactError, match=r"version 2: model/model.skops's SHA-256 is .*was replaced"):
        promote(registry, serving)
    assert serving.server.health()["version"] == 1


def test_a_challenger_that_cannot_be_loaded_is_refused_and_leaves_the_champion(
    registry: Registry, serving: Serving, tmp_path: Path
) -> None:
    registry.challenge(register(registry, Stranger(), "stranger", tmp_path))
    eventually(lambda: challenger_of(serving)["is_refused"])
    state = challenger_of(serving)
    assert "contains types that aren't trusted" in state["error"]
    assert (state["version"], serving.server.predict([KELLY])["version"]) == (None, 1)
    registry.challenge(None)
    eventually(lambda: not challenger_of(serving)["is_refused"])
    assert f"no version of {registry.name} is challenger" in challenger_of(serving)["error"]


def test_the_commands_choose_compare_and_promote(
    candidate: UPath, registry: Registry, serving: Serving, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def model(_: Any, name: str) -> tuple[ModelSpec, Registry]:
        assert name == "titanic"
        return TITANIC, registry

    url = serving.server.url.removesuffix(TITANIC.path)
    monkeypatch.setattr(commands, "model", model)
    monkeypatch.setattr(commands, "local_url", lambda *_: url)
    monkeypatch.setenv(OBJECT_STORAGE.name, str(tmp_path))
    stack: Any = SimpleNamespace(ensure=lambda _: None, warehouse_uri=serving.warehouse, state=None)
    output = io.StringIO()
    console = Console(file=output, width=200)
    copy = copy_as(candidate, "again-0123456789ab", registry)
    shutil.copytree(str(copy.parent), tmp_path / "titanic" / "again" / "candidate")

    for wrong in ("9", "run-0", "unknown"):
        with pytest.raises(
            UsageError, match=rf"VERSION={wrong}: titanic has no such .*candidates: again-0123456789ab, "
        ):
            commands.choose(console, stack, "titanic", wrong)
    with pytest.raises(UsageError, match="titanic version 1 is champion"):
        commands.choose(console, stack, "titanic", "1")
    commands.choose(console, stack, "titanic", commands.NONE)
    commands.show(console, stack, "titanic", 7)
    commands.choose(console, stack, "titanic", "again-0123456789ab")
    eventually(lambda: challenger_of(serving)["version"] == 2)
    serving.server.predict(TRAFFIC)
    with psycopg.connect(serving.warehouse, autocommit=True) as connection:
        count = "SELECT count(*) FROM predictions WHERE purpose = 'live'"
        eventually(lambda: connection.execute(count).fetchone() == (400,))
    commands.show(console, stack, "titanic", 7)
    commands.promote(console, stack, "titanic")
    text = output.getvalue()
    for line in (
        "titanic has no challenger",
        "challenger none",
        "candidate again-0123456789ab: accepted",
        "titanic version 2 is challenger",
        "challenger version 2 (again-0123456789ab)",
        "version 2 beside champion version 1",
        "titanic version 2 serves",
    ):
        assert line in text
    assert " all " in text
    assert "100.0%" in text
    assert serving.server.health()["version"] == 2
