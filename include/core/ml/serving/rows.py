"""The schema of a request's rows: that of the spec, without any conversion."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin

from pydantic import ConfigDict, create_model, field_validator
from pydantic_core import PydanticCustomError

if TYPE_CHECKING:
    from pydantic import BaseModel


def strict(row: type[BaseModel]) -> type[BaseModel]:
    """Return a schema like ``row`` in which neither ``"22"`` nor ``true`` is a number; a float may be whole."""

    class Strict(row):  # type: ignore[misc, valid-type]
        model_config = ConfigDict(strict=True)

    numbers = [name for name, field in row.model_fields.items() if _is_choice_of_numbers(field.annotation)]
    validators: dict[str, Any] = (
        {"whole": field_validator(*numbers, mode="before")(_require_integer)} if numbers else {}
    )
    return create_model(row.__name__, __base__=Strict, __doc__=row.__doc__, __validators__=validators)


def _is_choice_of_numbers(annotation: Any) -> bool:
    return get_origin(annotation) is Literal and all(isinstance(value, int) for value in get_args(annotation))


def _require_integer(value: Any) -> Any:
    """Refuse ``true`` and 1.0, which equal 1: a choice compares values even in strict mode."""
    if isinstance(value, bool | float):
        raise PydanticCustomError("int_type", "Input should be a valid integer")
    return value
