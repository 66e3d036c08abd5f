"""Discharges that drive a sensor out of its range, or silence it: alarms, not gaps."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count, pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.device.supervised import running
from edge.memory_context import MemoryContext
from vigil_edge.device.seam import SourceError
from vigil_edge.water import pipeline
from vigil_edge.water.excursion import Excursions
from vigil_edge.water.judge import Judge, bounds, headings
from vigil_edge.water.settings import WaterSettings
from vigil_edge.water.signals import Signal
from vigil_schemas.senml import Reading, unpack
from vigil_schemas.types import QartodFlag
from vigil_schemas.water import WaterExcursion
from vigil_sim.water.device import ModbusSonde, SignalRegister

START = datetime(2026, 1, 1, tzinfo=UTC)
TURBIDITY = SignalRegister("turbidity_FNU", 0, limits=(0.0, 4000.0))
PH = SignalRegister("pH", 2, "pH", limits=(0.0, 14.0))
CONDUCTIVITY = SignalRegister("conductivity", 4, "S/m", limits=(0.0, 20.0))
Step = tuple[str, str]


class Canal:
    """Water that is changed by hand; NaN is a sensor that gives nothing."""

    def __init__(self, **values: float) -> None:
        self.values = dict(values)
        self.next: deque[dict[str, float]] = deque()
        """Taken in turn, one at each measurement; the last one stays."""

    def __call__(self, t: float) -> dict[str, float]:
        if self.next:
            self.values = self.values | self.next.popleft()
        return self.values


class AskedSonde(ModbusSonde):
    """Measures when it is asked and at no other time: what a poll reads is the water of that poll.

    The simulator's own timer copies the water into the registers ten times slower than these
    tests poll, and a count of polls would say nothing of what they read.
    """

    asked = 0
    """Reads of the registers that were answered."""

    def read(self, table: str, address: int, count: int) -> list[int] | int:
        if self.memory is None:
            self.asked += 1
            self._measure(self._clock.true())
        return super().read(table, address, count)


@dataclass
class Polled:
    """A sonde that a pipeline reads."""

    canal: Canal
    sonde: AskedSonde
    context: MemoryContext
    task: asyncio.Task[None]

    async def polls(self, n: int) -> None:
        """Until the present water has been read ``n`` times at least."""
        # What was answered already may still be on its way, with the water of before.
        wanted = len(self.context.readings()) + (n + 1) * len(self.sonde.signals)
        await self.context.until(lambda: len(self.context.readings()) >= wanted, self.task)

    async def reads(self, name: str, *values: float) -> None:
        """The next polls read exactly these values, one each, and the last one from then on."""
        self.canal.next.extend({name: value} for value in values)
        await self.context.until(lambda: not self.canal.next, self.task)
        wanted = self.sonde.asked
        await self.context.until(lambda: len(self.context.readings()) >= wanted, self.task)


@asynccontextmanager
async def polled(
    canal: Canal,
    *signals: SignalRegister,
    context: MemoryContext,
    keys: dict[str, Any],
    **more: Any,
) -> AsyncIterator[Polled]:
    """A sonde on Modbus TCP and the gateway's pipeline that reads it."""
    if more.get("mode") != "logger":
        more["record_limit"] = 0  # nothing by its own timer
    sonde = AskedSonde(canal, signals, device="sonde", interval_s=0.01, **more)
    await sonde.start()
    section = sonde.section(interval_s=0.02, timeout_s=60.0)
    for signal in section["signal"]:
        signal.update(keys.get(signal["name"], {}))
    try:
        async with running(pipeline.build(WaterSettings.model_validate(section), context)) as task:
            yield Polled(canal, sonde, context, task)
    finally:
        await sonde.stop()


def minutes() -> Callable[[], datetime]:
    """A clock that is a minute further at each look: a poll may be late on a busy machine."""
    looks = count()
    return lambda: START + timedelta(minutes=next(looks))


def told(context: MemoryContext) -> list[Step]:
    """Without what the ordinary bounds say besides."""
    return [
        (e.kind, e.phase)
        for e in context.events()
        if isinstance(e, WaterExcursion) and e.kind not in ("above", "below", "rate")
    ]


