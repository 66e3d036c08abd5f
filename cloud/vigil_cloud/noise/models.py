"""Tables of noise: exceedances as cases are built on them, and the register that they are judged
by. Of the register nothing is lost: a later entry of the same key counts instead of an earlier one,
one that is withdrawn counts no more, and all stay to be seen. What is corrected in place
(intersections, instruments, complaints) leaves its former words in ``Version``."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Final

from sqlalchemy import JSON, Date, Float, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from vigil_cloud.database.base import Base, Sealed

CLOCK_VOUCHED: Final = "vouched"
"""Of a clock that is synchronised by the word of its gateway's settings alone."""


class Exceedance(Base):
    """One passage louder than the threshold. Levels in dB re 20 µPa."""

    __tablename__ = "noise_exceedances"
    __table_args__ = (
        Index("ix_noise_exceedances_started", "started"),
        Index("ix_noise_exceedances_alert", "alert_id"),
    )

    id: Mapped[str] = mapped_column(String(130), primary_key=True)
    """``{gateway}:{exceedance_id}``: a gateway can only speak of its own."""
    gateway: Mapped[str] = mapped_column(String(63))
    device: Mapped[str] = mapped_column(String(64), index=True)
    started: Mapped[datetime]
    ended: Mapped[datetime]
    threshold_db: Mapped[float] = mapped_column(Float)
    LAFmax: Mapped[float] = mapped_column(Float)
    LAE: Mapped[float] = mapped_column(Float)
    background_db: Mapped[float | None] = mapped_column(Float)
    overload: Mapped[bool]
    calibrated: Mapped[bool]
    time_quality: Mapped[str | None] = mapped_column(String(8))
    """``ahead`` or ``behind`` where the device's clock could not be believed: the times are
    then those of receipt, and no fine may rest on them."""
    clock_quality: Mapped[str | None] = mapped_column(String(16))
    """What the gateway said of its clock (``ClockQuality``, or ``CLOCK_VOUCHED``); ``None``: not
    kept then."""
    wind_m_s: Mapped[float | None] = mapped_column(Float)
    rain: Mapped[bool | None]
    """``None``: nobody measured it there."""
    bearing_deg: Mapped[float | None] = mapped_column(Float)
    plates: Mapped[bytes | None] = mapped_column(Sealed("noise.plates"))
    """What a machine read, as JSON: texts, the likeliest first."""
    evidence_sha256: Mapped[str | None] = mapped_column(String(64))
    decision: Mapped[str | None] = mapped_column(String(12))
    """``exceedance``, ``borderline`` or ``not-valid``; ``None``: its gateway judges nothing."""
    vetoed: Mapped[bool | None]
    """Surely no vehicle's sound; ``None``: no classifier looked at it."""
    findings: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    """See ``findings.py``."""
    alert_id: Mapped[str | None] = mapped_column(String(36))
    """``None``: it founds no case (borderline, not valid or vetoed) and is counted only."""
    told: Mapped[bytes | None] = mapped_column(Sealed("noise.told"))
    """Of what was vetoed and is kept to be heard: the message, from which its alert can still be
    raised (``overruling.py``)."""
    overruled_by: Mapped[str | None] = mapped_column(String(64))
    """Who heard a vehicle where the classifier heard none; its verdict stays in ``findings``."""


class Intersection(Base):
    """A place at which vehicles are listened to."""

    __tablename__ = "noise_intersections"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    name: Mapped[str] = mapped_column(String(120))
    name_zh: Mapped[str] = mapped_column(String(120))
    latitude: Mapped[float] = mapped_column(Float)
    longitude: Mapped[float] = mapped_column(Float)
    retired: Mapped[bool] = mapped_column(default=False)
    """Nothing is to be placed there any more; what was measured there stays judged as it was."""


class Recorded:
    """When and by whom an entry was made."""

    recorded: Mapped[datetime]
    recorded_by: Mapped[str] = mapped_column(String(64))


class Withdrawable(Recorded):
    """An entry that can be withdrawn by another one of the same key: what was entered by mistake
    counts no more, and an earlier entry counts again."""

    withdrawn: Mapped[bool] = mapped_column(default=False)


