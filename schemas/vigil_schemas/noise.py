"""Noise: levels observed at an intersection, and a vehicle's exceedance of the limit.

Observed parameters (unit dB re 20 µPa): ``LAeq``, ``LAFmax``, ``LCeq``, ``LZeq`` per second.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Final, Literal, Self

from pydantic import Field, model_validator

from vigil_schemas.contract import DomainContract
from vigil_schemas.evidence import CameraRole, EvidenceReference
from vigil_schemas.types import Count, Decibel, Domain, Model, UtcDatetime

DOMAIN: Final[Domain] = "noise"

Slug = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,39}$")]
Share = Annotated[float, Field(ge=0, le=1)]


class LevelCurve(Model):
    """A level sampled at a steady interval, for the picture people look at."""

    start: UtcDatetime
    interval_s: Annotated[float, Field(gt=0, le=1)]
    LAF: Annotated[list[Decibel], Field(min_length=1, max_length=4000)]
    """A-weighted, Fast, dB re 20 µPa, one value per interval."""


class Conditions(Model):
    """What a weather station beside the microphone measured during the passage."""

    wind_m_s: Annotated[float, Field(ge=0, le=120, allow_inf_nan=False)] | None = None
    """The highest gust."""
    rain: bool | None = None


class PlateCandidate(Model):
    """What a recogniser made of the plate in the pictures."""

    text: Annotated[str, Field(min_length=2, max_length=16)]
    confidence: Share


class Judgement(Model):
    """What a passage comes to by the rule of decision: an exceedance is only what stands above
    the limit by more than the expanded uncertainty."""

    limit_db: Decibel
    limit_basis: Annotated[str, Field(max_length=120)] | None = None
    """Which line of the gateway's table of limits held; absent where the trigger's threshold
    stood in for a limit."""
    LAFmax_corrected: Decibel | None = None
    """LAFmax without the background, at the reference distance; absent where the background
    leaves no level of the passage."""
    background_LA95_db: Decibel | None = None
    """LAF exceeded 95 % of the time before the passage."""
    uncertainty_db: Annotated[float, Field(ge=0, le=60)]
    """Expanded, k = 2."""
    components: Annotated[dict[str, Annotated[float, Field(ge=0, le=60)]], Field(max_length=16)] = (
        Field(default_factory=dict)
    )
    """Each standard uncertainty, dB, by name."""
    decision: Literal["exceedance", "borderline", "not-valid"]
    reasons: Annotated[list[Slug], Field(max_length=24)] = Field(default_factory=list)
    """Why it is not valid: flags of its seconds, ``background`` (less than 3 dB below),
    ``background-not-measured``, ``not-calibrated``, ``calibration-expired``,
    ``calibration-drifted``, ``wind``, ``rain``, ``temperature``, ``weather-unknown``."""


class Classification(Model):
    """What a learnt classifier takes the sound for."""

    kind: Slug
    """Its class: ``vehicle``, ``siren``, ``horn``, ``rain``, ``dog`` and so on."""
    score: Share
    """The chance that it is this."""
    vehicle: Share
    """The chance that it is a vehicle's driving noise."""
    vetoed: bool
    """Surely no vehicle: it founds no case."""
    model: Annotated[str, Field(max_length=80)]
    """Version and digest of the model."""


class SoundBearing(Model):
    """Where the sound came from at LAFmax, as the microphone array tells it."""

    azimuth_deg: Annotated[float, Field(ge=0, lt=360)] | None = None
    """Counter-clockwise from the array's +x axis; absent where it cannot be told."""
    confidence: Share = 0.0
    """The chance that the source stands within 5° of it; of an abstention what it would be."""
    mirror_deg: Annotated[float, Field(ge=0, lt=360)] | None = None
    """The other azimuth that sounds alike, of an array in a line or on a wall."""
    abstained: Literal["no-array", "low-confidence", "too-short", "failed"] | None = None
    """Why there is no azimuth."""


class AttributedVehicle(Model):
    """The one track in the pictures that the sound came from."""

    track: Annotated[int, Field(ge=0, le=999)]
    """Number of the track within these pictures."""
    seen_from: UtcDatetime
    seen_until: UtcDatetime
    box: Annotated[list[Annotated[int, Field(ge=0, le=20000)]], Field(min_length=4, max_length=4)]
    """x, y, width, height in pixels of the picture at ``box_time``."""
    box_time: UtcDatetime
    """Of the picture nearest to the moment at which the loudest sound left the vehicle."""
    travel_s: Annotated[float, Field(ge=0, le=2)]
    """How long that sound was on its way."""
    apart_deg: Annotated[float, Field(ge=0, le=180)]
    """Between the bearings of the sound and the track: the median over the time compared."""
    compared: Annotated[int, Field(ge=1, le=10000)]
    """Bearings that were compared with it."""


