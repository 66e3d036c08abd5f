"""What a consent opens of where somebody is, and the one function that says so.

A consent has scopes; what it does not name stays closed:

- ``last_place``: where the person was last, whole, with since when;
- ``footprint``: where they have been; with a beginning, nothing older than that;
- ``live``: open pages are told as it happens. What is older than the newest sign is footprint;
- ``alerts``: what is raised about the person, on pages and in messages. Of what is over, as far
  back as the footprint reaches; without a footprint, what was raised since the consent.

Of several consents of one person each opens its own. Whoever shows somebody's whereabouts by
consent asks ``opened_to``, and nothing else decides it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from typing import Final, NamedTuple, Protocol


class Scope(StrEnum):
    """One part of what a consent may open."""

    LAST_PLACE = "last_place"
    FOOTPRINT = "footprint"
    LIVE = "live"
    ALERTS = "alerts"


DEFAULT: Final = frozenset({Scope.LAST_PLACE, Scope.FOOTPRINT})
"""Of a consent that names none."""
EVERYTHING: Final = frozenset(Scope)
WRITTEN_DEFAULT: Final = "last_place,footprint"
"""``DEFAULT`` as a row has it that was written without scopes."""


class Opening(NamedTuple):
    """That something is open, and from when on."""

    since: datetime | None
    """Nothing older; ``None``: all that is kept."""

    def reaches(self, moment: datetime) -> bool:
        """Whether what was then is open."""
        return self.since is None or moment >= self.since


_WHOLE: Final = Opening(None)
_SCOPES: Final = tuple(Scope)


@dataclass(frozen=True, slots=True)
class Granted:
    """What the valid consents of one person open to one account."""

    person: str
    openings: tuple[tuple[Scope, Opening], ...]
    """Of each scope that is open, in the order of ``Scope``."""

    def of(self, scope: Scope) -> Opening | None:
        """``None``: closed."""
        return dict(self.openings).get(scope)

    def __str__(self) -> str:
        """Differs where what is open differs."""
        return f"{self.person} {[(str(scope), str(found.since)) for scope, found in self.openings]}"


class Holder(Protocol):
    """Who may hold consents: an ``identity.reader.Reader``."""

    @property
    def consented(self) -> frozenset[Granted]:
        """One entry for each person."""


def opened_to(reader: Holder, person: str, *scopes: Scope) -> Opening | None:
    """Whether the reader's consents open all these scopes of the person, and from when on; ``None``
    where one of them is closed, or the person is unknown."""
    granted = next((one for one in reader.consented if one.person == person), None)
    found = [None if granted is None else granted.of(scope) for scope in scopes]
    if not found or None in found:
        return None
    return Opening(max((one.since for one in found if one and one.since), default=None))


def persons_opened(reader: Holder, scope: Scope) -> dict[str, Opening]:
    """Every person of whom this scope is open to the reader, as ``opened_to`` says of each."""
    found = ((one.person, one.of(scope)) for one in reader.consented)
    return {person: opening for person, opening in found if opening is not None}


def granted(
    person: str, scopes: Collection[Scope], footprint_from: datetime | None, given: datetime
) -> Granted:
    """What one consent opens, given at this moment."""
    alerts: datetime | None = given
    if Scope.FOOTPRINT in scopes:  # from a later day on, it closes no alert of until then
        alerts = None if footprint_from is None else min(footprint_from, given)
    since = {Scope.FOOTPRINT: Opening(footprint_from), Scope.ALERTS: Opening(alerts)}
    return Granted(person, tuple((one, since.get(one, _WHOLE)) for one in _SCOPES if one in scopes))


def together(consents: Iterable[Granted]) -> frozenset[Granted]:
    """By person: what any of the consents opens, from as early as any does."""
    found: dict[str, Granted] = {}
    for one in consents:
        before = found.get(one.person)
        found[one.person] = one if before is None else _joined(before, one)
    return frozenset(found.values())


def _joined(one: Granted, other: Granted) -> Granted:
    own = dict(one.openings)
    for scope, opening in other.openings:
        own[scope] = _earlier(own[scope], opening) if scope in own else opening
    return Granted(one.person, tuple((scope, own[scope]) for scope in _SCOPES if scope in own))


def _earlier(one: Opening, other: Opening) -> Opening:
    if one.since is None or other.since is None:
        return Opening(None)
    return Opening(min(one.since, other.since))


@lru_cache(maxsize=64)
def read(written: str) -> frozenset[Scope]:
    """The scopes of a row; a word that is none opens nothing. Every request reads those of all
    consents of its account."""
    known = {scope.value: scope for scope in Scope}
    return frozenset(known[word] for word in written.split(",") if word in known)


def write(scopes: Collection[Scope]) -> str:
    """The same as a row has it."""
    return ",".join(scope for scope in Scope if scope in scopes)
