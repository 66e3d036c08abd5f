"""From adverts and tag reports to visits in the outbox."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from vigil_edge.checkin.llrp import ReaderClient, seen_at
from vigil_edge.checkin.llrp_codec import TagReport
from vigil_edge.checkin.position import Receiver
from vigil_edge.checkin.radios import Radios
from vigil_edge.checkin.settings import BleSettings, LlrpSettings
from vigil_edge.checkin.states import VISITS, WATCH
from vigil_edge.checkin.track import Sighting
from vigil_edge.checkin.visits import Carrier, Visits, event_id
from vigil_edge.checkin.watch import Watch
from vigil_edge.device.seam import CommandRefused, Outgoing, PipelineContext
from vigil_schemas.checkin import DOMAIN, CheckinSighting, CheckinVisit
from vigil_schemas.commands import CommandArguments, WatchList
from vigil_schemas.contract import observation_type
from vigil_schemas.errors import VigilError
from vigil_schemas.gateway import DeviceDescription
from vigil_schemas.senml import Reading, pack
from vigil_schemas.types import Lane, QartodFlag

_TICK_S: Final = 0.2
"""Sightings are taken in together this often: one transaction for all of them."""
_CHECKPOINT_S: Final = 30.0
_WAITING_LIMIT: Final = 50_000
_FACTS_LIMIT: Final = 5_000
"""Visits and readings that wait for an outbox which refuses."""
_CLOCK_TOLERANCE: Final = timedelta(seconds=2)
_CLOCK_STEP: Final = timedelta(seconds=1)
"""The wall clock moved this much more, or less, than time passed: it was set, or we slept."""
_EPC_HEX_DIGITS: Final = range(8, 125)
_ANTENNAS: Final = range(256)


def describe(settings: BleSettings | LlrpSettings) -> list[DeviceDescription]:
    """One station, one device."""
    return [settings.described(DOMAIN, settings.driver, ["tags_seen", "adverts"])]


def build(
    settings: BleSettings | LlrpSettings, context: PipelineContext
) -> BlePipeline | LlrpPipeline:
    """By ``driver``."""
    if isinstance(settings, LlrpSettings):
        return LlrpPipeline(settings, context)
    return BlePipeline(settings, context)


class Station:
    """What both kinds of station do with a sighting: visits, counts, and a state that is kept."""

    def __init__(
        self, settings: BleSettings | LlrpSettings, context: PipelineContext, carrier: Carrier
    ) -> None:
        self._settings = settings
        self._context = context
        self._carrier: Carrier = carrier
        self._visits = self._restored()
        self._watch = Watch(settings.device, carrier, context.state(WATCH))
        self._tags: set[str] = set()
        self._adverts = 0
        self._waiting: list[Outgoing] = []
        """Derived, and not yet in the outbox."""
        self.delayed = False
        """Whether the outbox refused the last time; said as ``degraded``."""
        self._receiver = None if settings.position is None else Receiver(settings.position, context)
        self._following: asyncio.Task[None] | None = None
        self._observed = self._kept = context.monotonic()
        self._looked = (context.now(), context.monotonic())

    @asynccontextmanager
    async def moving(self) -> AsyncIterator[None]:
        """While its receiver is followed, where it has one."""
        if self._receiver is None:
            yield
            return
        self._following = asyncio.create_task(self._receiver.run(), name="position")
        try:
            yield
        finally:
            self._following.cancel()
            await asyncio.gather(self._following, return_exceptions=True)

    @property
    def trouble(self) -> tuple[str, str] | None:
        """Code and words of what is wrong with its position."""
        return None if self._receiver is None else self._receiver.trouble

    async def take(
        self, sightings: Sequence[Sighting], adverts: int, *, deaf: bool = False
    ) -> None:
        """Visits that begin or end now go to the outbox, with the state that they follow from.

        ``deaf``: the radio delivers nothing though it should, so nobody can be said to have left.
        """
        self._adverts += adverts
        self._tags.update(sighting.tag for sighting in sightings)
        now = self._context.now()
        looked = self._looked[1]
        self._follow_clock(now)
        if deaf:
            self._visits.unheard(timedelta(seconds=self._context.monotonic() - looked))
        # Heard just before the clock was set back: not of the future.
        heard = [s if s.time <= now else replace(s, time=now) for s in sightings]
        heard = self._placed(heard)
        over = self._watch.forget(now)
        # First of all: somebody is being looked for.
        self._waiting += [self._seen(sighting, now) for sighting in self._watch.take(heard)]
        visits = [*self._visits.take(heard), *self._visits.sweep(now)]
        self._waiting += [self._outgoing(visit, now) for visit in visits]
        self._waiting += self._observations()
        self._count_strangers()
        moment = self._context.monotonic()
        checkpoint = bool(self._visits.present) and moment - self._kept >= _CHECKPOINT_S
        if self._waiting or checkpoint or over:
            await self._hand_over(moment)

    def _placed(self, heard: list[Sighting]) -> list[Sighting]:
        """Of a station that moves: each with where it was then."""
        if self._receiver is None:
            return heard
        if self._following is not None and self._following.done():
            self._following.result()  # it ends by a mistake of ours alone, which ends the station
        return [replace(s, position=self._receiver.at(s.time)) for s in heard]

    async def command(self, _device: str, arguments: CommandArguments) -> str:
        """``WatchList``: on the disk before it is answered. Raises ``CommandRefused``."""
        assert isinstance(arguments, WatchList)  # noqa: S101 - the contract names no other
        replaced = self._watch.replaced(arguments, self._context.now())
        if replaced is None:
            return "a newer list is here already"
        if arguments.entries and not len(replaced):
            # The cloud drops what is over: here it is later than there, and nobody is watched.
            raise CommandRefused("clock-ahead", "every entry of the list is over by this clock")
        # In force before it is on the disk: a tick meanwhile must not write the old one over it.
        before, self._watch = self._watch, replaced
        try:
            await self._context.accept([], {WATCH: replaced.state()})
        except (OSError, VigilError) as error:
            if self._watch is replaced:
                self._watch = before
            raise CommandRefused("outbox-failed", f"the list could not be kept: {error}") from error
        return f"{len(replaced)} watched"

    async def _hand_over(self, moment: float) -> None:
        """What the outbox refuses waits for the next tick: who was here is not forgotten.

        The state is kept together with the visits that it follows from, so nothing is told
        twice and nothing is left out, whenever this ends. Raises what the context raises once
        more waits than ``_FACTS_LIMIT``.
        """
        try:
            state = {VISITS: self._visits.state(), WATCH: self._watch.state()}
            await self._context.accept(self._waiting, state)
        except (OSError, VigilError) as error:
            self._context.count("visits-delayed")
            if len(self._waiting) > _FACTS_LIMIT:
                raise
            code = error.code if isinstance(error, VigilError) else "outbox-failed"
            self._context.report("degraded", code, f"{len(self._waiting)} facts wait: {error}")
            self.delayed = True
            return
        self._waiting = []
        self._kept = moment
        self.delayed = False

    def _restored(self) -> Visits:
        settings, context = self._settings, self._context
        return Visits(
            settings.device,
            self._carrier,
            absence_s=settings.absence_s,
            min_sightings=settings.min_sightings,
            hold_off_s=settings.hold_off_s if isinstance(settings, LlrpSettings) else None,
            state=context.state(VISITS),
            now=context.now(),
        )

    def _follow_clock(self, now: datetime) -> None:
        moment = self._context.monotonic()
        wall, before = self._looked
        self._looked = (now, moment)
        step = now - wall - timedelta(seconds=moment - before)
        if abs(step) >= _CLOCK_STEP:
            self._visits.clock_set(step)
            self._watch.clock_set(step)
            self._context.count("clock-set")

    def _seen(self, sighting: CheckinSighting, now: datetime) -> Outgoing:
        device, time = self._settings.device, min(sighting.seen, now)
        return Outgoing(Lane.EVENT, sighting.TYPE, device, time, sighting, id=sighting.sighting_id)

    def _outgoing(self, visit: CheckinVisit, now: datetime) -> Outgoing:
        time = visit.arrived if visit.phase == "arrived" else visit.last_seen
        time = min(time, now)  # of before the clock was set back: the cloud refuses the future
        return Outgoing(Lane.EVENT, visit.TYPE, self._settings.device, time, visit, event_id(visit))

    def _observations(self) -> list[Outgoing]:
        moment = self._context.monotonic()
        if moment - self._observed < self._settings.observation_s:
            return []
        self._observed = moment
        now, device = self._context.now(), self._settings.device
        readings = [
            Reading("tags_seen", "count", now, float(len(self._tags)), QartodFlag.GOOD),
            Reading("adverts", "count", now, float(self._adverts), QartodFlag.GOOD),
        ]
        self._tags, self._adverts = set(), 0
        records = pack(device, readings)
        return [Outgoing(Lane.OBSERVATION, observation_type(DOMAIN), device, now, records)]

    def _count_strangers(self) -> None:
        visits = self._visits
        if visits.forgotten:
            self._context.count("tags-forgotten", visits.forgotten)
        if visits.cut_short:
            self._context.count("visits-cut-short", visits.cut_short)
        visits.forgotten = visits.cut_short = 0


class _Listens:
    """What both pipelines are asked for."""

    _station: Station

    async def command(self, device: str, arguments: CommandArguments) -> str:
        """``WatchList``. Raises ``CommandRefused``."""
        return await self._station.command(device, arguments)


class BlePipeline(_Listens):
    """One or several Bluetooth radios."""

    def __init__(self, settings: BleSettings, context: PipelineContext) -> None:
        self._settings = settings
        self._context = context
        self._station = Station(settings, context, "ble")

    async def run(self) -> None:
        """Until cancelled. Raises ``SourceError``."""
        station = self._station
        radios = Radios(self._settings, self._context)
        try:
            async with station.moving():
                await radios.open()
                self._context.report("ok")
                while True:
                    await asyncio.sleep(_TICK_S)
                    await station.take(*radios.take(), deaf=radios.deaf)
                    trouble = await radios.watch() or station.trouble
                    if trouble is not None:
                        self._context.report("degraded", *trouble)
                    elif not station.delayed:
                        self._context.report("ok")
        finally:
            await radios.close()


class LlrpPipeline(_Listens):
    """A UHF reader."""

    def __init__(self, settings: LlrpSettings, context: PipelineContext) -> None:
        self._settings = settings
        self._context = context
        self._station = Station(settings, context, "uhf")
        self._waiting: list[Sighting] = []
        self._reports = 0

    async def run(self) -> None:
        """Until cancelled. Raises ``SourceError``."""
        station = self._station
        client = ReaderClient(self._settings, self._context)
        listening: asyncio.Task[None] | None = None
        troubled = False
        try:
            async with station.moving():
                await client.open()
                self._context.report("ok")
                listening = asyncio.create_task(self._listen(client))
                while not listening.done():
                    await asyncio.wait({listening}, timeout=_TICK_S)
                    taken, self._waiting = self._waiting, []
                    reports, self._reports = self._reports, 0
                    delayed = station.delayed
                    await station.take(taken, reports)
                    trouble = station.trouble
                    if trouble is not None:
                        self._context.report("degraded", *trouble)
                    elif (delayed or troubled) and not station.delayed:
                        self._context.report("ok")
                    troubled = trouble is not None
                listening.result()
        finally:
            if listening is not None:
                listening.cancel()
                await asyncio.gather(listening, return_exceptions=True)
            await client.close()

    async def _listen(self, client: ReaderClient) -> None:
        async with aclosing(client.reports()) as reports:
            async for tags in reports:
                now = self._context.now()
                for report in tags:
                    self._reports += report.seen_count or 1
                    epc = report.epc
                    if epc is None or len(epc) not in _EPC_HEX_DIGITS:
                        self._context.count("epc-unusable")
                        continue
                    tag = f"epc:{epc}"
                    if len(self._waiting) >= _WAITING_LIMIT:
                        self._context.count("reports-dropped")
                    elif self._settings.allows(tag):
                        time = seen_at(report, client.clock_offset(), now, _CLOCK_TOLERANCE)
                        self._waiting.append(_sighting(tag, time, report))


def _sighting(tag: str, time: datetime, report: TagReport) -> Sighting:
    rssi = None if report.rssi is None else float(report.rssi)
    # LLRP numbers antennas up to 65535, the contract up to 255; no reader has more.
    antenna = report.antenna if report.antenna in _ANTENNAS else None
    return Sighting(tag, time, rssi, antenna, report.seen_count or 1)
