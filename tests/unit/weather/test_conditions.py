from __future__ import annotations

import pytest

from include.domains.weather.conditions import (
    OPENWEATHER_IDS,
    WMO_CODES,
    Conditions,
    from_openweather_id,
    from_wmo_code,
)

# Open-Meteo's documentation and OpenWeather's list, written down a second time as ranges.
WMO = {
    (0, 1): "Clear", (2,): "Partly cloudy", (3,): "Overcast", (45, 48): "Fog", (51, 53, 55): "Drizzle",
    (56, 57): "Freezing drizzle", (61, 63, 65): "Rain", (66, 67): "Freezing rain", (71, 73, 75, 77): "Snow",
    (80, 81, 82): "Rain showers", (85, 86): "Snow showers", (95,): "Thunderstorm", (96, 99): "Thunderstorm with hail",
}  # fmt: skip
OPENWEATHER = {
    (200, 232): {"Thunderstorm"}, (300, 321): {"Drizzle"}, (500, 504): {"Rain"}, (511, 511): {"Freezing rain"},
    (520, 531): {"Rain showers"}, (600, 602): {"Snow"}, (611, 616): {"Sleet"}, (620, 622): {"Snow showers"},
    (701, 781): {"Mist", "Smoke", "Haze", "Dust", "Fog", "Sand", "Volcanic ash", "Squall", "Tornado"},
    (800, 800): {"Clear"}, (801, 802): {"Partly cloudy"}, (803, 804): {"Overcast"},
}  # fmt: skip


@pytest.mark.parametrize(("code", "text"), [(code, text) for codes, text in WMO.items() for code in codes])
def test_each_wmo_code_has_its_text(code: int, text: str) -> None:
    assert from_wmo_code(code) == text


def test_other_wmo_codes_are_unknown() -> None:
    documented = {code for codes in WMO for code in codes}
    assert set(WMO_CODES) == documented
    for code in set(range(-1, 101)) - documented:
        with pytest.raises(ValueError, match=f"weather_code {code} is unknown; known: 0, 1, 2"):
            from_wmo_code(code)


@pytest.mark.parametrize(("span", "texts"), OPENWEATHER.items())
def test_each_openweather_range_has_its_texts(span: tuple[int, int], texts: set[str]) -> None:
    first, last = span
    assert {from_openweather_id(code) for code in OPENWEATHER_IDS if first <= code <= last} == texts


def test_every_openweather_id_is_in_one_range() -> None:
    for code in OPENWEATHER_IDS:
        assert sum(first <= code <= last for first, last in OPENWEATHER) == 1, code


@pytest.mark.parametrize("code", [None, "61", 61.0, True, [], float("nan"), 999])
def test_an_invalid_code_is_refused(code: object) -> None:
    for look_up in (from_wmo_code, from_openweather_id):
        with pytest.raises(ValueError, match="is unknown"):
            look_up(code)


def test_every_text_is_used() -> None:
    assert set(WMO_CODES.values()) | set(OPENWEATHER_IDS.values()) == set(Conditions)
