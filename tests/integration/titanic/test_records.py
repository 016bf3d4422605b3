"""What MLflow shows of a version: how it came to be, and why it serves."""

from __future__ import annotations

from collections.abc import Callable

from upath import UPath

from include.core.ml import card, pipeline
from include.core.ml.candidate import REFERENCE
from include.core.ml.recipe import code_digest, hyperparameters
from include.core.ml.registry import Registry
from include.domains.titanic.spec import TITANIC
from tests.integration.titanic.conftest import FOLDS, PATIENCE, Serving, accept, evaluation_of


def test_a_version_shows_how_it_came_to_be(
    candidate: UPath, registry: Registry, serve: Callable[[str], Serving]
) -> None:
    accept(candidate, registry)
    server = serve(registry.name).server
    pipeline.deploy(TITANIC, candidate, registry, server, PATIENCE, 20, by="run one, approved by Ada")
    champion, evaluation = registry.champion(), evaluation_of(candidate)
    assert champion
    tags = registry._client.get_model_version(registry.name, str(champion.number)).tags
    assert (tags["promoted_because"], tags["promoted_by"]) == ("the first version", "run one, approved by Ada")
    run = registry._client.get_run(champion.run_id)
    recipe = hyperparameters(TITANIC.estimators[evaluation.chosen]())
    assert recipe
    expected = recipe | {"rows": "891", "splits": str(FOLDS.splits), "groups": str(evaluation.groups)}
    assert {name: run.data.params[name] for name in expected} == expected
    assert 0 < evaluation.groups <= evaluation.rows
    assert run.data.tags["code_digest"] == code_digest(TITANIC)
    assert run.inputs
    [used] = run.inputs.dataset_inputs
    assert used.dataset.name == registry.name
    assert evaluation.data_digest.startswith(used.dataset.digest)
    assert REFERENCE in used.dataset.source
    assert {tag.key: tag.value for tag in used.tags} == {"mlflow.data.context": "training"}


def test_the_card_names_owner_day_threshold_and_hyperparameters(candidate: UPath) -> None:
    text, evaluation = (candidate.parent / card.CARD).read_text(), evaluation_of(candidate)
    assert f"evaluated on {evaluation.day}. Owner: {TITANIC.card.owner}." in text
    assert TITANIC.card.threshold_reason in text
    assert "scikit-learn " in text
    for name, value in evaluation.hyperparameters.items():
        assert f"| {name} | `{value}` |" in text