class VehicleFinding(Model):
    """Which of the vehicles in the pictures was loud, or why that cannot be said."""

    vehicle: AttributedVehicle | None = None
    tracks: Annotated[int, Field(ge=0, le=999)] = 0
    """Vehicles that were followed in the pictures."""
    rival_deg: Annotated[float, Field(ge=0, le=180)] | None = None
    """How far from the best track the nearest other one stood while it was loud."""
    pictures_within_s: Annotated[float, Field(ge=0, le=20)] | None = None
    """By how much the pictures may have been taken earlier or later than is said; absent of
    gateways that did not ask."""
    rival_off_s: Annotated[float, Field(ge=-20, le=20)] | None = None
    """Of ``several``: had the pictures been taken so much earlier (negative: later) than is said,
    which nobody can exclude, another track would be the one, or within 10° of it."""
    abstained: (
        Literal[
            "no-camera",
            "no-array",
            "no-view",
            "no-bearing",
            "no-track",
            "no-match",
            "several",
            "several-heard",
            "failed",
        ]
        | None
    ) = None
    """``no-view``: the settings do not say how the camera looks. ``no-bearing``: the sound told no
    direction (low signal-to-noise ratio, or several sources). ``no-match``: no track was where the
    sound came from (hidden, or outside the picture). ``several``: two tracks stood within 10°, one
    that the picture's edge cuts off included, or would with the pictures taken at other moments
    that are possible (``rival_off_s``). ``several-heard``: a quarter of the bearings pointed
    elsewhere than to the best track, to a source that no picture shows."""


FellBack = Literal[
    "no-pictures", "no-track", "no-match", "several", "no-plate", "unsure", "disagreement"
]
"""``no-pictures``: the plate camera delivered none. ``no-track``: nothing could be followed in
them. ``no-match``: no vehicle in them is known to be the one that was loud. ``several``: two of
them may be. The others are those of a reading."""


class PlateReading(Model):
    """How a plate was read; the text itself is the first of ``plates``."""

    confidence: Share = 0.0
    pictures: Annotated[int, Field(ge=0, le=999)] = 0
    """Pictures in which it was looked for."""
    votes: Annotated[int, Field(ge=0, le=999)] = 0
    """Pictures that agree upon the text."""
    characters: Annotated[list[Share], Field(max_length=16)] = Field(default_factory=list)
    """Confidence of each character."""
    abstained: (
        Literal[
            "no-camera",
            "no-reader",
            "no-plate",
            "not-attributed",
            "not-in-picture",
            "cut-off",
            "several-heard",
            "unsure",
            "disagreement",
            "failed",
        ]
        | None
    ) = None
    """Why no text is given. ``not-attributed``: several vehicles, and none of them is known to have
    been the loud one. Without an array, of one vehicle that was followed alone: ``not-in-picture``
    (it was not there at LAFmax), ``cut-off`` (another was cut off by the picture's edge),
    ``several-heard`` (the level rose twice)."""
    camera: CameraRole | None = None
    """Of a place with two cameras, in whose pictures it was looked for last; absent where there is
    one."""
    fell_back: FellBack | None = None
    """Why the plate camera's pictures gave no plate, so that those of the overview were read."""
    apart_s: Annotated[float, Field(ge=0, le=20)] | None = None
    """So far the moments of the two cameras' pictures may lie apart: within it no other vehicle may
    be the loud one; absent where there is one camera."""


class AudioLedger(Model):
    """What became of the samples of the kept recording."""

    captured: Count
    lost: Count = 0
    """Known to be missing; each second that they touch is flagged ``drop-out``."""
    filled: Count = 0
    """Of those, put back as zeros, so that the count of samples stays the time."""
    overflows: Count = 0
    """Blocks before which the driver lost samples and need not have said how many."""
    drift_ppm: Annotated[float, Field(ge=-1000, le=1000, allow_inf_nan=False)] | None = None
    """Of UTC against the audio clock's nominal rate, positive where the audio clock is slow; absent
    before a minute was heard."""


