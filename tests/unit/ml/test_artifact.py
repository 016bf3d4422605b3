"""Model files: which are refused, and that none of their code is run."""

from __future__ import annotations

import io
import os
import pickle
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.special
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import FunctionTransformer
from sklearn.tree import DecisionTreeClassifier

from include.core.ml import artifact, skops_io, standalone
from include.core.ml.errors import ArtifactError

ROWS = pd.DataFrame({"x": [0.0, 1.0, 2.0, 3.0]})
LABELS = [0, 0, 1, 1]
TREE = "sklearn.tree._tree.Tree"
SPARSE = "scipy.sparse._csr.csr_matrix"


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    folder = tmp_path_factory.mktemp("saved") / "model"
    return folder, standalone.save(LogisticRegression().fit(ROWS, LABELS), folder, ROWS, [])


def test_a_saved_model_predicts_as_before(saved: tuple[Path, str]) -> None:
    folder, sha256 = saved
    content = (folder / artifact.MODEL_FILE).read_bytes()
    loaded = artifact.load(content, sha256, [], "test")
    assert loaded.predict(ROWS).tolist() == LABELS
    metadata = (folder / "MLmodel").read_text()
    assert "signature:" in metadata
    assert "loader_module: include.core.ml.standalone" in metadata
    assert (folder / "input_example.json").exists()
    assert not list(folder.glob("*.pkl"))


@pytest.mark.parametrize("place", [0, 100, -1])
def test_a_changed_byte_is_refused(saved: tuple[Path, str], place: int) -> None:
    folder, sha256 = saved
    content = bytearray((folder / artifact.MODEL_FILE).read_bytes())
    content[place] ^= 1
    with pytest.raises(ArtifactError, match=f"test: the model file's SHA-256 is .*, but {sha256}"):
        artifact.load(bytes(content), sha256, [], "test")


def test_a_type_that_is_not_trusted_is_refused() -> None:
    content = skops_io.dumps(DecisionTreeClassifier().fit(ROWS, LABELS))
    with pytest.raises(ArtifactError, match=r"test: contains types that aren't trusted: sklearn\.tree\._tree\.Tree"):
        artifact.load(content, artifact.digest(content), [], "test")
    assert artifact.load(content, artifact.digest(content), [TREE], "test").predict(ROWS).tolist() == LABELS


def test_a_function_in_a_model_is_refused_and_not_run(tmp_path: Path) -> None:
    content = skops_io.dumps(FunctionTransformer(os.system))
    with pytest.raises(ArtifactError, match=r"posix\.system"):
        artifact.load(content, artifact.digest(content), [TREE], "test")
    with pytest.raises(ArtifactError, match=r"the model to save: contains types .* posix\.system"):
        standalone.save(FunctionTransformer(os.system), tmp_path / "model", ROWS, [TREE])


def test_the_functions_of_numpy_and_scipy_name_the_module_that_has_them() -> None:
    values = (*vars(np).values(), *vars(scipy.special).values())
    functions = {value for value in values if isinstance(value, np.ufunc)}
    assert len(functions) > 300
    for function in functions:
        assert getattr(sys.modules[function.__module__], function.__name__) is function


class Bomb:
    def __reduce__(self) -> Any:
        return os.system, ("touch exploded",)


def test_a_pickle_is_refused_and_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    content = pickle.dumps(Bomb())
    with pytest.raises(ArtifactError, match="not a skops model"):
        artifact.load(content, artifact.digest(content), [TREE], "test")
    assert not (tmp_path / "exploded").exists()


def archive(**members: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            file.writestr(name.replace("_", "."), content)
    return buffer.getvalue()


ZEROS = bytes(20_000_000)


@pytest.mark.parametrize(
    "content",
    [archive(schema_json=ZEROS), archive(schema_json=b"{}", x_npz=archive(data_npy=ZEROS, y=os.urandom(100_000)))],
    ids=["packed", "packed twice"],
)
def test_a_file_that_unpacks_to_much_more_than_its_size_is_refused(content: bytes) -> None:
    with pytest.raises(
        ArtifactError, match=rf"has {len(content)} bytes and unpacks to at least 20\d{{6}}; allowed: 100"
    ):
        artifact.load(content, artifact.digest(content), [], "test")


def test_a_large_schema_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(artifact, "MAX_SCHEMA", 1000)
    content = archive(schema_json=os.urandom(2000))
    with pytest.raises(ArtifactError, match=r"schema\.json in the model file has 2000 bytes; at most 1000"):
        artifact.load(content, artifact.digest(content), [], "test")


def test_a_sparse_matrix_may_be_packed() -> None:
    model = LogisticRegression().fit(ROWS, LABELS)
    model.sparsify()
    content = skops_io.dumps(model)
    assert ".npz" in "".join(zipfile.ZipFile(io.BytesIO(content)).namelist())
    assert artifact.load(content, artifact.digest(content), [SPARSE], "test").predict(ROWS).tolist() == LABELS