class Road(Withdrawable, Base):
    """What holds for one direction of an intersection from a day on."""

    __tablename__ = "noise_roads"
    __table_args__ = (Index("ix_noise_roads_intersection", "intersection", "valid_from"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    intersection: Mapped[str] = mapped_column(ForeignKey("noise_intersections.id"))
    direction: Mapped[str] = mapped_column(String(40))
    """Empty: every direction that has no entry of its own."""
    valid_from: Mapped[date] = mapped_column(Date)
    valid_until: Mapped[date | None] = mapped_column(Date)
    """The last day."""
    speed_limit_kmh: Mapped[int | None]
    sign_distance_m: Mapped[float | None] = mapped_column(Float)
    """How far before the microphone the warning sign stands; ``None``: not recorded."""
    limits: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    """``register_schema.LimitBody``, as JSON; the first that fits counts."""
    basis: Mapped[str] = mapped_column(String(300))
    """The announcement or article that the limit rests on."""


class Instrument(Base):
    """A sound level meter."""

    __tablename__ = "noise_instruments"

    serial: Mapped[str] = mapped_column(String(64), primary_key=True)
    maker: Mapped[str] = mapped_column(String(120))
    model: Mapped[str] = mapped_column(String(120))
    retired: Mapped[bool] = mapped_column(default=False)
    """It measures no more; what it measured stays judged as it was."""


class Certificate(Withdrawable, Base):
    """A certificate of an instrument: ``verification`` (metrological), ``comparison`` (with the
    agency's reference) or ``calibration`` (in the field)."""

    __tablename__ = "noise_certificates"
    __table_args__ = (Index("ix_noise_certificates_instrument", "instrument", "kind"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    instrument: Mapped[str] = mapped_column(ForeignKey("noise_instruments.serial"))
    kind: Mapped[str] = mapped_column(String(16))
    number: Mapped[str] = mapped_column(String(80))
    issuer: Mapped[str] = mapped_column(String(200))
    valid_from: Mapped[date] = mapped_column(Date)
    valid_until: Mapped[date] = mapped_column(Date)
    """The last day."""


class Placement(Withdrawable, Base):
    """Which instrument a device is, and where and how it stands, from a moment on."""

    __tablename__ = "noise_placements"
    __table_args__ = (Index("ix_noise_placements_device", "device", "since"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    device: Mapped[str] = mapped_column(String(64))
    since: Mapped[datetime]
    intersection: Mapped[str | None] = mapped_column(ForeignKey("noise_intersections.id"))
    """``None``: it stands nowhere; it was taken down."""
    direction: Mapped[str] = mapped_column(String(40))
    instrument: Mapped[str | None] = mapped_column(ForeignKey("noise_instruments.serial"))


class RuleSet(Withdrawable, Base):
    """What the city's method asks from a day on, and what its tariff is."""

    __tablename__ = "noise_rules"

    id: Mapped[int] = mapped_column(primary_key=True)
    valid_from: Mapped[date] = mapped_column(Date, index=True)
    background_margin_db: Mapped[float] = mapped_column(Float)
    wind_limit_m_s: Mapped[float] = mapped_column(Float)
    sign_distance_m: Mapped[float] = mapped_column(Float)
    penalties: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    """``register_schema.PenaltyStep``, as JSON."""
    basis: Mapped[str] = mapped_column(String(300))


class Complaint(Withdrawable, Base):
    """Somebody complained of noise at an intersection. Who is not kept."""

    __tablename__ = "noise_complaints"
    __table_args__ = (Index("ix_noise_complaints_intersection", "intersection", "received"),)

    reference: Mapped[str] = mapped_column(String(64), primary_key=True)
    """Of the office that took it."""
    intersection: Mapped[str] = mapped_column(ForeignKey("noise_intersections.id"))
    received: Mapped[date] = mapped_column(Date)


class Version(Recorded, Base):
    """What an intersection, an instrument or a complaint was called from then on."""

    __tablename__ = "noise_register_versions"
    __table_args__ = (Index("ix_noise_register_versions_key", "kind", "key"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(16))
    """``intersection``, ``instrument`` or ``complaint``."""
    key: Mapped[str] = mapped_column(String(64))
    said: Mapped[dict[str, Any]] = mapped_column(JSON)
    """``register_schema``'s body, as JSON."""


class LevelHour(Base):
    """Levels of one device in one hour, worked out from its readings (``hours.py``)."""

    __tablename__ = "noise_level_hours"
    __table_args__ = (UniqueConstraint("device", "hour"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    device: Mapped[str] = mapped_column(String(64))
    hour: Mapped[datetime] = mapped_column(index=True)
    """Its beginning, UTC."""
    asked: Mapped[int]
    """How often readings have asked for it to be worked out."""
    done: Mapped[int] = mapped_column(default=0)
    """``asked`` as it was worked out last: where they differ, it is due."""
    seconds: Mapped[int] = mapped_column(default=0)
    """Readings that it rests on, one a second."""
    LAeq: Mapped[float | None] = mapped_column(Float)
    """dB re 20 µPa, mean of the energy; ``None`` where nothing usable was measured."""
    LAFmax: Mapped[float | None] = mapped_column(Float)


class Finding(Base):
    """The checks of a case as they stood when it was decided: an entry of the register that comes
    later changes no decision unseen."""

    __tablename__ = "noise_findings"

    case_id: Mapped[str] = mapped_column(
        ForeignKey("cases.id", ondelete="CASCADE"), primary_key=True
    )
    round: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[datetime]
    checks: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
