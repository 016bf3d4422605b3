"""What runs in a sandboxed process: cross-validation, and the examination of a fitted model."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import psutil
from sklearn.base import clone

from include.core.ml import artifact  # whose import isn't part of the time to load a model
from include.core.ml.recipe import hyperparameters, recipe_digest

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from include.core.ml.sandbox.content import Content

    Floats = NDArray[np.float64]

ALONE = 30  # rows, and one with each column missing
TIMED = 2  # calls of each
MORE_CALLS = 40  # before the last answers
WAITS = Path("/proc/thread-self/schedstat")  # Linux; nanoseconds on and waiting for a processor, number of turns
PATIENCE = 20.0  # seconds for the calls of one row each, and again for the further ones
CLOCK_SHIFT = 400 * 86_400.0  # seconds


def fit_folds(content: Content) -> Content:
    """Fit each model on the training rows of some folds and predict the test rows.

    Takes ``model 0``, ``model 1``, … (bytes), ``trusted``, ``rows``, ``labels``, ``train 0``, ``test 0``, ``train 1``,
    … and their numbers ``folds``. Returns ``model fold`` with the probabilities of 1, and ``errors`` by model.
    """
    result: Content = {"errors": {}}
    for number in range(content["models"]):
        try:
            model = _load(content, f"model {number}")
            for fold in content["folds"]:
                train, test = content[f"train {fold}"], content[f"test {fold}"]
                fitted = clone(model).fit(content["rows"].iloc[train], content["labels"][train])
                result[f"{number} {fold}"] = _predict(fitted, content["rows"].iloc[test])
        except Exception as error:  # the other models go on
            result["errors"][str(number)] = f"{type(error).__name__}: {error}"
    return result


def measure(content: Content) -> Content:
    """Load a fitted model and predict ``rows`` one by one.

    Takes ``model``, ``trusted`` and ``rows``. Returns the ``positions`` of the rows, ``alone``, their probabilities,
    ``seconds`` of each, ``recipe``, ``load_seconds``, and the ``memory`` that the model takes in bytes.
    """
    return _measure(content, content["rows"])[1]


def examine(content: Content) -> Content:
    """Load a fitted model and query it in every way in which answers should agree.

    Takes ``model``, ``trusted``, the training's ``rows`` and ``labels``, and ``corners``, rows of any content that the
    schema allows. Returns what :func:`measure` does, and the probabilities of the corners after the rows: ``together``,
    ``shuffled`` (in the order of ``together``), ``again`` after all other calls, and ``refitted``, by the model's
    recipe on the same rows; ``classes``, the predicted ones; and the ``hyperparameters`` of its recipe.
    """
    rows: pd.DataFrame = pd.concat([content["rows"], content["corners"]], ignore_index=True)
    model, result = _measure(content, rows)
    order = np.random.default_rng(0).permutation(len(rows))
    shuffled = np.empty(len(rows))
    shuffled[order] = _predict(model, rows.iloc[order])
    _call_often(model, rows.head(1))
    return result | {
        "together": _predict(model, rows),
        "hyperparameters": hyperparameters(model),
        "classes": np.asarray(model.predict(rows), dtype=np.float64),
        "shuffled": shuffled,
        "refitted": _predict(clone(model).fit(content["rows"], content["labels"]), rows),
        "again": _predict(model, rows),
    }


def predict(content: Content) -> Content:
    """Return the probabilities of ``rows`` by the fitted ``model``, with a clock that is more than a year ahead."""
    now, now_ns = time.time, time.time_ns
    time.time = lambda: now() + CLOCK_SHIFT
    time.time_ns = lambda: now_ns() + int(CLOCK_SHIFT * 1e9)
    return {"probabilities": _predict(_load(content, "model"), content["rows"])}


def _measure(content: Content, rows: pd.DataFrame) -> tuple[Any, Content]:
    process, chosen = psutil.Process(), _chosen(rows)
    before, started = process.memory_info().rss, _now()
    model = _load(content, "model")
    load_seconds = _now() - started
    alone, seconds = _alone(model, rows.iloc[chosen])
    return model, {
        "recipe": recipe_digest(model),
        "load_seconds": load_seconds,
        "memory": max(0, process.memory_info().rss - before),
        "positions": chosen[: len(alone)],
        "alone": alone,
        "seconds": seconds,
    }


def _chosen(rows: pd.DataFrame) -> NDArray[np.int64]:
    """Return the positions of rows from all over the list, and of the first row with each column missing."""
    missing = [int(np.argmax(rows[name].isna())) for name in rows if rows[name].isna().any()]
    spread = np.linspace(0, len(rows) - 1, min(ALONE, len(rows))).astype(np.int64)
    return np.unique([*missing, *spread])


def _alone(model: Any, rows: pd.DataFrame) -> tuple[Floats, Floats]:
    """Return the probabilities of rows, one by one, and the seconds that each took at best."""
    started, probabilities, seconds = time.perf_counter(), [], []
    for number in range(len(rows)):
        calls = [_timed(model.predict_proba, rows.iloc[[number]]) for _ in range(TIMED)]
        probabilities.append(calls[-1][0])
        seconds.append(min(duration for _, duration in calls))
        if time.perf_counter() - started > PATIENCE:
            break
    return np.array(probabilities), np.array(seconds)


def _call_often(model: Any, row: pd.DataFrame) -> None:
    """Give a model that counts its calls the opportunity to change its answers."""
    started = time.perf_counter()
    for _ in range(MORE_CALLS):
        if time.perf_counter() - started > PATIENCE:
            return
        model.predict_proba(row)


def _timed(call: Callable[[pd.DataFrame], Floats], rows: pd.DataFrame) -> tuple[float, float]:
    started = _now()
    probability = float(call(rows)[0, 1])
    return probability, _now() - started


def _now() -> float:
    """Return seconds on a clock that stands still while this thread waits for a processor: busy isn't slow."""
    waited = int(WAITS.read_text().split()[1]) / 1e9 if WAITS.exists() else 0.0
    return time.perf_counter() - waited


def _load(content: Content, name: str) -> Any:
    model = artifact.load(content[name], artifact.digest(content[name]), content["trusted"], "the model")
    if not callable(getattr(model, "predict_proba", None)) or not hasattr(model, "get_params"):
        raise TypeError(
            f"a {type(model).__name__} isn't a classifier; it needs fit, predict, predict_proba, get_params"
        )
    return model


def _predict(model: Any, rows: pd.DataFrame) -> Floats:
    """Return the probability of 1; if both don't add up to 1, NaN."""
    probabilities = np.asarray(model.predict_proba(rows), dtype=np.float64)
    if probabilities.shape != (len(rows), 2):
        raise ValueError(f"predict_proba returned the shape {probabilities.shape} for {len(rows)} rows and two classes")
    return np.where(np.abs(probabilities.sum(axis=1) - 1) <= 1e-6, probabilities[:, 1], np.nan)