@pytest.mark.parametrize(
    "register",
    [
        TURBIDITY,
        SignalRegister("turbidity_FNU", 0, limits=(0.0, 4000.0), over_range=9999.0),
        SignalRegister(
            "turbidity_FNU", 0, type="uint16", scale=0.1, limits=(0, 4000), over_range=65534
        ),
        SignalRegister("turbidity_FNU", 0, limits=(0.0, 4000.0), over_range=math.inf),
    ],
    ids=["pinned", "code", "code-uint16", "infinite"],
)
async def test_turbidity_off_scale_raises_once_and_ends_once(register: SignalRegister) -> None:
    canal, context = Canal(turbidity_FNU=12.0), MemoryContext()
    section = {k: v for k, v in register.section().items() if v != math.inf}
    keys = {"turbidity_FNU": {"high": 300.0, "sensor_range": [0, 4000]}}
    assert section["name"] in keys
    if register.over_range == math.inf:
        register = SignalRegister("turbidity_FNU", 0)  # shows what it is given, infinity too
    async with polled(canal, register, context=context, keys=keys) as line:
        await line.polls(4)
        canal.values["turbidity_FNU"] = math.inf if register.limits is None else 9000.0
        await line.polls(20)
        assert told(context) == [("off_scale_high", "onset")]
        canal.values["turbidity_FNU"] = 14.0
        await line.polls(6)
    assert told(context) == [("off_scale_high", "onset"), ("off_scale_high", "end")]
    onset, end = (
        e for e in context.events() if isinstance(e, WaterExcursion) and e.kind == "off_scale_high"
    )
    assert onset.excursion_id == end.excursion_id
    assert onset.limit == 4000
    assert onset.value in (None, 4000)
    assert {r.flag for r in context.readings() if r.value is None or r.value >= 4000} <= {
        *(QartodFlag.SUSPECT, QartodFlag.FAIL)
    }


async def test_acid_below_the_scale_raises() -> None:
    canal, context = Canal(pH=7.4), MemoryContext()
    async with polled(canal, PH, context=context, keys={"pH": {"low": 6.0}}) as line:
        await line.polls(3)
        canal.values["pH"] = -1.0
        await line.polls(5)
    assert ("off_scale_low", "onset") in told(context)


async def test_a_signal_that_is_lost_while_it_rises_is_not_only_a_gap() -> None:
    canal, context = Canal(turbidity_FNU=10.0), MemoryContext(clock=minutes())
    keys = {"turbidity_FNU": {"high": 1000.0}}
    rise = [*[10.0] * 14, 60.0, 60.0, 180.0, 180.0, 420.0, 420.0]
    async with polled(canal, TURBIDITY, context=context, keys=keys) as line:
        await line.reads("turbidity_FNU", *rise, *[math.nan] * 6)
        assert told(context) == [("lost_while_rising", "onset")]
        await line.reads("turbidity_FNU", *[11.0] * 6)
    assert told(context) == [("lost_while_rising", "onset"), ("lost_while_rising", "end")]


async def test_a_sonde_that_is_torn_out_while_it_rises_is_told() -> None:
    canal, context = Canal(turbidity_FNU=10.0), MemoryContext(clock=minutes())
    keys = {"turbidity_FNU": {"high": 400.0, "consecutive": 1}}
    rise = [*[10.0] * 6, 60.0, 60.0, 180.0, 180.0, 390.0, 390.0]
    async with polled(canal, TURBIDITY, context=context, keys=keys) as line:
        await line.reads("turbidity_FNU", *rise)
        await line.sonde.stop()
        with suppress(SourceError):  # the pipeline ends with it; its supervisor starts it anew
            await context.until(lambda: bool(told(context)))
    assert told(context) == [("lost_while_rising", "onset")]


