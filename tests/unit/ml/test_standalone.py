"""A saved model works where this repository isn't: MLflow's folder has everything."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from include.core.ml import artifact, standalone
from include.core.ml.spec import to_records
from include.domains.titanic.models import MODELS
from include.domains.titanic.passengers import COLUMNS, LABEL, PASSENGER_LIST
from include.domains.titanic.spec import TITANIC

TABLE = PASSENGER_LIST.read((Path(__file__).parents[3] / "include/data/titanic/train.csv").read_bytes())
ROWS, LABELS = TABLE[list(COLUMNS)], TABLE[LABEL].to_numpy()
CLIENT = Path(__file__).with_name("standalone_client.py")
NULLABLE = ["Age", "Fare", "Cabin", "Embarked"]


def save(folder: Path, name: str = "logistic_regression") -> Any:
    """Save a fitted model and return it."""
    model = MODELS[name]().fit(ROWS, LABELS)
    standalone.save(model, folder, ROWS.head(3), TITANIC.trusted_types, TITANIC)
    return model


def ask(python: str, folder: Path, elsewhere: Path) -> dict[str, Any]:
    """Return what a stranger's program prints about the first twenty rows."""
    rows, program = elsewhere / "rows.json", elsewhere / "client.py"
    rows.write_text(json.dumps(to_records(ROWS.head(20))))
    program.write_bytes(CLIENT.read_bytes())
    command = [python, "-I", str(program), str(folder), str(rows)]  # -I: neither PYTHONPATH nor the current folder
    result = subprocess.run(command, cwd=elsewhere, capture_output=True, text=True, check=False, timeout=300)
    assert result.returncode == 0, result.stderr
    printed: dict[str, Any] = json.loads(result.stdout)
    return printed


def check(printed: dict[str, Any], model: Any, folder: Path) -> None:
    """Check a stranger's answers: class and probability as from the model server."""
    probabilities = model.predict_proba(ROWS.head(20))[:, 1]
    assert [answer["probability"] for answer in printed["answers"]] == pytest.approx(probabilities, abs=1e-12)
    assert [answer["survived"] for answer in printed["answers"]] == (probabilities > 0.5).tolist()
    alone = model.predict_proba(TITANIC.frame([TITANIC.row(**row) for row in without_nullable()]))[:, 1]
    assert [answer["probability"] for answer in printed["without_nullable"]] == pytest.approx(alone, abs=1e-12)
    assert printed["optional"] == NULLABLE
    assert printed["outputs"] == {"survived": "DataType.boolean", "probability": "DataType.double"}
    assert printed["code"] == str(folder / "code" / "include" / "__init__.py")


def without_nullable() -> list[dict[str, Any]]:
    return to_records(ROWS.head(20).drop(columns=NULLABLE))


def test_a_stranger_gets_class_and_probability_without_the_repository(tmp_path: Path) -> None:
    folder, elsewhere = tmp_path / "model", tmp_path / "elsewhere"
    elsewhere.mkdir()
    model = save(folder)
    check(ask(sys.executable, folder, elsewhere), model, folder)


def test_only_the_code_that_the_model_needs_is_copied(tmp_path: Path) -> None:
    save(tmp_path / "model")
    code = tmp_path / "model" / "code" / "include"
    modules = {file.relative_to(code).as_posix() for file in code.rglob("*") if file.name != "__init__.py"}
    assert {name for name in modules if name.endswith(".py")} == {
        "core/errors.py",
        "core/ml/artifact.py",
        "core/ml/errors.py",
        "core/ml/skops_io.py",
        "core/ml/standalone.py",
        "domains/titanic/features.py",
        "domains/titanic/models.py",
    }


def test_every_requirement_is_pinned_to_what_is_installed(tmp_path: Path) -> None:
    save(tmp_path / "model")
    lines = (tmp_path / "model" / "requirements.txt").read_text().splitlines()
    names = dict(line.split("==") for line in lines)
    assert {"mlflow", "scikit-learn", "skops", "pandas", "numpy", "scipy", "joblib", "threadpoolctl"} <= set(names)
    assert not [name for name in names if name.startswith("apache-airflow")]
    assert names == {name: version(name) for name in names}


def test_the_same_model_is_the_same_file_in_every_process(tmp_path: Path) -> None:
    save(tmp_path / "here", "soft_vote")
    script = (
        "import sys; from pathlib import Path; from tests.unit.ml.test_standalone import save;"
        " save(Path(sys.argv[1]), 'soft_vote')"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "there")]
    subprocess.run(command, cwd=Path(__file__).parents[3], check=True, capture_output=True, timeout=300)
    here, there = ((tmp_path / place / artifact.MODEL_FILE).read_bytes() for place in ("here", "there"))
    assert artifact.digest(here) == artifact.digest(there)


def test_an_answer_that_is_no_probability_is_an_error() -> None:
    from include.core.ml.standalone import Classifier

    class Wrong:
        def predict_proba(self, rows: Any) -> Any:
            return rows[["Age", "Age"]].to_numpy()

    model = Classifier(Wrong(), dict(TITANIC.dtypes), "survived")
    for age in (float("nan"), 1.5, -0.1):
        with pytest.raises(ValueError, match="aren't all probabilities"):
            model.predict(ROWS.head(1).assign(Age=age))
