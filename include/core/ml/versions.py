"""Trains a registered version again from what is recorded with it, or lets the one before the champion serve."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from include.core.ml import artifact, standalone
from include.core.ml.candidate import EVALUATION, OUT_OF_FOLD, REFERENCE, Evaluation
from include.core.ml.errors import ArtifactError, RefusedError
from include.core.ml.registry import MODEL_FOLDER
from include.core.ml.spec import content_digest

if TYPE_CHECKING:
    from include.core.ml.registry import Registry, Version
    from include.core.ml.serving.client import ModelServer
    from include.core.ml.spec import ModelSpec

REQUIREMENTS = f"{MODEL_FOLDER}/requirements.txt"


@dataclass(frozen=True)
class Reproduction:
    """A version's model file and one that was trained again.

    Attributes:
        estimator: name of the spec's estimator.
        rows: number of training rows.
        recorded, trained: SHA-256 of the two files.
        libraries: each library whose installed version isn't the recorded one, such as ``numpy 2.3.1, now 2.3.2``.
    """

    estimator: str
    rows: int
    recorded: str
    trained: str
    libraries: list[str]

    @property
    def is_same(self) -> bool:
        """Whether the files are equal."""
        return self.recorded == self.trained


def reproduce(spec: ModelSpec, registry: Registry, version: Version) -> Reproduction:
    """Fit a version's estimator again on the rows that are stored with it.

    Raises:
        ArtifactError: if a file of the version is missing or was changed, or the spec no longer has the estimator.
    """
    name = f"{registry.name} version {version.number}"
    evaluation = Evaluation.model_validate_json(registry.file(version, EVALUATION))
    if evaluation.chosen not in spec.estimators:
        raise ArtifactError(
            f"{name} is a {evaluation.chosen}, which the spec doesn't have any more; it has"
            f" {', '.join(spec.estimators)}"
        )
    stored = pd.read_parquet(io.BytesIO(registry.file(version, REFERENCE)))
    rows = stored[[column for column in stored if not str(column).startswith(OUT_OF_FOLD)]]
    if (found := content_digest(rows)) != evaluation.data_digest:
        raise ArtifactError(f"{name} was trained on rows with the SHA-256 {evaluation.data_digest}, not {found}")
    model = spec.estimators[evaluation.chosen]().fit(rows[spec.columns], rows[spec.label].to_numpy("int64"))
    return Reproduction(
        estimator=evaluation.chosen,
        rows=len(rows),
        recorded=evaluation.sha256,
        trained=artifact.digest(standalone.dump(model, spec.trusted_types)),
        libraries=_changed(registry.file(version, REQUIREMENTS).decode()),
    )


def roll_back(registry: Registry, server: ModelServer, patience: float) -> int:
    """Make the version that the champion replaced champion again, wait until it serves, and return it.

    Raises:
        RefusedError: if there is no champion, or it replaced none.
        ServingError: if the server doesn't serve it within ``patience`` seconds.
    """
    champion = registry.champion()
    if not champion:
        raise RefusedError(f"{registry.name} has no champion")
    if not champion.previous:
        raise RefusedError(f"{registry.name} version {champion.number} replaced no other version")
    registry.roll_back(champion)
    server.wait_for(champion.previous, patience)
    return champion.previous


def _changed(recorded: str) -> list[str]:
    before, now = (
        dict(line.split("==") for line in lines if "==" in line)
        for lines in (recorded.splitlines(), standalone.requirements())
    )
    return [
        f"{name} {version}, now {now.get(name, 'not installed')}"
        for name, version in before.items()
        if now.get(name) != version
    ]
