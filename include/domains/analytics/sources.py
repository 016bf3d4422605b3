"""Writes the dbt sources with their data tests, from the datasets: no rule of a table is declared twice."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import TYPE_CHECKING

from include.core.warehouse.audit import column_rules, table_rules
from include.domains.analytics import SOURCES
from include.domains.analytics.manifest import PROJECT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from include.core.warehouse.audit import Rule
    from include.core.warehouse.dataset import Dataset

FILE = PROJECT / "models" / "staging" / "_sources.yml"
HEAD = """\
# Written by `make fix` from the datasets.
# yamllint disable rule:line-length
version: 2

sources:
  - name: warehouse
    description: Tables loaded by DAGs under the load contract; each row has the load_id and time of its load.
    schema: "{{ env_var('SPELLBOOK_WAREHOUSE_SCHEMA', 'public') }}"
    config:
      loaded_at_field: loaded_at
      freshness:
        error_after: {count: 7, period: day}
    tables:
      - name: load_log
        description: One row per committed load.
        config: {freshness: null}
"""
JINJA = re.compile(r"\{(?=[{%#])")


def sources_text(datasets: Iterable[Dataset]) -> str:
    """Return the text of :data:`FILE`, which ends with a line feed.

    Raises:
        LookupError: if one of :data:`~include.domains.analytics.SOURCES` isn't among the datasets.
    """
    by_name = {dataset.name: dataset for dataset in datasets}
    if absent := [name for name in SOURCES if name not in by_name]:
        raise LookupError(f"SOURCES in include/domains/analytics names {absent}; datasets: {', '.join(by_name)}")
    return HEAD + "".join(f"{line}\n" for name in SOURCES for line in _table(by_name[name]))


def _table(dataset: Dataset) -> Iterator[str]:
    yield f"      - name: {dataset.name}"
    yield f"        description: One row per {', '.join(dataset.key)}."
    limit = "null"
    if dataset.freshness is not None:
        limit = f"{{warn_after: {{count: {dataset.freshness // timedelta(minutes=1)}, period: minute}}}}"
    yield f"        config: {{freshness: {limit}}}"
    yield "        data_tests:"
    yield f"          - unique_together: {{arguments: {{columns: [{', '.join(dataset.key)}]}}}}"
    yield from _never(f"{dataset.name}_rows_are_consistent", table_rules(dataset), " " * 10)
    yield "        columns:"
    for column in dataset.columns:
        yield f"          - name: {column.name}"
        if column.doc:
            yield f"            description: {_text(column.doc)}"
        if column.pii:
            yield "            config: {meta: {pii: true}}"
        if tests := list(_never(f"{dataset.name}_{column.name}_is_valid", column_rules(column), " " * 14)):
            yield from ("            data_tests:", *tests)


def _never(name: str, rules: Iterable[Rule], indent: str) -> Iterator[str]:
    """Yield one test for all rules, since each test costs a query."""
    conditions = [f"{_text(rule.broken.as_string())}  # {' '.join(rule.text.split())}" for rule in rules]
    if conditions:
        yield from (f"{indent}- never:", f"{indent}    name: {name}", f"{indent}    arguments:")
        yield f"{indent}      conditions:"
        yield from (f"{indent}        - {condition}" for condition in conditions)


def _text(text: str) -> str:
    """Return a quoted string of YAML, in which dbt finds nothing to render."""
    return json.dumps(JINJA.sub("{{ '{' }}", text), ensure_ascii=False)
