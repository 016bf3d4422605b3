"""Renders docs/datasets.md: the tables of the warehouse, with their rules and lineage."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from devstack.catalogue.markdown import cell, code, link, table
from devstack.state import REPOSITORY
from include.core.warehouse.calendar import EVERY_DAY
from include.datasets import DATASETS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from devstack.catalogue.facts import Facts
    from include.core.warehouse.dataset import Column, Dataset

PAGE = REPOSITORY / "docs" / "datasets.md"
HEAD = """# Datasets

The tables that DAGs publish. Generated from the declarations by `make fix`; the gate fails when this page is out of
date. [contract.md](contract.md) explains the rules. Each table also has the columns `load_id` and `loaded_at`.
"""


def page(dags: Sequence[Facts]) -> str:
    """Return the page's text, which ends with a line feed."""
    datasets = sorted(DATASETS, key=lambda dataset: dataset.name)
    lines = [HEAD]
    lines += table(
        ("table", "key", "partition", "published by", "read by"),
        (
            (
                f"[{dataset.name}](#{dataset.name})",
                ", ".join(map(code, dataset.key)),
                code(dataset.partition or "") or "the whole table",
                ", ".join(link(dag.dag_id) for dag in dags if dataset.name in dag.assets_out),
                ", ".join(link(dag.dag_id) for dag in dags if dataset.name in (*dag.assets_in, *dag.assets_read)),
            )
            for dataset in datasets
        ),
    )
    for dataset in datasets:
        lines += ["", f"## {dataset.name}", ""]
        if rules := list(_rules(dataset)):
            lines += [*(f"- {rule}" for rule in rules), ""]
        lines += table(
            ("column", "type", "NULL", "accepted", "meaning"),
            (
                (
                    code(column.name),
                    column.type,
                    "yes" if column.nullable else "",
                    "; ".join(_accepted(column)),
                    _meaning(column),
                )
                for column in dataset.columns
            ),
        )
    return "\n".join(lines) + "\n"


def _rules(dataset: Dataset) -> Iterator[str]:
    """Yield what the dataset declares beside its columns."""
    if dataset.freshness is not None:
        yield f"stale after {dataset.freshness / timedelta(hours=1):g} h without a complete load"
    if dataset.complete_by:
        yield f"complete when it has all expected values of `{dataset.complete_by}`"
    if dataset.together:
        yield f"rows with the same {' and '.join(map(code, dataset.together))} are loaded or rejected together"
    if dataset.calendar != EVERY_DAY:
        days = ", ".join(dataset.calendar.no_data_on)
        yield f"one partition for each {dataset.calendar.every}" + (f", except {days}" if days else "")
    yield from (f"`{cell(rule)}`" for rule in dataset.rules)


def _meaning(column: Column) -> str:
    words = [column.doc] if column.doc else []
    if column.pii and "personal data" not in column.doc.lower():
        words.append("personal data")
    return cell(", ".join(words))


def _accepted(column: Column) -> Iterator[str]:
    if column.minimum is not None and column.maximum is not None:
        yield f"{column.minimum:g} to {column.maximum:g}"
    elif column.minimum is not None:
        yield f"from {column.minimum:g}"
    elif column.maximum is not None:
        yield f"to {column.maximum:g}"
    if column.allowed:
        yield ", ".join(code(cell(value)) for value in column.allowed)
    if column.pattern:
        yield f"matches `{cell(column.pattern)}`"
    if column.null_words:
        yield ", ".join(code(cell(word)) for word in column.null_words) + " means NULL"
