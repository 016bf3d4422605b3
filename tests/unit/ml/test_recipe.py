"""What a model's recipe says of itself."""

from __future__ import annotations

from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline

from include.core.ml.recipe import LONGEST_NAME, LONGEST_VALUE, hyperparameters


def test_parameters_of_parts_are_named_after_them_and_objects_are_left_out() -> None:
    found = hyperparameters(Pipeline([("scaled", "passthrough"), ("model", LogisticRegression(C=0.25, tol=1e-3))]))
    assert found["model__C"] == "0.25"
    assert found["scaled"] == "'passthrough'"
    assert found["verbose"] == "False"
    assert not {"steps", "model"} & set(found)


def test_names_and_values_of_any_content_fit_into_mlflow_and_the_card() -> None:
    """A model file may say anything."""
    names = ["../a|b\n`", "x" * 1000]
    found = hyperparameters(Pipeline([(name, LogisticRegression(solver="y" * 1000)) for name in names]))
    assert "___a_b____C" in found
    assert max(map(len, found)) == LONGEST_NAME
    assert max(map(len, found.values())) == LONGEST_VALUE
