"""Tables of AEDs, the people who come with them, and the calls that they come to."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import JSON, Date, Float, ForeignKey, Index, String, UniqueConstraint, false
from sqlalchemy.orm import Mapped, mapped_column

from vigil_cloud.database.base import SCHEDULED, SINCE, Base, Sealed


class AedSite(Base):
    """One AED of the register, in the terms of OpenStreetMap's ``emergency=defibrillator``."""

    __tablename__ = "aed_sites"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    name: Mapped[str] = mapped_column(String(120))
    name_zh: Mapped[str] = mapped_column(String(120), default="")
    latitude: Mapped[float] = mapped_column(Float)
    longitude: Mapped[float] = mapped_column(Float)
    location: Mapped[str] = mapped_column(String(300), default="")
    """``defibrillator:location``: where in the place, for somebody who runs."""
    level: Mapped[str] = mapped_column(String(16), default="")
    indoor: Mapped[bool] = mapped_column(default=False)
    access: Mapped[str] = mapped_column(String(16), default="yes")
    opening_hours: Mapped[str] = mapped_column(String(255), default="24/7")
    phone: Mapped[str] = mapped_column(String(40), default="")
    """Of the place, not of a person."""
    operator: Mapped[str] = mapped_column(String(120), default="")
    model: Mapped[str] = mapped_column(String(120), default="")
    in_service: Mapped[bool] = mapped_column(default=True)
    checked: Mapped[date | None] = mapped_column(Date)
    """``check_date``: the last patrol."""
    pads_until: Mapped[date | None] = mapped_column(Date)
    battery_until: Mapped[date | None] = mapped_column(Date)
    device: Mapped[str | None] = mapped_column(String(64), unique=True)
    """Its cabinet, where a gateway watches it."""
    taken: Mapped[bool] = mapped_column(default=False)
    """The cabinet says that it is not in its place."""
    tag: Mapped[str | None] = mapped_column(String(140), unique=True)
    """That sticks on the defibrillator itself, as a station names it."""
    tag_seen: Mapped[datetime | None]
    tag_station: Mapped[str | None] = mapped_column(String(64))
    """Which device saw it last."""
    updated: Mapped[datetime]


