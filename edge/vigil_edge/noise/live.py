"""One noise camera, live: microphone and cameras in, observations and exceedances out."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import aclosing
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import structlog

from vigil_edge.device.seam import Outgoing, PipelineContext
from vigil_edge.noise import calibrations, case_process
from vigil_edge.noise.allowance import Allowance
from vigil_edge.noise.case import Case
from vigil_edge.noise.channels import Channels
from vigil_edge.noise.classify.live import classification
from vigil_edge.noise.event import announcement, exceedance, place_of
from vigil_edge.noise.evidence import Spool, send
from vigil_edge.noise.listening import Heard, Listener, Recorded, scale
from vigil_edge.noise.meter.calibrator import Calibration
from vigil_edge.noise.meter.levels import FLOOR_DB, Levels
from vigil_edge.noise.passage import HOLD_S
from vigil_edge.noise.pictures.cameras import Cameras
from vigil_edge.noise.settings import PARAMETERS, NoiseSettings
from vigil_edge.noise.sound.audio import open_source
from vigil_edge.noise.troubles import Troubles
from vigil_edge.noise.weather.station import WeatherStation
from vigil_schemas.contract import observation_type
from vigil_schemas.errors import VigilError
from vigil_schemas.gateway import SourceState
from vigil_schemas.noise import DOMAIN, NoiseExceedance, founds_a_case
from vigil_schemas.senml import Reading, pack
from vigil_schemas.types import Lane, QartodFlag

_log = structlog.get_logger("noise")

BATCH_S: Final = 10
KEPT_S: Final = 300
"""Of readings that the outbox does not take."""
RETRY_S: Final = 30.0
MOST_BEFORE_VETOED: Final = 4
"""Cases that wait: beyond, what was vetoed is not kept."""
SPARE_S: Final = 4.0
"""Sound may arrive so much later than the pictures."""


class NoisePipeline:
    """Runs until cancelled; raises ``SourceError`` when the microphone is lost."""

    def __init__(self, settings: NoiseSettings, context: PipelineContext) -> None:
        self._settings = settings
        self._context = context
        self._place = place_of(settings, context.gateway)
        self._spool = Spool(context.directory / "cases")
        self._cases: asyncio.Queue[Path] = asyncio.Queue()
        self._vetoed = Allowance(settings.vetoed_a_day)
        self._field_calibration = calibrations.restored(
            settings.calibration,
            context.state(calibrations.KEY),
            scale(settings.audio) if settings.audio.calibrated else None,
        )
        self._readings: list[Reading] = []
        self._channels = Channels()
        self._weather = (
            WeatherStation(settings.weather, context.now, context.count)
            if settings.weather is not None
            else None
        )
        self._cameras = self._own_cameras()
        self._reported: tuple[SourceState, str | None] | None = None

    async def run(self) -> None:
        """See ``vigil_edge.device.seam.Pipeline``."""
        self._cases = asyncio.Queue()
        for folder in await asyncio.to_thread(self._spool.waiting):
            self._cases.put_nowait(folder)
        self._cameras = self._own_cameras()
        self._cameras.start()
        listening = asyncio.create_task(self._listen())
        sending = asyncio.create_task(self._send_cases())
        beside = [] if self._weather is None else [asyncio.create_task(self._weather.run())]
        try:
            await asyncio.wait({listening, sending}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (listening, sending, *beside):
                task.cancel()
            await asyncio.gather(listening, sending, *beside, return_exceptions=True)
            await asyncio.to_thread(self._cameras.stop)
        for task in (listening, sending):
            if not task.cancelled():
                task.result()

    def _own_cameras(self) -> Cameras:
        """Not begun yet: a thread starts once."""
        around_s = self._settings.before_s + self._settings.after_s
        seconds = around_s + HOLD_S + SPARE_S
        context = self._context
        return Cameras(self._settings.cameras, seconds, context.now, context.count)

    async def _listen(self) -> None:
        settings = self._settings
        source = open_source(
            settings.device,
            settings.audio,
            self._context.count,
            self._context.monotonic,
            self._context.now,
        )
        listener = Listener(
            source.format,
            settings.audio,
            settings.threshold_db,
            settings.hysteresis_db,
            settings.before_s,
            settings.after_s,
            self._others(source.format.channels),
        )
        steps = lost = 0
        ending = False
        try:
            async with aclosing(source.blocks()) as blocks:
                async for block in blocks:
                    heard = listener.hear(block, self._context.now())
                    await _to_the_end(self._take(heard, listener.silence))
                    self._cameras.hold(listener.kept_since)
                    if listener.ending and not ending:
                        await self._prepare()
                    ending = listener.ending
                    if listener.clock.stepped > steps:
                        self._context.count("clock-steps", listener.clock.stepped - steps)
                        steps = listener.clock.stepped
                    if listener.ledger.lost > lost:
                        self._context.count("samples-lost", listener.ledger.lost - lost)
                        lost = listener.ledger.lost
        finally:
            # What was heard until now is worth keeping, also when the microphone is pulled.
            await asyncio.shield(self._take(listener.flush(), listener.silence))
            await asyncio.shield(self._flush())

    async def _prepare(self) -> None:
        """While the seconds after a passage are heard, the program that looks at its case loads
        what it needs. Without it the case only takes longer."""
        try:
            await self._context.prepare(case_process.PROGRAM, environment=case_process.ENVIRONMENT)
        except OSError as error:
            self._context.count("case-not-prepared")
            _log.warning("the program for a case could not be started", error=str(error))

    def _others(self, there: int) -> tuple[int, ...]:
        """The array's channels beside the measured one, of so many; a WAV file may have fewer."""
        array, measured = self._settings.array, self._settings.audio.channel
        if array is None:
            return ()
        return tuple(each for each in array.of_channels if each != measured and each < there)

    async def _calibrated(self, at: datetime, found: Calibration) -> None:
        """A calibrator's tone: noted down, logged, and told with every event from now on."""
        calibrated = self._settings.audio.calibrated
        self._context.count("calibrations")
        _log.info(
            "calibrator heard",
            device=self._settings.device,
            nominal_db=found.nominal_db,
            drift_db=round(found.drift_db, 3) if calibrated else None,
            pascal_per_unit=found.pascal_per_unit,
        )
        try:
            standing = self._field_calibration.heard(found, at, calibrated=calibrated)
            self._field_calibration = standing
            await self._context.accept([], {calibrations.KEY: standing.kept()})
            await asyncio.to_thread(calibrations.log, self._context.directory, standing, found)
        except (OSError, ValueError, VigilError) as error:  # it holds until a restart
            self._context.count("calibration-not-kept")
            _log.error("a calibration could not be kept", exc_info=error)

    async def _take(self, heard: Heard, silence: str | None) -> None:
        for at, found in heard.calibrations:
            await self._calibrated(at, found)
        for recorded in heard.recorded:
            await self._keep(recorded)
        for (_, levels), others in zip(heard.seconds, heard.others, strict=True):
            self._channels.feed(levels, others)
        for time, levels in heard.seconds:
            self._observe(time, levels, silence)
        if heard.seconds and len(self._readings) >= BATCH_S * len(PARAMETERS):
            await self._flush()

    async def _announce(self, event: NoiseExceedance) -> None:
        try:
            await self._context.accept([announcement(self._settings.device, event)])
        except (OSError, VigilError):
            # The recording must not be lost with it: listening goes on.
            self._context.count("announcement-not-kept")

    async def _keep(self, recorded: Recorded) -> None:
        """Tell what a passage comes to; where it founds a case put it on disk and in the queue:
        the slow part happens elsewhere, and the sealed case says it again."""
        event = exceedance(self._place, recorded, self._field_calibration)
        event = event.model_copy(update={"sync_age_s": self._context.clock_state().sync_age_s})
        if self._context.clock_vouched:
            event = event.model_copy(update={"clock_vouched": True})
        if self._weather is not None:
            event = self._weather.weighed(event)
        event = await self._classified(event, recorded)
        self._count_decision(event)
        await self._announce(event)
        if self._wanted(event):
            await self._write(event, recorded)

    def _wanted(self, event: NoiseExceedance) -> bool:
        """Whether sound and pictures of it are kept: also of some that the veto alone kept from
        founding a case, as long as those do not take the room of others."""
        if founds_a_case(event) or self._settings.evidence_of == "all":
            return True
        said = event.classification
        if said is None or not said.vetoed or not founds_a_case(_without_veto(event)):
            return False
        kept = self._cases.qsize() < MOST_BEFORE_VETOED and self._vetoed.take(
            self._context.monotonic()
        )
        if not kept:
            self._context.count("vetoed-not-kept")
        return kept

    async def _classified(self, event: NoiseExceedance, recorded: Recorded) -> NoiseExceedance:
        """With what the sound is. Takes a tenth of a second, and starting a program for it would
        take more: in a thread, one at a time, since listening waits for it."""
        if not self._settings.veto:
            return event
        passage, first = recorded.passage, recorded.first_sample
        within = passage.started_sample - first, passage.ended_sample - first
        try:
            found = await asyncio.to_thread(
                classification, recorded.frames, recorded.time.rate_hz, within
            )
        except Exception as error:  # noqa: BLE001 - without a veto reviewers hear it; it is counted
            self._context.count("classifier-failed")
            _log.error("a passage could not be classified", exc_info=error)
            return event
        if found is None:
            self._context.count("passage-not-classified")
        return event.model_copy(update={"classification": found})

    def _count_decision(self, event: NoiseExceedance) -> None:
        """What is not forwarded is seen in health."""
        vetoed = event.classification is not None and event.classification.vetoed
        decision = "not-judged" if event.judgement is None else event.judgement.decision
        self._context.count(f"passage-{'vetoed' if vetoed else decision}")

    async def _write(self, event: NoiseExceedance, recorded: Recorded) -> None:
        settings = self._settings
        case = Case(
            device=settings.device,
            sound_started=recorded.started,
            sound_ended=recorded.ended,
            calibration=self._calibration(),
            exceedance=event,
            clock=self._context.clock_state(),
            configuration_sha256=settings.digest(),
            array=settings.array,
            view=settings.camera.view if settings.camera else None,
            plate_view=settings.plate_camera.view if settings.plate_camera else None,
        )
        shots = self._cameras.between(recorded.started, recorded.ended)
        try:
            folder = await asyncio.to_thread(self._spool.write, case, recorded, shots)
        except OSError as error:
            # Without a disk there is no evidence, but the fact itself can still be told.
            self._context.count("case-not-kept")
            self._report("degraded", "case-not-kept", f"a case cannot be written: {error}")
            await self._announce(event.model_copy(update={"phase": "sealed"}))
            return
        self._cases.put_nowait(folder)

    def _calibration(self) -> dict[str, str | float]:
        audio = self._settings.audio
        return {
            "pascal_per_unit": scale(audio),
            "calibrated": "yes" if audio.calibrated else "no",
            "channel": float(audio.channel),
            "source": audio.source,
            "software": f"vigil-city {version('vigil-city')}",
        }

    async def _send_cases(self) -> None:
        """One case after the other, so that encoding never takes more than one core."""
        while True:
            folder = await self._cases.get()
            try:
                await send(self._context, folder)
            except FileNotFoundError as error:
                await self._set_aside(folder, error)
            except (OSError, VigilError):
                # It stays on disk and in the queue; the pause keeps a full disk from spinning.
                self._context.count("case-delayed")
                await asyncio.sleep(RETRY_S)
                self._cases.put_nowait(folder)
            except Exception as error:  # noqa: BLE001 - one damaged case must not stop the microphone
                # Whatever is wrong with one case, it must not stop the microphone at every start.
                await self._set_aside(folder, error)

    async def _set_aside(self, folder: Path, reason: Exception) -> None:
        self._context.count("case-damaged")
        _log.error("a case was put aside", case=folder.name, exc_info=reason)
        try:
            await asyncio.to_thread(self._spool.set_aside, folder)
        except OSError as error:  # it is tried again at the next start
            self._context.count("case-not-put-aside")
            _log.warning("a case could not be put aside", case=folder.name, error=str(error))

    def _observe(self, time: datetime, levels: Levels, silence: str | None) -> None:
        silent = levels.LZeq <= FLOOR_DB
        flag = _flag(levels, calibrated=self._settings.audio.calibrated, silent=silent)
        if silent and silence is None:  # it was heard before
            silence = "every sample is the same: is it connected?"
        for parameter, value in _of_a_second(levels):
            self._readings.append(Reading(parameter, "dB", time, round(value, 2), flag))
        if levels.overload:
            self._context.count("overloaded-seconds")
        self._cameras.watch()
        self._report(*self._troubles(levels, silence if silent else None).gravest())

    def _troubles(self, levels: Levels, silence: str | None) -> Troubles:
        return Troubles(
            silence=silence,
            overload=levels.overload,
            cameras=self._cameras.trouble,
            channels=self._channels.trouble,
            weather=None if self._weather is None else self._weather.trouble,
            moments=self._cameras.unsure if self._settings.compares_moments else None,
            calibrated=self._settings.audio.calibrated,
            calibration=self._field_calibration.reasons(self._context.now()),
        )

    def _report(self, state: SourceState, code: str | None, message: str | None) -> None:
        if (state, code) != self._reported:
            self._reported = state, code
            self._context.report(state, code, message)

    async def _flush(self) -> None:
        """Hand over what was observed; where the outbox fails it is kept for a while."""
        readings, self._readings = self._readings, []
        if not readings:
            return
        device = self._settings.device
        batch = Outgoing(
            lane=Lane.OBSERVATION,
            type=observation_type(DOMAIN),
            subject=device,
            time=readings[-1].time,
            data=pack(device, readings),
        )
        try:
            await self._context.accept([batch])
        except (OSError, VigilError):
            # Listening goes on: a passage can still be kept while the outbox is mended.
            self._context.count("readings-delayed")
            self._readings = readings[-KEPT_S * len(PARAMETERS) :]


async def _to_the_end(step: Coroutine[Any, Any, None]) -> None:
    """Also where it is cancelled meanwhile: the listener has let go of the passages in it."""
    task = asyncio.ensure_future(step)
    try:
        await asyncio.shield(task)
    finally:
        if not task.done():
            await asyncio.wait({task})


def _without_veto(event: NoiseExceedance) -> NoiseExceedance:
    return event.model_copy(update={"classification": None})


def _of_a_second(levels: Levels) -> list[tuple[str, float]]:
    return [
        ("LAeq", levels.LAeq),
        ("LAFmax", levels.LAFmax),
        ("LCeq", levels.LCeq),
        ("LZeq", levels.LZeq),
    ]


def _flag(levels: Levels, *, calibrated: bool, silent: bool) -> QartodFlag:
    if silent or levels.overload:
        return QartodFlag.FAIL
    if levels.flags:
        return QartodFlag.SUSPECT
    return QartodFlag.GOOD if calibrated else QartodFlag.NOT_EVALUATED
