"""Renders the pages: Jinja templates that escape every value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from include.core.warehouse.dataset import Column
from include.ops.health.overview import COUNTED
from spellbook.ui.app import PREFIX


@dataclass(frozen=True)
class Links:
    """Addresses; ``root`` is the path under which the pages are served, which ends with :data:`PREFIX`."""

    root: str

    @property
    def airflow(self) -> str:
        """The path of Airflow's web UI, without a slash at the end."""
        return self.root.removesuffix(PREFIX)

    def page(self, path: str = "") -> str:
        """Return the address of one of our pages."""
        return f"{self.root}/{path}"

    def dataset(self, name: str) -> str:
        """Return the address of a dataset's page."""
        return self.page(f"datasets/{quote(name, safe='')}")

    def dag(self, dag_id: str) -> str:
        """Return the address of a DAG in Airflow."""
        return f"{self.airflow}/dags/{quote(dag_id, safe='')}"

    def run(self, dag_id: str, run_id: str) -> str:
        """Return the address of a run in Airflow."""
        return f"{self.dag(dag_id)}/runs/{quote(run_id, safe='')}"


def render(template: str, **values: object) -> str:
    """Return the HTML of a page."""
    return _environment().get_template(template).render(**values)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"moment": moment, "span": span, "number": number, "count": count, "percent": percent}
    environment.filters["rules"] = rules_of
    return environment


def moment(value: datetime | None) -> str:
    """Return a time in UTC, to the minute."""
    return "" if value is None else f"{value.astimezone(UTC):%Y-%m-%d %H:%M}"


def span(value: timedelta | None) -> str:
    """Return a duration in words: its largest unit, or days and hours."""
    if value is None:
        return ""
    minutes = max(0, int(value.total_seconds() // 60))
    hours, days = minutes // 60, minutes // 1440
    if days >= 10:
        return f"{days} d"
    if hours >= 24:
        return f"{days} d {hours % 24} h".removesuffix(" 0 h")
    return f"{hours} h {minutes % 60} min".removesuffix(" 0 min") if hours else f"{minutes} min"


def number(value: float | None) -> str:
    """Return a number with up to four significant digits."""
    return "" if value is None else f"{value:,.0f}" if abs(value) >= 1000 or value == int(value) else f"{value:.4g}"


def count(value: int | None) -> str:
    """Return a number of rows, as far as they were counted."""
    return "" if value is None else f"{value:,}{'+' if value >= COUNTED else ''}"


def percent(value: float | None) -> str:
    """Return a share in percent."""
    return "" if value is None else f"{100 * value:.3g}\N{NO-BREAK SPACE}%"


def rules_of(column: Column, key: Sequence[str]) -> list[str]:
    """Return the rules of a column in words."""
    rules = ["key"] if column.name in key else []
    if column.nullable:
        rules.append("may be NULL")
    if (column.minimum, column.maximum) != (None, None):
        lowest = "any" if column.minimum is None else number(column.minimum)
        highest = "any" if column.maximum is None else number(column.maximum)
        rules.append(f"{lowest} to {highest}")
    if column.allowed:
        shown = ", ".join(column.allowed[:10])
        rules.append(f"one of: {shown}{' …' if len(column.allowed) > 10 else ''}")
    if column.pattern:
        rules.append(f"matches {column.pattern}")
    if column.pii:
        rules.append("personal data, masked")
    return rules
