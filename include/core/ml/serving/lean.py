"""Fitted scikit-learn models with less work around their arithmetic.

For a single row, scikit-learn's checks, locks and copies take most of the time: 100 trees are looked up in half a
millisecond, but a forest's ``predict_proba`` takes ten. Here the same numbers are computed, in the same order, from
what the parts have learned. What isn't known here stays as it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier, VotingClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

UNSEEN = "\0"  # a category that no row has: requests can't contain NUL


def lean(model: Any) -> Any:
    """Return a model with the same ``transform`` or ``predict_proba`` as a fitted ``model``, that takes less time."""
    is_known, build = KNOWN.get(type(model), (None, None))
    return build(model) if is_known and build and is_known(model) else model


class _Pipeline:
    """A pipeline whose last step is a classifier."""

    def __init__(self, pipeline: Pipeline) -> None:
        steps = [step for _, step in pipeline.steps if step is not None and step != "passthrough"]
        *self._transformers, self._classifier = map(lean, steps)

    def predict_proba(self, rows: Any) -> Floats:
        for transformer in self._transformers:
            rows = transformer.transform(rows)
        probabilities: Floats = self._classifier.predict_proba(rows)
        return probabilities


class _Vote:
    """The mean of several classifiers' probabilities."""

    def __init__(self, vote: VotingClassifier) -> None:
        self._classifiers = [lean(classifier) for classifier in vote.estimators_]
        self._weights = vote._weights_not_none  # noqa: SLF001

    def predict_proba(self, rows: Any) -> Floats:
        all_probabilities = np.asarray([classifier.predict_proba(rows) for classifier in self._classifiers])
        return np.average(all_probabilities, axis=0, weights=self._weights)


class _Forest:
    """The mean of the trees' probabilities."""

    def __init__(self, forest: Any) -> None:
        self._forest = forest
        self._trees = [tree.tree_ for tree in forest.estimators_]

    def predict_proba(self, rows: Any) -> Floats:
        values = np.ascontiguousarray(rows, dtype=np.float32)
        if not np.isfinite(values).all():
            refused: Floats = self._forest.predict_proba(rows)
            return refused
        total = np.zeros((len(values), self._forest.n_classes_))
        for tree in self._trees:
            total += tree.predict(values)
        total /= len(self._trees)
        return total


class _Columns:
    """Blocks of columns side by side."""

    def __init__(self, columns: ColumnTransformer) -> None:
        kinds: dict[type, Callable[[Any, list[str]], _OneHot | _Scaled]]
        kinds = {OneHotEncoder: _OneHot, StandardScaler: _Scaled}
        self._blocks = [kinds[type(block)](block, names) for block, names in _blocks(columns)]

    def transform(self, rows: pd.DataFrame) -> Floats:
        return np.hstack([block.transform(rows) for block in self._blocks])


class _Scaled:
    """Columns minus their mean, in units of their deviation."""

    def __init__(self, scaler: StandardScaler, names: list[str]) -> None:
        self._names, self._mean, self._scale = names, scaler.mean_, scaler.scale_

    def transform(self, rows: pd.DataFrame) -> Floats:
        values = np.column_stack([rows[name].to_numpy(np.float64) for name in self._names])
        values -= self._mean
        values /= self._scale
        return values


class _OneHot:
    """A one-hot encoding of texts, looked up in tables that the encoder itself fills."""

    def __init__(self, encoder: OneHotEncoder, names: list[str]) -> None:
        first = dict(zip(names, (categories[0] for categories in encoder.categories_), strict=True))
        self._tables, start = {}, 0
        for number, name in enumerate(names):
            values = [*encoder.categories_[number], UNSEEN]
            rare = getattr(encoder, "infrequent_categories_", {number: None})[number]  # these share a column
            end = start + len(values) - 1 - (0 if rare is None else len(rare) - 1)
            encoded = encoder.transform(pd.DataFrame([first | {name: value} for value in values]))
            self._tables[name] = dict(zip(values, encoded[:, start:end], strict=True))
            start = end

    def transform(self, rows: pd.DataFrame) -> Floats:
        return np.hstack(
            [
                np.array([table.get(value, table[UNSEEN]) for value in rows[name].tolist()])
                for name, table in self._tables.items()
            ]
        )


def _is_known(columns: ColumnTransformer) -> bool:
    """Whether :class:`_Columns` can take the place of a column transformer."""
    frames = getattr(columns, "_sklearn_output_config", {}).get("transform", "default") != "default"
    return not (frames or columns.transformer_weights) and all(
        isinstance(names, list)
        and all(isinstance(name, str) for name in names)
        and (
            (type(block) is StandardScaler and block.with_mean and block.with_std)
            or (
                type(block) is OneHotEncoder
                and not block.sparse_output
                and block.drop is None
                and block.handle_unknown in {"ignore", "infrequent_if_exist"}
                and all(isinstance(value, str) for categories in block.categories_ for value in categories)
            )
        )
        for block, names in _blocks(columns)
    )


def _blocks(columns: ColumnTransformer) -> list[tuple[Any, Any]]:
    return [(block, names) for _, block, names in columns.transformers_ if block != "drop"]


KNOWN: dict[type, tuple[Callable[[Any], bool], Callable[[Any], Any]]] = {
    Pipeline: (lambda pipeline: hasattr(pipeline, "predict_proba"), _Pipeline),
    VotingClassifier: (lambda vote: vote.voting == "soft", _Vote),
    RandomForestClassifier: (lambda forest: forest.n_outputs_ == 1, _Forest),
    ExtraTreesClassifier: (lambda forest: forest.n_outputs_ == 1, _Forest),
    ColumnTransformer: (_is_known, _Columns),
}
"""By type: whether a part is known, and what takes its place."""
