"""A model that `make new-model` writes passes the gate, is trained, judged and served, and can be removed again."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import requests
from sklearn.datasets import load_breast_cancer

from devstack.state import State
from tests.e2e.scratch import commit, run

NAME = "_".join(("many", "cells"))  # a removal deletes what mentions the name, such as this test
MODULE = (sys.executable, "-m")
COLUMNS = ["mean radius", "mean texture", "mean smoothness", "worst concavity"]
ROW = ["mean_radius", "mean_texture", "mean_smoothness", "worst_concavity", "size"]


@pytest.mark.weekly
def test_a_new_model_is_served_and_removed(clone: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    table = load_breast_cancer(as_frame=True).frame
    table["malignant"] = np.where(table["target"] == 0, "yes", "no")
    table["size"] = np.where(table["mean radius"] > 14, "large", "small")
    file = tmp_path_factory.mktemp("data") / "tumours.csv"
    table[[*COLUMNS, "size", "malignant"]].to_csv(file, index=False)
    before = run(clone, "git", "rev-parse", "HEAD^{tree}")

    output = run(clone, *MODULE, "devstack.new_model", NAME, str(file), "malignant")
    assert "judged by segment: size" in output
    run(clone, "lint-imports")
    run(clone, *MODULE, "pytest", "-q", "tests/gate/test_dags.py", f"tests/unit/{NAME}")
    commit(clone)

    try:
        result = run(clone, *MODULE, "devstack", "run", f"{NAME}_model")
        assert "deploy_model" in result
        url = f"http://127.0.0.1:{State(clone / '.devstack').port('model_server')}/models/{NAME}/predictions"
        row = dict(zip(ROW, (20.0, 20.0, 0.1, 0.6, "large"), strict=True))
        response = requests.post(url, json={"rows": [row]}, timeout=60)
        assert response.status_code == 200, response.text
        [prediction] = json.loads(response.text)["predictions"]
        assert prediction["malignant"]
    finally:
        run(clone, *MODULE, "devstack", "clean")

    run(clone, *MODULE, "devstack.removal", NAME)
    commit(clone)
    assert run(clone, "git", "rev-parse", "HEAD^{tree}") == before
