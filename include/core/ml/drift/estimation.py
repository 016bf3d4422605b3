"""Estimates the accuracy of a day without its outcomes, by confidence-based performance estimation (CBPE).

A calibrated probability says how likely its prediction is right, so that its mean is the expected accuracy (NannyML,
CBPE; D. Hendrycks, K. Gimpel, A baseline for detecting misclassified and out-of-distribution examples, ICLR 2017). It
follows a change of the rows, but not of what their features mean: labels that changed take outcomes to see.
``docs/drift.md`` has the error on shifted data.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sklearn.linear_model import LogisticRegression

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

EDGE = 1e-3


class Estimator:
    """Estimates how likely each prediction is right.

    Probabilities are calibrated by Platt's logistic regression with an intercept for each segment, whose penalty keeps
    a segment of few rows near the others (J. Platt, Probabilistic outputs for support vector machines, 1999).

    Args:
        probabilities: out-of-fold probabilities of the training rows, repeats x rows.
        labels: their labels.
        segments: their segments.
    """

    def __init__(self, probabilities: Floats, labels: NDArray[np.int64], segments: pd.Series[str]) -> None:
        self._segments = sorted(set(segments))
        self._spread = float(self._log_odds(probabilities).std()) or 1.0
        inputs = [self._inputs(repeat, segments) for repeat in probabilities]
        self._model = LogisticRegression(max_iter=1000).fit(np.concatenate(inputs), np.tile(labels, len(inputs)))

    def confidence(self, probabilities: Floats, segments: pd.Series[str]) -> Floats:
        """Return the probability that each prediction is right."""
        if not len(probabilities):
            return np.empty(0)
        calibrated: Floats = self._model.predict_proba(self._inputs(probabilities, segments))[:, 1]
        return np.where(probabilities > 0.5, calibrated, 1 - calibrated)

    def _inputs(self, probabilities: Floats, segments: pd.Series[str]) -> Floats:
        dummies = segments.to_numpy(str)[:, None] == np.array(self._segments)
        return np.column_stack([self._log_odds(probabilities) / self._spread, dummies])

    @staticmethod
    def _log_odds(probabilities: Floats) -> Floats:
        inside = np.clip(probabilities, EDGE, 1 - EDGE)
        return np.log(inside / (1 - inside))
