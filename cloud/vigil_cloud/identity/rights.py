"""The rule: may this reader do this to that subject? One pure function decides, and says why.

A subject is a domain × a person × a household × a place (district); a reader holds roles, the
consents of persons, a relation to households, and covers districts or the whole city. Everything
is closed unless one of four rules opens it:

- ``role``: the domain names the role, and the subject lies in the reader's districts. Who covers
  the whole city also sees what has no district. Where a domain opens itself to consents or cases,
  no role opens what is about a person.
- ``consent``: the subject is a person whose consent opens what is told (``identity.whereabouts``),
  and the domain opens itself to that.
- ``case``: what the subject tells of a person belongs to an open case that discloses it to the
  reader, and the domain opens itself to that. Another case of the same person opens nothing.
- ``household``: the subject belongs to a household of the reader's, whose relation allows the
  operation, and the domain opens itself to that. Never where somebody is: that is a consent's.

The same in SQL: ``alerts.visibility`` and ``devices.visibility``; tests hold them together.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final, NamedTuple, Protocol

from vigil_cloud.identity.reader import Home, Reader, Relation
from vigil_cloud.identity.roles import Role
from vigil_cloud.identity.whereabouts import Opening, Scope, opened_to


class Operation(StrEnum):
    """What somebody wants to do."""

    SEE = "see"
    """An alert, in lists, on its page, in the stream, with its evidence, in notifications."""
    ACKNOWLEDGE = "acknowledge"
    DECIDE = "decide"
    """Confirm, shelve, unshelve: what other people's work rests on."""
    SEE_DEVICE = "see-device"
    """A device and its state."""
    READ = "read"
    """A device's readings."""
    SHELVE = "shelve"
    """Put a device or one of its parameters aside, or take it out of service."""
    SEE_PERSONAL = "see-personal"
    """What names or describes people in an alert that one may see."""
    OPEN_EVIDENCE = "open-evidence"
    """A package of a device's evidence that no alert names."""


_OF_DEVICES: Final = frozenset({Operation.SEE_DEVICE, Operation.READ, Operation.SHELVE})
_AT_HOME: Final = frozenset(Operation) - {
    Operation.DECIDE,
    Operation.SHELVE,
    Operation.OPEN_EVIDENCE,
}
RELATIONS: Final[Mapping[Relation, frozenset[Operation]]] = {
    Relation.RESIDENT: _AT_HOME,
    Relation.GUARDIAN: _AT_HOME,
    Relation.CONTACT: frozenset({Operation.SEE, Operation.ACKNOWLEDGE, Operation.SEE_DEVICE}),
}
"""What each relation to a household allows. Nobody at home decides about an alarm for those who
are on their way, or silences one; a contact person is told of it and answers, and does not look
into the home."""


class Opened(Protocol):
    """What a domain says of who may see it; everything empty: nobody."""

    @property
    def alert_roles(self) -> frozenset[Role]:
        """Roles that see the domain's alerts."""

    @property
    def consent_roles(self) -> frozenset[Role]:
        """Roles that see what is about a person who consented."""

    @property
    def case_roles(self) -> frozenset[Role]:
        """Roles that see what is about a person whose open case lets them know where that is."""

    @property
    def household_roles(self) -> frozenset[Role]:
        """Roles that see what is about their own home."""

    @property
    def device_roles(self) -> frozenset[Role]:
        """Roles that see the domain's devices."""

    @property
    def shelve_roles(self) -> frozenset[Role]:
        """Roles that may put the domain's devices aside."""

    @property
    def personal_roles(self) -> frozenset[Role]:
        """Roles that, of those that see its alerts, see what is personal in them."""

    @property
    def evidence_roles(self) -> frozenset[Role]:
        """Roles that open the evidence of its devices that no alert names."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What it is about."""

    domain: str
    person: str | None = None
    household: str | None = None
    """Whose home it happened in."""
    device: str | None = None
    """Of a device itself: whose household's it is now says the reader."""
    district: str | None = None
    case: str | None = None
    """The case that what is told of the person belongs to."""
    only: frozenset[Role] | None = None
    """Where not everybody who sees the domain's alerts sees this one, but these roles alone."""
    tells: tuple[Scope, ...] = (Scope.ALERTS,)
    """What a consent has to open for it to be told of the person, all of these."""
    raised: datetime | None = None
    """Since when it is so; ``None``: not known, and open only where nothing is too old."""
    active: bool = False
    """It is so now: whatever its age, it is no footprint."""


class Decision(NamedTuple):
    """``reason``: ``role``, ``consent``, ``case`` or ``household`` opened it; or why it stays
    closed."""

    allowed: bool
    reason: str


def decide(
    reader: Reader, operation: Operation, subject: Subject, opened: Opened | None
) -> Decision:
    """``opened``: as the subject's domain is described; ``None`` where nobody described it."""
    if opened is None:
        return Decision(False, "nobody described this domain")
    of_device = operation in _OF_DEVICES
    refusal = "no rule opens it to this account"
    by_role = subject.person is None or not (opened.consent_roles or opened.case_roles)
    roles = _roles(operation, opened)
    if by_role and reader.has(*(roles if subject.only is None else roles & subject.only)):
        if reader.covers(subject.district):
            return Decision(True, "role")
        refusal = "it lies outside the account's districts"
    if subject.only is not None:
        return Decision(False, refusal)
    if subject.person is not None:
        if of_device:
            return Decision(False, refusal)
        return _about_person(reader, subject, opened, refusal)
    if reader.has(*opened.household_roles):
        return _decide_at_home(reader, operation, subject, refusal)
    return Decision(False, refusal)


def _decide_at_home(
    reader: Reader, operation: Operation, subject: Subject, refusal: str
) -> Decision:
    relations = {home.relation for home in reader.homes if _is_of(subject, home)}
    if any(operation in RELATIONS[relation] for relation in relations):
        return Decision(True, "household")
    if relations:
        refusal = "this relation to the household does not allow it"
    return Decision(False, refusal)


def _roles(operation: Operation, opened: Opened) -> frozenset[Role]:
    if operation is Operation.SHELVE:
        return opened.shelve_roles
    if operation is Operation.SEE_PERSONAL:
        return opened.alert_roles & opened.personal_roles
    if operation is Operation.OPEN_EVIDENCE:
        return opened.evidence_roles
    return opened.device_roles if operation in _OF_DEVICES else opened.alert_roles


def _about_person(reader: Reader, subject: Subject, opened: Opened, refusal: str) -> Decision:
    if reader.has(*opened.case_roles) and subject.case in reader.disclosed:
        return Decision(True, "case")
    if not reader.has(*opened.consent_roles):
        return Decision(False, refusal)
    opening = opened_to(reader, subject.person or "", *subject.tells)
    if opening is not None and _is_open(opening, subject):
        return Decision(True, "consent")
    return Decision(False, "the person has not consented to this, or no longer")


def _is_open(opening: Opening, subject: Subject) -> bool:
    if subject.active or opening.since is None:
        return True
    return subject.raised is not None and opening.reaches(subject.raised)


def _is_of(subject: Subject, home: Home) -> bool:
    if subject.device is not None:
        return subject.device in home.devices
    return subject.household is not None and subject.household == home.household
