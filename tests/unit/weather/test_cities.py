from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jsonschema
import pytest

from include.core.errors import ConfigurationError
from include.domains.weather.cities import City, cities_schema, load_cities, select_cities

if TYPE_CHECKING:
    from pathlib import Path

KNOWN = load_cities()
PARIS: dict[str, Any] = {"name": "Paris", "latitude": 48.8566, "longitude": 2.3522}


def test_the_configured_cities() -> None:
    assert [city.name for city in KNOWN] == ["New York", "London", "Tokyo"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "- {name: X, latitude: 91, longitude: 0}",
            r"cities\.yaml: \[0\]\.latitude: .*less than or equal to 90 \(got 91\)",
        ),
        (
            "- {name: X, latitude: 0, longitude: -181}",
            r"\[0\]\.longitude: .*greater than or equal to -180 \(got -181\)",
        ),
        ("- {name: X, latitude: .nan, longitude: 0}", r"\[0\]\.latitude: .*finite number"),
        ("- {name: '', latitude: 0, longitude: 0}", r"\[0\]\.name: .*at least 1 character"),
        ("- {name: X, latitude: 0}", r"\[0\]\.longitude: Field required"),
        ("- {name: X, lat: 0, latitude: 0, longitude: 0}", r"\[0\]\.lat: Extra inputs"),
        ("[]", r"cities\.yaml: : .*at least 1 item"),
        ("cities: 3", r"valid tuple"),
        ("- {name: [", r"cities\.yaml: not valid YAML"),
        (
            "[{name: X, latitude: 0, longitude: 0}, {name: X, latitude: 1, longitude: 1}]",
            r"cities\.yaml: \.name: duplicate: X;",
        ),
    ],
)
def test_an_error_names_file_field_and_value(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "cities.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError, match=message):
        load_cities(file)


def test_a_run_may_name_known_and_new_cities() -> None:
    assert select_cities(["Tokyo", PARIS], KNOWN) == (KNOWN[2], City(**PARIS))


@pytest.mark.parametrize(
    ("cities", "message"),
    [
        (["Lodnon"], r"param cities: \[0\]: 'Lodnon' is unknown; name one of New York, London, Tokyo, or give it as"),
        ([PARIS | {"latitude": "north"}], r"param cities: \[0\]\.latitude: .*got 'north'"),
        (["London", "London"], r"duplicate: London;"),
        ([], r"at least 1 item"),
    ],
)
def test_a_wrong_param_is_refused(cities: list[Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        select_cities(cities, KNOWN)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (["Lodnon"], "'Lodnon' is not one of ['New York', 'London', 'Tokyo']"),
        ([{"name": "X", "latitude": 0}], "'longitude' is a required property"),
        ([PARIS | {"latitude": 91}], "91 is greater than the maximum of 90"),
        ([PARIS | {"zip": 1}], "Additional properties are not allowed"),
        ("London", "'London' is not of type 'array'"),
        ([], "should be non-empty"),
    ],
)
def test_the_schema_says_what_is_wrong(value: object, message: str) -> None:
    jsonschema.validate(["London", PARIS], cities_schema(KNOWN))
    with pytest.raises(jsonschema.ValidationError) as refused:
        jsonschema.validate(value, cities_schema(KNOWN))
    assert message in refused.value.message
