"""From a sonde's registers to observations and excursions in the outbox."""

from __future__ import annotations

import json
import math
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import uuid5

from vigil_edge.device.seam import Outgoing, PipelineContext, SourceError
from vigil_edge.water import logger
from vigil_edge.water.asked import Asked
from vigil_edge.water.condition import Condition
from vigil_edge.water.derived import Derivation
from vigil_edge.water.errors import LoggerMismatch, ProbeGarbage
from vigil_edge.water.excursion import NAMESPACE, Bound, Excursions, event_id
from vigil_edge.water.out_of_water import Away, OutOfWater
from vigil_edge.water.plan import ReadPlan
from vigil_edge.water.probe import Probe, connect
from vigil_edge.water.registers import MAX_READ_WORDS, meaning
from vigil_edge.water.settings import WaterSettings
from vigil_edge.water.signals import Signal
from vigil_edge.water.sonde import SondeQc
from vigil_edge.water.trend import Heading
from vigil_schemas.commands import CommandArguments
from vigil_schemas.contract import observation_type
from vigil_schemas.gateway import DeviceDescription
from vigil_schemas.senml import Reading, microseconds, pack
from vigil_schemas.types import Lane, QartodFlag
from vigil_schemas.water import DOMAIN, WaterExcursion

EXCURSIONS: Final = "water/excursions"
LOGGER: Final = "water/logger"
_PACK_RECORDS: Final = 200
_ATTEMPTS: Final = 2
_ACCEPT_RECORDS: Final = 400

Connect = Callable[[WaterSettings], Awaitable[Probe]]
Measured = tuple[datetime, Sequence[float | None]]
"""When, and the values in the order of the signals."""


def describe(settings: WaterSettings) -> list[DeviceDescription]:
    """One sonde, one device."""
    names = [signal.name for signal in settings.every_signal]
    return [settings.described(DOMAIN, settings.driver, names)]


def build(settings: WaterSettings, context: PipelineContext) -> PollPipeline | LoggerPipeline:
    """By ``mode``."""
    return (LoggerPipeline if settings.mode == "logger" else PollPipeline)(settings, context)


def bounds(signals: Sequence[Signal]) -> list[Bound]:
    """Every excursion bound that the settings give, and the ends of what can be measured."""
    found: list[Bound] = []
    for s in signals:
        low, high = s.span
        keys = (s.hysteresis, s.consecutive)
        found.append(Bound(s.name, s.unit, "off_scale_high", high, *keys, at_limit=True))
        found.append(
            Bound(s.name, s.unit, "off_scale_low", low, *keys, at_limit=_least_is_the_end(s))
        )
        if s.high is not None:
            found.append(Bound(s.name, s.unit, "above", s.high, s.hysteresis, s.consecutive))
        if s.low is not None:
            found.append(Bound(s.name, s.unit, "below", s.low, s.hysteresis, s.consecutive))
        if s.high_rate is not None:
            found.append(Bound(s.name, s.unit, "rate", s.high_rate, 0.0, s.consecutive))
    return found


def _least_is_the_end(signal: Signal) -> bool:
    """Of most quantities 0 is the least there is, and a reading like any other."""
    return signal.span[0] != 0 or signal.name.lower().startswith("ph")


def _pinned(signal: Signal, value: float | None) -> bool:
    """Whether a reading stands at an end of what can be measured, or beyond: nothing holds that
    back."""
    if value is None:
        return False
    low, high = signal.span
    return value >= high or value < low or (value == low and _least_is_the_end(signal))


def headings(signals: Sequence[Signal]) -> dict[str, Heading]:
    """What each signal may be on its way to when it is lost."""
    found: dict[str, Heading] = {}
    for s in signals:
        low, high = s.span
        high = high if s.high is None else min(s.high, high)
        low = -math.inf if s.low is None else max(s.low, low)
        rates = [rate for rate in (s.high_rate, s.rate_suspect) if rate is not None]
        found[s.name] = Heading(high, low, s.hysteresis, min(rates, default=math.inf))
    return found