async def test_a_sonde_that_answers_only_nan_is_a_failed_source() -> None:
    canal, context = Canal(turbidity_FNU=math.nan, pH=math.nan), MemoryContext()
    async with polled(canal, TURBIDITY, PH, context=context, keys={}) as line:
        await line.polls(5)
        assert context.reports[-1][:2] == ("failed", "probe-no-readings")
        assert ("ok", None, None) not in context.reports
        canal.values = {"turbidity_FNU": 10.0, "pH": math.nan}
        await line.polls(5)
        state, code, message = context.reports[-1]
        assert (state, code) == ("degraded", "signal-missing")
        assert "pH" in str(message)
        canal.values["pH"] = 7.0
        await line.polls(3)
    assert context.reports[-1] == ("ok", None, None)


@pytest.mark.parametrize("code", [1, 2, 3, 4])
async def test_one_refused_register_of_four_loses_only_itself(code: int) -> None:
    signals = [SignalRegister(name, 2 * i) for i, name in enumerate("abcd")]
    now, context = [0.0], MemoryContext(ticks=lambda: now[0])
    canal = Canal(a=1.0, b=2.0, c=3.0, d=4.0)
    async with polled(canal, *signals, context=context, keys={}, refused={5: code}) as line:
        await line.polls(5)
        assert [r.value for r in context.readings()[-4:]] == [1.0, 2.0, None, 4.0]
        state, reason, message = context.reports[-1]
        assert (state, reason) == ("degraded", "register-refused")
        assert str(message).startswith("c: ")
        line.sonde.refused.clear()
        await line.polls(5)
        assert context.readings()[-2].value is None, "it is not asked at every poll"
        now[0] += 61
        await line.polls(5)
        assert [r.value for r in context.readings()[-4:]] == [1.0, 2.0, 3.0, 4.0]
    assert context.reports[-1] == ("ok", None, None)


@pytest.mark.parametrize("code", [1, 2, 3, 4])
async def test_holes_answered_with_any_exception_are_read_around(code: int) -> None:
    signals = [SignalRegister("a", 0), SignalRegister("b", 6), SignalRegister("c", 8)]
    context, canal = MemoryContext(), Canal(a=1.0, b=2.0, c=3.0)
    async with polled(canal, *signals, context=context, keys={}, hole_exception=code) as line:
        await line.polls(3)
    assert [r.value for r in context.readings()[:3]] == [1.0, 2.0, 3.0]
    assert context.reports[-1] == ("ok", None, None)


async def test_a_logger_keeps_what_is_off_scale_and_what_is_missing_apart() -> None:
    context, canal = MemoryContext(), Canal(turbidity_FNU=math.inf, pH=math.nan)
    plain = (SignalRegister("turbidity_FNU", 0), SignalRegister("pH", 2, "pH", sentinel=-9999))
    async with polled(canal, *plain, context=context, keys={}, mode="logger", record_limit=30):
        await context.until(lambda: len(context.readings()) >= 20)
    assert ("off_scale_high", "onset") in told(context)
    assert {r.flag for r in context.readings() if r.parameter == "pH"} == {QartodFlag.MISSING}


# -- decisions, without a probe


def judge(state: bytes | None = None, **keys: Any) -> Judge:
    signal: dict[str, Any] = {"name": "x", "register": 0, "high": 100.0, "consecutive": 2} | keys
    made = {"device": "s", "driver": "modbus-tcp", "address": "h", "signal": [signal]}
    return Judge(WaterSettings.model_validate(made), state)


def played(judge: Judge, values: list[float | None], at: int = 0) -> list[Step]:
    return [(e.kind, e.phase) for e in events(judge, values, at)]


def events(judge: Judge, values: list[float | None], at: int = 0) -> Iterator[WaterExcursion]:
    for i, value in enumerate(values, at):
        for out in judge.outgoing([(START + timedelta(minutes=i), [value])]):
            if isinstance(out.data, WaterExcursion):
                yield out.data


CALM: list[float | None] = [10 + 0.1 * (i % 3) for i in range(40)]