class FieldCalibration(Model):
    """The latest field calibration of the microphone before the passage."""

    time: UtcDatetime
    by: Literal["calibrator", "settings"]
    """``calibrator``: its tone was recognised. ``settings``: said by hand."""
    frequency_hz: Annotated[float, Field(ge=900, le=1100)] | None = None
    level_db: Decibel | None = None
    """Of the tone, with the sensitivity in force."""
    nominal_db: Decibel | None = None
    drift_db: Annotated[float, Field(ge=-20, le=20, allow_inf_nan=False)] | None = None
    """Level less nominal."""


class _Exceedance(Model):
    """What every version says."""

    exceedance_id: Annotated[str, Field(min_length=8, max_length=64)]
    phase: Literal["measured", "sealed"] = "sealed"
    started: UtcDatetime
    """When LAF first rose above the threshold."""
    ended: UtcDatetime
    threshold_db: Decibel
    LAFmax: Decibel
    LAFmax_time: UtcDatetime
    LAE: Decibel
    """Sound exposure level of the passage (IEC 61672-1 3.12)."""
    background_db: Decibel | None = None
    """LAF exceeded 90 % of the time before the passage."""
    overload: bool = False
    """The input clipped (a lower bound) or its sound is doubtful: no fine may rest on it."""
    calibrated: bool = False
    """A sensitivity has been set for this microphone; without it levels are not evidence."""
    clock_vouched: bool | None = None
    """True: the clock was called synchronised by the word of the gateway's settings alone."""
    conditions: Conditions | None = None
    bearing_deg: Annotated[float, Field(ge=0, lt=360, allow_inf_nan=False)] | None = None
    """Where the sound came from, clockwise from north."""
    plates: Annotated[list[PlateCandidate], Field(max_length=8)] = Field(default_factory=list)
    """The likeliest first; for people to compare with what they read, never a finding."""
    level_curve: LevelCurve | None = None
    evidence: EvidenceReference | None = None

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.ended < self.started:
            raise ValueError("ended lies before started")
        return self


class NoiseExceedanceV1(_Exceedance):
    """``city.vigil.noise.exceedance.v1``: as gateways of 0.1 send it; still accepted.

    Told twice under the same ``exceedance_id``: ``measured`` as soon as the passage is
    over, and ``sealed`` with the level curve and the evidence once that has been made.
    """

    TYPE: ClassVar[str] = "city.vigil.noise.exceedance.v1"


class NoiseExceedance(_Exceedance):
    """``city.vigil.noise.exceedance.v2``: a passage was louder than the threshold, and what that
    comes to.

    Told as ``measured`` when all its flags are known, some seconds after it is over, with the
    judgement and the classification. An exceedance that is not vetoed is told again under the
    same ``exceedance_id``, as ``sealed``, with bearing, vehicle, plate and evidence; so are some of
    those that were vetoed, so that a wrong veto can be found. What is borderline or not valid is
    told once: nothing of it is sealed unless the gateway's settings ask for it.
    """

    TYPE: ClassVar[str] = "city.vigil.noise.exceedance.v2"

    flags: Annotated[list[Slug], Field(max_length=16)] = Field(default_factory=list)
    """Of the seconds that it touches: ``clipping``, ``drop-out``, ``gain-change`` and so on."""
    judgement: Judgement | None = None
    classification: Classification | None = None
    """Absent where no classifier looked at it."""
    audio: AudioLedger | None = None
    calibration: FieldCalibration | None = None
    """Absent where none is known."""
    sync_age_s: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    """Since the gateway's time service last took a measurement from its source; absent where it
    does not tell (chrony does)."""
    bearing: SoundBearing | None = None
    vehicle: VehicleFinding | None = None
    plate_reading: PlateReading | None = None


AnyExceedance = NoiseExceedance | NoiseExceedanceV1


def founds_a_case(event: AnyExceedance) -> bool:
    """Whether people are to look at it: not what its own gateway calls borderline, not valid or no
    vehicle. A gateway that judges nothing leaves that to them."""
    if isinstance(event, NoiseExceedanceV1):
        return True
    if event.classification is not None and event.classification.vetoed:
        return False
    return event.judgement is None or event.judgement.decision == "exceedance"


CONTRACT: Final = DomainContract(
    name=DOMAIN, events=(NoiseExceedance,), accepted=(NoiseExceedanceV1,)
)
