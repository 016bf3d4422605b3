"""Recorded condition texts and the codes that each API gives them.

WMO codes as Open-Meteo documents them (the subset of WMO 4677 that its models use); OpenWeather ids from its list of
weather conditions. A condition group spans several codes; this table has the group's basic one.
"""

from __future__ import annotations

from typing import NamedTuple


class Condition(NamedTuple):
    """Codes of one condition: WMO code, OpenWeather id/main/description/icon, cloud cover in %, visibility in m.

    Cloud cover and visibility are what the condition implies (fog: under 1 km; mist, haze, smoke: under 5 km; else the
    API's cap of 10 km), not measurements.
    """

    wmo_code: int
    id: int
    main: str
    description: str
    icon: str
    clouds: int = 100
    visibility: int = 10_000

    def weather(self) -> list[dict[str, object]]:
        """Return OpenWeather's ``weather`` list; the icon is the daytime one."""
        return [{"id": self.id, "main": self.main, "description": self.description, "icon": f"{self.icon}d"}]


CLEAR = Condition(0, 800, "Clear", "clear sky", "01", clouds=0)
CLOUDS = Condition(3, 804, "Clouds", "overcast clouds", "04")
MIST = Condition(45, 701, "Mist", "mist", "50", visibility=4_999)
SMOKE = Condition(45, 711, "Smoke", "smoke", "50", visibility=4_999)
HAZE = Condition(45, 721, "Haze", "haze", "50", visibility=4_999)
FOG = Condition(45, 741, "Fog", "fog", "50", visibility=999)
DRIZZLE = Condition(53, 301, "Drizzle", "drizzle", "09")
RAIN = Condition(63, 501, "Rain", "moderate rain", "10")
SNOW = Condition(73, 601, "Snow", "snow", "13")

CONDITIONS = {
    condition.main.lower(): condition for condition in (CLEAR, CLOUDS, MIST, SMOKE, HAZE, FOG, DRIZZLE, RAIN, SNOW)
} | {"sun": CLEAR}
"""By recorded text in lower case: OpenWeather's groups, and the five words of the NOAA set."""
