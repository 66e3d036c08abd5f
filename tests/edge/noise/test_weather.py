"""A weather station on Modbus TCP: what it says of a passage, and what is told when it fails."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from edge.noise.conftest import NotebookContext
from edge.noise.live_camera import FULL_SCALE_DB, cancelled, noise_camera, pcm, siren_passes, until
from edge.noise.street import pcm_server
from vigil_edge.noise.meter.levels import pascal_per_unit
from vigil_edge.noise.pipeline import build
from vigil_edge.noise.settings import NoiseSettings
from vigil_edge.noise.weather.history import History
from vigil_edge.noise.weather.settings import WeatherSettings
from vigil_edge.noise.weather.station import COUNTER
from vigil_edge.noise.weather.station import WeatherStation as Reader
from vigil_sim.noise.weather import Weather, WeatherStation

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
SOON_S = 1.0


def settings(station: WeatherStation, **more: Any) -> WeatherSettings:
    return WeatherSettings.model_validate(station.section() | {"interval_s": SOON_S} | more)


@asynccontextmanager
async def read(station: WeatherStation, **more: Any) -> AsyncIterator[tuple[Reader, Counter[str]]]:
    counters: Counter[str] = Counter()
    reader = Reader(settings(station, **more), lambda: NOON, lambda name: counters.update([name]))
    task = asyncio.create_task(reader.run())
    try:
        yield reader, counters
    finally:
        await cancelled(task)


@pytest.fixture
async def station() -> AsyncIterator[WeatherStation]:
    one = WeatherStation()
    await one.start()
    yield one
    await one.stop()


async def event_in(context: NotebookContext, weather: dict[str, Any]) -> NotebookContext:
    """A siren of 95 dB, louder than the threshold by far more than its uncertainty, after six
    seconds of street from which the background is known."""
    async with pcm_server(siren_passes(), pascal_per_unit=pascal_per_unit(FULL_SCALE_DB)) as port:
        section = noise_camera(pcm(port)).model_dump(mode="json", exclude={"limits"})
        whole = NoiseSettings.model_validate(
            section | {"evidence_of": "exceedances", "weather": weather}
        )
        task = asyncio.create_task(build(whole, context).run())
        await until(lambda: context.measured)
        await cancelled(task)
    return context


@pytest.mark.parametrize(
    ("now", "decision", "reasons"),
    [
        (Weather(gust_m_s=4.9), "exceedance", []),
        (Weather(gust_m_s=5.0), "not-valid", ["wind"]),
        (Weather(rain_mm_h=0.2), "not-valid", ["rain"]),
        (Weather(temperature_c=-10.5), "not-valid", ["temperature"]),
        (Weather(9.0, 3.0, 0.0, 51.0), "not-valid", ["wind", "rain", "temperature"]),
    ],
)
async def test_a_passage_is_judged_in_its_weather(
    context: NotebookContext,
    station: WeatherStation,
    now: Weather,
    decision: str,
    reasons: list[str],
) -> None:
    station.weather = now
    await event_in(context, station.section() | {"interval_s": SOON_S})
    (event,) = context.measured
    assert event.conditions is not None
    assert event.conditions.wind_m_s == pytest.approx(now.gust_m_s)
    assert event.conditions.rain is bool(now.rain_mm_h)
    assert event.judgement is not None
    assert (event.judgement.decision, event.judgement.reasons) == (decision, reasons)


async def test_a_station_that_is_away_leaves_the_microphone_and_is_told(
    context: NotebookContext, station: WeatherStation
) -> None:
    section = station.section() | {"interval_s": SOON_S}
    await station.stop()
    await event_in(context, section)
    (event,) = context.measured
    assert event.conditions is None
    assert event.judgement is not None
    assert event.judgement.decision == "exceedance", "reviewers judge what nobody measured"
    assert ("degraded", "weather-station-lost") in context.reports
    assert context.counters[COUNTER]


async def test_where_weather_is_required_none_founds_no_case(
    context: NotebookContext, station: WeatherStation
) -> None:
    section = station.section() | {"interval_s": SOON_S, "required": True}
    await station.stop()
    await event_in(context, section)
    (event,) = context.measured
    assert event.judgement is not None
    assert event.judgement.reasons == ["weather-unknown"]


async def test_it_comes_back_by_itself(station: WeatherStation) -> None:
    async with read(station) as (reader, counters):
        await until(lambda: reader.history.during(NOON, NOON)[0])
        assert reader.trouble is None
        station.cut()
        await until(lambda: reader.trouble)
        station.away = False
        await until(lambda: reader.trouble is None)
        assert counters[COUNTER] >= 1


async def test_a_broken_sensor_is_told_and_the_others_count(station: WeatherStation) -> None:
    station.weather = Weather(gust_m_s=None, rain_mm_h=1.0)
    async with read(station) as (reader, _):
        await until(lambda: reader.trouble)
        assert reader.trouble == "gust: the station has no reading"
        found, _degrees = reader.history.during(NOON, NOON)
        assert found is not None
        assert (found.wind_m_s, found.rain) == (None, True)


async def test_what_no_weather_can_be_is_no_reading(station: WeatherStation) -> None:
    wrong = {"gust": {"register": 0, "type": "int16", "scale": 1000.0}}
    async with read(station, **wrong) as (reader, _):
        await until(lambda: reader.trouble)
        assert str(reader.trouble).startswith("gust reads 10000: look at register")
        found, _degrees = reader.history.during(NOON, NOON)
        assert found is not None
        assert found.wind_m_s is None


async def test_a_wrong_register_is_logged_once_whatever_it_reads(station: WeatherStation) -> None:
    """Each reading is another value, and none of them weather."""
    wrong = {"gust": {"register": 0, "type": "int16", "scale": 1000.0}}
    with structlog.testing.capture_logs() as logs:
        async with read(station, **wrong) as (reader, counters):
            for metres in (10.0, 11.0, 12.0):
                station.weather = Weather(gust_m_s=metres)
                said = f"gust reads {10_000 * metres:g}:"
                await until(partial(lambda words: words in str(reader.trouble), said))
        assert counters[COUNTER] >= 3
    assert len([each for each in logs if each["event"] == "no weather"]) == 1


async def test_a_register_that_is_not_there_is_told(station: WeatherStation) -> None:
    async with read(station, rain={"register": 900}) as (reader, _):
        await until(lambda: reader.trouble)
        assert "it has no such register" in str(reader.trouble)


def of(**more: Any) -> WeatherSettings:
    section = WeatherStation().section() | {"address": "127.0.0.1:502"}
    return WeatherSettings.model_validate(section | more)


def test_a_gauge_that_tipped_stays_wet() -> None:
    history = History(of(rain=None, wet_s=300.0))
    history.add(NOON, {"rain_total": 5.0})
    assert history.during(NOON, NOON)[0] is None, "one sum says nothing"
    history.add(NOON + timedelta(seconds=60), {"rain_total": 5.2})
    for after_s, wet in ((60, True), (350, True), (420, False)):
        at = NOON + timedelta(seconds=after_s)
        history.add(at, {"rain_total": 5.2})
        found, _ = history.during(at + timedelta(seconds=29), at + timedelta(seconds=30))
        assert found is not None
        assert found.rain is (wet or after_s < 400)


def test_old_weather_says_nothing() -> None:
    history = History(of())
    history.add(NOON, {"gust": 9.0, "rain": 0.0})
    later = NOON + timedelta(seconds=31)
    assert history.during(later, later) == (None, None)


@given(
    st.lists(
        st.tuples(st.integers(-900, 900), st.floats(0, 120), st.floats(0, 50), st.floats(-60, 80)),
        min_size=1,
        max_size=60,
    )
)
def test_the_worst_that_was_read_counts_whatever_the_clock_does(
    steps: list[tuple[int, float, float, float]],
) -> None:
    history = History(of())
    at = NOON
    for step_s, gust, rain, degrees in steps:
        at += timedelta(seconds=step_s)
        history.add(at, {"gust": gust, "rain": rain, "temperature": degrees})
    found, _degrees = history.during(at, at)
    assert found is not None
    assert found.wind_m_s is not None
    assert found.wind_m_s >= round(steps[-1][1], 2)
    assert found.rain or steps[-1][2] == 0.0


@pytest.mark.parametrize(
    ("wrong", "match"),
    [
        ({"gust": None, "rain": None, "rain_total": None, "temperature": None}, "at least one"),
        ({"gust": {"register": 70_000}}, "register"),
        ({"temperature_c": [50.0, -10.0]}, "lower bound"),
        ({"address": "nowhere:port"}, "address"),
    ],
)
def test_mistakes_are_refused(wrong: dict[str, Any], match: str) -> None:
    with pytest.raises(ValidationError, match=match):
        WeatherSettings.model_validate(
            WeatherStation().section() | {"address": "127.0.0.1:502"} | wrong
        )