class Judge:
    """Quality control and excursions of one sonde; the part that both modes share."""

    def __init__(self, settings: WaterSettings, state: bytes | None) -> None:
        self._device = settings.device
        self._signals = settings.every_signal
        self._derivation = Derivation(settings.signal, settings.derived)
        self._windows = settings.maintenance
        places = {signal.name: place for place, signal in enumerate(self._signals)}
        self._qc = SondeQc(
            (signal.limits() for signal in self._signals),
            [signal.history(places) for signal in self._signals],
        )
        self._out = OutOfWater.of(self._signals)
        self._spans = [signal.span for signal in self._signals]
        self._excursions = Excursions(
            settings.device, bounds(self._signals), state, headings(self._signals)
        )

    @property
    def in_air(self) -> list[str]:
        """Conductances that fell as they do when a probe leaves the water."""
        return [self._signals[place].name for place in sorted(self._out.dry)]

    def state(self) -> bytes:
        """Of the excursions, to be kept with what ``outgoing`` returned."""
        return self._excursions.state()

    def outgoing(
        self, measured: Sequence[Measured], doubtful: Collection[str] = ()
    ) -> list[Outgoing]:
        """Observations and events of measurements in order; values in the order of the signals
        that have registers: what is derived follows from them.

        ``doubtful`` names signals that the probe itself does not trust.
        """
        readings: list[Reading] = []
        events: list[Outgoing] = []
        doubtful = self._derivation.doubtful(doubtful)
        for time, given in measured:
            values = self._derivation.values(given)
            if self._maintained(time):
                readings += self._in_maintenance(time, values)
                continue
            flags = self._derivation.flags(self._qc.check(microseconds(time) / 1e6, values))
            away = self._out.take(microseconds(time) / 1e6, values)
            for place, (signal, span, value, flag) in enumerate(
                zip(self._signals, self._spans, values, flags, strict=True)
            ):
                found = None if flag is QartodFlag.MISSING else value
                flag = _at_the_end(found, span, flag, doubtful=signal.name in doubtful)
                flag = _of_the_water(flag, away, place)
                shown = found if found is None or math.isfinite(found) else None
                readings.append(Reading(signal.name, signal.unit, time, shown, flag))
                held = place in away.held and not _pinned(signal, found)
                if held or place in away.in_air:
                    continue  # it says nothing of the water, and not that it is lost
                if place in away.nothing:
                    found, flag = None, QartodFlag.MISSING
                events.extend(
                    self._event(excursion, time)
                    for excursion in self._excursions.take(signal.name, time, found, flag)
                )
        return [*events, *self._packs(readings)]

    def _maintained(self, time: datetime) -> bool:
        """Whether the sonde was in somebody's hands, and not in the water."""
        return any(window.begin <= time < window.end for window in self._windows)

    def _in_maintenance(self, time: datetime, values: Sequence[float | None]) -> Iterator[Reading]:
        """Kept, so that a calibration can be seen; no reading of the water: fail."""
        for signal, value in zip(self._signals, values, strict=True):
            there = value is not None and math.isfinite(value)
            flag = QartodFlag.FAIL if there else QartodFlag.MISSING
            yield Reading(signal.name, signal.unit, time, value if there else None, flag)

    def lost(self, time: datetime) -> list[Outgoing]:
        """Events of a sonde that does not answer at ``time``: no reading of any signal."""
        if self._maintained(time):
            return []
        return [
            self._event(excursion, time)
            for signal in self._signals
            for excursion in self._excursions.take(signal.name, time, None, QartodFlag.MISSING)
        ]

    def _event(self, excursion: WaterExcursion, time: datetime) -> Outgoing:
        return Outgoing(
            Lane.EVENT, excursion.TYPE, self._device, time, excursion, event_id(excursion)
        )

    def _packs(self, readings: list[Reading]) -> Iterator[Outgoing]:
        for at in range(0, len(readings), _PACK_RECORDS):
            some = readings[at : at + _PACK_RECORDS]
            first, last = some[0], some[-1]
            name = (
                f"{self._device}/{first.parameter}/{microseconds(first.time)}"
                f"/{last.parameter}/{microseconds(last.time)}"
            )
            yield Outgoing(
                Lane.OBSERVATION,
                observation_type(DOMAIN),
                self._device,
                first.time,
                pack(self._device, some),
                str(uuid5(NAMESPACE, name)),
            )