def test_suspect_readings_do_not_call_by_themselves_and_are_not_lost_where_they_stay() -> None:
    spiky: dict[str, Any] = {"spike_floor": 5.0}
    assert played(judge(**spiky), [*CALM, 500.0, 500.0, *CALM]) == []
    assert played(judge(**spiky, consecutive=1), [*CALM, 500.0, *CALM]) == []
    found = list(events(judge(**spiky), [*CALM, *[500.0 + i for i in range(8)], *CALM]))
    assert [(e.kind, e.phase) for e in found] == [("above", "onset"), ("above", "end")]
    assert found[0].started == START + timedelta(minutes=len(CALM)), "since the first of them"
    # Suspect for good, since nobody expected such water here: it is exactly what calls.
    assert played(judge(range_suspect=[0, 50]), [*CALM, *[500.0] * 6]) == [("above", "onset")]


def test_a_step_crosses_a_rate_bound_though_the_spike_test_doubts_it_at_first() -> None:
    rate: dict[str, Any] = {"high": None, "high_rate": 1.0, "spike_floor": 5.0, "consecutive": 1}
    assert played(judge(**rate), [*CALM, *[200.0 + i for i in range(8)]]) == [
        *(("rate", "onset"), ("rate", "end"))
    ]
    assert played(judge(**rate), [*CALM, 200.0, *CALM]) == []


@pytest.mark.parametrize(
    ("before", "keys", "kind"),
    [
        ([*CALM, 30.0, 60.0], {}, "lost_while_rising"),
        ([*CALM, 70.0, 70.0, 70.0], {}, "lost_while_rising"),  # most of the way, and stays
        ([95.0, 95.1, 95.0, 95.1], {"low": 0.0}, "lost_while_rising"),  # close to it
        ([*CALM, 14.0, 18.0], {"high": None, "high_rate": 0.05}, "lost_while_rising"),
        ([*CALM, 8.0, 5.0], {"high": None, "low": 2.0}, "lost_while_falling"),
        (CALM, {}, None),
        ([*CALM, 60.0, 30.0, 10.0], {}, None),  # it was over
        ([*CALM, 30.0, 60.0], {"high": None}, None),  # nobody said what would be too much
    ],
)
def test_where_a_signal_was_heading(
    before: list[float | None], keys: dict[str, Any], kind: str | None
) -> None:
    def lost(values: list[float | None]) -> list[Step]:
        return [step for step in played(judge(**keys), values) if step[0].startswith("lost")]

    assert lost([*before, None, None, None]) == ([(kind, "onset")] if kind else [])
    assert lost([*before, None, *CALM]) == [], "one missing reading is an accident"


def test_a_loss_long_after_the_last_reading_has_nothing_to_do_with_it() -> None:
    watch = judge()
    assert played(watch, [*CALM, 30.0, 60.0]) == []
    assert played(watch, [None, None, None], at=5000) == []


def test_zero_is_a_reading_of_most_quantities_and_no_ph() -> None:
    clear = judge(name="turbidity_FNU", range_fail=[0, 4000])
    assert played(clear, [0.0, 0.0, 0.0, 0.0]) == []
    assert played(clear, [-3.0, -3.0, -3.0], at=4) == [("off_scale_low", "onset")]
    acid = judge(name="pH", high=9.0, range_fail=[0, 14])
    assert played(acid, [7.0, 0.0, 0.0]) == [("off_scale_low", "onset")]


@given(
    st.lists(st.sampled_from([10.0, 11.0, 60.0, 200.0, math.inf, None]), max_size=50),
    st.integers(0, 50),
)
def test_a_restart_anywhere_changes_nothing_and_each_onset_ends_before_the_next(
    values: list[float | None], cut: int
) -> None:
    signal = Signal.model_validate({"name": "x", "high": 50.0, "range_fail": [0, 150]})

    def fed(watch: Excursions, some: list[float | None], at: int) -> list[WaterExcursion]:
        found: list[WaterExcursion] = []
        for i, value in enumerate(some, at):
            failed = value is not None and value > 150
            flag = QartodFlag.MISSING if value is None else QartodFlag.GOOD
            flag = QartodFlag.FAIL if failed else flag
            found += watch.take("x", START + timedelta(minutes=i), value, flag)
        return found

    def watch(state: bytes | None = None) -> Excursions:
        return Excursions("s", bounds([signal]), state, headings([signal]))

    whole = fed(watch(), values, 0)
    first = watch()
    parts = fed(first, values[:cut], 0)
    parts += fed(watch(first.state()), values[cut:], min(cut, len(values)))
    assert parts == whole
    for kind in {e.kind for e in whole}:
        phases = [e.phase for e in whole if e.kind == kind]
        assert phases[0] == "onset"
        assert all(a != b for a, b in pairwise(phases))


