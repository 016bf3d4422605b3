"""The cities to request: those in ``cities.yaml``, or those in a run's param ``cities``."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from include.core.errors import ConfigurationError

CITIES_FILE = Path(__file__).with_name("cities.yaml")


class City(BaseModel):
    """A place with its coordinates in degrees (WGS 84)."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)

    name: Annotated[str, Field(min_length=1, max_length=100)]
    latitude: Annotated[float, Field(ge=-90, le=90, allow_inf_nan=False)]
    longitude: Annotated[float, Field(ge=-180, le=180, allow_inf_nan=False)]


_CITIES: TypeAdapter[tuple[City, ...]] = TypeAdapter(Annotated[tuple[City, ...], Field(min_length=1)])


def load_cities(path: Path = CITIES_FILE) -> tuple[City, ...]:
    """Read the configured cities.

    Raises:
        ConfigurationError: naming file, field and value, if the file isn't a list of cities with unique names.
    """
    try:
        entries = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ConfigurationError(f"{path}: not valid YAML: {error}") from error
    return _validated(entries, str(path))


def select_cities(requested: Iterable[str | dict[str, Any]], known: Iterable[City]) -> tuple[City, ...]:
    """Resolve the param ``cities``: names of ``known`` cities, or new ones as ``{name, latitude, longitude}``.

    Raises:
        ConfigurationError: naming field and value, for an unknown name, invalid coordinates or a duplicate name.
    """
    by_name = {city.name: city for city in known}
    entries: list[object] = []
    for position, entry in enumerate(requested):
        if isinstance(entry, str) and entry not in by_name:
            raise ConfigurationError(
                f"param cities: [{position}]: {entry!r} is unknown; name one of {', '.join(by_name)}, "
                "or give it as {name, latitude, longitude}"
            )
        entries.append(by_name[entry] if isinstance(entry, str) else entry)
    return _validated(entries, "param cities")


def cities_schema(known: Iterable[City]) -> dict[str, Any]:
    """Return the JSON schema of the param ``cities``: Airflow rejects an invalid value when a run is triggered."""
    city = City.model_json_schema() | {"title": "a city with its coordinates in degrees"}
    return {
        "type": "array",
        "minItems": 1,
        "items": {"if": {"type": "string"}, "then": {"enum": [entry.name for entry in known]}, "else": city},
    }


def _validated(entries: object, origin: str) -> tuple[City, ...]:
    try:
        cities = _CITIES.validate_python(entries)
    except ValidationError as error:
        problems = [
            f"{origin}: {''.join(f'[{step}]' if isinstance(step, int) else f'.{step}' for step in detail['loc'])}: "
            f"{detail['msg']} (got {detail['input']!r})"
            for detail in error.errors(include_url=False)
        ]
        raise ConfigurationError("\n".join(problems)) from error
    names = [city.name for city in cities]
    if duplicates := sorted({name for name in names if names.count(name) > 1}):
        raise ConfigurationError(f"{origin}: .name: duplicate: {', '.join(duplicates)}; names must be unique")
    return cities
