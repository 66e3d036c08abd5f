"""The tags that persons carry, and their visits to stations."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Float, ForeignKey, Index, Integer, String, false, text
from sqlalchemy.orm import Mapped, mapped_column

from vigil_cloud.database.base import SCHEDULED, SINCE, Base, KeptHash, Sealed


class Tag(Base):
    """A beacon or sticker and whose it is."""

    __tablename__ = "tags"

    tag: Mapped[str] = mapped_column(String(140), primary_key=True)
    person_key: Mapped[str] = mapped_column(
        ForeignKey("persons.key", ondelete="CASCADE"), index=True
    )


class Visit(Base):
    """One stay of one tag at one station. ``person_key`` is who carried it then."""

    __tablename__ = "visits"
    __table_args__ = (
        Index("ix_visits_footprint", "person_key", "arrived"),
        Index("ix_visits_last", "person_key", "last_seen"),
        Index("ix_visits_open", "departed", "gateway"),
        Index(
            "ix_visits_going_on",
            "person_key",
            sqlite_where=text("departed IS NULL"),
            postgresql_where=text("departed IS NULL"),
        ),
    )

    id: Mapped[str] = mapped_column(String(130), primary_key=True)
    """``{gateway}:{visit_id}``: a gateway can only speak of its own."""
    tag: Mapped[str] = mapped_column(String(140), index=True)
    person_key: Mapped[str | None] = mapped_column(String(64))
    gateway: Mapped[str] = mapped_column(String(63))
    device: Mapped[str] = mapped_column(String(64))
    carrier: Mapped[str] = mapped_column(String(8))
    arrived: Mapped[datetime]
    last_seen: Mapped[datetime]
    departed: Mapped[datetime | None]
    sightings: Mapped[int]
    rssi_max_dbm: Mapped[float | None]
    battery_mv: Mapped[int | None]
    """Of the tag, where it told it."""
    silent_since: Mapped[datetime | None]
    """The last sign of the station itself, where that fell silent during the visit."""
    clock_offset_s: Mapped[float | None] = mapped_column(Float)
    """How far the station's clock was ahead of ours; the times have been corrected by it."""
    clock_quality: Mapped[str | None] = mapped_column(String(16))
    """What the gateway said of its clock with the latest message."""
    temperature_c: Mapped[float | None] = mapped_column(Float)
    """Of the tag, where it told it."""
    still_since: Mapped[datetime | None]
    """Since when its level has not moved: nobody carries it."""
    late: Mapped[bool] = mapped_column(default=False, server_default=false())
    """It was told long after it had ended."""
    doubt: Mapped[str | None] = mapped_column(String(16))
    """Why it may not be who it seems; see ``doubts``."""
    passages: Mapped[list[dict[str, Any]] | None] = mapped_column(JSON(none_as_null=True))
    """Of a UHF reader: each passage of its antennas, with the direction."""
    position_state: Mapped[str | None] = mapped_column(String(12))
    """Of a station that moves: whether it knew where it was; ``None``: it stands."""
    latitude: Mapped[float | None] = mapped_column(Float)
    longitude: Mapped[float | None] = mapped_column(Float)
    within_m: Mapped[float | None] = mapped_column(Float)
    position_at: Mapped[datetime | None]
    """Of one that moves: at the strongest sign, and when the satellites said so."""


