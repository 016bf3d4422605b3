"""Models that the first release registered: their files are read, and they predict what they did."""

from __future__ import annotations

import tarfile
from pathlib import Path

import numpy as np

from include.core.ml import artifact
from include.core.ml.candidate import Evaluation
from include.domains.titanic.spec import TITANIC
from tests.integration.upgrade.archive import RELEASE


def test_old_models_predict_what_they_did(tmp_path: Path) -> None:
    with tarfile.open(RELEASE) as tar:
        tar.extractall(tmp_path, [item for item in tar if item.name.startswith("mlflow/")], filter="data")
    versions = list(tmp_path.glob("mlflow/*/*/artifacts"))
    assert len(versions) == 2
    for folder in versions:
        judged = Evaluation.model_validate_json((folder / "evaluation.json").read_bytes())
        content = (folder / "model" / artifact.MODEL_FILE).read_bytes()
        model = artifact.load(content, artifact.digest(content), TITANIC.trusted_types, folder.parent.name)
        rows = TITANIC.frame([TITANIC.row(**request.row) for request in judged.requests])
        expected = [request.probability for request in judged.requests]
        np.testing.assert_allclose(model.predict_proba(rows)[:, 1], expected, atol=1e-6)
