"""Rows that a model may be asked about and that no training list has."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from include.core.ml.contract import dataset_of_model

if TYPE_CHECKING:
    from typing import Any

    from include.core.ml.spec import ModelSpec
    from include.core.warehouse.dataset import Column

BASES = 3  # rows that each extreme value is put into
RANDOM = 100
PERTURBED = 200
TEXTS = ("", "?", "Zz, Xx. Zz", "0", "ÅßЖ中", "a" * 50)
UNBOUNDED = 1e9


def corners(spec: ModelSpec, rows: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    """Return rows that the schema of ``spec`` accepts.

    They are real rows with each field's extreme values, random combinations of these, and real rows whose columns are
    shuffled.
    """
    generator = np.random.default_rng(seed)
    columns = dataset_of_model(spec.name, spec.row, spec.columns[0]).columns
    extremes = {column.name: _extremes(column) for column in columns}
    bases = rows.sample(BASES, random_state=seed).to_dict("records")
    content = [base | {name: value} for name, values in extremes.items() for value in values for base in bases]
    content += [
        {name: values[generator.integers(len(values))] for name, values in extremes.items()} for _ in range(RANDOM)
    ]
    shuffled = pd.DataFrame({name: rows[name].sample(frac=1, random_state=generator).to_numpy() for name in rows})
    content += shuffled.head(PERTURBED).to_dict("records")
    valid = [spec.row(**_plain(row)) for row in content if _is_valid(spec, row)]
    return spec.frame(valid)


def _extremes(column: Column) -> list[Any]:
    values: list[Any] = list(column.allowed or ())
    if not values and column.type == "text":
        values = list(TEXTS)
    elif not values:
        low = -UNBOUNDED if column.minimum is None else column.minimum
        high = UNBOUNDED if column.maximum is None else column.maximum
        kind = int if column.type == "bigint" else float
        values = [kind(value) for value in (low, high, (float(low) + float(high)) / 2)]
    return [*values, None] if column.nullable else values


def _plain(row: dict[Any, Any]) -> dict[str, Any]:
    return {str(name): None if pd.isna(value) else value for name, value in row.items()}


def _is_valid(spec: ModelSpec, row: dict[Any, Any]) -> bool:
    try:
        spec.row(**_plain(row))
    except ValueError:
        return False
    return True
