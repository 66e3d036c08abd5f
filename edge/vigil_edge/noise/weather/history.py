"""What the station said of late, and what a passage comes to in that weather. Pure."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from vigil_edge.noise.weather.settings import Quantity, WeatherSettings
from vigil_schemas.noise import Conditions, NoiseExceedance

KEPT: Final = timedelta(minutes=10)
AROUND_INTERVALS: Final = 3
"""A passage is weighed by what was read so many intervals before it until so many behind it."""
LEAST_AROUND_S: Final = 30.0
PLAUSIBLE: Final[Mapping[Quantity, tuple[float, float]]] = {
    "gust": (0.0, 120.0),
    "rain": (0.0, 10_000.0),
    "rain_total": (0.0, 1e9),
    "temperature": (-60.0, 80.0),
}
"""What is beyond is no reading: a broken sensor, or a wrong register."""
WIND: Final = "wind"
RAIN: Final = "rain"
TEMPERATURE: Final = "temperature"
UNKNOWN: Final = "weather-unknown"


@dataclass(frozen=True, slots=True)
class Sample:
    """One reading of the station."""

    time: datetime
    gust: float | None
    rains: bool | None
    temperature: float | None


class History:
    """The readings of the last minutes."""

    def __init__(self, settings: WeatherSettings) -> None:
        self._settings = settings
        self._samples: deque[Sample] = deque()
        self._rained: datetime | None = None
        self._total: float | None = None

    def add(self, time: datetime, read: Mapping[Quantity, float | None]) -> None:
        """A reading; ``None`` where the station has none of it. A clock that was set back forgets
        what it dated later."""
        while self._samples and self._samples[-1].time > time:
            self._samples.pop()
        if self._rained is not None and self._rained > time:
            self._rained = time
        self._samples.append(
            Sample(time, read.get("gust"), self._rains(time, read), read.get("temperature"))
        )
        while time - self._samples[0].time > KEPT:
            self._samples.popleft()

    def _rains(self, time: datetime, read: Mapping[Quantity, float | None]) -> bool | None:
        rate, total = read.get("rain"), read.get("rain_total")
        known = rate is not None or (total is not None and self._total is not None)
        falls = rate is not None and rate > self._settings.rain_above
        if total is not None:
            falls = falls or (self._total is not None and total > self._total)
            self._total = total  # a gauge that was reset begins anew
        if falls:
            self._rained = time
        wet = timedelta(seconds=self._settings.wet_s)
        if self._rained is not None and time - self._rained <= wet:
            return True
        return False if known else None

    def during(self, began: datetime, ended: datetime) -> tuple[Conditions | None, float | None]:
        """What was read around that time, and the temperature, °C; ``None``: nothing was."""
        around = timedelta(
            seconds=max(LEAST_AROUND_S, AROUND_INTERVALS * self._settings.interval_s)
        )
        near = [one for one in self._samples if began - around <= one.time <= ended + around]
        gusts = [one.gust for one in near if one.gust is not None]
        rains = [one.rains for one in near if one.rains is not None]
        degrees = [one.temperature for one in near if one.temperature is not None]
        coldest = min(degrees, key=self._room, default=None)
        if not gusts and not rains:
            return None, coldest
        gust = round(max(gusts), 2) if gusts else None
        return Conditions(wind_m_s=gust, rain=any(rains) if rains else None), coldest

    def _room(self, degrees: float) -> float:
        """How far within the bounds it is: the worst one counts."""
        low, high = self._settings.temperature_c
        return min(degrees - low, high - degrees)


def plausible(name: Quantity, value: float) -> bool:
    """Whether the world has such weather."""
    low, high = PLAUSIBLE[name]
    return math.isfinite(value) and low <= value <= high


def weighed(
    settings: WeatherSettings,
    event: NoiseExceedance,
    found: Conditions | None,
    degrees: float | None,
) -> NoiseExceedance:
    """The event with the weather that it was measured in; what stands against it founds no case."""
    event = event.model_copy(update={"conditions": found})
    why = _against(settings, found, degrees)
    if not why or event.judgement is None:
        return event
    judgement = event.judgement.model_copy(
        update={"decision": "not-valid", "reasons": [*event.judgement.reasons, *why]}
    )
    return event.model_copy(update={"judgement": judgement})


def _against(
    settings: WeatherSettings, found: Conditions | None, degrees: float | None
) -> list[str]:
    gust = found.wind_m_s if found else None
    rain = found.rain if found else None
    against = []
    if gust is not None and gust >= settings.most_wind_m_s:
        against.append(WIND)
    if rain:
        against.append(RAIN)
    low, high = settings.temperature_c
    if degrees is not None and not low <= degrees <= high:
        against.append(TEMPERATURE)
    if settings.required and _missing(settings, gust, rain):
        against.append(UNKNOWN)
    return against


def _missing(settings: WeatherSettings, gust: float | None, rain: bool | None) -> bool:
    asked = settings.values
    return ("gust" in asked and gust is None) or (
        ("rain" in asked or "rain_total" in asked) and rain is None
    )