def _at_the_end(
    found: float | None, span: tuple[float, float], flag: QartodFlag, *, doubtful: bool
) -> QartodFlag:
    """A reading at an end of the range may be anything beyond it: suspect at least."""
    doubtful = doubtful or (found is not None and found in span and found != 0)
    good = flag in (QartodFlag.GOOD, QartodFlag.NOT_EVALUATED)
    return QartodFlag.SUSPECT if doubtful and good else flag


def _of_the_water(flag: QartodFlag, away: Away, place: int) -> QartodFlag:
    """What is none of the water's fails; what the logger repeats is suspect at least."""
    if flag is QartodFlag.MISSING:
        return flag
    if place in away.nothing or place in away.in_air:
        return QartodFlag.FAIL
    good = flag in (QartodFlag.GOOD, QartodFlag.NOT_EVALUATED)
    return QartodFlag.SUSPECT if good and place in away.held else flag


class _Sonde:
    """What both modes do with a measurement."""

    def __init__(
        self, settings: WaterSettings, context: PipelineContext, connect: Connect = connect
    ) -> None:
        self._settings = settings
        self._context = context
        self._connect = connect
        self._judge = Judge(settings, context.state(EXCURSIONS))
        self._condition = Condition(settings, context)
        self._asked = Asked()

    async def command(self, _device: str, _arguments: CommandArguments) -> str:
        """``SampleNow``: returns when it was read and is in the outbox."""
        return await self._asked.sample()

    async def _accept(
        self,
        measured: Sequence[Measured],
        state: Mapping[str, bytes],
        doubtful: Collection[str] = (),
    ) -> None:
        for _, values in measured:
            self._condition.take(values)
        await self._put(lambda: self._judge.outgoing(measured, doubtful), state)
        self._condition.in_air(self._judge.in_air)

    async def _lost(self) -> None:
        """The sonde does not answer: a signal that was rising is not only a gap."""
        await self._put(lambda: self._judge.lost(self._context.now()), {})

    async def _put(self, derive: Callable[[], list[Outgoing]], state: Mapping[str, bytes]) -> None:
        try:
            out = derive()
            await self._context.accept(out, {EXCURSIONS: self._judge.state(), **state})
        except BaseException:
            # Nothing was kept: an onset that was only derived must be derived again.
            self._judge = Judge(self._settings, self._context.state(EXCURSIONS))
            raise


class PollPipeline(_Sonde):
    """Reads the present values every ``interval_s`` and stamps them with the gateway's clock."""

    def __init__(
        self, settings: WaterSettings, context: PipelineContext, connect: Connect = connect
    ) -> None:
        super().__init__(settings, context, connect)
        self._plan = ReadPlan(
            settings.signal, context.monotonic, settings.max_read, merge=settings.merge
        )
        self._probe: Probe | None = None

    async def run(self) -> None:
        """Until cancelled. Raises ``SourceError``."""
        due = self._context.monotonic()
        try:
            with self._asked.answering():
                while True:
                    await self._poll()
                    self._asked.done("sampled")
                    due += self._settings.interval_s
                    pause = due - self._context.monotonic()
                    if pause < 0:  # the probe takes longer than the interval: do not run behind
                        due -= pause
                    if await self._asked.within(max(pause, 0)):
                        due = self._context.monotonic()
        finally:
            self._hang_up()

    async def _poll(self) -> None:
        time = self._context.now()
        try:
            values = await self._values()
        except SourceError:
            await self._lost()
            raise
        await self._accept([(time, values)], {}, self._plan.doubtful)
        self._condition.report(self._plan.refused)

    async def _values(self) -> list[float | None]:
        """One broken answer is asked again on a new connection before the source fails."""
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                if self._probe is None:
                    self._probe = await self._connect(self._settings)
                return await self._plan.read(self._probe)
            except SourceError as error:
                self._fail(error, attempt)
        raise AssertionError("the last attempt returns or raises")

    def _fail(self, error: SourceError, attempt: int) -> None:
        self._hang_up()
        if attempt == _ATTEMPTS:
            raise error  # the agent counts this one
        self._context.count(error.code)

    def _hang_up(self) -> None:
        if self._probe is not None:
            self._probe.close()
        self._probe = None


