"""A passage as it is told: measured, judged, classified."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import Final

from vigil_edge.device.seam import Outgoing
from vigil_edge.noise.calibrations import Standing
from vigil_edge.noise.decision import Budget, Decision, Distance, Judged, judged
from vigil_edge.noise.limits import LimitSettings, limit_at
from vigil_edge.noise.listening import Recorded
from vigil_edge.noise.meter.signs import OVERLOAD
from vigil_edge.noise.passage import Passage
from vigil_edge.noise.settings import NoiseSettings
from vigil_edge.noise.sound.clock import StreamTime
from vigil_edge.noise.sound.ledger import summed
from vigil_edge.noise.sound.pcm import SLICES_PER_SECOND
from vigil_schemas.noise import Judgement, LevelCurve, NoiseExceedance
from vigil_schemas.types import Lane

_NAMESPACE: Final = uuid.UUID("5f0d8a4e-6a0b-4d0c-9b39-0d6f2f7c1e11")
NOT_CALIBRATED: Final = "not-calibrated"


@dataclass(frozen=True, slots=True)
class Place:
    """What is known of a microphone and its road beside the sound itself."""

    gateway: str
    device: str
    threshold_db: float
    """Of the trigger; the limit where no line of ``limits`` holds."""
    calibrated: bool
    limits: tuple[LimitSettings, ...] = ()
    budget: Budget = field(default_factory=Budget)
    distance: Distance | None = None


def place_of(settings: NoiseSettings, gateway: str) -> Place:
    """As the settings of a device say it."""
    own, far = settings.uncertainty, settings.distance
    return Place(
        gateway,
        settings.device,
        settings.threshold_db,
        settings.audio.calibrated,
        settings.limits,
        Budget(own.calibration_db, own.instrument_db, own.drift_db),
        None if far is None else far.of_decision,
    )


def exceedance(
    place: Place, recorded: Recorded, calibration: Standing | None = None
) -> NoiseExceedance:
    """The event of a passage whose flags are all known. Its id follows from device and beginning.
    ``calibration``: the microphone's, as it stands; ``None``: nobody asks.

    A recording may have been cut short by the end of the stream, its flags with it.
    """
    passage, time = recorded.passage, recorded.time
    started = time.at(passage.started_sample)
    name = f"{place.gateway}/{place.device}/{started.isoformat()}/exceedance"
    return NoiseExceedance(
        exceedance_id=str(uuid.uuid5(_NAMESPACE, name)),
        started=started,
        ended=time.at(passage.ended_sample),
        threshold_db=place.threshold_db,
        LAFmax=round(passage.LAFmax, 2),
        LAFmax_time=time.at(passage.LAFmax_sample),
        LAE=round(passage.LAE, 2),
        background_db=_rounded(passage.background_db),
        # The word of version 1 for sound that no case may rest on; it fails closed.
        overload=passage.overload or bool(passage.flags),
        calibrated=place.calibrated,
        phase="measured",
        flags=sorted(passage.flags),
        judgement=_judgement(place, passage, time, calibration),
        level_curve=_curve(recorded),
        calibration=None if calibration is None else calibration.newest,
        audio=summed(recorded.ledger, recorded.drift) if recorded.ledger else None,
    )


def _judgement(
    place: Place, passage: Passage, time: StreamTime, calibration: Standing | None
) -> Judgement:
    line = limit_at(place.limits, time.at(passage.LAFmax_sample))
    limit_db = place.threshold_db if line is None else line.limit_db
    found = judged(
        passage.LAFmax,
        passage.background_LA95_db,
        passage.background_scatter_db,
        limit_db,
        flags=passage.flags | ({OVERLOAD} if passage.overload else frozenset()),
        budget=place.budget,
        distance=place.distance,
    )
    loudest = time.at(passage.LAFmax_sample)
    against = () if calibration is None else tuple(calibration.reasons(loudest))
    decision, reasons = _of_calibrated(place, found, against)
    return Judgement(
        limit_db=limit_db,
        limit_basis=(line.basis or None) if line else None,
        LAFmax_corrected=_rounded(found.LAFmax_corrected),
        background_LA95_db=_rounded(passage.background_LA95_db),
        uncertainty_db=round(found.expanded_db, 3),
        components={name: round(value, 3) for name, value in found.components.items()},
        decision=decision,
        reasons=list(reasons),
    )


def _of_calibrated(
    place: Place, found: Judged, against: tuple[str, ...]
) -> tuple[Decision, tuple[str, ...]]:
    """A level that nobody calibrated, or not lately, says nothing against a limit."""
    why = against if place.calibrated else (*against, NOT_CALIBRATED)
    return ("not-valid" if why else found.decision), (*found.reasons, *why)


def _curve(recorded: Recorded) -> LevelCurve:
    """The picture of the level, before and after included."""
    return LevelCurve(
        start=recorded.time.at(recorded.curve_first_sample),
        interval_s=1.0 / SLICES_PER_SECOND,
        LAF=[round(level, 2) for level in recorded.curve],
    )


def announcement(device: str, event: NoiseExceedance) -> Outgoing:
    """The event on its way."""
    return Outgoing(
        lane=Lane.EVENT,
        type=NoiseExceedance.TYPE,
        subject=device,
        time=event.ended,
        data=event,
        id=str(uuid.uuid5(_NAMESPACE, f"{event.exceedance_id}/{event.phase}")),
    )


def _rounded(level: float | None) -> float | None:
    return None if level is None else round(level, 2)
