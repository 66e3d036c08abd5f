"""Stations that move: where a sighting was, from gpsd, and what is said where that is not known."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from math import cos, hypot, radians
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from edge.checkin.station import phases, running, settings, visits
from edge.checkin.test_station import Time
from edge.memory_context import MemoryContext
from sim.waiting import until
from vigil_edge.checkin.fixes import KEPT_S, Fixes
from vigil_edge.checkin.pipeline import Station
from vigil_edge.checkin.position import Receiver
from vigil_edge.checkin.settings import PositionSettings
from vigil_edge.checkin.track import Sighting
from vigil_edge.position.fix import Fix, NoFix, NotGpsd, of_gpsd
from vigil_schemas.checkin import CheckinSighting, CheckinVisit, StationPosition
from vigil_schemas.commands import Watched, WatchList
from vigil_sim.checkin.gpsd import GpsdServer, Place
from vigil_sim.checkin.reader import LlrpReader, TagInField
from vigil_sim.city import City
from vigil_sim.clock import CityClock
from vigil_sim.scenario import parse

EPC = "3000abcdef00000000000003"
HERE = Place(23.4801, 120.4437, error_m=3.5, speed_m_s=2.0)
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
seconds = st.floats(0, 500, allow_nan=False)


def tpv(number: int, **said: Any) -> Fix | NoFix:
    fields = {"class": "TPV", "mode": 3, "lat": 23.0 + number / 1000, "lon": 120.0, "eph": 4.0}
    made = of_gpsd(json.dumps(fields | {"time": f"fix {number}"} | said).encode())
    assert made is not None
    return made


def at(tick: float) -> datetime:
    return NOON + timedelta(seconds=tick)


@given(st.lists(seconds, min_size=1, max_size=30, unique=True), seconds)
def test_the_nearest_fix_counts_within_its_age_and_no_other(
    ticks: list[float], asked: float
) -> None:
    fixes = Fixes(5.0)
    for number, tick in enumerate(sorted(ticks)):
        fixes.add(tpv(number), tick, at(tick))
    kept = [tick for tick in sorted(ticks) if max(ticks) - tick <= KEPT_S]
    nearest = min(kept, key=lambda tick: abs(tick - asked))
    found = fixes.at(asked)
    if abs(nearest - asked) > 5.0:
        assert (found.state, found.latitude, found.longitude) == ("too-old", None, None)
        assert found.at == at(max(ticks)), "it says of when the newest is"
    else:
        assert found.state == "fixed"
        assert found.at is not None
        assert abs(found.at - at(asked)) == abs(at(nearest) - at(asked))


@given(st.floats(0, 50), st.floats(0, 40), st.floats(0, 5))
def test_the_error_grows_with_what_may_have_been_driven(
    eph: float, speed: float, later: float
) -> None:
    fixes = Fixes(5.0)
    fixes.add(tpv(1, eph=eph, speed=speed), 100.0, at(100))
    found = fixes.at(100 + later)
    assert found.within_m == pytest.approx(eph + speed * later, abs=0.06)


@pytest.mark.parametrize(
    "said",
    [
        pytest.param({"mode": 1, "lat": None, "lon": None}, id="no-satellites"),
        pytest.param({"mode": 3, "status": 5}, id="dead-reckoning"),
        pytest.param({"mode": 3, "status": 8}, id="simulated"),
        pytest.param({"mode": 2, "lon": None}, id="half-a-place"),
    ],
)
def test_what_is_no_fix_is_said_and_not_guessed(said: dict[str, Any]) -> None:
    fixes = Fixes(5.0)
    fixes.add(tpv(1), 0.0, at(0))
    fixes.add(tpv(2, **said), 20.0, at(20))
    assert fixes.at(20.0) == StationPosition(state="no-fix", at=at(0))


def test_a_fix_that_is_only_repeated_grows_old() -> None:
    fixes = Fixes(5.0)
    for tick in range(10):
        fixes.add(tpv(1), float(tick), at(tick))
    assert fixes.at(9.0).state == "too-old"


def test_an_error_that_is_not_told_is_not_made_up() -> None:
    fixes = Fixes(5.0)
    fixes.add(tpv(1, eph=None), 0.0, at(0))
    assert (fixes.at(0.0).state, fixes.at(0.0).within_m) == ("fixed", None)
    fixes.add(tpv(2, eph=None, epx=3.0, epy=4.0), 1.0, at(1))
    assert fixes.at(1.0).within_m == 5.0


@pytest.mark.parametrize("wrong", ["NaN", "1e999", "91", '"x"'])
def test_a_report_that_cannot_be_read_costs_itself_alone(wrong: str) -> None:
    context = MemoryContext(clock=lambda: NOON, ticks=lambda: 7.0)
    receiver = Receiver(PositionSettings(), context)
    line = json.dumps({"class": "TPV", "mode": 3, "lon": 120.0, "lat": "LAT", "time": "t"})
    receiver.take(of_gpsd(line.replace('"LAT"', wrong).encode()))
    assert receiver.at(NOON).state == "no-receiver"
    assert context.counters["gps-unreadable"] == 1
    receiver.take(of_gpsd(line.replace('"LAT"', "23.5").encode()))
    assert receiver.at(NOON).latitude == 23.5


@given(st.binary(max_size=200) | st.integers(1, 20_000).map(lambda n: b"[" * n))
def test_no_line_brings_a_receiver_down(line: bytes) -> None:
    receiver = Receiver(PositionSettings(), MemoryContext(clock=lambda: NOON, ticks=lambda: 7.0))
    with suppress(NotGpsd):  # which begins the connection anew
        receiver.take(of_gpsd(line))
    assert receiver.at(NOON).state != "fixed"


class Car:
    """A reader on a car with gpsd beside it, while its station runs."""

    def __init__(self, gpsd: GpsdServer, field: list[TagInField], context: MemoryContext) -> None:
        self.gpsd = gpsd
        self.context = context
        self._field = field

    async def passes(self, task: asyncio.Task[None]) -> CheckinVisit:
        """A tag comes into the field and goes; its visit."""
        before = phases(self.context).count("departed")
        begun = phases(self.context).count("arrived")
        self._field[:] = [TagInField(EPC, 1, -48.0)]
        await self.context.until(lambda: phases(self.context).count("arrived") > begun, task)
        self._field.clear()
        await self.context.until(lambda: phases(self.context).count("departed") > before, task)
        return visits(self.context)[-1]

    async def passes_in(self, state: str, task: asyncio.Task[None]) -> StationPosition:
        """One after the other, until the station says this of its position."""
        async with asyncio.timeout(60):
            while True:
                position = (await self.passes(task)).position
                assert position is not None
                if position.state == state:
                    return position

    async def says(self, code: str, task: asyncio.Task[None]) -> None:
        """The station reports this."""
        said = self.context.reports
        await self.context.until(lambda: code in {one for _, one, _ in said}, task)


@asynccontextmanager
async def driving(
    place: Callable[[], Place | None], *, period_s: float = 0.05
) -> AsyncIterator[tuple[Car, asyncio.Task[None]]]:
    field: list[TagInField] = []
    gpsd = GpsdServer(place, period_s=period_s)
    reader = LlrpReader(lambda t: list(field), device="patrol", round_s=0.02)
    await gpsd.start()
    await reader.start()
    context = MemoryContext()
    made = settings(reader.section(position={"gpsd": gpsd.address, "max_age_s": 1.0}))
    try:
        async with running(made, context) as task:
            await until(lambda: gpsd.watched, "that the station follows gpsd")
            yield Car(gpsd, field, context), task
    finally:
        await reader.stop()
        await gpsd.stop()


async def test_a_visit_carries_where_the_reader_was_and_how_well_it_knew() -> None:
    async with driving(lambda: HERE) as (car, task):
        position = await car.passes_in("fixed", task)
    assert (position.latitude, position.longitude) == (HERE.latitude, HERE.longitude)
    assert position.within_m is not None
    assert position.within_m >= 3.5
    passages = visits(car.context)[-1].passages
    assert passages is not None
    assert passages[-1].position is not None
    assert passages[-1].position.state == "fixed"


async def test_a_reader_without_a_fix_says_so_and_tells_its_visits_all_the_same() -> None:
    async with driving(lambda: None) as (car, task):
        position = await car.passes_in("no-fix", task)
    assert (position.latitude, position.longitude, position.within_m) == (None, None, None)


async def test_a_gpsd_that_goes_is_told_and_costs_no_visit() -> None:
    async with driving(lambda: HERE) as (car, task):
        await car.passes_in("fixed", task)
        await car.gpsd.stop()
        await car.says("gps-unreachable", task)
        position = await car.passes_in("no-receiver", task)
        assert position.latitude is None
        assert position.at is not None, "when it last knew"
        assert not task.done()
    assert car.context.counters["gps-lost"] >= 1


async def test_a_gpsd_that_comes_back_is_followed_again() -> None:
    async with driving(lambda: HERE) as (car, task):
        await car.passes_in("fixed", task)
        car.gpsd.hang_up()
        await car.says("gps-unreachable", task)
        await car.context.until(lambda: car.context.reports[-1][0] == "ok", task)
        await car.passes_in("fixed", task)


async def test_what_is_no_gpsd_is_told_as_that() -> None:
    async with driving(lambda: HERE, period_s=30.0) as (car, task):
        car.gpsd.raw(b"$GPGGA,123519,4807.038,N,01131.000,E,1,08,0.9,545.4,M,46.9,M,,*47\r\n")
        await car.says("gps-unreachable", task)
        words = [said or "" for _, code, said in car.context.reports if code == "gps-unreachable"]
        assert "is it gpsd?" in words[0]
        assert not task.done()


def metres(a: tuple[float, float], b: tuple[float, float]) -> float:
    north = (a[0] - b[0]) * 111_195
    return hypot(north, (a[1] - b[1]) * 111_195 * cos(radians(a[0])))


def station(time: Time, states: dict[str, bytes] | None = None) -> tuple[Station, MemoryContext]:
    context = MemoryContext(clock=time.now, ticks=time.ticks, states=states)
    section = {"driver": "llrp", "address": "127.0.0.1:1", "position": {}}
    made = settings(section, min_sightings=1, absence_s=60)
    return Station(made, context, "uhf"), context


def fix(under_test: Station, latitude: float) -> None:
    said = {"class": "TPV", "mode": 3, "lat": latitude, "lon": 120.0, "eph": 2.0}
    assert under_test._receiver is not None
    under_test._receiver.take(of_gpsd(json.dumps(said | {"time": str(latitude)}).encode()))


async def test_a_visit_is_where_the_tag_was_strongest_also_after_a_restart() -> None:
    time = Time()
    under_test, context = station(time)
    for latitude, rssi in ((23.1, -70.0), (23.2, -50.0), (23.3, -65.0)):
        time.seconds += 10
        fix(under_test, latitude)
        await under_test.take([Sighting(f"epc:{EPC}", time.now(), rssi, 1)], 1)
    time.seconds += 40
    await under_test.take([], 0)
    again, later = station(time, context.states)
    time.seconds += 61
    await again.take([], 0)
    (departed,) = visits(later)
    assert departed.position is not None
    assert departed.position.latitude == 23.2
    passed = [passage.position for passage in departed.passages or []]
    assert [where.latitude for where in passed if where] == [23.1, 23.2, 23.3]


async def test_a_sighting_from_the_watch_list_says_where() -> None:
    time = Time()
    under_test, context = station(time)
    until = time.now() + timedelta(days=1)
    wanted = WatchList(revision=1, entries=[Watched(id=f"epc:{EPC}", until=until)])
    await under_test.command("gate", wanted)
    fix(under_test, 23.4)
    await under_test.take([Sighting(f"epc:{EPC}", time.now(), -60.0, 1)], 1)
    (told,) = [one.data for one in context.accepted if isinstance(one.data, CheckinSighting)]
    assert told.position is not None
    assert told.position.latitude == 23.4


def test_a_station_either_moves_or_stands() -> None:
    with pytest.raises(ValidationError, match="leave out latitude and longitude"):
        settings({"driver": "ble", "position": {}}, latitude=23.0, longitude=120.0)


PATROL = f"""
name = "patrol"
title = "Patrol"
title_zh = "巡邏"
duration_s = 60.0
latitude = 23.48
longitude = 120.44
[[gateway]]
id = "gw-car"
name = "Car"
name_zh = "巡邏車"
at = [0.0, 0.0]
[[checkin]]
device = "reader-car"
gateway = "gw-car"
name = "Car"
name_zh = "巡邏車"
at = [0.0, 0.0]
driver = "llrp"
range_m = 8.0
drive = [[0.0, 0.0], [120.0, 0.0]]
drive_m_s = 10.0
[[schedule]]
at_s = 0.0
what = "walk"
tag = "epc:{EPC}"
path = [[60.0, 3.0], [60.1, 3.0, 100000.0]]
"""


async def test_a_car_that_passes_a_bicycle_tells_where_that_stands(tmp_path: Path) -> None:
    """The simulated car and its gpsd, and the station as its gateway would be told of it."""
    city = City(parse(PATROL), CityClock(1.0), tmp_path)
    await city.start()
    try:
        (section,) = city.sections["gw-car"]["checkin"]
        assert "latitude" not in section, "it has no place but the one that satellites tell"
        context = MemoryContext()
        async with running(settings(section, absence_s=2.0), context) as task:
            await context.until(lambda: bool(context.reports), task)
            city.begin()
            await context.until(lambda: "departed" in phases(context), task)
    finally:
        await city.stop()
    position = visits(context)[-1].position
    assert position is not None
    assert position.state == "fixed"
    bicycle = city.world.geographic((60.0, 3.0))
    away_m = metres(bicycle, (position.latitude or 0.0, position.longitude or 0.0))
    assert away_m <= 8.0 + (position.within_m or 0.0)
