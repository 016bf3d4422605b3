"""A registered version is trained again, and gives way to the one before it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from upath import UPath

from include.core.ml import standalone, versions
from include.core.ml.errors import ArtifactError, RefusedError
from include.core.ml.registry import Registry, Version
from include.domains.titanic.models import GenderRule, soft_vote
from include.domains.titanic.spec import TITANIC
from tests.integration.titanic.conftest import Serving, copy_as, deploy, evaluation_of


def champion_of(registry: Registry) -> Version:
    champion = registry.champion()
    assert champion
    return champion


@pytest.mark.usefixtures("serving")
def test_a_version_is_trained_again_to_the_same_file(candidate: UPath, registry: Registry) -> None:
    champion = champion_of(registry)
    assert [registry.find(wanted) for wanted in ("", "1", champion.run_id)] == [champion] * 3
    assert [registry.find(wanted) for wanted in ("2", "0" * 32)] == [None] * 2
    result = versions.reproduce(TITANIC, registry, champion)
    assert result.is_same
    assert result.trained == evaluation_of(candidate).sha256
    assert (result.estimator, result.rows, result.libraries) == ("logistic_regression", 891, [])


@pytest.mark.usefixtures("serving")
def test_what_has_changed_is_told(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    requirements = standalone.requirements()
    changed = ["numpy==0.1" if line.startswith("numpy==") else line for line in requirements]
    monkeypatch.setattr(standalone, "requirements", lambda: changed)
    other = replace(TITANIC, estimators={"logistic_regression": soft_vote})
    result = versions.reproduce(other, registry, champion_of(registry))
    assert not result.is_same
    [library] = result.libraries
    assert library.startswith("numpy ")
    assert library.endswith(", now 0.1")
    with pytest.raises(ArtifactError, match="is a logistic_regression, which the spec doesn't have any more"):
        versions.reproduce(replace(TITANIC, estimators={"rule": GenderRule}), registry, champion_of(registry))


def test_the_version_before_serves_again(candidate: UPath, registry: Registry, serving: Serving) -> None:
    assert deploy(copy_as(candidate, "second", registry), registry, serving) == 2
    assert versions.roll_back(registry, serving.server, patience=20) == 1
    assert serving.server.health()["version"] == 1
    with pytest.raises(RefusedError, match="version 1 replaced no other version"):
        versions.roll_back(registry, serving.server, patience=20)
    assert champion_of(registry).number == 1
