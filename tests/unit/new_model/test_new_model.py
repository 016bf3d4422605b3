"""A CSV file becomes a model; what can't is refused with the column's name, and nothing is written."""

from __future__ import annotations

import ast
import importlib
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError
from sklearn.datasets import load_breast_cancer

from devstack.errors import StackError
from devstack.new_model.files import write
from devstack.new_model.table import IDENTIFIES, inspect
from devstack.removal.repository import DATA_README
from devstack.state import REPOSITORY
from include import domains
from include.core.ml import standalone
from include.core.ml.corners import corners
from include.core.ml.drift.summary import Features
from include.core.ml.errors import DataError
from include.core.ml.serving.rows import strict

HOSTILE = '"""\n\'); import os  # ${x}{{ y }}{% z %}'


def tumours() -> pd.DataFrame:
    """569 tumours, of which 212 are malignant: W. Wolberg, O. Mangasarian, N. Street, W. Street, UCI 1995."""
    table: pd.DataFrame = load_breast_cancer(as_frame=True).frame.iloc[:, [0, 1, 2, -1]]
    table.columns = ["mean radius", "mean texture", "class", "malignant"]
    table["malignant"] = np.where(table["malignant"] == 0, "yes", "no")
    table["size"] = pd.qcut(table["mean radius"], 3, labels=["small", "middle", "large"]).astype("str")
    table.loc[::15, ["mean texture", "size"]] = np.nan
    return table.assign(PatientId=range(len(table)), note=[f"note {number}" for number in range(len(table))])


def csv(table: pd.DataFrame) -> bytes:
    return table.to_csv(index=False).encode()


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder for a model's files, whose domains can be imported."""
    (tmp_path / DATA_README).parent.mkdir(parents=True)
    shutil.copy(REPOSITORY / DATA_README, tmp_path / DATA_README)
    monkeypatch.setattr(domains, "__path__", [*domains.__path__, str(tmp_path / "include/domains")])
    yield tmp_path
    for name in [name for name in sys.modules if name.startswith("include.domains.tumour")]:
        del sys.modules[name]


def spec_of(root: Path, table: pd.DataFrame, segment: str = "") -> Any:
    write("tumour", inspect(csv(table), "malignant", segment), csv(table), root)
    importlib.invalidate_caches()
    return importlib.import_module("include.domains.tumour.spec").SPEC


def test_the_columns_become_a_schema(root: Path) -> None:
    spec = spec_of(root, tumours())
    assert spec.columns == ["mean_radius", "mean_texture", "column_class", "size"]
    assert dict(spec.dtypes) == {
        "mean_radius": "float64",
        "mean_texture": "float64",
        "column_class": "float64",
        "size": "str",
    }
    rows = importlib.import_module("include.domains.tumour.rows").ROWS.read(csv(tumours()))
    assert list(rows.columns[:2]) == ["PatientId", "malignant"]
    assert (len(rows), int(rows["malignant"].sum()), int(rows["size"].isna().sum())) == (569, 212, 38)
    assert sorted(spec.segment(rows).unique()) == ["large", "middle", "missing", "small"]
    assert spec.thresholds().accuracy == pytest.approx(0.63)
    row = strict(spec.row)
    assert row(mean_radius=12, column_class=80.5).model_dump()["size"] is None
    for wrong in ({"mean_radius": -1}, {"size": "huge"}, {"mean_radius": "12"}, {"other": 1}):
        with pytest.raises(ValidationError):
            row(**{"mean_radius": 12, "column_class": 80.5} | wrong)


def test_each_estimator_is_fitted_asked_and_stored(root: Path) -> None:
    spec = spec_of(root, tumours())
    rows = importlib.import_module("include.domains.tumour.rows").ROWS.read(csv(tumours()))
    asked = corners(spec, rows[spec.columns])
    for name, factory in spec.estimators.items():
        model = factory().fit(rows[spec.columns], rows[spec.label])
        answers = model.predict_proba(asked)[:, 1]
        assert ((answers >= 0) & (answers <= 1)).all(), name
        assert standalone.dump(model, spec.trusted_types), name


@pytest.mark.parametrize(
    ("name", "is_key"),
    [("id", True), ("ID", True), ("customer_id", True), ("CustomerId", True), ("CustomerKey", True), ("paid", False),
     ("Monkey", False), ("casino", False), ("OrderNo", True)],
)  # fmt: skip
def test_what_identifies_a_row_is_told_by_its_name(name: str, is_key: bool) -> None:
    assert bool(IDENTIFIES.search(name)) is is_key