class AedPatrol(Base):
    """Somebody stood before an AED and looked."""

    __tablename__ = "aed_patrols"
    __table_args__ = (UniqueConstraint("account", "key"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    site: Mapped[str] = mapped_column(ForeignKey("aed_sites.id", ondelete="CASCADE"), index=True)
    at: Mapped[datetime]
    account: Mapped[str] = mapped_column(String(64))
    findings: Mapped[dict[str, bool]] = mapped_column(JSON)
    """By item of the checklist."""
    usable: Mapped[bool]
    pads_until: Mapped[date | None] = mapped_column(Date)
    battery_until: Mapped[date | None] = mapped_column(Date)
    note: Mapped[str] = mapped_column(String(1000), default="")
    tester: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    """What a tester measured (``tester.TesterResult``); ``None``: none was used."""
    key: Mapped[str | None] = mapped_column(String(64))
    """``Idempotency-Key`` of whoever told it: sent again, it is the same patrol."""


class AedPatrolPhoto(Base):
    """A photograph that a patrol took; of nobody's patrol until the patrol is told."""

    __tablename__ = "aed_patrol_photos"
    __table_args__ = (UniqueConstraint("account", "key"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    site: Mapped[str] = mapped_column(ForeignKey("aed_sites.id", ondelete="CASCADE"), index=True)
    patrol: Mapped[int | None] = mapped_column(
        ForeignKey("aed_patrols.id", ondelete="CASCADE"), index=True
    )
    at: Mapped[datetime]
    account: Mapped[str] = mapped_column(String(64))
    picture: Mapped[bytes] = mapped_column(Sealed("aed.patrol.photo"))
    """JPEG: passers-by may be on it."""
    key: Mapped[str | None] = mapped_column(String(64))
    """As of the patrol."""


class AedCohort(Base):
    """Volunteers who were trained, or are on the road, together, with the hours at which they may
    be called."""

    __tablename__ = "aed_cohorts"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    name: Mapped[str] = mapped_column(String(120))
    name_zh: Mapped[str] = mapped_column(String(120), default="")
    kind: Mapped[str] = mapped_column(String(16))
    """``pupils``, ``carriers`` or ``other``."""
    hours: Mapped[str] = mapped_column(String(255))
    """As OpenStreetMap's opening hours, by the city's clock."""
    speed_mps: Mapped[float | None] = mapped_column(Float)
    """Of those on wheels, m/s; ``None``: each member's own."""
    updated: Mapped[datetime]


class AedVolunteer(Base):
    """An account that may be called. Where it is, is kept only while it is on call."""

    __tablename__ = "aed_volunteers"

    account_id: Mapped[int] = mapped_column(
        ForeignKey("accounts.id", ondelete="CASCADE"), primary_key=True
    )
    consented: Mapped[datetime | None]
    """To be called, and to be found while on call; ``None``: not, or no longer."""
    certificate_until: Mapped[date | None] = mapped_column(Date)
    """Set by an administrator who has seen the certificate; it counts to the end of this day."""
    on_call: Mapped[bool] = mapped_column(default=False)
    speed_mps: Mapped[float] = mapped_column(Float, default=1.8)
    position: Mapped[bytes | None] = mapped_column(Sealed("aed.volunteer.position"))
    located: Mapped[datetime | None] = mapped_column(info=SINCE)
    ending_told: Mapped[str] = mapped_column(String(200), default="", server_default="")
    """How the message went that the position is about to be too old; empty: not tried yet."""
    ending_tries: Mapped[int] = mapped_column(default=0, server_default="0")
    ending_again: Mapped[datetime | None] = mapped_column(info=SCHEDULED)
    """When it is sent again after it failed; ``None``: at once, or never."""
    fixed_position: Mapped[bytes | None] = mapped_column(Sealed("aed.volunteer.fixed"))
    """A place that the volunteer entered: it counts while on call without a position of now."""
    fixed_hours: Mapped[str] = mapped_column(String(255), default="", server_default="")
    """When the volunteer is there, as opening hours."""
    fixed_consented: Mapped[datetime | None]
    """To the fixed place being kept, on and off call; withdrawn, it is forgotten."""
    cohort: Mapped[str | None] = mapped_column(String(40), index=True)
    hours: Mapped[str] = mapped_column(String(255), default="", server_default="")
    """When the volunteer may be called, as opening hours; empty: at all hours."""
    asked_day: Mapped[int] = mapped_column(default=0)
    accepted_day: Mapped[int] = mapped_column(default=0)
    asked_night: Mapped[int] = mapped_column(default=0)
    accepted_night: Mapped[int] = mapped_column(default=0)


class AedCallRow(Base):
    """One press of a button, and how it went."""

    __tablename__ = "aed_calls"
    __table_args__ = (Index("ix_aed_calls_state", "state"),)

    id: Mapped[str] = mapped_column(String(130), primary_key=True)
    """``{gateway}:{call_id}``: a gateway can only speak of its own."""
    alert_id: Mapped[str] = mapped_column(String(36), index=True)
    """Not unique: in a flood a counted alert stands for several."""
    case_id: Mapped[str | None] = mapped_column(String(36))
    gateway: Mapped[str] = mapped_column(String(63))
    device: Mapped[str] = mapped_column(String(64))
    site: Mapped[str | None] = mapped_column(String(40))
    place: Mapped[str] = mapped_column(String(300))
    place_zh: Mapped[str] = mapped_column(String(300))
    latitude: Mapped[float | None] = mapped_column(Float)
    longitude: Mapped[float | None] = mapped_column(Float)
    pressed: Mapped[datetime]
    received: Mapped[datetime]
    """By our clock: phases count from here."""
    presses: Mapped[int] = mapped_column(default=1)
    filed: Mapped[bool] = mapped_column(default=False, server_default=false())
    """Its case was opened, or its alert is in one; until then that is tried again."""
    state: Mapped[str] = mapped_column(String(12))
    """``new``, ``calling``, ``over``; ``late`` and ``late-told``: told too late for anybody to be
    sent by itself, before and after its case was opened."""
    phases: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list)
    """The plan: what is still to be called, if nobody accepts."""
    called_phases: Mapped[int] = mapped_column(default=0)
    over: Mapped[datetime | None]


class AedCallout(Base):
    """One volunteer who is called to one call."""

    __tablename__ = "aed_callouts"
    __table_args__ = (UniqueConstraint("call_id", "account_id", name="uq_aed_callouts_once"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    call_id: Mapped[str] = mapped_column(ForeignKey("aed_calls.id", ondelete="CASCADE"), index=True)
    account_id: Mapped[int | None] = mapped_column(
        ForeignKey("accounts.id", ondelete="SET NULL"), index=True
    )
    """``None``: the account was removed; that somebody was called, and came, stays."""
    role: Mapped[str] = mapped_column(String(8))
    site: Mapped[str | None] = mapped_column(String(40))
    """Which AED to fetch."""
    predicted_s: Mapped[float] = mapped_column(Float)
    on_reject: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    """The call that follows where this one is declined."""
    called: Mapped[datetime]
    state: Mapped[str] = mapped_column(String(12))
    """``called``, ``accepted``, ``on-the-way``, ``arrived``, ``declined``, ``recalled``;
    ``released``: the account may no longer come."""
    answered: Mapped[datetime | None]
    arrived: Mapped[datetime | None]
    told: Mapped[str] = mapped_column(String(200), default="")
    """How the message to the volunteer's own channels went; empty: not tried yet."""
    tries: Mapped[int] = mapped_column(default=0, server_default="0")
    again: Mapped[datetime | None] = mapped_column(info=SCHEDULED)
    """When it is sent again after it failed; ``None``: at once, or never."""
    thanked: Mapped[str] = mapped_column(String(200), default="", server_default="")
    """How the thanks after the call went; empty: not sent yet, or none is due."""
    thanks_tries: Mapped[int] = mapped_column(default=0, server_default="0")
    thanks_again: Mapped[datetime | None] = mapped_column(info=SCHEDULED)
    """When they are sent again after they failed; ``None``: at once, or never."""
    debriefed: Mapped[datetime | None]
    debrief: Mapped[bytes | None] = mapped_column(Sealed("aed.debrief"))
    """What the volunteer said of it afterwards (``debriefs.Debrief``)."""
