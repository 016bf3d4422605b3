"""The steps of ``mlflow_integration``, callable without Airflow; they exchange file URLs."""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from pydantic import BaseModel
from sklearn.metrics import confusion_matrix

from include.core.errors import ConfigurationError
from include.core.ml import artifact, plots, standalone
from include.core.ml.errors import ArtifactError, DataError
from include.core.ml.registry import MODEL_FOLDER
from include.core.storage import file_name, write
from include.domains.wine.data import MEASUREMENTS, read
from include.domains.wine.experiment import ARTICLE, CANDIDATES, PUBLISHED, SEED, SPLITS, TRUSTED_TYPES, cross_validate
from include.domains.wine.settings import TRAININGS, WINE_CANDIDATES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from include.core.storage import File

EVALUATION = "evaluation.json"

log = logging.getLogger(__name__)


class Trained(BaseModel):
    """The result of a training.

    Attributes:
        name: unique name of this training.
        colour: red or white.
        chosen: the candidate with the best accuracy on unseen wines.
        data_digest, rows, copies: the file's SHA-256, number of wines, and number of duplicate measurements.
        metrics: metrics of each candidate, by name.
        params: parameters of each candidate, by name.
        files: checksum of each other file of the training, by relative path.
    """

    name: str
    colour: str
    chosen: str
    data_digest: str
    rows: int
    copies: int
    metrics: dict[str, dict[str, float]]
    params: dict[str, dict[str, str]]
    files: dict[str, str]

    def summary(self) -> str:
        """Return the results of both protocols as Markdown."""
        lines = [
            f"{self.rows} {self.colour} wines, {self.copies} of them duplicates.",
            f"Published accuracy (Cortez et al. 2009, SVM): {PUBLISHED[self.colour]:.1%}, with the paper's protocol.",
            "The grouped protocol keeps duplicates on one side of each split, to estimate accuracy on unseen wines.",
            "",
            "| candidate | paper's protocol | kappa | grouped | kappa |",
            "| --- | --- | --- | --- | --- |",
        ]
        lines += [
            f"| {name} | {metrics['paper_accuracy']:.1%} | {metrics['paper_kappa']:.3f}"
            f" | {metrics['grouped_accuracy']:.1%} | {metrics['grouped_kappa']:.3f} |"
            for name, metrics in self.metrics.items()
        ]
        return "\n".join(lines)


def train(source: File, root: File, colour: str, run_id: str, names: Sequence[str]) -> str:
    """Compare the candidates on the wines of one colour and fit the best; return the URL of the result.

    Args:
        source: folder of the wine data.
        root: object-storage root.
        colour: red or white.
        run_id: the DAG run.
        names: candidates in :data:`include.domains.wine.experiment.CANDIDATES`.

    Raises:
        DataError: if the file is invalid.
        ConfigurationError: if a candidate is unknown.
    """
    if not names or set(names) - set(CANDIDATES):
        raise ConfigurationError(f"{WINE_CANDIDATES.name}: {','.join(names)!r}; allowed: {', '.join(CANDIDATES)}")
    file = source / f"winequality-{colour}.csv"
    try:
        wines = read(file.read_bytes(), colour)
    except DataError as error:
        raise DataError(f"{file}: {error}") from error
    scores = {}
    for name in names:
        scores[name] = cross_validate(CANDIDATES[name](), wines)
        log.info("%s, %s: %s", colour, name, {key: round(value, 4) for key, value in scores[name].metrics.items()})
    chosen = max(scores, key=lambda name: scores[name].grouped_accuracy)
    model = CANDIDATES[chosen]().fit(wines.measurements, wines.grades)
    grades = sorted(set(wines.grades.tolist()))
    folder = root / TRAININGS.folder / file_name(run_id) / colour
    with tempfile.TemporaryDirectory() as temporary:
        temporary_folder = Path(temporary)
        standalone.save(model, temporary_folder / MODEL_FOLDER, wines.measurements.head(5), TRUSTED_TYPES)
        files = {
            path.relative_to(temporary_folder).as_posix(): path.read_bytes()
            for path in temporary_folder.rglob("*")
            if path.is_file()
        }
    files["confusion_matrix.png"] = plots.confusion(
        np.asarray(confusion_matrix(wines.grades, scores[chosen].predictions, labels=grades)),
        [str(grade) for grade in grades],
        f"{colour} wines, {chosen}, on unseen wines",
    )
    files["feature_importance.png"] = plots.bars(
        dict(zip(MEASUREMENTS, map(float, model.feature_importances_), strict=True)),
        f"{colour} wines, {chosen}",
        "mean decrease of impurity",
    )
    for path, content in files.items():
        write(folder / path, content)
    trained = Trained(
        name=f"{colour}-{file_name(run_id)}",
        colour=colour,
        chosen=chosen,
        data_digest=wines.digest,
        rows=len(wines.grades),
        copies=wines.copies,
        metrics={name: candidate.metrics for name, candidate in scores.items()},
        params={name: {key: str(value) for key, value in CANDIDATES[name]().get_params().items()} for name in scores},
        files={path: artifact.digest(content) for path, content in files.items()},
    )
    return write(folder / EVALUATION, trained.model_dump_json(indent=1).encode())


def fetch(evaluation: File, folder: Path) -> Trained:
    """Download the files of a training to ``folder``; return its result.

    Raises:
        ArtifactError: naming the file that has changed since the training.
    """
    trained = Trained.model_validate_json(evaluation.read_bytes())
    for path, sha256 in trained.files.items():
        content = (evaluation.parent / path).read_bytes()
        if artifact.digest(content) != sha256:
            raise ArtifactError(f"{evaluation.parent / path} has changed since the training: train again")
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    return trained


def common_params(trained: Trained) -> dict[str, object]:
    """Return the parameters that all candidates of a training share."""
    return {"colour": trained.colour, "splits": SPLITS, "seed": SEED, "chosen": trained.chosen, "baseline": ARTICLE}
