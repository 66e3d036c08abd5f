"""Which alerts are for a reader: what decides of a row, and the same as conditions of SQL.

The rule is ``identity.rights``; a test holds the two together.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import datetime
from typing import Final, Protocol

from sqlalchemy import ColumnElement, and_, false, not_, or_

from vigil_cloud.alerts.models import AlertRow
from vigil_cloud.domain.rights import all_opened, decision, may
from vigil_cloud.identity.reader import Reader
from vigil_cloud.identity.rights import RELATIONS, Decision, Opened, Operation, Subject
from vigil_cloud.identity.roles import Role
from vigil_cloud.identity.whereabouts import Opening, Scope, persons_opened
from vigil_schemas.types import Domain


class Placed(Protocol):
    """An alert, or a row of a list with what decides who may see it."""

    @property
    def domain(self) -> str:
        """Which domain raised it."""

    @property
    def person_key(self) -> str | None:
        """Whom it is about, if anybody."""

    @property
    def case_id(self) -> str | None:
        """The case that what is about the person belongs to, if any."""

    @property
    def household(self) -> str | None:
        """Whose home it happened in, if anybody's."""

    @property
    def district(self) -> str | None:
        """Where it happened, if that is known."""

    @property
    def only_roles(self) -> str | None:
        """Which roles alone it is for, as ``only_for`` writes them; ``None``: no such limit."""

    @property
    def raised(self) -> datetime:
        """When it was raised."""

    @property
    def active(self) -> bool:
        """Whether it goes on."""


def subject_of(alert: Placed) -> Subject:
    """What an alert is about."""
    return Subject(
        alert.domain,
        person=alert.person_key,
        case=alert.case_id,
        household=alert.household,
        district=alert.district,
        only=roles_of(alert.only_roles),
        raised=alert.raised,
        active=alert.active,
    )


def only_for(roles: Collection[Role]) -> str:
    """``AlertRow.only_roles`` of an alert that these roles alone see."""
    return f",{','.join(sorted(roles))},"


def roles_of(only: str | None) -> frozenset[Role] | None:
    """The same read; what is no role opens nothing."""
    if only is None:
        return None
    known = {role.value: role for role in Role}
    return frozenset(known[name] for name in only.split(",") if name in known)


def may_see(reader: Reader, alert: Placed) -> bool:
    """Whether the alert is for the reader."""
    return may(reader, Operation.SEE, subject_of(alert))


def may_act(reader: Reader, operation: Operation, alert: Placed) -> Decision:
    """Whether the reader may do this to the alert, and why not."""
    return decision(reader, operation, subject_of(alert))


def may_see_personal(reader: Reader, alert: Placed) -> bool:
    """Whether what is personal in the alert is for the reader, who may see the alert."""
    return may(reader, Operation.SEE_PERSONAL, subject_of(alert))


_UNLIMITED: Final = AlertRow.only_roles.is_(None)


def scopes(reader: Reader, domain: Domain | None = None) -> list[ColumnElement[bool]]:
    """Conditions on ``AlertRow``: for each domain (and district) that a role opens, each person
    who consented, each case that discloses where somebody is and each household of the reader's.
    No alert fulfils two of them, and each is a walk along one index. Of one domain alone, if it
    is named."""
    found: list[ColumnElement[bool]] = []
    by_consent: list[Domain] = []
    consented = persons_opened(reader, Scope.ALERTS)
    for name, opened in all_opened():
        if domain is None or domain == name:
            consents = reader.has(*opened.consent_roles)
            by_consent += [name] if consents else []
            found += _of_domain(reader, name, opened, consented if consents else {})
    if by_consent:  # a person is one walk, of whatever domains the consent opens
        opens = and_(or_(*(AlertRow.domain == one for one in by_consent)), _UNLIMITED)
        for person in sorted(consented):
            found += [and_(about, opens) for about in _of_person(person, consented[person])]
    return found


def _of_domain(
    reader: Reader, name: Domain, opened: Opened, consented: Mapping[str, Opening]
) -> Iterator[ColumnElement[bool]]:
    """All but what ``consented`` opens."""
    here = and_(AlertRow.domain == name, _for_roles(reader, opened))
    unlimited = and_(AlertRow.domain == name, _UNLIMITED)
    nobody = AlertRow.person_key.is_(None)
    personal = bool(opened.consent_roles or opened.case_roles)
    of_role = and_(here, nobody) if personal else here
    beyond: tuple[ColumnElement[bool], ...] = ()
    """Not shown already because a role opens it."""
    households = _households(reader) if reader.has(*opened.household_roles) else set()
    if reader.has(*opened.alert_roles):
        districts = sorted(reader.districts)
        if not districts:
            yield of_role
        for district in districts:
            yield and_(of_role, AlertRow.district == district)
        elsewhere = not_(AlertRow.district.in_(districts))
        beyond = (or_(AlertRow.district.is_(None), elsewhere),)
        households = households if districts else set()
    for case in sorted(reader.disclosed) if reader.has(*opened.case_roles) else ():
        about = and_(AlertRow.person_key.is_not(None), _not_shown(consented))
        yield and_(AlertRow.case_id == case, about, unlimited)
    for household in sorted(households):
        yield and_(AlertRow.household == household, unlimited, nobody, *beyond)


def _of_person(person: str, opening: Opening) -> list[ColumnElement[bool]]:
    """What a consent opens of this person: what was raised since it reaches back to, and of before
    what still goes on."""
    about = AlertRow.person_key == person
    if opening.since is None:
        return [about]
    later = AlertRow.raised >= opening.since
    return [and_(about, later), and_(about, not_(later), AlertRow.active)]


def _not_shown(consented: Mapping[str, Opening]) -> ColumnElement[bool]:
    """About a person, and not shown by a consent already."""
    whole = sorted(person for person, opening in consented.items() if opening.since is None)
    cut = sorted(consented.keys() - set(whole))
    shown = [about for person in cut for about in _of_person(person, consented[person])]
    return and_(AlertRow.person_key.not_in(whole), *(not_(about) for about in shown))


def _for_roles(reader: Reader, opened: Opened) -> ColumnElement[bool]:
    """Of the alerts that a role opens: those that are for each such role, or for the reader's."""
    own = sorted(reader.roles & opened.alert_roles)
    return or_(
        AlertRow.only_roles.is_(None),
        *(AlertRow.only_roles.contains(f",{role.value},", autoescape=True) for role in own),
    )


def _households(reader: Reader) -> set[str]:
    return {home.household for home in reader.homes if Operation.SEE in RELATIONS[home.relation]}


def visible(reader: Reader) -> ColumnElement[bool]:
    """All of them as one condition."""
    return or_(false(), *scopes(reader))
