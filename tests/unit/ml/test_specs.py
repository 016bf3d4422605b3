"""The models of several domains: one that can't be used is named, and the others are found all the same."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

from include.core.ml.drift.pipeline import chosen
from include.core.ml.errors import AcknowledgementError, SpecError
from include.core.ml.specs import Specs, collect_specs

SPEC = """
from include.core.ml.spec import ModelSpec
SPEC = object.__new__(ModelSpec)
SPEC.__dict__["name"] = {!r}
"""
MODULES = {
    "churn": "import no_such_module",
    "fraud": SPEC.format("fraud"),
    "returns": SPEC.format("fraud"),
    "visits": "raise KeyError('region')",
}


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """A package of domains, of which only `fraud` has a spec that can be used, and `none` has none."""
    for name in (*MODULES, "none"):
        (tmp_path / "shop" / name).mkdir(parents=True)
        (tmp_path / "shop" / name / "__init__.py").touch()
    (tmp_path / "shop/__init__.py").touch()
    for name, code in MODULES.items():
        (tmp_path / "shop" / name / "spec.py").write_text(code)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield import_module("shop")
    for name in [name for name in sys.modules if name.partition(".")[0] == "shop"]:
        del sys.modules[name]


def test_what_cannot_be_used_is_named_with_the_reason(shop: ModuleType, caplog: pytest.LogCaptureFixture) -> None:
    specs = collect_specs(shop)
    assert list(specs.valid) == ["fraud"]
    assert specs.broken == {
        "churn": "shop.churn.spec can't be imported: ModuleNotFoundError: No module named 'no_such_module'",
        "returns": "shop.returns.spec: another spec has the name 'fraud' too",
        "visits": "shop.visits.spec can't be imported: KeyError: 'region'",
    }
    for module in ("shop.churn.spec", "shop.returns.spec", "shop.visits.spec"):
        assert module in caplog.text
    assert specs.named("fraud") is specs.valid["fraud"]
    with pytest.raises(SpecError, match=r"shop\.churn\.spec can't be imported"):
        specs.named("churn")
    with pytest.raises(SpecError, match="model 'nobody': allowed: fraud"):
        specs.named("nobody")


def test_all_models_are_watched_or_one(shop: ModuleType) -> None:
    specs = collect_specs(shop)
    assert chosen(specs, None, acknowledges=False) == ["churn", "fraud", "returns", "visits"]
    assert chosen(specs, "fraud", acknowledges=True) == ["fraud"]
    assert chosen(Specs(specs.valid, {}), None, acknowledges=True) == ["fraud"]
    assert chosen(Specs({}, {}), None, acknowledges=False) == []
    with pytest.raises(AcknowledgementError, match="name the model in param model: churn, fraud"):
        chosen(specs, None, acknowledges=True)
    with pytest.raises(SpecError, match=r"shop\.churn\.spec"):
        chosen(specs, "churn", acknowledges=False)
