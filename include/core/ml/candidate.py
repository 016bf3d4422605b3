"""A trained model on its way to be judged: its files, each with its checksum, and what cross-validation found of it."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import pandas as pd
from pydantic import AliasChoices, BaseModel, Field

from include.core.ml import artifact
from include.core.ml.errors import ArtifactError
from include.core.ml.evaluation import Scores
from include.core.ml.registry import MODEL_FOLDER

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from include.core.ml.spec import ModelSpec
    from include.core.storage import File

EVALUATION = "evaluation.json"
REFERENCE = "reference.parquet"
OUT_OF_FOLD = "out_of_fold_"


class Result(BaseModel):
    """What cross-validation found of one model; ``difference`` and ``p_value`` are against the spec's reference."""

    metrics: dict[str, float]
    difference: float
    p_value: float


class Request(BaseModel):
    """A raw row as a caller sends it, and the probability that the fitted model gave."""

    # `passenger` is the field's name in candidates that were registered before a model had a spec.
    row: Annotated[dict[str, Any], Field(validation_alias=AliasChoices("row", "passenger"))]
    probability: float


class Candidate(BaseModel):
    """What :data:`EVALUATION` holds.

    Attributes:
        name: names this training once and for all: the run and the chosen model's checksum.
        chosen: name of the model with the best mean accuracy.
        data_digest: checksum of the training rows.
        rows: how many they are.
        splits, repeats, seed: the folds.
        accuracies: accuracy of each fold of the chosen model.
        results: every model's result, baselines too, by name.
        files: checksum of each file beside this one, by its path.
        requests: real requests, with the answers that are right for this model.
    """

    name: str
    chosen: str
    data_digest: str
    rows: int
    splits: int
    repeats: int
    seed: int
    accuracies: list[float]
    results: dict[str, Result]
    files: dict[str, str]
    requests: list[Request]

    @property
    def sha256(self) -> str:
        """Checksum of the model file."""
        return self.files[f"{MODEL_FOLDER}/{artifact.MODEL_FILE}"]

    @property
    def test_share(self) -> float:
        """Test rows over training rows of a fold."""
        return 1 / (self.splits - 1)


def read(evaluation: File) -> Candidate:
    """Return the candidate that the training wrote last of all."""
    return Candidate.model_validate_json(evaluation.read_bytes())


def fetch(evaluation: File, candidate: Candidate, folder: Path) -> None:
    """Copy the candidate's files into ``folder``.

    Raises:
        ArtifactError: naming the file that isn't what the training wrote.
    """
    for path, sha256 in candidate.files.items():
        content = (evaluation.parent / path).read_bytes()
        if artifact.digest(content) != sha256:
            raise ArtifactError(
                f"{evaluation.parent / path} isn't what the training wrote (SHA-256 {artifact.digest(content)}, not"
                f" {sha256}): it is damaged or was exchanged. Train again; the champion stays as it is."
            )
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    (folder / EVALUATION).write_text(candidate.model_dump_json(indent=1))


def load_model(evaluation: File, candidate: Candidate, spec: ModelSpec) -> Any:
    """Return the fitted model; see :func:`include.core.ml.artifact.load` for what is refused."""
    path = evaluation.parent / MODEL_FOLDER / artifact.MODEL_FILE
    return artifact.load(path.read_bytes(), candidate.sha256, spec.trusted_types, str(path))


def reference_bytes(rows: pd.DataFrame, scores: Scores) -> bytes:
    """Return :data:`REFERENCE`: the training rows with the out-of-fold probabilities of each repeat, as Parquet."""
    table = rows.copy()
    for repeat, probabilities in enumerate(scores.probabilities):
        table[f"{OUT_OF_FOLD}{repeat}"] = probabilities
    buffer = io.BytesIO()
    table.to_parquet(buffer, index=False)
    return buffer.getvalue()


class Reference:
    """The rows that a model was trained on, with what it says of them when it hasn't seen them."""

    def __init__(self, content: bytes, spec: ModelSpec) -> None:
        table = pd.read_parquet(io.BytesIO(content))
        repeats = [name for name in table if str(name).startswith(OUT_OF_FOLD)]
        self.rows = table[spec.columns]
        self.segments = spec.segment(self.rows)
        self.labels: NDArray[np.int64] = table[spec.label].to_numpy(np.int64)
        self.probabilities: NDArray[np.float64] = table[repeats].to_numpy(np.float64).T

    def scores(self, accuracies: NDArray[np.float64]) -> Scores:
        """Return the cross-validation's scores."""
        return Scores(self.probabilities, accuracies)
