"""Tables of who may do what: accounts, sessions, gateways' tokens, consents, the audit log."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    JSON,
    CheckConstraint,
    ForeignKey,
    Index,
    Integer,
    String,
    UniqueConstraint,
    false,
)
from sqlalchemy.orm import Mapped, mapped_column

from vigil_cloud.database.base import SINCE, Base, Sealed
from vigil_cloud.database.changes import RIGHTS, Kind
from vigil_cloud.identity.whereabouts import WRITTEN_DEFAULT


class _Rights:
    """Rows that decide who may see what: a change is announced, and open streams ask anew."""

    def announces(self) -> tuple[Kind, str]:
        return RIGHTS


class Account(_Rights, Base):
    """A person who signs in. Roles are a list of ``Role`` values."""

    __tablename__ = "accounts"

    id: Mapped[int] = mapped_column(primary_key=True)
    username: Mapped[str] = mapped_column(String(64), unique=True)
    display_name: Mapped[str] = mapped_column(String(120))
    email: Mapped[str] = mapped_column(String(254), default="")
    language: Mapped[str] = mapped_column(String(8), default="zh-TW")
    roles: Mapped[list[str]] = mapped_column(JSON)
    password_hash: Mapped[str] = mapped_column(String(255))
    active: Mapped[bool] = mapped_column(default=True)
    created: Mapped[datetime]


class AccountSession(Base):
    """A signed-in browser. Only the token's digest is kept: the table alone opens nothing."""

    __tablename__ = "account_sessions"

    token_sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id", ondelete="CASCADE"))
    csrf: Mapped[str] = mapped_column(String(64))
    created: Mapped[datetime]
    used: Mapped[datetime] = mapped_column(info=SINCE)
    expires: Mapped[datetime] = mapped_column(index=True, info=SINCE)


class LoginAttempt(Base):
    """Failed sign-ins counted per account and address, shared by all API processes."""

    __tablename__ = "login_attempts"

    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    """SHA-256 over user name and address: the table tells nobody who tried."""
    failures: Mapped[int]
    window_started: Mapped[datetime] = mapped_column(index=True, info=SINCE)


class GatewayToken(Base):
    """What a gateway uploads evidence with; only the digest is kept."""

    __tablename__ = "gateway_tokens"

    gateway: Mapped[str] = mapped_column(String(63), primary_key=True)
    token_sha256: Mapped[str] = mapped_column(String(64))
    created: Mapped[datetime]


class Person(Base):
    """Somebody whom the city looks after: who carries a beacon, or lives in a home that is
    watched. Known elsewhere by ``key`` only."""

    __tablename__ = "persons"

    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    name: Mapped[bytes] = mapped_column(Sealed("person.name"))
    """Sealed under the person's own key; see ``identity.person_keys``."""
    created: Mapped[datetime]


class Consent(_Rights, Base):
    """One relative may know of where one person is what the scopes say, until it expires or is
    revoked."""

    __tablename__ = "consents"

    id: Mapped[int] = mapped_column(primary_key=True)
    person_key: Mapped[str] = mapped_column(String(64), index=True)
    account_id: Mapped[int] = mapped_column(
        ForeignKey("accounts.id", ondelete="CASCADE"), index=True
    )
    granted_by: Mapped[str] = mapped_column(String(64))
    granted: Mapped[datetime]
    expires: Mapped[datetime]
    revoked: Mapped[datetime | None]
    scopes: Mapped[str] = mapped_column(String(64), server_default=WRITTEN_DEFAULT)
    """``identity.whereabouts.Scope``, with commas between them."""
    footprint_from: Mapped[datetime | None]
    """Of the footprint, nothing older; ``None``: all that is kept."""


