"""From a sonde's registers to observations and excursions in the outbox."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Final

from vigil_edge.delivery.outbox import OutboxFull
from vigil_edge.device.seam import CommandRefused, Outgoing, PipelineContext, SourceError
from vigil_edge.position.receiver import Position, Receiver
from vigil_edge.water import logger
from vigil_edge.water.asked import Asked
from vigil_edge.water.condition import Condition
from vigil_edge.water.errors import LoggerMismatch, ProbeGarbage
from vigil_edge.water.judge import Judge, Measured
from vigil_edge.water.pacing import Pacing
from vigil_edge.water.plan import ReadPlan
from vigil_edge.water.probe import Probe, connect
from vigil_edge.water.registers import MAX_READ_WORDS, meaning
from vigil_edge.water.sampler import Sampler
from vigil_edge.water.settings import WaterSettings
from vigil_schemas.commands import CommandArguments, SampleNow
from vigil_schemas.gateway import DeviceDescription
from vigil_schemas.senml import microseconds
from vigil_schemas.water import DOMAIN, LATITUDE, LONGITUDE, TakeSample, WaterExcursion

EXCURSIONS: Final = "water/excursions"
LOGGER: Final = "water/logger"
_ATTEMPTS: Final = 2
_ACCEPT_RECORDS: Final = 400

Connect = Callable[[WaterSettings], Awaitable[Probe]]


def describe(settings: WaterSettings) -> list[DeviceDescription]:
    """One sonde, one device."""
    names = [signal.name for signal in settings.every_signal]
    if settings.position is not None:
        names += [LATITUDE, LONGITUDE]
    commands = [SampleNow.ACTION]
    if settings.sampler is not None:
        commands.append(TakeSample.ACTION)
    described = settings.described(DOMAIN, settings.driver, names)
    return [described.model_copy(update={"commands": commands})]


def build(settings: WaterSettings, context: PipelineContext) -> PollPipeline | LoggerPipeline:
    """By ``mode``."""
    return (LoggerPipeline if settings.mode == "logger" else PollPipeline)(settings, context)


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
        self._sampler = None if settings.sampler is None else Sampler(settings, context)

    async def command(self, _device: str, arguments: CommandArguments) -> str:
        """``SampleNow``: returns when it was read and is in the outbox. ``TakeSample``: when a
        bottle was filled, and that is."""
        if not isinstance(arguments, TakeSample):
            return await self._asked.sample()
        if self._sampler is None:
            raise CommandRefused("no-sampler", "no sampler is configured with this probe")
        return await self._sampler.asked(arguments)

    @asynccontextmanager
    async def _beside(self) -> AsyncIterator[None]:
        """What runs beside the reading of the probe, for as long as that does."""
        try:
            if self._sampler is not None:
                await self._sampler.begun()
            yield
        finally:
            if self._sampler is not None:
                await self._sampler.end()

    def _position(self) -> Position | None:
        """Of a sonde that moves."""
        return None

    async def _accept(
        self,
        measured: Sequence[Measured],
        state: Mapping[str, bytes],
        doubtful: Collection[str] = (),
    ) -> None:
        for _, values in measured:
            self._condition.take(values)
        position = self._position()
        out = await self._put(lambda: self._judge.outgoing(measured, doubtful, position), state)
        self._condition.in_air(self._judge.in_air)
        self._condition.placed(position)
        if self._sampler is not None:
            self._sampler.heed(one.data for one in out if isinstance(one.data, WaterExcursion))
            self._condition.sampler(self._sampler.trouble)

    async def _tell_again(self) -> None:
        """What stands, on a new connection to the cloud: what is known changes nothing there."""
        context, judge = self._context, self._judge
        again, now = context.held.told_again, context.now()

        def standing() -> list[tuple[str, ...]]:
            return [(one.id or "",) for one in judge.standing(now)]

        if ids := again.due(context.session, context.monotonic(), standing):
            with contextlib.suppress(OutboxFull):  # it is due until it is kept
                await context.accept([one for one in judge.standing(now) if (one.id,) in ids])
                again.told()

    async def _lost(self) -> None:
        """The sonde does not answer: a signal that was rising is not only a gap."""
        await self._put(lambda: self._judge.lost(self._context.now()), {})

    async def _put(
        self, derive: Callable[[], list[Outgoing]], state: Mapping[str, bytes]
    ) -> list[Outgoing]:
        try:
            out = derive()
            await self._context.accept(out, {EXCURSIONS: self._judge.state(), **state})
            return out
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
        self._pacing = Pacing(
            settings.interval_s,
            settings.fast_interval_s,
            settings.fast_for_s,
            settings.fast_longest_s,
        )
        place = settings.position
        self._receiver = None if place is None else Receiver(place, context.now, context.monotonic)

    def _position(self) -> Position | None:
        return None if self._receiver is None else self._receiver.position()

    async def run(self) -> None:
        """Until cancelled. Raises ``SourceError``."""
        async with self._beside():
            if self._receiver is None:
                await self._read()
            else:
                async with self._receiver.listening():
                    await self._read()

    async def _read(self) -> None:
        due = self._context.monotonic()
        try:
            with self._asked.answering():
                while True:
                    await self._poll()
                    self._asked.done("sampled")
                    now = self._context.monotonic()
                    due += self._pacing.interval(now, stirred=self._judge.stirred)
                    pause = due - self._context.monotonic()
                    if pause < 0:  # the probe takes longer than the interval: do not run behind
                        due -= pause
                    if await self._asked.within(max(pause, 0)):
                        due = self._context.monotonic()
        finally:
            self._hang_up()

    async def _poll(self) -> None:
        await self._tell_again()
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
        async with self._beside():
            await self._empty()

    async def _empty(self) -> None:
        await self._tell_again()
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
        await self._tell_again()
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