class LateVisit(Base):
    """What a station said days later of a rotating id, until a job has found out whose it is; see
    ``late_ids``."""

    __tablename__ = "late_visits"
    __table_args__ = (Index("ix_late_visits_next", "tries", "block", "id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    gateway: Mapped[str] = mapped_column(String(63))
    block: Mapped[int]
    """Of the tables of ids: those of one block are resolved with one table."""
    envelope: Mapped[dict[str, Any]] = mapped_column(JSON)
    marks: Mapped[dict[str, Any]] = mapped_column(JSON)
    received: Mapped[datetime]
    tries: Mapped[int] = mapped_column(default=0, server_default="0")
    """In which it failed."""


class PhoneReport(Base):
    """What a citizen's phone heard, for the seconds until it is resolved or gone. Whose phone it
    was is nowhere; see ``phones``."""

    __tablename__ = "phone_reports"

    id: Mapped[int] = mapped_column(primary_key=True)
    heard_id: Mapped[str] = mapped_column(String(40))
    at: Mapped[datetime]
    latitude: Mapped[float] = mapped_column(Float)
    longitude: Mapped[float] = mapped_column(Float)
    within_m: Mapped[float] = mapped_column(Float)
    received: Mapped[datetime]


class PhoneSighting(Base):
    """A person's beacon was heard by some phone. Coarse: rounded to about 200 m."""

    __tablename__ = "phone_sightings"
    __table_args__ = (Index("ix_phone_sightings_last", "person_key", "at"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    person_key: Mapped[str] = mapped_column(ForeignKey("persons.key", ondelete="CASCADE"))
    at: Mapped[datetime]
    latitude: Mapped[float] = mapped_column(Float)
    longitude: Mapped[float] = mapped_column(Float)
    within_m: Mapped[float] = mapped_column(Float)
    doubt: Mapped[str | None] = mapped_column(String(16))
    """As of a visit: why it may not be who it seems."""
    received: Mapped[datetime]
    """When it was known here: a phone may tell a quarter of an hour later."""


class PersonRule(Base):
    """What the guardian wants to be told of one person; see ``rules``."""

    __tablename__ = "person_rules"

    person_key: Mapped[str] = mapped_column(
        ForeignKey("persons.key", ondelete="CASCADE"), primary_key=True
    )
    kind: Mapped[str] = mapped_column(String(20), primary_key=True)
    settings: Mapped[dict[str, Any]] = mapped_column(JSON)
    quiet_from: Mapped[int | None]
    quiet_until: Mapped[int | None]
    """Minutes of the city's day; over midnight where the end is before the begin."""
    changed: Mapped[datetime] = mapped_column(info=SINCE)
    reference: Mapped[str | None] = mapped_column(String(64))
    """Of the alert that stands by it."""
    held: Mapped[str | None] = mapped_column(String(130))
    """The visit by which it came to hold in the quiet hours: told at their end."""
    preset: Mapped[bool] = mapped_column(default=False, server_default=false())
    """Nobody has chosen it yet: the person began with it."""


class Thing(Base):
    """A thing with a sticker or a beacon, and whose it is; see ``things``."""

    __tablename__ = "things"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    person_key: Mapped[str] = mapped_column(
        ForeignKey("persons.key", ondelete="CASCADE"), index=True
    )
    kind: Mapped[str] = mapped_column(String(12))
    name: Mapped[bytes] = mapped_column(Sealed("thing.name"))
    tag: Mapped[str] = mapped_column(String(140), unique=True)
    added: Mapped[datetime]
    seen: Mapped[datetime | None]
    """Last, and by which station."""
    seen_device: Mapped[str | None] = mapped_column(String(64))
    guard_latitude: Mapped[float | None] = mapped_column(Float)
    guard_longitude: Mapped[float | None] = mapped_column(Float)
    guard_radius_m: Mapped[float | None] = mapped_column(Float)
    """Where it is parked, WGS 84, degrees: it is told of where it is seen farther away."""
    guarded: Mapped[datetime | None]
    """Since when: what was seen before says nothing of where it is parked."""
    reference: Mapped[str | None] = mapped_column(String(128))
    """Of the alert that it has moved, which stands."""
    stolen: Mapped[datetime | None]
    """When it was reported, while it is looked for."""
    case_id: Mapped[str | None] = mapped_column(
        ForeignKey("cases.id", ondelete="SET NULL"), index=True
    )


class Amulet(Base):
    """A beacon or a sticker of the city's own stock: what a family may register, and what it proves
    that it has it in its hands with."""

    __tablename__ = "amulets"

    tag: Mapped[str] = mapped_column(String(140), primary_key=True)
    code_hash: Mapped[str | None] = mapped_column(KeptHash(64, "amulet code v1"), unique=True)
    """Of the code that is printed on it and that it does not send: a keyed hash. ``None``: it has
    none, and the id itself is printed on it."""
    code_number: Mapped[int] = mapped_column(default=1, server_default="1")
    """Of the key of that hash (``identity.kept_keys``): of an earlier one the printed code fits no
    more."""
    state: Mapped[str] = mapped_column(String(10), default="free")
    """``free``, ``carried``, ``lost`` or ``returned``; only a free one can be registered."""
    changed: Mapped[datetime]


class RotatingBeacon(Base):
    """The key of a beacon whose id rotates (Eddystone-EID), and what is known of its clock."""

    __tablename__ = "rotating_beacons"

    tag: Mapped[str] = mapped_column(String(140), primary_key=True)
    """Its own name, ``rotating:…``, as a person carries it; no radio ever hears it."""
    key: Mapped[bytes] = mapped_column(Sealed("beacon.key"))
    exponent: Mapped[int]
    """Its id lasts so many powers of two of a second."""
    zero: Mapped[datetime]
    """When its counter stood at 0, by our clock."""
    offset_low_s: Mapped[float] = mapped_column(Float)
    offset_high_s: Mapped[float] = mapped_column(Float)
    offset_at: Mapped[datetime]
    """By how much its clock lags behind ours: between the two, as known then."""
    changed: Mapped[datetime]


class PurposeConsent(Base):
    """Somebody has read what the city collects of a person and why, and agreed for them."""

    __tablename__ = "purpose_consents"

    id: Mapped[int] = mapped_column(primary_key=True)
    person_key: Mapped[str] = mapped_column(String(64), index=True)
    version: Mapped[str] = mapped_column(String(16))
    """Of the notice that was shown; see ``checkin.notice``."""
    language: Mapped[str] = mapped_column(String(8))
    capacity: Mapped[str] = mapped_column(String(16))
    """``self`` or ``representative``."""
    account: Mapped[str] = mapped_column(String(64))
    at: Mapped[datetime]


class Invitation(Base):
    """A one-time right to become a relative of somebody, or to enrol a person and guard them.

    The token itself is nowhere: it is made of ``nonce`` under the secret key each time it is
    shown, and looked up by its digest.
    """

    __tablename__ = "invitations"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    kind: Mapped[str] = mapped_column(String(12))
    """``relative`` or ``enrol``."""
    person_key: Mapped[str | None] = mapped_column(String(64), index=True)
    """Whose relative; of ``enrol`` who was enrolled with it."""
    token_sha256: Mapped[str] = mapped_column(String(64), unique=True)
    nonce: Mapped[str] = mapped_column(String(32))
    note: Mapped[bytes] = mapped_column(Sealed("invitation.note"))
    """For whom it is, or why, as whoever made it wrote it."""
    made_by: Mapped[str] = mapped_column(String(64), index=True)
    made: Mapped[datetime]
    expires: Mapped[datetime] = mapped_column(info=SINCE, index=True)
    revoked: Mapped[datetime | None]
    account_id: Mapped[int | None] = mapped_column(
        ForeignKey("accounts.id", ondelete="SET NULL"), index=True
    )
    """Whose it is since somebody made an account with it, or has used it."""
    claimed: Mapped[bool] = mapped_column(default=False, server_default=false())
    """It is somebody's, for good: it opens to nobody else when that account is gone."""
    used: Mapped[datetime | None]


class StationHost(Base):
    """The links of one station: whether it works, and where its host is told that it does not.

    As of an invitation, both tokens are made of ``nonce`` and found by their digests.
    """

    __tablename__ = "station_hosts"

    device: Mapped[str] = mapped_column(String(64), primary_key=True)
    nonce: Mapped[str] = mapped_column(String(32))
    status_sha256: Mapped[str] = mapped_column(KeptHash(64, "station status v1"), unique=True)
    """Of the link that hangs at the station: it shows whether it works, and changes nothing."""
    host_sha256: Mapped[str] = mapped_column(KeptHash(64, "station host v1"), unique=True)
    """Of the host's own: with it messages are stopped and sent elsewhere."""
    made: Mapped[datetime]
    made_by: Mapped[str] = mapped_column(String(64))


class StationAddress(Base):
    """Where the host of a station wants to be told, while the mailbox itself has not said yes."""

    __tablename__ = "station_addresses"

    device: Mapped[str] = mapped_column(
        ForeignKey("station_hosts.device", ondelete="CASCADE"), primary_key=True
    )
    address: Mapped[bytes] = mapped_column(Sealed("station.address"))
    language: Mapped[str] = mapped_column(String(8))
    nonce: Mapped[str] = mapped_column(String(32))
    sha256: Mapped[str] = mapped_column(String(64), unique=True)
    """Of the link that is sent there."""
    asked: Mapped[datetime] = mapped_column(info=SINCE)
    sent: Mapped[datetime | None]
    tries: Mapped[int] = mapped_column(default=0)
    again: Mapped[datetime] = mapped_column(info=SCHEDULED)
    """When it is (to be) sent."""
    error: Mapped[str | None] = mapped_column(String(300))
    """Why it was not sent when it was tried last."""


class StationSilence(Base):
    """A station that does not work, since when we have watched it so."""

    __tablename__ = "station_silences"

    device: Mapped[str] = mapped_column(String(64), primary_key=True)
    since: Mapped[datetime] = mapped_column(info=SINCE)
    """Its last sign, or when its source failed."""
    noticed: Mapped[datetime] = mapped_column(info=SINCE)
    """When we first found it so: a cloud that was away itself has watched nothing meanwhile."""
    told: Mapped[datetime | None]
    """When its host was told; one alert for each silence."""
    ended: Mapped[datetime | None]
    """Since when it works again."""


class Watch(Base):
    """Somebody is looked for, or a thing: their tags are on every station's watch list until
    then."""

    __tablename__ = "watches"

    case_id: Mapped[str] = mapped_column(String(36), primary_key=True)
    person_key: Mapped[str] = mapped_column(String(64), index=True)
    """Who is looked for, or whose the thing is."""
    tag: Mapped[str | None] = mapped_column(String(140))
    """Of the thing, which alone is looked for then; ``None``: all that the person carries."""
    until: Mapped[datetime]


class WatchListHead(Base):
    """The watch list as it now is, by number and digest; one row."""

    __tablename__ = "watch_list_head"

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    revision: Mapped[int] = mapped_column(BigInteger)
    digest: Mapped[str] = mapped_column(String(64))


class WatchStation(Base):
    """Which list one station was told last through one gateway, and by which command. A station
    that was moved has a row for each gateway until the one that it left was told to forget."""

    __tablename__ = "watch_stations"

    device: Mapped[str] = mapped_column(String(64), primary_key=True)
    gateway: Mapped[str] = mapped_column(String(63), primary_key=True)
    epoch: Mapped[str | None] = mapped_column(String(16))
    """Of the gateway as it was told: one that has started anew is told anew."""
    revision: Mapped[int] = mapped_column(BigInteger)
    downlink: Mapped[str] = mapped_column(String(64))
    asked: Mapped[datetime] = mapped_column(info=SINCE)
    tries: Mapped[int] = mapped_column(Integer, default=0)
    """Refused in a row."""
    withdrawn: Mapped[bool] = mapped_column(default=False, server_default=false())
    """What it was told is that nobody is looked for."""
