"""``python -m benchmarks.gates``: how often the gates accept and refuse honest candidates, by the rows of the list.

Champion and candidate see the same latent chance of each row through noise of their own. An equal candidate has as much
noise as the champion, a better one so much less that it is right for two more rows in a hundred. No model is fitted:
the out-of-fold probabilities are drawn, and judged by the rules of :mod:`include.core.ml.gates` as real ones are.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import expit

from include.core.ml.evaluation import Folds, Scores
from include.core.ml.gates import quality, segments
from include.core.ml.gates.behaviour import Cost
from include.core.ml.gates.gain import gains
from include.core.ml.slices import Slicer
from include.domains.titanic.passengers import COLUMNS, PASSENGER_LIST
from include.domains.titanic.spec import TITANIC

LIST = Path(__file__).parents[1] / "include" / "data" / "titanic" / "train.csv"
SIZES = (891, 2000, 4000, 8000)
SEEDS = 200
FOLDS = Folds(10, 1)
NOISE = 1.5  # of the champion's logits; those of the rows have a standard deviation of SPREAD
SPREAD = 2.5
BETTER = 0.02
SHARED = 0.7  # share of the variance of the noise that both have: they learn from the same rows
COST = Cost(milliseconds=20, load_seconds=1, memory=50_000_000, file=1_000_000)
LIMIT_REFUSED, LIMIT_ACCEPTED = 0.05, 0.8
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Drawn:
    """Labels, and the probabilities of champion and candidate."""

    labels: NDArray[np.int64]
    champion: Floats
    candidate: Floats


def draw(rows: int, noise: float, seed: int) -> Drawn:
    """Draw a list on which the candidate's logits have this noise."""
    generator = np.random.default_rng(seed)
    logits = generator.normal(-0.6, SPREAD, rows)
    labels = (generator.random(rows) < expit(logits)).astype(np.int64)
    shared = generator.normal(size=rows) * np.sqrt(SHARED)
    own = generator.normal(size=(2, rows)) * np.sqrt(1 - SHARED)
    champion, candidate = (
        expit(shrunk(logits + level * (shared + part), level)) for level, part in zip((NOISE, noise), own, strict=True)
    )
    return Drawn(labels, champion, candidate)


def shrunk(logits: Floats, noise: float) -> Floats:
    """Return the posterior mean of the rows' logits, which keeps the probabilities about calibrated."""
    return np.asarray(-0.6 + (logits + 0.6) * SPREAD**2 / (SPREAD**2 + noise**2))


def accuracy(noise: float) -> float:
    """Return the accuracy of a model with this noise, on a million rows."""
    drawn = draw(1_000_000, noise, 0)
    return float(((drawn.candidate > 0.5) == drawn.labels).mean())


def judge(rows: int, noise: float, seed: int, passengers: pd.DataFrame) -> tuple[bool, bool]:
    """Return whether a candidate is harmful according to the gates, and whether it is accepted."""
    drawn = draw(rows, noise, seed)
    folds = [test for _, test in FOLDS.of(drawn.labels, np.arange(rows))]
    champion, candidate = (
        Scores(values[np.newaxis, :], folds, drawn.labels) for values in (drawn.champion, drawn.candidate)
    )
    sample = passengers.sample(rows, replace=True, random_state=seed).reset_index(drop=True)
    slices = Slicer(TITANIC, sample, TITANIC.thresholds().slice_rows).slices(sample)
    share = FOLDS.test_share
    harm = [
        *quality.against(candidate, champion, "the champion", share),
        *segments.against(candidate, champion, "the champion", slices, TITANIC.thresholds()),
    ]
    [gain] = gains(candidate, champion, COST, COST, share, "the champion", champion)
    harmless = all(rule.passed for rule in harm)
    return not harmless, harmless and gain.passed


def measure(seeds: int, sizes: tuple[int, ...]) -> list[dict[str, float]]:
    """Return for each size how often equal and better candidates are refused as harmful, and accepted."""
    passengers = PASSENGER_LIST.read(LIST.read_bytes())[list(COLUMNS)]
    goal = accuracy(NOISE) + BETTER
    less = float(brentq(lambda noise: accuracy(noise) - goal, 0, NOISE, xtol=0.01))
    measured = []
    for rows in sizes:
        counts: Counter[str] = Counter()
        for seed in range(1, seeds + 1):
            for kind, noise in (("equal", NOISE), ("better", less)):
                harmful, accepted = judge(rows, noise, seed, passengers)
                counts[f"{kind} refused"] += harmful
                counts[f"{kind} accepted"] += accepted
        measured.append({"rows": rows} | {name: count / seeds for name, count in counts.items()})
        print(measured[-1], file=sys.stderr, flush=True)
    return measured


def main() -> int:
    """Print the table; the exit status is 1 if an equal candidate is refused, or a better one overlooked, too often."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gates", description=__doc__)
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--json", type=Path, help="file for the figures")
    arguments = parser.parse_args()
    measured = measure(arguments.seeds, SIZES)
    print("| rows | equal: refused as harmful | equal: accepted | 2 points better: refused as harmful | … accepted |")
    print("|---|---|---|---|---|")
    for line in measured:
        shares = [
            line.get(name, 0) for name in ("equal refused", "equal accepted", "better refused", "better accepted")
        ]
        print(f"| {line['rows']:,.0f} | {' | '.join(f'{share:.1%}' for share in shares)} |")
    if arguments.json:
        arguments.json.write_text(json.dumps(measured, indent=1))
    refused = max(line.get("equal refused", 0) for line in measured)
    return int(refused > LIMIT_REFUSED or measured[-2].get("better accepted", 0) < LIMIT_ACCEPTED)


if __name__ == "__main__":
    sys.exit(main())
