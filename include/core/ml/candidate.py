"""The files of a candidate: what the training writes, and what the gates add."""

from __future__ import annotations

import io
from datetime import date
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import pandas as pd
from pydantic import AliasChoices, BaseModel, Field, ValidationError

from include.core.ml import artifact
from include.core.ml.errors import ArtifactError
from include.core.ml.registry import MODEL

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from include.core.ml.spec import ModelSpec
    from include.core.storage import File

CANDIDATE = "candidate.json"
EVALUATION = "evaluation.json"
REFERENCE = "reference.parquet"
OUT_OF_FOLD = "out_of_fold_"


class Candidate(BaseModel):
    """What the training says about a candidate, the content of :data:`CANDIDATE`; the gates believe none of it.

    Attributes:
        name: unique name of this training: the run and the chosen model's checksum.
        tried: names of the estimators that it compared.
        chosen: name of the one with the best mean accuracy.
        sha256: checksum of the model file beside this one.
    """

    name: Annotated[str, Field(pattern=r"^[^'\"\\\s]{1,300}$")]
    tried: list[str]
    chosen: str
    sha256: str


class Result(BaseModel):
    """Cross-validation result of a model; ``difference`` and ``p_value`` compare it with the spec's reference."""

    metrics: dict[str, float]
    difference: float | None
    p_value: float | None


class Request(BaseModel):
    """A raw row as sent by a caller, and the probability from the fitted model."""

    # `passenger` is the field's name in candidates that were registered before model specs existed.
    row: Annotated[dict[str, Any], Field(validation_alias=AliasChoices("row", "passenger"))]
    probability: float


class Evaluation(BaseModel):
    """What the gates measured of a candidate, the content of :data:`EVALUATION`.

    Attributes:
        name, chosen: as of the candidate.
        files: checksum of each file of the MLflow model, by its path in the version.
        data_digest: checksum of the training rows.
        rows: number of training rows.
        groups: number of different rows; copies of one are in the same fold.
        splits, repeats, seed: the folds.
        hyperparameters: parameters of the model's recipe, by name.
        day: when it was evaluated, in UTC.
        results: results of all models, including the baselines, by name.
        requests: real requests with this model's expected predictions.
    """

    name: str
    chosen: str
    data_digest: str
    rows: int
    groups: int = 0
    splits: int
    repeats: int
    seed: int
    hyperparameters: dict[str, str] = {}
    day: date | None = None
    results: dict[str, Result]
    files: dict[str, str]
    requests: list[Request]

    @property
    def sha256(self) -> str:
        """Checksum of the model file."""
        return self.files[MODEL]


def read(file: File) -> Candidate:
    """Return the candidate that a file describes.

    Raises:
        ArtifactError: if it describes none.
    """
    try:
        return Candidate.model_validate_json(file.read_bytes())
    except (ValidationError, FileNotFoundError) as error:
        raise ArtifactError(f"{file} describes no candidate: {error}. Train again") from error


def fetch(folder: File, files: Mapping[str, str]) -> dict[str, bytes]:
    """Return a candidate's files by path, each with the checksum in ``files``.

    Raises:
        ArtifactError: naming the file that is missing or whose checksum differs.
    """
    content = {}
    for path, sha256 in files.items():
        try:
            content[path] = (folder / path).read_bytes()
        except FileNotFoundError as error:
            raise ArtifactError(f"{folder / path} is missing. Train again") from error
        artifact.verify(content[path], sha256, f"{folder / path}")
    return content


def reference_bytes(rows: pd.DataFrame, probabilities: NDArray[np.float64]) -> bytes:
    """Return :data:`REFERENCE`: the training rows with the out-of-fold probabilities, repeats x rows, as Parquet."""
    table = rows.copy()
    for repeat, values in enumerate(probabilities):
        table[f"{OUT_OF_FOLD}{repeat}"] = values
    buffer = io.BytesIO()
    table.to_parquet(buffer, index=False)
    return buffer.getvalue()


class Reference:
    """The training rows of a model, with its out-of-fold predictions.

    Raises:
        ArtifactError: if a column of the spec is missing.
    """

    def __init__(self, content: bytes, spec: ModelSpec) -> None:
        table = pd.read_parquet(io.BytesIO(content))
        if missing := [name for name in (*spec.columns, spec.label) if name not in table]:
            raise ArtifactError(f"{REFERENCE}: no column {', '.join(map(repr, missing))}, which the spec has")
        repeats = [name for name in table if str(name).startswith(OUT_OF_FOLD)]
        self.rows = table[spec.columns]
        self.segments = spec.segment(self.rows)
        self.labels: NDArray[np.int64] = table[spec.label].to_numpy(np.int64)
        self.probabilities: NDArray[np.float64] = table[repeats].to_numpy(np.float64).T
