"""A model that `make new-model` writes passes the gate, is trained, judged, served, watched, and can be removed again.

The example that has a model is removed first: the new one needs nothing of it.
"""

from __future__ import annotations

import shutil
import sys
from datetime import UTC, datetime
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


class Server:
    """The model server of a copy of the repository."""

    def __init__(self, clone: Path) -> None:
        self.url = f"http://127.0.0.1:{State(clone / '.devstack').port('model_server')}/models/{NAME}"

    def predict(self, rows: list[dict[str, object]]) -> list[dict[str, object]]:
        """Return the predictions, once they are in the warehouse."""
        response = requests.post(f"{self.url}/predictions", json={"rows": rows}, timeout=60)
        assert response.status_code == 200, response.text
        state: dict[str, object] = {}
        while state.get("log_waiting") != 0:
            state = requests.get(f"{self.url}/health", timeout=60).json()
            assert state["log_error"] is None
        predictions: list[dict[str, object]] = response.json()["predictions"]
        return predictions


@pytest.mark.weekly
def test_a_new_model_is_served_watched_and_removed(clone: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    run(clone, *MODULE, "devstack.removal", "titanic")
    commit(clone)
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
        server = Server(clone)
        [prediction] = server.predict([dict(zip(ROW, (20.0, 20.0, 0.1, 0.6, "large"), strict=True))])
        assert prediction["malignant"]

        rows = table[[*COLUMNS, "size"]].set_axis(ROW, axis=1)
        today = datetime.now(UTC).date().isoformat()
        server.predict(rows.to_dict("records"))
        watch = (*MODULE, "devstack", "run", "model_monitoring", "--date", today)
        assert "alert" in run(clone, *watch)

        rows["mean_texture"] += 8 * rows["size"].eq("large")
        server.predict(rows.to_dict("records"))
        found = " ".join(run(clone, *watch, good=False).split())
        assert f"DriftError: {NAME}, {today}: version 1: " in found
        assert "version 1: segment large, mean_texture, mean 2" in found
        assert "segment small" not in found

        broken = clone / "include/domains/broken_one"
        broken.mkdir()
        (broken / "__init__.py").touch()
        (broken / "spec.py").write_text("import no_such_module\n")
        found = " ".join(run(clone, *watch, good=False).split())
        shutil.rmtree(broken)
        assert "SpecError: include.domains.broken_one.spec can't be imported: ModuleNotFoundError" in found
        assert f"DriftError: {NAME}, {today}: version 1: " in found
    finally:
        run(clone, *MODULE, "devstack", "clean")

    run(clone, *MODULE, "devstack.removal", NAME)
    commit(clone)
    assert run(clone, "git", "rev-parse", "HEAD^{tree}") == before