class Disclosure(_Rights, Base):
    """One account may know what one case tells of where its person is, until it ends. What
    another case of the same person tells it does not open."""

    __tablename__ = "disclosures"
    __table_args__ = (UniqueConstraint("case_id", "account_id", "role"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    person_key: Mapped[str] = mapped_column(String(64), index=True)
    account_id: Mapped[int] = mapped_column(
        ForeignKey("accounts.id", ondelete="CASCADE"), index=True
    )
    case_id: Mapped[str] = mapped_column(String(36))
    role: Mapped[str] = mapped_column(String(16), default="police", server_default="police")
    """As what it may know; it counts while the account holds that role."""
    given: Mapped[datetime]
    until: Mapped[datetime] = mapped_column(info=SINCE)


class Guardian(_Rights, Base):
    """Who acts for a person: grants and revokes consents and sees who looked."""

    __tablename__ = "guardians"
    __table_args__ = (UniqueConstraint("person_key", "account_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    person_key: Mapped[str] = mapped_column(String(64), index=True)
    account_id: Mapped[int] = mapped_column(
        ForeignKey("accounts.id", ondelete="CASCADE"), index=True
    )


class District(Base):
    """A part of the city; accounts may be limited to some."""

    __tablename__ = "districts"

    district: Mapped[str] = mapped_column(String(40), primary_key=True)
    name: Mapped[str] = mapped_column(String(80))
    name_zh: Mapped[str] = mapped_column(String(80))
    outline: Mapped[list[list[float]] | None] = mapped_column(JSON(none_as_null=True))
    """Corners, latitude and longitude (WGS 84, degrees), in order: for maps, and for places that
    nobody puts into a district (a gate). Where devices stand is said of each."""


class AccountDistrict(_Rights, Base):
    """An account is limited to its districts; one without any covers the whole city. That is why
    a district that is somebody's cannot be removed: it would open the city to them."""

    __tablename__ = "account_districts"

    account_id: Mapped[int] = mapped_column(
        ForeignKey("accounts.id", ondelete="CASCADE"), primary_key=True
    )
    district: Mapped[str] = mapped_column(
        ForeignKey("districts.district"), primary_key=True, index=True
    )


class Location(Base):
    """In which district a device or a gateway stands, whether it was heard of yet or not."""

    __tablename__ = "locations"

    kind: Mapped[str] = mapped_column(String(8), primary_key=True)
    """``device`` or ``gateway``."""
    thing: Mapped[str] = mapped_column(String(64), primary_key=True)
    district: Mapped[str] = mapped_column(ForeignKey("districts.district"), index=True)


class Household(Base):
    """A home. Known elsewhere by ``key`` only; what it is called and where it is are sealed under
    a key of its own (``person_keys``), which erasing destroys."""

    __tablename__ = "households"

    key: Mapped[str] = mapped_column(String(48), primary_key=True)
    name: Mapped[bytes] = mapped_column(Sealed("household.name"))
    address: Mapped[bytes] = mapped_column(Sealed("household.address"))
    position: Mapped[bytes | None] = mapped_column(Sealed("household.position"))
    """``latitude,longitude`` in degrees: as good as the address."""
    district: Mapped[str | None] = mapped_column(ForeignKey("districts.district"), index=True)
    created: Mapped[datetime]


class HouseholdMember(_Rights, Base):
    """Somebody of a household, from ``since`` until ``until``: a person, or an account."""

    __tablename__ = "household_members"
    __table_args__ = (
        CheckConstraint("(account_id IS NULL) <> (person_key IS NULL)", name="one_member"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    household: Mapped[str] = mapped_column(
        ForeignKey("households.key", ondelete="CASCADE"), index=True
    )
    account_id: Mapped[int | None] = mapped_column(
        ForeignKey("accounts.id", ondelete="CASCADE"), index=True
    )
    person_key: Mapped[str | None] = mapped_column(String(64), index=True)
    relation: Mapped[str] = mapped_column(String(16))
    """``resident``, ``contact`` or ``guardian``; persons are residents."""
    since: Mapped[datetime]
    until: Mapped[datetime | None]


class HouseholdDevice(_Rights, Base):
    """A device stands in a household's home, from ``since`` until ``until``."""

    __tablename__ = "household_devices"

    id: Mapped[int] = mapped_column(primary_key=True)
    household: Mapped[str] = mapped_column(
        ForeignKey("households.key", ondelete="CASCADE"), index=True
    )
    device: Mapped[str] = mapped_column(String(64), index=True)
    since: Mapped[datetime]
    until: Mapped[datetime | None]


class AuditEntry(Base):
    """One link of the audit chain: ``hash`` covers the content and the hash before it."""

    __tablename__ = "audit_log"

    number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    at: Mapped[datetime]
    account: Mapped[str] = mapped_column(String(96), index=True)
    """A user name, or ``channel NAME`` of whoever answered an alert without an account."""
    action: Mapped[str] = mapped_column(String(40))
    person_key: Mapped[str | None] = mapped_column(String(64), index=True)
    subject: Mapped[str] = mapped_column(String(128), index=True)
    detail: Mapped[dict[str, Any]] = mapped_column(JSON)
    redacted: Mapped[bool] = mapped_column(default=False, server_default=false())
    """Subject and detail were blanked as somebody was erased; a later line vouches for it."""
    previous_hash: Mapped[str] = mapped_column(String(64))
    hash: Mapped[str] = mapped_column(String(64))


class AuditHead(Base):
    """The chain's end, one row: updating it first makes writers queue up on both databases."""

    __tablename__ = "audit_head"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    number: Mapped[int]
    hash: Mapped[str] = mapped_column(String(64))


class Look(Base):
    """Who looked at something, from when until when: one row per look.

    ``number`` is the audit line that was written as it began; when it is over, one more line
    puts ``count`` and ``last`` under the chain's hash.
    """

    __tablename__ = "looks"
    __table_args__ = (Index("ix_looks_open", "account", "what", "closed"),)

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    account: Mapped[str] = mapped_column(String(64))
    person_key: Mapped[str | None] = mapped_column(String(64), index=True)
    what: Mapped[str] = mapped_column(String(64))
    """SHA-256 over action, person and what was looked at: the same again is the same look."""
    first: Mapped[datetime]
    last: Mapped[datetime] = mapped_column(index=True)
    """Until when it stood on the screen, as far as the server knows."""
    count: Mapped[int] = mapped_column(default=1)
    """How often somebody asked; what an open page loaded by itself is not counted."""
    closed: Mapped[bool] = mapped_column(default=False)


class PersonKey(Base):
    """A person's own data key, sealed by the secret key. Erasing a person destroys it: the row
    stays without a key, so that the pseudonym is never given to somebody else."""

    __tablename__ = "person_keys"

    person_key: Mapped[str] = mapped_column(String(64), primary_key=True)
    sealed: Mapped[bytes | None] = mapped_column(Sealed("person.key"))
    created: Mapped[datetime]
    destroyed: Mapped[datetime | None]


class SecretKeyMark(Base):
    """Which secret key this database is sealed with, one row: its fingerprint, not the key."""

    __tablename__ = "secret_key"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    fingerprint: Mapped[str] = mapped_column(String(64))
    since: Mapped[datetime]


class KeptKey(Base):
    """The key of keyed hashes that outlive a change of the secret key; see ``kept_keys``."""

    __tablename__ = "kept_keys"

    purpose: Mapped[str] = mapped_column(String(60), primary_key=True)
    number: Mapped[int]
    """1, and one more with each key that was given up: what was hashed before fits no more."""
    key: Mapped[bytes] = mapped_column(Sealed("kept.key"))
    since: Mapped[datetime]


class SetupCode(Base):
    """What the first account is made with in a browser, one row: a keyed hash, gone with it."""

    __tablename__ = "setup_code"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    code_hash: Mapped[str] = mapped_column(String(64))
    made: Mapped[datetime]


class AnsweredRequest(Base):
    """An ``Idempotency-Key`` that was used, and what was answered; see ``answered``."""

    __tablename__ = "answered_requests"
    __table_args__ = (UniqueConstraint("account_id", "key"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id", ondelete="CASCADE"))
    key: Mapped[str] = mapped_column(String(64))
    digest: Mapped[str] = mapped_column(String(64))
    person_key: Mapped[str | None] = mapped_column(String(64), index=True)
    """Of whom the answer may tell."""
    answer: Mapped[bytes] = mapped_column(Sealed("answered.request"))
    at: Mapped[datetime] = mapped_column(index=True, info=SINCE)