def test_columns_and_values_with_names_of_the_drift_checks_are_watched(root: Path) -> None:
    table = tumours().rename(columns={"mean radius": "prediction", "size": "segment"})
    table["segment"] = table["segment"].replace({"small": "other", "middle": "all"})
    table["region"] = np.where(table.index % 2 == 0, "north", "south")
    with pytest.raises(DataError, match="none of them 'all', which stands for the whole"):
        inspect(csv(table), "malignant", "segment")
    spec = spec_of(root, table)
    rows = importlib.import_module("include.domains.tumour.rows").ROWS.read(csv(table))[spec.columns]
    features = Features.of(spec, rows)
    assert len(set(features.names)) == len(features.names)
    assert features.segments == ("north", "south")
    means = dict(zip(features.names, features.values(rows, np.full(len(rows), 0.25)).mean(axis=0), strict=True))
    assert means["prediction"] == pytest.approx(rows["prediction"].mean())
    assert (means["prediction (of the model)"], means["segment (of the model)=north"]) == (0.25, 285 / 569)
    assert means["segment=other"] == pytest.approx(rows["segment"].eq("other").mean())
    assert means["segment=other (of the model)"] == 0
    shares = features.names[-features.shares :]
    assert all(name.startswith(("region=", "segment (of the model)=")) for name in shares)


def test_every_written_file_is_valid(root: Path) -> None:
    table = inspect(csv(tumours()), "malignant")
    paths = write("tumour", table, csv(tumours()), root)
    for path in paths:
        assert path.is_file()
        if path.suffix == ".py":
            ast.parse(path.read_text())
    assert table.left_out == {"note": "it has 569 different texts; at most 30 make a category"}
    assert (
        "| `tumour/` | training list of `tumour_model` | to be stated | to be stated |"
        in (root / DATA_README).read_text()
    )
    with pytest.raises(StackError, match=r"include/domains/tumour/.* exists already"):
        write("tumour", table, csv(tumours()), root)


def test_what_a_file_says_is_never_code(root: Path) -> None:
    table = tumours().rename(columns={"size": HOSTILE})
    table[HOSTILE] = table[HOSTILE].replace("small", HOSTILE)
    table["note"] = [f"{HOSTILE} {number}" for number in range(len(table))]
    table = table.rename(columns={"note": f"note\n{HOSTILE}"})
    spec = spec_of(root, table)
    [name] = set(spec.columns) - {"mean_radius", "mean_texture", "column_class"}
    rows = importlib.import_module("include.domains.tumour.rows").ROWS.read(csv(table))
    assert HOSTILE in set(rows[name])
    assert not hasattr(importlib.import_module("include.domains.tumour.rows"), "os")


@pytest.mark.parametrize(
    ("change", "segment", "message"),
    [
        ({"malignant": None}, "", "TARGET=malignant: 569 rows have no value; remove them"),
        ({"malignant": "yes"}, "", r"TARGET=malignant: has 1 values \('yes'\); a classifier needs two"),
        ({"malignant": [f"{number % 3}" for number in range(569)]}, "", "has 3 values .* a classifier needs two"),
        ({"malignant": ["A", "B"] * 284 + ["A"]}, "", "has the values 'A' and 'B'; write them as 0 and 1"),
        ({"mean-radius": 1}, "", "the columns 'mean radius' and 'mean-radius' are both the field mean_radius"),
        ({"size": "a\x00"}, "", "contains the character NUL"),
        ({}, "note", "SEGMENT=note: allowed: 'size', the columns"),
    ],
)
def test_a_file_that_makes_no_model_is_refused(change: dict[str, Any], segment: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        inspect(csv(tumours().assign(**change)), "malignant", segment)


def test_a_missing_target_and_few_rows_are_refused() -> None:
    with pytest.raises(DataError, match="TARGET=left: the file has no such column; it has 'mean radius', "):
        inspect(csv(tumours()), "left")
    with pytest.raises(DataError, match="99 rows; at least 100 are needed"):
        inspect(csv(tumours().head(99)), "malignant")


@pytest.mark.parametrize("name", ["Churn", "1a", "a", "class", "../x", "a-b", "titanic" * 9, "rows"])
def test_a_bad_name_is_refused(root: Path, name: str) -> None:
    with pytest.raises(StackError, match="NAME="):
        write(name, inspect(csv(tumours()), "malignant"), csv(tumours()), root)
    assert [path for path in root.rglob("*") if path.is_file()] == [root / DATA_README]
