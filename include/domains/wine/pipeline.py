"""The steps of ``mlflow_integration``, callable without Airflow; each takes and gives references to files."""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from pydantic import BaseModel
from sklearn.metrics import confusion_matrix

from include.core.errors import ConfigurationError
from include.core.ml import artifact, plots
from include.core.ml.errors import ArtifactError
from include.core.ml.registry import MODEL_FOLDER
from include.core.storage import file_name, write
from include.domains.wine.data import MEASUREMENTS, read
from include.domains.wine.experiment import ARTICLE, CANDIDATES, PUBLISHED, SEED, SPLITS, TRUSTED_TYPES, judge
from include.domains.wine.settings import WINE_CANDIDATES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from include.core.storage import File

EVALUATION = "evaluation.json"

log = logging.getLogger(__name__)


class Trained(BaseModel):
    """What a training left.

    Attributes:
        name: names this training once and for all.
        colour: red or white.
        chosen: the candidate with the best accuracy on wines that it hasn't seen.
        data_digest, rows, copies: the file's SHA-256, its wines, and those that repeat the measurements of another.
        metrics: each candidate's, by its name.
        params: each candidate's parameters, by its name.
        files: checksum of each file beside this one, by its path.
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

    def findings(self) -> str:
        """Return both protocols in words, as Markdown."""
        lines = [
            f"{self.rows} {self.colour} wines, {self.copies} of them copies of others.",
            f"Published accuracy (Cortez et al. 2009, SVM): {PUBLISHED[self.colour]:.1%}, in the paper's protocol.",
            "The grouped protocol has no copy on both sides of a split: it says what to expect of an unseen wine.",
            "",
            "| candidate | paper's protocol | kappa | grouped | kappa |",
            "| --- | --- | --- | --- | --- |",
        ]
        lines += [
            f"| {name} | {one['paper_accuracy']:.1%} | {one['paper_kappa']:.3f} | {one['grouped_accuracy']:.1%}"
            f" | {one['grouped_kappa']:.3f} |"
            for name, one in self.metrics.items()
        ]
        return "\n".join(lines)


def train(source: File, root: File, colour: str, run_id: str, names: Sequence[str]) -> str:
    """Judge the candidates on the wines of one colour, fit the best; return the URL of what was found.

    Args:
        source: folder of the wines' files.
        root: of object storage.
        colour: red or white.
        run_id: of the run that trains.
        names: candidates, of :data:`include.domains.wine.experiment.CANDIDATES`.

    Raises:
        DataError: if the file isn't as it must be.
        ConfigurationError: if there is no such candidate.
    """
    if not names or set(names) - set(CANDIDATES):
        raise ConfigurationError(f"{WINE_CANDIDATES.name}: {','.join(names)!r}; allowed: {', '.join(CANDIDATES)}")
    wines = read((source / f"winequality-{colour}.csv").read_bytes(), colour)
    judged = {}
    for name in names:
        judged[name] = judge(CANDIDATES[name](), wines)
        log.info("%s, %s: %s", colour, name, {key: round(value, 4) for key, value in judged[name].metrics.items()})
    chosen = max(judged, key=lambda name: judged[name].grouped_accuracy)
    model = CANDIDATES[chosen]().fit(wines.measurements, wines.grades)
    grades = sorted(set(wines.grades.tolist()))
    folder = root / "wine" / file_name(run_id) / colour
    with tempfile.TemporaryDirectory() as temporary:
        made = Path(temporary)
        artifact.save(model, made / MODEL_FOLDER, wines.measurements.head(5), TRUSTED_TYPES)
        files = {path.relative_to(made).as_posix(): path.read_bytes() for path in made.rglob("*") if path.is_file()}
    files["confusion_matrix.png"] = plots.confusion(
        np.asarray(confusion_matrix(wines.grades, judged[chosen].predictions, labels=grades)),
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
        metrics={name: one.metrics for name, one in judged.items()},
        params={name: {key: str(value) for key, value in CANDIDATES[name]().get_params().items()} for name in judged},
        files={path: artifact.digest(content) for path, content in files.items()},
    )
    return write(folder / EVALUATION, trained.model_dump_json(indent=1).encode())


def fetch(evaluation: File, folder: Path) -> Trained:
    """Copy what a training left into ``folder``, and return it.

    Raises:
        ArtifactError: naming the file that isn't what the training wrote.
    """
    trained = Trained.model_validate_json(evaluation.read_bytes())
    for path, sha256 in trained.files.items():
        content = (evaluation.parent / path).read_bytes()
        if artifact.digest(content) != sha256:
            raise ArtifactError(f"{evaluation.parent / path} isn't what the training wrote: train again")
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    return trained


def common_params(trained: Trained) -> dict[str, object]:
    """Return what all candidates of a training share."""
    return {"colour": trained.colour, "splits": SPLITS, "seed": SEED, "chosen": trained.chosen, "baseline": ARTICLE}
