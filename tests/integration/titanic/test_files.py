"""Model files that do harm: each is refused for its own reason, and ends nothing but its own process."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from devstack.state import REPOSITORY
from include.core.ml import sandbox, skops_io
from include.core.ml.corners import corners
from include.core.ml.errors import SandboxError
from include.core.ml.evaluation import Folds, Scores, cross_validate
from include.core.ml.gates import behaviour, quality
from include.core.ml.sandbox import Limits, jobs, run
from include.core.ml.sandbox.content import Content
from include.domains.titanic.passengers import COLUMNS, LABEL, PASSENGER_LIST
from include.domains.titanic.spec import TITANIC
from tests.integration.titanic import estimators
from tests.integration.titanic.estimators import TRUSTED, Lookup

TABLE = PASSENGER_LIST.read((REPOSITORY / "include/data/titanic/train.csv").read_bytes()).head(300)
ROWS, LABELS = TABLE[list(COLUMNS)], TABLE[LABEL].to_numpy()
CORNERS = corners(TITANIC, ROWS)
SPEC = replace(TITANIC, trusted_types=(*TITANIC.trusted_types, *TRUSTED))
QUICK = Limits(memory=1024**3, cpu=60)


def content(model: Any) -> Content:
    return {"model": skops_io.dumps(model), "trusted": list(SPEC.trusted_types), "rows": ROWS}


def broken(model: Any) -> dict[str, str]:
    """Return the rules about answers and costs that a fitted model breaks."""
    asked = content(model)
    examined = run(jobs.examine, asked | {"labels": LABELS, "corners": CORNERS}, QUICK)
    queried = skops_rows()
    elsewhere = run(jobs.predict, asked | {"rows": queried}, QUICK)["probabilities"]
    cost = behaviour.Cost.of(examined, asked["model"])
    rules = [
        *behaviour.answers(examined, elsewhere, queried),
        *behaviour.costs(cost, len(examined["alone"]), None, SPEC.thresholds()),
    ]
    return {rule.name: rule.details for rule in rules if not rule.passed}


def skops_rows() -> Any:
    import pandas as pd

    return pd.concat([ROWS, CORNERS], ignore_index=True)


def test_an_honest_model_breaks_no_rule() -> None:
    assert broken(TITANIC.estimators["logistic_regression"]().fit(ROWS, LABELS)) == {}


@pytest.mark.parametrize(
    ("name", "rule", "message"),
    [
        ("NanForUnseenPorts", "probabilities", "aren't probabilities from 0 to 1; the first for Pclass"),
        pytest.param("AboveOne", "probabilities", "aren't probabilities from 0 to 1", marks=pytest.mark.weekly),
        ("ByBatch", "answers alone", "as the only row of a request"),
        pytest.param("ByOrder", "answers shuffled", "in another order", marks=pytest.mark.weekly),
        pytest.param("ByCalls", "answers again", "after other calls", marks=pytest.mark.weekly),
        ("ByClock", "answers elsewhere", "in another process, at another time"),
        pytest.param("Slow", "latency", "ms for one row", marks=pytest.mark.weekly),
    ],
)
def test_a_file_whose_answers_do_not_hang_on_the_row_alone_is_refused(name: str, rule: str, message: str) -> None:
    refusals = broken(getattr(estimators, name)().fit(ROWS, LABELS))
    assert message in refusals[rule]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Greedy", "it takes more than 1024 MiB of memory"),
        ("Calling", "PermissionError: socket.* isn't allowed while a model is judged"),
    ],
)
def test_a_file_that_exceeds_the_limits_is_refused(name: str, message: str) -> None:
    with pytest.raises(SandboxError, match=message):
        broken(getattr(estimators, name)().fit(ROWS, LABELS))


def test_a_file_that_never_answers_is_refused() -> None:
    with pytest.raises(SandboxError, match="it used up its CPU time"):
        run(jobs.predict, content(estimators.Endless().fit(ROWS, LABELS)), Limits(cpu=8))


def test_a_file_that_waits_for_ever_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "IDLE_SECONDS", 6)
    with pytest.raises(SandboxError, match="it used no CPU for 6 s and was ended"):
        run(wait_for_ever, {}, QUICK)


def wait_for_ever(_: Content) -> Content:
    import threading

    threading.Event().wait()
    return {}


def test_a_tree_with_a_child_out_of_range_ends_its_own_process_only() -> None:
    numbers = ROWS[["Pclass", "SibSp", "Parch"]]
    tree = DecisionTreeClassifier(max_depth=3).fit(numbers, LABELS)
    state = tree.tree_.__getstate__()
    state["nodes"]["left_child"][0] = state["nodes"]["right_child"][0] = 2**40
    tree.tree_.__setstate__(state)
    with pytest.raises(SandboxError, match=r"it ended its process \(SIGSEGV\)"):
        run(jobs.predict, content(tree) | {"rows": numbers}, QUICK)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ({"a": 1}, "a dict isn't a classifier; it needs fit, predict, predict_proba, get_params"),
        (StandardScaler(), "a StandardScaler isn't a classifier"),
    ],
)
def test_what_is_no_classifier_is_refused(model: Any, message: str) -> None:
    with pytest.raises(SandboxError, match=message):
        run(jobs.predict, content(model), QUICK)


def test_a_lookup_of_labels_is_found_by_permuting_them() -> None:
    model = Lookup(tuple(ROWS["Name"][LABELS == 1])).fit(ROWS, LABELS)
    groups, once = np.arange(len(LABELS)), Folds(5, 1)
    models = {"lookup": skops_io.dumps(model), "honest": skops_io.dumps(TITANIC.estimators["logistic_regression"]())}
    scores = cross_validate(models, SPEC.trusted_types, ROWS, quality.permute(LABELS), groups, once)
    lookup, honest = scores["lookup"], scores["honest"]
    assert isinstance(lookup, Scores)
    assert isinstance(honest, Scores)
    assert "AUC 1.000" in quality.leak(lookup, LABELS).details
    assert not quality.leak(lookup, LABELS).passed
    assert quality.leak(honest, LABELS).passed


def test_a_model_that_fails_leaves_the_others_their_scores() -> None:
    models = {
        "failing": skops_io.dumps(DecisionTreeClassifier()),  # of rows with texts
        "honest": skops_io.dumps(TITANIC.estimators["logistic_regression"]()),
    }
    scores = cross_validate(models, SPEC.trusted_types, ROWS, LABELS, np.arange(len(LABELS)), Folds(5, 1))
    assert isinstance(scores["honest"], Scores)
    with pytest.raises(SandboxError, match="failing: ValueError: could not convert string to float"):
        raise scores["failing"]  # type: ignore[misc]


def test_the_process_has_no_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_POSTGRES_DEFAULT", "postgresql://host/db")
    assert "AIRFLOW_CONN_POSTGRES_DEFAULT" not in run(environment, {}, QUICK)["names"]


def environment(_: Content) -> Content:
    import os

    return {"names": list(os.environ)}
