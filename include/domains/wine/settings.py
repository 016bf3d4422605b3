"""Files and environment keys of the wine experiment."""

from __future__ import annotations

from pathlib import Path

from include.core.settings import EnvironmentKey, ModelFiles
from include.core.storage import url_of

TRAININGS = ModelFiles("wine")
WINES = EnvironmentKey(
    "SPELLBOOK_WINES",
    url_of(Path(__file__).parents[2] / "data" / "wine_quality"),
    "URL of the folder with winequality-red.csv and winequality-white.csv, for mlflow_integration.",
)
WINE_CANDIDATES = EnvironmentKey(
    "SPELLBOOK_WINE_CANDIDATES",
    "article_recipe,extra_trees,extra_trees_pruned",
    "Models that mlflow_integration compares, comma-separated.",
)
