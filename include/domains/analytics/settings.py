"""Where dbt is installed."""

from __future__ import annotations

from pathlib import Path

from include.core.settings import EnvironmentKey

DBT = EnvironmentKey(
    "SPELLBOOK_DBT",
    str(Path(__file__).parents[3] / ".venv-dbt" / "bin" / "dbt"),
    "The dbt executable, in an environment of its own.",
)
