"""What a domain says of itself, once: all that the platform knows of it.

Everything is closed and empty unless it is described: a role sees a domain's alerts or its
devices only where the description names it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pydantic import BaseModel
from sqlalchemy import ColumnElement
from sqlalchemy.orm import InstrumentedAttribute, Session

from vigil_cloud.config import RetentionSettings
from vigil_cloud.database.base import Base
from vigil_cloud.domain.alarms import AlarmReading
from vigil_cloud.domain.at_home import AtHome
from vigil_cloud.domain.detail import AlertDetail
from vigil_cloud.domain.port import Handler, ReadingHandler
from vigil_cloud.domain.presence import PersonSeen, TagSeen
from vigil_cloud.identity.personal_records import PersonalRecords
from vigil_cloud.identity.reader import Reader
from vigil_cloud.identity.roles import Role
from vigil_cloud.identity.whereabouts import Scope
from vigil_cloud.services import Services
from vigil_schemas.contract import DomainContract
from vigil_schemas.types import Domain


@dataclass(frozen=True, slots=True)
class Look:
    """How pages draw a domain that they were built without."""

    icon: str
    """An SVG path of lines on a grid of 24 × 24."""
    colour: str
    """``#rrggbb``, on a light ground."""
    colour_dark: str
    """The same on a dark one."""


@dataclass(frozen=True, slots=True)
class Change:
    """One thing of the feed as it now is, rendered once, and what decides who may see it."""

    number: int
    kind: str
    key: str
    domain: str
    person_key: str | None
    json: str
    shown_to: Callable[[Reader], bool] | None = None
    """Where not what it is about decides."""
    household: str | None = None
    case_id: str | None = None
    """The case that what is about the person belongs to."""
    district: str | None = None
    only: frozenset[Role] | None = None
    """These roles alone."""
    tells: tuple[Scope, ...] = (Scope.LIVE,)
    """What a consent has to open for it to be told of the person."""
    raised: datetime | None = None
    active: bool = False
    json_for: Callable[[Reader], str | None] | None = None
    """Where not everybody is shown the same: ``None``: nothing. It has decided who may see it."""


@dataclass(frozen=True, slots=True)
class FeedKind:
    """Something beside alerts that a domain tells open pages of, under an event of this name."""

    name: str
    render: Callable[[Services, Session, Mapping[str, int]], Iterable[Change]]
    """Given the feed's number of each key: what there is to show now. What is gone is left out."""


@dataclass(frozen=True, slots=True)
class SeedPart:
    """Sections of the seed file that belong to a domain."""

    sections: Mapping[str, type[BaseModel]]
    """By name: what one ``[[name]]`` holds."""
    apply: Callable[[Session, Mapping[str, Sequence[Any]], datetime], None]
    """Idempotent; in the seed's transaction, after accounts, gateways and persons, before
    consents and channels. Raises ``BadSeed``."""


@dataclass(frozen=True, slots=True)
class Expiring:
    """Rows of one table that are not kept for good."""

    name: str
    days: Callable[[RetentionSettings], float]
    """For how long; 0: for good."""
    model: type[Base]
    key: InstrumentedAttribute[str] | InstrumentedAttribute[int]
    older_than: Callable[[datetime], ColumnElement[bool]]


@dataclass(frozen=True, slots=True)
class LifeSafety:
    """Lives hang on hearing this domain's devices: what keeps them from being heard is a major
    trouble."""

    lost: str
    """Said of a gateway that is silent, after a colon: ``its alarms cannot be heard``."""
    lost_zh: str
    in_homes: bool = False
    """They stand in homes: an alarm of one that no home has been given rings in the homes on its
    gateway."""


def _no_readings(_now: Callable[[], datetime]) -> Sequence[ReadingHandler]:
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """What the platform's lower rooms ask of one domain; ``CloudDomain`` is the whole."""

    contract: DomainContract
    title: str
    title_zh: str
    look: Look | None = None
    """Of a domain whose folder is not among the pages; theirs counts before this."""

    alert_roles: frozenset[Role] = frozenset()
    """Who sees its alerts, and may act on them."""
    consent_roles: frozenset[Role] = frozenset()
    """Who sees an alert about a person who has consented to it; no other role does."""
    case_roles: frozenset[Role] = frozenset()
    """Who sees an alert about a person whose open case lets them know where that person is."""
    household_roles: frozenset[Role] = frozenset()
    """Who sees what concerns a household of theirs, as far as their relation to it allows."""
    device_roles: frozenset[Role] = frozenset()
    """Who sees its devices, their state and their readings."""
    shelve_roles: frozenset[Role] = frozenset({Role.MAINTAINER, Role.ADMINISTRATOR})
    """Who may put its devices aside for a while, so that they call nobody."""
    false_alarms: bool = False
    """Whoever lives where a critical alert of it happens may answer that it is a false alarm."""
    at_home: AtHome | None = None
    """What follows from that, and from the word that it is one."""
    personal_roles: frozenset[Role] = frozenset()
    """Who of those that see its alerts also sees what is personal in them."""
    evidence_roles: frozenset[Role] = frozenset()
    """Who opens the evidence of its devices that no alert names: what was measured and found no
    case. It shows people as every other package does; empty: nobody."""
    details: tuple[type[AlertDetail], ...] = ()
    """What its alerts say beside their titles; the more specific model first."""
    life_safety: LifeSafety | None = None

    alarm_reading: AlarmReading | None = None
    """How its alarms are read where they do not keep the contract: whoever has alarms says so."""
    told_again: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """Words of ``Occurrence.tell_again``, in both languages; a figure may stand behind one."""

    instructions: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """What whoever is told of an alert of this kind should do, in both languages; an alert's own
    remedy counts before it."""

    handlers: tuple[Handler, ...] = ()
    reading_handlers: Callable[[Callable[[], datetime]], Sequence[ReadingHandler]] = _no_readings
    """Given the clock: what follows its devices' readings."""
    feed_kinds: tuple[FeedKind, ...] = ()
    person_seen: Callable[[Session, PersonSeen], None] | None = None
    """Told of each sign of a person, in ingest's transaction and under the same promises as a
    ``Handler``."""
    tag_seen: Callable[[Session, TagSeen], None] | None = None
    """The same of each visit of a tag that no person carries."""
    owns_tag: Callable[[Session, str], bool] | None = None
    """Whether a tag was given to one of its persons or things: one tag is on one of them."""
    seed: SeedPart | None = None
    personal_records: tuple[PersonalRecords, ...] = ()
    """What it keeps of persons: renamed and erased through these."""
    expiring: tuple[Expiring, ...] = ()
    """What of its own tables is removed for its age."""
    files: tuple[str, ...] = ()
    """Of the data folder, what an operator puts there for it: part of every backup."""
    series_days: float | None = None
    """So long its readings are kept where the operator says nothing; ``None``: for good."""
    private: tuple[str, ...] = ()
    """Words by which a message that cannot be read is known to tell where somebody was: its
    content is withheld from whoever looks at refused messages."""

    @property
    def name(self) -> Domain:
        """Its word in the contract, in the database and in the API."""
        return self.contract.name
