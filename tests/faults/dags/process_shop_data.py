"""Creates the DAG of each source in the folder beside this file, as `process_source_data.py` does.

## What
See `include/core/sources/factory.py`.

## Inputs
`shops/*.yaml`; connection `ledger_default`.

## Outputs
Their tables.

## On failure
Correct the file that the error names.
"""

from __future__ import annotations

from pathlib import Path

from include.core.sources.factory import create_dags

globals().update(create_dags(Path(__file__).parent / "shops", "postgres_default"))
