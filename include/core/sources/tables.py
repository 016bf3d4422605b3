"""Creates the tables of all sources."""

from __future__ import annotations

from typing import TYPE_CHECKING

from include.core.sources.dataset import dataset_of
from include.core.warehouse.connect import connect
from include.core.warehouse.errors import SchemaMismatchError
from include.core.warehouse.schema import create_table

if TYPE_CHECKING:
    from collections.abc import Iterable

    from include.core.sources.model import Source


def create_tables(sources: Iterable[Source], warehouse_uri: str) -> None:
    """Create missing tables and widen existing ones.

    Raises:
        SchemaMismatchError: naming every table that differs from its source's declaration; the others are created.
    """
    problems = []
    with connect(warehouse_uri) as session:
        for source in sources:
            try:
                create_table(session, dataset_of(source))
            except SchemaMismatchError as error:
                problems.append(str(error))
    if problems:
        raise SchemaMismatchError("\n".join(problems))
