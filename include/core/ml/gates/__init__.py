"""The rules that a candidate must pass to become champion: no harm anywhere, and a gain somewhere.

Nothing that the training wrote is believed: every figure is computed from the candidate's file and the data. ``data``
compares the training list with that of the champion, ``quality`` and ``segments`` the out-of-fold predictions with the
champion's, ``behaviour`` queries the file as it would be served, ``gain`` asks what would be better.
"""

from include.core.ml.gates.judge import Judgement, Opponent, judge
from include.core.ml.gates.rule import Rule

__all__ = ["Judgement", "Opponent", "Rule", "judge"]
