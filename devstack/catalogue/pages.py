"""All generated pages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from devstack.catalogue import page, reference, tables

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from devstack.catalogue.facts import Facts


def texts(dags: Sequence[Facts]) -> dict[Path, str]:
    """Return the text that each page should have, given the facts of every DAG by id."""
    return {module.PAGE: module.page(dags) for module in (page, tables, reference)}