class LoggerPipeline(_Sonde):
    """Empties a sonde's memory: read, keep on the gateway's disk, then acknowledge.

    A crash between the last two reads records again that are kept already; the index
    and time of the last kept one, written with them, tell which. Where that is lost too,
    the cloud knows a reading by device, parameter and time.
    """

    def __init__(
        self, settings: WaterSettings, context: PipelineContext, connect: Connect = connect
    ) -> None:
        super().__init__(settings, context, connect)
        kept = context.state(LOGGER)
        self._kept: tuple[int, int] | None = tuple(json.loads(kept)) if kept else None
        """Index and time (microseconds since 1970) of the last record on the gateway's disk."""
        self._ahead = timedelta(0)
        """How far the sonde's clock is ahead of ours, by its newest record."""
        self._pause = min(max(settings.interval_s / 2, 0.05), 5.0)

    async def run(self) -> None:
        """Until cancelled. Raises ``SourceError``."""
        probe = await self._connect(self._settings)
        try:
            with self._asked.answering():
                while True:
                    if not await self._fetch(probe):
                        self._asked.done("the sonde's memory was read")
                        await self._asked.within(self._pause)
        finally:
            probe.close()

    async def _fetch(self, probe: Probe) -> bool:
        """One window; whether more waits."""
        head, found = await self._window(probe)
        if not head.waiting:
            self._condition.report(ahead=self._ahead)
            return False
        if not found or not logger.in_order(found, head.tail):
            raise ProbeGarbage(
                self._settings.device, f"the logger's window does not begin with record {head.tail}"
            )
        await self._keep(self._unkept(head, found))
        after = (found[-1].index + 1) % logger.INDEX_MODULUS
        await probe.write(
            self._settings.logger.base + logger.TAIL, [after >> 16 & 0xFFFF, after & 0xFFFF]
        )
        self._ahead = found[-1].time - self._context.now()
        self._condition.report(ahead=self._ahead)
        return head.waiting > len(found)

    async def _window(self, probe: Probe) -> tuple[logger.Head, list[logger.LoggedRecord]]:
        """The head and as many records as the window shows; the first read brings both."""
        base, size = self._settings.logger.base, self._settings.record_words
        room_for = (MAX_READ_WORDS - logger.WINDOW) // size
        first = logger.WINDOW + room_for * size if room_for else logger.HEAD_WORDS
        words = await probe.read("holding", base, first)
        head = logger.head(words)
        if head.record_words != size:
            raise LoggerMismatch(
                self._settings.device,
                f"the logger's records have {head.record_words} registers; the configuration's"
                f" {len(self._settings.signal)} signals make {size}: list the signals it logs",
            )
        wanted = min(head.waiting, head.window_records)
        body = words[logger.WINDOW :]
        for offset, count in logger.reads(wanted, size, first_words=len(body)):
            body += await probe.read("holding", base + offset, count)
        try:
            return head, logger.records(body[: wanted * size], size)
        except (ValueError, OverflowError) as error:
            raise ProbeGarbage(self._settings.device, str(error)) from error

    def _unkept(
        self, head: logger.Head, found: list[logger.LoggedRecord]
    ) -> list[logger.LoggedRecord]:
        """Without those that a crash kept us from acknowledging.

        Index and time must both agree, or the sonde's memory began anew meanwhile.
        """
        if self._kept is None:
            return found
        index, time_us = self._kept
        already = (index + 1 - head.tail) % logger.INDEX_MODULUS
        if not 1 <= already <= len(found):
            return found
        if microseconds(found[already - 1].time) != time_us:
            return found
        self._context.count("logger-records-seen-again", already)
        return found[already:]

    async def _keep(self, found: list[logger.LoggedRecord]) -> None:
        for at in range(0, len(found), _ACCEPT_RECORDS):
            some = found[at : at + _ACCEPT_RECORDS]
            kept = (some[-1].index, microseconds(some[-1].time))
            state = {LOGGER: json.dumps(kept).encode()}
            await self._accept([(record.time, self._meant(record)) for record in some], state)
            self._kept = kept

    def _meant(self, record: logger.LoggedRecord) -> list[float | None]:
        """A record's values are in the signal's unit already; its sentinels are not readings."""
        return [
            None if value is None else meaning(signal, value)
            for signal, value in zip(self._settings.signal, record.values, strict=True)
        ]
