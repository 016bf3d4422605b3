"""The tables of all sources, as the warehouse must have them."""

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
    """Create the tables that are missing.

    Raises:
        SchemaMismatchError: naming every table that isn't what its source declares; the others are created.
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
