"""Conditions of smoke alarms, the fires that they may be, and what a home says of itself."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from sqlalchemy import JSON, Float, ForeignKey, Index, String, false, text
from sqlalchemy.orm import Mapped, mapped_column

from vigil_cloud.database.base import SCHEDULED, SINCE, Base, KeptHash, Sealed
from vigil_cloud.smoke import programme_models as programme

PROGRAMME: Final = programme
"""The programme's tables are declared with these."""


class AlarmCondition(Base):
    """One condition of one alarm: smoke, a test, a weak battery, a fault and more."""

    __tablename__ = "smoke_conditions"
    __table_args__ = (
        Index("ix_smoke_conditions_activated", "activated"),
        Index("ix_smoke_conditions_in_test", "in_test"),
        # What lasts behind a gateway: asked for each alarm, while the table keeps years.
        Index(
            "ix_smoke_conditions_lasting",
            "gateway",
            "heard",
            sqlite_where=text("cleared IS NULL"),
            postgresql_where=text("cleared IS NULL"),
        ),
    )

    id: Mapped[str] = mapped_column(String(130), primary_key=True)
    """``{gateway}:{alarm_id}``: a gateway can only speak of its own."""
    gateway: Mapped[str] = mapped_column(String(63))
    device: Mapped[str] = mapped_column(String(64), index=True)
    condition: Mapped[str] = mapped_column(String(20))
    activated: Mapped[datetime | None]
    """Null while only the clearing has arrived."""
    cleared: Mapped[datetime | None]
    battery_percent: Mapped[float | None] = mapped_column(Float)
    in_test: Mapped[bool] = mapped_column(default=False, server_default=false())
    """It came with a self test: only the home was told, and it may become a fire yet."""
    heard: Mapped[datetime | None]
    """When its activation was received: by our clock, which alone judges how long it lasts."""
    fire_owed: Mapped[bool] = mapped_column(default=False, server_default=false(), index=True)
    """It is a fire, and no fire could be opened for it: that is tried again (``owed``)."""
    owed_times: Mapped[int] = mapped_column(default=0, server_default="0")
    """How often: the same alarm may open a second fire, of which 119 is told by itself."""
    rings: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    """Of smoke and heat: the alarm as its fire takes it (``decision.Alarm``), that is by our clock
    and with all that it says. ``None``: it opened none, or an earlier release took it."""
    over_heard: Mapped[datetime | None]
    """When its clearing was received."""
    alert_id: Mapped[str] = mapped_column(String(36))


class Fire(Base):
    """What the alarms of one home may be, from the first that rings to its cause."""

    __tablename__ = "fires"
    __table_args__ = (
        Index("ix_fires_home_phase", "home", "phase"),
        Index("ix_fires_opened", "opened"),
        Index("ix_fires_to_do", "to_do"),
    )

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    home: Mapped[str] = mapped_column(String(80))
    """``household:{key}``, or ``gateway:{id}`` for alarms that no home has been given."""
    household: Mapped[str | None] = mapped_column(String(48), index=True)
    district: Mapped[str | None] = mapped_column(String(40))
    gateway: Mapped[str] = mapped_column(String(63))
    device: Mapped[str] = mapped_column(String(64))
    """The first that rang."""
    alert_id: Mapped[str] = mapped_column(String(36), index=True)
    """Of the first that rang."""
    case_id: Mapped[str | None] = mapped_column(String(36))
    place: Mapped[str] = mapped_column(String(300))
    place_zh: Mapped[str] = mapped_column(String(300))
    latitude: Mapped[float | None] = mapped_column(Float)
    longitude: Mapped[float | None] = mapped_column(Float)
    opened: Mapped[datetime]
    phase: Mapped[str] = mapped_column(String(12))
    """As ``state`` says it (``decision.Phase``)."""
    due: Mapped[datetime | None] = mapped_column(info=SCHEDULED)
    """When time alone changes it."""
    to_do: Mapped[bool] = mapped_column(default=True)
    """Whether something that the state asks for has not been done yet, or ``due`` is set."""
    state: Mapped[dict[str, Any]] = mapped_column(JSON)
    """``decision.State``."""
    done: Mapped[dict[str, Any]] = mapped_column(JSON)
    """What of it has been done (``live.Done``)."""
    leader: Mapped[str | None] = mapped_column(String(64))
    """Who at the emergency line acknowledged it."""


class FireAlarm(Base):
    """Which fire one condition of one alarm belongs to: it opens no second one."""

    __tablename__ = "fire_alarms"

    reference: Mapped[str] = mapped_column(String(130), primary_key=True)
    """Of ``AlarmCondition``."""
    fire: Mapped[str] = mapped_column(ForeignKey("fires.id", ondelete="CASCADE"), index=True)
    alert_id: Mapped[str] = mapped_column(String(36), index=True)


class FireStep(Base):
    """What happened in one fire, in order. Codes alone: nothing that somebody wrote."""

    __tablename__ = "fire_steps"

    id: Mapped[int] = mapped_column(primary_key=True)
    fire: Mapped[str] = mapped_column(ForeignKey("fires.id", ondelete="CASCADE"), index=True)
    at: Mapped[datetime]
    what: Mapped[str] = mapped_column(String(40))
    who: Mapped[str | None] = mapped_column(String(120))
    """``None``: an alarm, or the platform itself."""


class Hydrant(Base):
    """Water for fire engines, of the city's latest file (``hydrants``)."""

    __tablename__ = "hydrants"
    __table_args__ = (Index("ix_hydrants_place", "latitude", "longitude"),)

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    """What stands on it, or the file's own name of it."""
    kind: Mapped[str] = mapped_column(String(20))
    """Of ``hydrants.KINDS``."""
    latitude: Mapped[float] = mapped_column(Float)
    longitude: Mapped[float] = mapped_column(Float)


class HomeSafety(Base):
    """What a home has said for the case of a fire."""

    __tablename__ = "home_safety"

    household: Mapped[str] = mapped_column(
        ForeignKey("households.key", ondelete="CASCADE"), primary_key=True
    )
    window_s: Mapped[int] = mapped_column(default=60)
    particulars: Mapped[bytes | None] = mapped_column(Sealed("home.safety"))
    """Floor, who needs help, telephone numbers, keys: under the household's own key."""
    code_hash: Mapped[str | None] = mapped_column(KeptHash(255, "home safety code v1"))
    """argon2id of a keyed hash: a copy of the database tells no code, however short."""
    code_set: Mapped[datetime | None]
    code_set_by: Mapped[str | None] = mapped_column(String(64))
    wrong: Mapped[int] = mapped_column(default=0)
    """Guesses since the last right one; counted before each is looked at."""
    locked_until: Mapped[datetime | None] = mapped_column(info=SINCE)
    locks: Mapped[int] = mapped_column(default=0)
    """How often it was locked: each is an alert of its own."""