def test_readings_off_scale_keep_their_flag_in_the_pack() -> None:
    (out, *_) = judge(range_fail=[0, 150]).outgoing([(START, [math.inf])])
    assert isinstance(out.data, list)
    _, readings = unpack(out.data)
    assert readings == [Reading("x", None, START, None, QartodFlag.FAIL)]


def test_state_kept_by_an_older_version_is_taken() -> None:
    old = (
        b'{"watches":[["x","above",{"active":true,"count":0,"since_us":1,"crossing":200.0,'
        b'"flag":1,"started_us":1,"extreme":200.0,"extreme_flag":1}]],'
        b'"last":{"x":{"time_us":1,"value":200.0}}}'
    )
    assert played(judge(old), [10.0, 10.0]) == [("above", "end")]


# -- bounds that can never fire

DEAF = """
[gateway]
id = "gw-1"
data_dir = "{folder}"
[cloud]
broker = "mqtt://127.0.0.1:1883"
[[water]]
device = "s"
driver = "modbus-tcp"
address = "127.0.0.1:{port}"
interval_s = 0.02
[[water.signal]]
name = "turbidity_FNU"
range_fail = [0, 1000]
{bounds}
"""


@pytest.mark.parametrize(
    ("bounds", "key"),
    [
        ("high = 1000", "high"),
        ("high = 4000", "high"),
        ("low = 0", "low"),
        ("sensor_range = [0, 400]\nhigh = 500", "high"),
        ('type = "uint16"\nscale = 0.01\nhigh = 700', "high"),
    ],
)
def test_a_bound_that_can_never_fire_is_refused_by_check_with_line_and_key(
    tmp_path: Any, capsys: pytest.CaptureFixture[str], bounds: str, key: str
) -> None:
    from vigil_edge.cli import main
    from vigil_edge.configuration.gateway_file import load
    from vigil_edge.registry import DOMAINS

    file = tmp_path / "gateway.toml"
    file.write_text(DEAF.format(folder=tmp_path, port=1, bounds=bounds))
    assert main(["check", "--config", str(file)]) == 2
    err = capsys.readouterr().err
    line = file.read_text().splitlines().index(bounds.splitlines()[-1]) + 1
    assert err.startswith(f"{file}:{line}: water[0].signal[0].{key}: can never fire")
    assert err.count("\n") == 1
    assert load(file, DOMAINS).sections, "a gateway that runs with it goes on at its upgrade"


async def test_a_conductance_of_the_air_is_told() -> None:
    canal, context = Canal(conductivity=0.05, pH=7.9), MemoryContext()
    async with polled(canal, CONDUCTIVITY, PH, context=context, keys={}) as line:
        await line.polls(5)
        assert context.reports[-1] == ("ok", None, None)
        canal.values["conductivity"] = 0.0001
        await line.polls(3)
        degraded = list(context.reports)[-1]
        assert degraded[:2] == ("degraded", "probe-out-of-water")
        assert "conductivity" in str(degraded[2])
        canal.values["conductivity"] = 0.05
        await line.polls(3)
    assert context.reports[-1] == ("ok", None, None)


async def test_a_gateway_with_a_bound_that_never_fires_runs_and_says_so() -> None:
    context, canal = MemoryContext(), Canal(turbidity_FNU=12.0)
    keys = {"turbidity_FNU": {"high": 4000.0}}
    async with polled(canal, TURBIDITY, context=context, keys=keys) as line:
        await line.polls(3)
    state, code, message = context.reports[-1]
    assert (state, code) == ("degraded", "bound-never-fires")
    assert "turbidity_FNU: high" in str(message)
