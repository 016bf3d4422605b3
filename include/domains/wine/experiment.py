"""The candidates for the wines' grades, judged in two protocols.

``paper`` is that of the reference (five stratified folds, copies and all), to be compared with its published figures;
``grouped`` keeps wines with equal measurements on one side of each split, which says what to expect of an unseen wine.
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
class Judged:
    """How a candidate does: accuracy and Cohen's kappa of predictions on unseen folds, in both protocols.

    ``predictions`` are those of the grouped protocol, one a wine.
    """

    paper_accuracy: float
    paper_kappa: float
    grouped_accuracy: float
    grouped_kappa: float
    predictions: NDArray[np.int64]

    @property
    def metrics(self) -> dict[str, float]:
        """The numbers by name."""
        return {
            "paper_accuracy": self.paper_accuracy,
            "paper_kappa": self.paper_kappa,
            "grouped_accuracy": self.grouped_accuracy,
            "grouped_kappa": self.grouped_kappa,
        }


def judge(model: Any, wines: Wines) -> Judged:
    """Cross-validate one candidate in both protocols."""
    rows, grades = wines.measurements.to_numpy(), wines.grades
    paper = StratifiedKFold(SPLITS, shuffle=True, random_state=SEED).split(rows, grades)
    grouped = StratifiedGroupKFold(SPLITS, shuffle=True, random_state=SEED).split(rows, grades, wines.groups)
    with_copies, without = _predictions(model, rows, grades, paper), _predictions(model, rows, grades, grouped)
    return Judged(
        float(accuracy_score(grades, with_copies)),
        float(cohen_kappa_score(grades, with_copies)),
        float(accuracy_score(grades, without)),
        float(cohen_kappa_score(grades, without)),
        without,
    )


def _predictions(model: Any, rows: NDArray[np.float64], grades: NDArray[np.int64], splits: Any) -> NDArray[np.int64]:
    predicted = np.empty(len(grades), dtype=np.int64)
    for train, test in splits:
        predicted[test] = clone(model).fit(rows[train], grades[train]).predict(rows[test])
    return predicted
