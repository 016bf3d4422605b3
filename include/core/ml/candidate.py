"""A candidate: a trained model with its files, their checksums and its cross-validation results."""

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
    """Cross-validation result of a model; ``difference`` and ``p_value`` are relative to the spec's reference."""

    metrics: dict[str, float]
    difference: float
    p_value: float


class Request(BaseModel):
    """A raw row as sent by a caller, and the probability from the fitted model."""

    # `passenger` is the field's name in candidates that were registered before model specs existed.
    row: Annotated[dict[str, Any], Field(validation_alias=AliasChoices("row", "passenger"))]
    probability: float


class Candidate(BaseModel):
    """The content of :data:`EVALUATION`.

    Attributes:
        name: unique name of this training: the run and the chosen model's checksum.
        chosen: name of the model with the best mean accuracy.
        data_digest: checksum of the training rows.
        rows: number of training rows.
        splits, repeats, seed: the folds.
        accuracies: accuracy of each fold of the chosen model.
        results: results of all models, including the baselines, by name.
        files: checksum of each file beside this one, by its path.
        requests: real requests with this model's expected predictions.
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
    """Return the candidate stored in an evaluation file."""
    return Candidate.model_validate_json(evaluation.read_bytes())


def fetch(evaluation: File, candidate: Candidate, folder: Path) -> dict[str, str]:
    """Copy the candidate's files and its evaluation into ``folder``; return the checksum of each, by path.

    Raises:
        ArtifactError: naming the file whose checksum differs.
    """
    for path, sha256 in candidate.files.items():
        content = (evaluation.parent / path).read_bytes()
        if artifact.digest(content) != sha256:
            raise ArtifactError(
                f"{evaluation.parent / path} isn't what the training wrote (SHA-256 {artifact.digest(content)}, not"
                f" {sha256}): it is corrupt or was replaced. Retrain; the champion is unaffected."
            )
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    content = candidate.model_dump_json(indent=1).encode()
    (folder / EVALUATION).write_bytes(content)
    return candidate.files | {EVALUATION: artifact.digest(content)}


def load_model(evaluation: File, candidate: Candidate, spec: ModelSpec) -> Any:
    """Return the fitted model; raises as :func:`include.core.ml.artifact.load` does."""
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
    """The training rows of a model, with its out-of-fold predictions."""

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
