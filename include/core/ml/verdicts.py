"""Verdicts and cross-validations, kept in the warehouse: who can change a candidate's files can't change them."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from psycopg.types.json import Jsonb
from pydantic import BaseModel

from include.core.ml.errors import RefusedError
from include.core.ml.evaluation import Scores, cross_validate
from include.core.ml.gates import Rule
from include.core.ml.gates.gain import QUALITY_GAIN
from include.core.warehouse.connect import connect
from include.core.warehouse.migrations import require_migrated

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from include.core.ml.errors import SandboxError
    from include.core.ml.evaluation import Folds


class Verdict(BaseModel):
    """The gates' verdict on a candidate.

    Attributes:
        candidate: name of the training.
        files: checksum of each file that is published, by path; the evaluation wrote them.
        data: checksum of the training list.
        code: checksum of the code that judged it.
        champion, pinned: numbers of the versions that it was compared with; ``None`` if there was none.
        rules: result of every rule.
        summary: for the person who approves it, in Markdown.
    """

    candidate: str
    files: dict[str, str]
    data: str
    code: str
    champion: int | None
    pinned: int | None
    rules: list[Rule]
    summary: str

    @property
    def accepted(self) -> bool:
        """Whether the candidate may become champion."""
        return not self.refusals

    @property
    def refusals(self) -> list[str]:
        """Each broken rule with its numbers."""
        return [str(rule) for rule in self.rules if not rule.passed]

    @property
    def is_harmless(self) -> bool:
        """Whether no rule is broken but that of a gain."""
        return all(rule.passed or not rule.is_harm for rule in self.rules)

    @property
    def shows_quality(self) -> bool:
        """Whether it was shown to be better than the champion in accuracy or another quality, or is the first."""
        is_first = self.champion is None and self.pinned is None
        return is_first or any(rule.name == QUALITY_GAIN and rule.passed for rule in self.rules)

    @property
    def reason(self) -> str:
        """Why the candidate, if it is accepted, becomes champion."""
        gains = "; ".join(str(rule) for rule in self.rules if rule.passed and not rule.is_harm)
        return gains or ("the first version" if self.champion is None else "no harm was found, and no gain was needed")


def record(uri: str, model: str, verdict: Verdict) -> None:
    """Record a verdict on a candidate, in place of an earlier one."""
    with connect(uri) as session, session.transaction():
        require_migrated(session)
        session.execute(
            "INSERT INTO model_verdict (model, candidate, verdict) VALUES (%s, %s, %s)"
            " ON CONFLICT (model, candidate) DO UPDATE SET verdict = excluded.verdict, judged_at = now()",
            [model, verdict.candidate, Jsonb(verdict.model_dump())],
        )


def require(uri: str, model: str, candidate: str) -> Verdict:
    """Return the recorded verdict on a candidate.

    Raises:
        RefusedError: if there is none.
    """
    with connect(uri) as session:
        require_migrated(session)
        row = session.execute(
            "SELECT verdict FROM model_verdict WHERE model = %s AND candidate = %s", [model, candidate]
        ).fetchone()
    if row is None:
        raise RefusedError(f"{candidate}: the gates have recorded no verdict on it: clear the task that evaluates it")
    return Verdict.model_validate(row[0])


def newest(uri: str, model: str, count: int) -> list[Verdict]:
    """Return the last ``count`` verdicts on candidates of a model, the newest first."""
    with connect(uri) as session:
        require_migrated(session)
        query = "SELECT verdict FROM model_verdict WHERE model = %s ORDER BY judged_at DESC LIMIT %s"
        rows = session.execute(query, [model, count]).fetchall()
    return [Verdict.model_validate(verdict) for (verdict,) in rows]


class Recipe(NamedTuple):
    """A model file, and the digest of its recipe; see :func:`include.core.ml.recipe.recipe_digest`."""

    content: bytes
    digest: str


def scored(
    uri: str,
    models: Mapping[str, Recipe],
    trusted: Sequence[str],
    rows: pd.DataFrame,
    labels: NDArray[np.int64],
    groups: NDArray[np.int64],
    folds: Folds,
) -> dict[str, Scores | SandboxError]:
    """Return the cross-validation of each model's recipe, as kept for the same rows, labels and folds, or done now."""
    common = [_digest_of(rows, labels, groups), folds.splits, folds.repeats, folds.seed]
    keys = {
        name: hashlib.sha256(json.dumps([recipe.digest, *common]).encode()).hexdigest()
        for name, recipe in models.items()
    }
    tests = [test for _, test in folds.of(labels, groups)]
    shape = (folds.repeats, len(labels))
    scores: dict[str, Scores | SandboxError] = {}
    with connect(uri) as session:
        require_migrated(session)
        for name, key in keys.items():
            found = session.execute("SELECT probabilities FROM model_scores WHERE key = %s", [key]).fetchone()
            if found and isinstance(content := found[0], bytes):
                scores[name] = Scores(np.frombuffer(content).reshape(shape), tests, labels)
    missing = {name: recipe.content for name, recipe in models.items() if name not in scores}
    if missing:
        measured = cross_validate(missing, trusted, rows, labels, groups, folds)
        with connect(uri) as session, session.transaction():
            for name, score in measured.items():
                if isinstance(score, Scores):
                    session.execute(
                        "INSERT INTO model_scores (key, probabilities) VALUES (%s, %s) ON CONFLICT DO NOTHING",
                        [keys[name], score.probabilities.tobytes()],
                    )
        scores |= measured
    return {name: scores[name] for name in models}


def _digest_of(rows: pd.DataFrame, labels: NDArray[np.int64], groups: NDArray[np.int64]) -> str:
    content = rows.to_csv(index=False).encode() + labels.tobytes() + groups.tobytes()
    return hashlib.sha256(content).hexdigest()
