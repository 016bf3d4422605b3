"""The dataset that a model of rows describes, so that its files are judged like any other's."""

from __future__ import annotations

import types
from typing import TYPE_CHECKING, Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Le, MaxLen, MinLen

from include.core.warehouse.dataset import Column, Dataset, Type

if TYPE_CHECKING:
    from pydantic import BaseModel

TYPES: dict[type, Type] = {int: "bigint", float: "double precision", str: "text", bool: "boolean"}


def dataset_of_model(name: str, model: type[BaseModel], key: str, **fields: Any) -> Dataset:
    """Return the dataset ``name`` with a column for each field of ``model``; further fields as in ``Dataset``.

    Raises:
        ValueError: if a field has a type that no column has.
    """
    columns = tuple(
        _column(field, info.annotation, list(info.metadata), nullable=not info.is_required())
        for field, info in model.model_fields.items()
    )
    return Dataset(name, columns, key=(key,), **fields)


def _column(name: str, annotation: Any, metadata: list[Any], *, nullable: bool) -> Column:
    while True:
        if hasattr(annotation, "__metadata__"):
            for item in annotation.__metadata__:
                metadata += getattr(item, "metadata", [item])
            annotation = annotation.__origin__
        elif get_origin(annotation) in {Union, types.UnionType}:
            [annotation] = (member for member in get_args(annotation) if member is not type(None))
        else:
            break
    if get_origin(annotation) is Literal:
        return _of_values(name, get_args(annotation), nullable=nullable)
    if annotation not in TYPES:
        raise ValueError(f"field {name!r}: {annotation} is none of {', '.join(kind.__name__ for kind in TYPES)}")

    def bound(kind: type, attribute: str) -> Any:
        return next((getattr(item, attribute) for item in metadata if isinstance(item, kind)), None)

    shortest, longest = bound(MinLen, "min_length"), bound(MaxLen, "max_length")
    length = f"(?s).{{{shortest or 0},{longest or ''}}}" if shortest or longest else None
    return Column(name, TYPES[annotation], nullable, bound(Ge, "ge"), bound(Le, "le"), pattern=length)


def _of_values(name: str, values: tuple[Any, ...], *, nullable: bool) -> Column:
    if all(isinstance(value, str) for value in values):
        return Column(name, "text", nullable, allowed=values)
    if sorted(values) != list(range(min(values), max(values) + 1)):
        raise ValueError(f"field {name!r}: the numbers {values} aren't a range")
    return Column(name, "bigint", nullable, min(values), max(values))
