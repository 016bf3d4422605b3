"""The candidate models and their cross-validation with two protocols.

``paper`` is the reference's protocol (five stratified folds, ignoring copies), comparable with its published results;
``grouped`` keeps wines with equal measurements on one side of each split, and estimates the accuracy on unseen wines.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import clone
from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier
from sklearn.metrics import accuracy_score, cohen_kappa_score
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from include.domains.wine.data import Wines

SEED, SPLITS = 42, 5
ARTICLE = "article_recipe"
PUBLISHED = {"red": 0.624, "white": 0.646}
"""Accuracy of the support vector machine, tolerance 0.5, of Cortez et al. 2009, table 3."""

TRUSTED_TYPES = ("sklearn.tree._tree.Tree",)

CANDIDATES: dict[str, Callable[[], Any]] = {
    ARTICLE: lambda: RandomForestClassifier(100, max_depth=10, random_state=SEED, n_jobs=-1),
    "extra_trees": lambda: ExtraTreesClassifier(200, random_state=SEED, n_jobs=-1),
    "extra_trees_pruned": lambda: ExtraTreesClassifier(200, min_samples_leaf=2, random_state=SEED, n_jobs=-1),
}


@dataclass(frozen=True)
class Scores:
    """Scores of a candidate: accuracy and Cohen's kappa of the out-of-fold predictions, with both protocols.

    ``predictions`` are those of the grouped protocol, one per wine.
    """

    paper_accuracy: float
    paper_kappa: float
    grouped_accuracy: float
    grouped_kappa: float
    predictions: NDArray[np.int64]

    @property
    def metrics(self) -> dict[str, float]:
        """The scores by name."""
        return {
            "paper_accuracy": self.paper_accuracy,
            "paper_kappa": self.paper_kappa,
            "grouped_accuracy": self.grouped_accuracy,
            "grouped_kappa": self.grouped_kappa,
        }


def cross_validate(model: Any, wines: Wines) -> Scores:
    """Cross-validate a candidate with both protocols."""
    rows, grades = wines.measurements.to_numpy(), wines.grades
    paper = StratifiedKFold(SPLITS, shuffle=True, random_state=SEED).split(rows, grades)
    grouped = StratifiedGroupKFold(SPLITS, shuffle=True, random_state=SEED).split(rows, grades, wines.groups)
    paper_predictions, predictions = (
        _predictions(model, rows, grades, paper),
        _predictions(model, rows, grades, grouped),
    )
    return Scores(
        float(accuracy_score(grades, paper_predictions)),
        float(cohen_kappa_score(grades, paper_predictions)),
        float(accuracy_score(grades, predictions)),
        float(cohen_kappa_score(grades, predictions)),
        predictions,
    )


def _predictions(model: Any, rows: NDArray[np.float64], grades: NDArray[np.int64], splits: Any) -> NDArray[np.int64]:
    predicted = np.empty(len(grades), dtype=np.int64)
    for train, test in splits:
        predicted[test] = clone(model).fit(rows[train], grades[train]).predict(rows[test])
    return predicted
