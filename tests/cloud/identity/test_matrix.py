"""The matrix: role × area × relation × operation × subject, whole, against rows and the rule.

What is right is written down here once more, in a few lines that share no code with the rule
(``identity.rights``); the rule, the lists' SQL and the devices' SQL have to say the same of every
account and every subject.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from cloud_city import GATEWAY, NOON, City
from sql import statements
from vigil_cloud.alerts.models import AlertRow, FeedEntry
from vigil_cloud.alerts.visibility import (
    may_act,
    may_see,
    may_see_personal,
    subject_of,
    visible,
)
from vigil_cloud.checkin.models import Visit
from vigil_cloud.database.engine import writing
from vigil_cloud.descriptor import case_kinds
from vigil_cloud.devices.models import Device
from vigil_cloud.devices.rows import new_device
from vigil_cloud.devices.visibility import visible_devices
from vigil_cloud.domain.rights import may
from vigil_cloud.http.live_devices import DeviceNews
from vigil_cloud.http.stream_hub import changes_of, shown_to
from vigil_cloud.identity import districts, households
from vigil_cloud.identity.households import Described
from vigil_cloud.identity.models import (
    Account,
    AccountDistrict,
    Consent,
    Disclosure,
    HouseholdMember,
)
from vigil_cloud.identity.reader import Reader, Relation, readers_of
from vigil_cloud.identity.rights import Operation, Subject
from vigil_cloud.identity.roles import Role
from vigil_cloud.identity.whereabouts import EVERYTHING as SCOPES
from vigil_cloud.identity.whereabouts import Scope, write
from vigil_cloud.smoke import news as smoke_news

NOBODYS = "lantern-x"
"""A domain that nobody described."""
DOMAINS = ("noise", "water", "smoke", "checkin", "search", "aed", "irrigation", "platform", NOBODYS)
STREET = {Role.INSPECTOR, Role.REVIEWER, Role.POLICE, Role.ADMINISTRATOR}
HOME = {Role.DISPATCHER, Role.MAINTAINER, Role.ADMINISTRATOR}
ALERT_ROLES: dict[str, set[Role]] = {
    "noise": STREET,
    "water": STREET,
    "smoke": HOME,
    "aed": {Role.DISPATCHER, Role.POLICE, Role.MAINTAINER, Role.ADMINISTRATOR},
    "platform": {Role.MAINTAINER, Role.ADMINISTRATOR},
    "search": {Role.POLICE},
    "irrigation": {Role.IRRIGATION, Role.INSPECTOR, Role.ADMINISTRATOR},
}
PUBLIC_VIEW = set(Role) - {Role.IRRIGATION, Role.HOST, Role.REGISTRAR}
DEVICE_ROLES: dict[str, set[Role]] = {
    "noise": PUBLIC_VIEW,
    "water": PUBLIC_VIEW,
    "checkin": PUBLIC_VIEW,
    "aed": PUBLIC_VIEW,
    "smoke": HOME,
}
PERSONAL_ROLES: dict[str, set[Role]] = {
    "noise": {Role.INSPECTOR, Role.REVIEWER, Role.POLICE},
    "platform": {Role.MAINTAINER, Role.ADMINISTRATOR},
}
"""Who of those that see a domain's alerts because of their role sees what is personal in them."""
AREAS = {"city": (), "east": ("east",), "west": ("west",), "both": ("east", "west")}
RELATIONS = (
    "none",
    "resident",
    "contact",
    "guardian",
    "resident-left",
    "resident-expired",
    "resident-later",
    "elsewhere",
    "consent",
    "consent-expired",
    "consent-revoked",
    "consent-last_place",
    "consent-footprint",
    "consent-live",
    "consent-alerts",
    "case",
    "case-over",
    "case-other",
    "case-lost",
)
AT_HOME = {"resident", "contact", "guardian"}
HEARS = {"consent", "consent-alerts"}
"""Consents that open alerts; each of the four that are named opens that one scope alone."""


@dataclass(frozen=True)
class Who:
    role: Role
    area: str
    relation: str

    @property
    def username(self) -> str:
        return f"{self.role}-{self.area}-{self.relation}"


FULL = os.environ.get("VIGIL_FULL") == "1"
TIED = {Role.FAMILY, Role.HOST, Role.POLICE}
"""The roles to which a relation opens anything. How each relation may be over, later or another's
makes a difference to these alone; the others have each kind of them as it stands, and every one of
them in the long form."""
STANDING = ("none", "resident", "consent", "case")
EVERYBODY = [
    Who(role, area, relation)
    for role, area, relation in itertools.product(Role, AREAS, RELATIONS)
    if FULL or role in TIED or relation in STANDING
]


@dataclass(frozen=True)
class What:
    domain: str
    district: str | None
    household: str | None
    person: str | None

    @property
    def name(self) -> str:
        return f"{self.domain}-{self.district}-{self.household}-{self.person}".lower()


EVERYTHING = [
    What(*one)
    for one in itertools.product(DOMAINS, (None, "east"), (None, "home"), (None, "p1", "p2"))
]


def sees(who: Who, what: What) -> bool:
    """An alert, as it should be."""
    by_case = who.role in {Role.FAMILY, Role.POLICE} and who.relation == "case"
    if what.domain == "search" and what.person is not None:  # no role opens it
        by_consent = who.role is Role.FAMILY and who.relation in HEARS
        return what.person == "p1" and (by_consent or by_case)
    if what.domain == "checkin" and by_case:  # the stolen thing of that case, and nothing else
        return what.person == "p1"
    inside = who.area in {"city", "both"} or (who.area == "east" and what.district == "east")
    if who.area == "both" and what.district is None:
        inside = False
    if who.role in ALERT_ROLES.get(what.domain, set()) and inside:
        return True
    at_home = who.relation in AT_HOME and what.household == "home" and what.person is None
    if who.role is Role.HOST:  # of what stands at their place, and never whom it heard
        return what.domain == "checkin" and at_home
    if who.role is not Role.FAMILY:
        return False
    if what.domain == "checkin":
        return who.relation in HEARS and what.person == "p1"
    return what.domain == "smoke" and at_home


def is_told(who: Who, what: What) -> bool:
    """In an open page, as it should be: where a consent opens it, it opens live news as well."""
    by_consent = who.role is Role.FAMILY and who.relation in HEARS and what.person is not None
    return sees(who, what) and (who.relation == "consent" or not by_consent)


def does(who: Who, operation: Operation, what: What) -> bool:
    """An act on an alert, as it should be: at home nobody decides for those on their way."""
    at_home = (who.role, what.domain) in {(Role.FAMILY, "smoke"), (Role.HOST, "checkin")}
    return sees(who, what) and not (operation is Operation.DECIDE and at_home)


def sees_personal(who: Who, what: What) -> bool:
    """What names people in an alert, as it should be: of those at home, not a mere contact. What a
    consent or an open case opens is opened whole."""
    if what.person is not None and what.domain in {"checkin", "search"}:
        return sees(who, what)
    if who.role in {Role.FAMILY, Role.HOST}:
        return sees(who, what) and who.relation != "contact"
    return sees(who, what) and who.role in PERSONAL_ROLES.get(what.domain, set())


def sees_device(who: Who, what: What, *, readings: bool = False) -> bool:
    """A device (nobody's person), as it should be."""
    inside = who.area == "city" or (what.district == "east" and who.area in {"east", "both"})
    if who.role in DEVICE_ROLES.get(what.domain, set()) and inside:
        return True
    relations = {"resident", "guardian"} if readings else AT_HOME
    mine = who.relation in relations and what.household == "home"
    whose = {"smoke": Role.FAMILY, "checkin": Role.HOST}
    return mine and who.role is whose.get(what.domain)


def shelves(who: Who, what: What) -> bool:
    """Putting a device aside, as it should be: who keeps it running, the street's inspectors, and
    nobody at home."""
    inside = who.area == "city" or (what.district == "east" and who.area in {"east", "both"})
    roles = {Role.MAINTAINER, Role.ADMINISTRATOR}
    if what.domain in {"noise", "water"}:
        roles = roles | {Role.INSPECTOR}
    return what.domain in DEVICE_ROLES and who.role in roles and inside


@pytest.fixture
def readers(city: City) -> dict[Who, Reader]:
    """Every account there could be, in the database, and what it may; things of every kind."""
    return _prepared(city)


def _prepared(city: City) -> dict[Who, Reader]:
    with writing(city.services.sessions) as session:
        by, now = "operator", city.time
        for district in ("east", "west"):
            districts.put(session, district, district, district, by=by, now=now)
        for key in ("home", "other"):
            described = Described(f"{key} of Chen", "7 Zhongshan Road")
            households.put(session, city.cipher, key, described, by=by, now=now)
        accounts = _accounts(session, city)
        _things(session, city)
    with city.services.sessions() as session:
        found = list(session.scalars(select(Account).where(Account.id.in_(accounts.values()))))
        loaded = readers_of(session, found, city.time)
    return {who: loaded[number] for who, number in accounts.items()}


def _accounts(session: Session, city: City) -> dict[Who, int]:
    accounts = {who: number for number, who in enumerate(EVERYBODY, 1000)}
    session.execute(
        insert(Account),
        [
            {
                "id": number,
                "username": who.username,
                "display_name": who.username,
                "roles": [who.role.value],
                "password_hash": "!",
                "created": city.time,
            }
            for who, number in accounts.items()
        ],
    )
    limits = [
        {"account_id": number, "district": district}
        for who, number in accounts.items()
        for district in AREAS[who.area]
    ]
    session.execute(insert(AccountDistrict), limits)
    session.add_all(tie for who, number in accounts.items() for tie in _ties(who, number, city))
    session.flush()
    return accounts


def _ties(who: Who, account: int, city: City) -> Iterator[HouseholdMember | Consent | Disclosure]:
    before, after = city.time - timedelta(days=2), city.time + timedelta(days=2)
    kind, _, how = who.relation.partition("-")
    lost = Role.FAMILY if who.role is Role.POLICE else Role.POLICE
    if kind == "consent":
        yield Consent(
            person_key="p1",
            account_id=account,
            granted_by="guardian",
            granted=before,
            expires=city.time if how == "expired" else after,
            revoked=city.time if how == "revoked" else None,
            scopes=how if how in set(Scope) else write(SCOPES),
        )
    elif kind == "case":
        yield Disclosure(
            person_key="p1",
            account_id=account,
            case_id="c2" if how == "other" else "c1",
            role=(lost if how == "lost" else who.role).value,
            given=before,
            until=city.time if how == "over" else after,
        )
    elif kind != "none":
        yield HouseholdMember(
            household="other" if kind == "elsewhere" else "home",
            account_id=account,
            person_key=None,
            relation="resident" if kind == "elsewhere" else kind,
            since=after if how == "later" else before,
            until={"left": city.time - timedelta(days=1), "expired": city.time}.get(how),
        )


def _things(session: Session, city: City) -> None:
    """An alert and a device of every kind; of each home its devices."""
    for what in EVERYTHING:
        session.add(
            AlertRow(
                id=what.name,
                key=what.name,
                domain=what.domain,
                kind="test",
                gateway=GATEWAY,
                device=f"dev-{what.name}"[:64],
                title="",
                title_zh="",
                severity="major",
                active=True,
                raised=city.time,
                event_time=city.time,
                detail={},
                person_key=what.person,
                case_id="c1" if what.person == "p1" else None,
                household=what.household,
                district=what.district,
            )
        )
        if what.person is None and what.domain != "platform":
            device = f"dev-{what.name}"
            row = new_device(device, GATEWAY, what.domain, city.time)
            session.execute(insert(Device), [row])
            by, now = "operator", city.time
            if what.district:
                districts.place(session, "device", device, what.district, by=by, now=now)
            if what.household:
                households.give_device(session, what.household, device, by=by, now=now)


def test_the_rule_and_the_sql_say_what_is_right_of_every_account_and_alert(
    either_city: City,
) -> None:
    opened, readers = 0, _prepared(either_city)
    with either_city.services.sessions() as session:
        alerts = {row.id: row for row in session.scalars(select(AlertRow))}
        for who, reader in readers.items():
            right = {what.name for what in EVERYTHING if sees(who, what)}
            by_sql = list(session.scalars(select(AlertRow.id).where(visible(reader))))
            by_rule = {name for name, row in alerts.items() if may_see(reader, row)}
            assert set(by_sql) & alerts.keys() == right == by_rule, who
            assert len(by_sql) == len(set(by_sql)), f"{who}: a scope shows what another shows"
            opened += len(right)
    assert opened > 0


def test_every_act_on_every_alert(city: City, readers: dict[Who, Reader]) -> None:
    with city.services.sessions() as session:
        alerts = {row.id: row for row in session.scalars(select(AlertRow))}
        for who, what in itertools.product(EVERYBODY, EVERYTHING):
            for operation in (Operation.ACKNOWLEDGE, Operation.DECIDE):
                decided = may_act(readers[who], operation, alerts[what.name])
                assert decided.allowed == does(who, operation, what), (who, operation, what)
                assert decided.reason
            personal = may_see_personal(readers[who], alerts[what.name])
            assert personal == sees_personal(who, what), (who, what)


def test_every_device(either_city: City) -> None:
    readers = _prepared(either_city)
    things = [what for what in EVERYTHING if what.person is None and what.domain != "platform"]
    with either_city.services.sessions() as session:
        for who, reader in readers.items():
            right = {f"dev-{what.name}" for what in things if sees_device(who, what)}
            query = select(Device.device).where(visible_devices(reader))
            by_sql = {name for name in session.scalars(query) if name.startswith("dev-")}
            assert by_sql == right, who
            for what in things:
                subject = Subject(what.domain, device=f"dev-{what.name}", district=what.district)
                seen = may(reader, Operation.SEE_DEVICE, subject)
                assert seen == sees_device(who, what), (who, what)
                read = may(reader, Operation.READ, subject)
                assert read == sees_device(who, what, readings=True), (who, what)
                aside = may(reader, Operation.SHELVE, subject)
                assert aside == shelves(who, what), (who, what)


def test_the_stream_tells_each_of_what_the_lists_show(
    city: City, readers: dict[Who, Reader]
) -> None:
    """As open pages are told: every alert, every device, and what it reads. An alert of a domain
    whose name is none cannot be written down, so none is told."""
    told = [what for what in EVERYTHING if what.domain != NOBODYS]
    with city.services.sessions() as session:
        entries = [
            FeedEntry(number=number, at=city.time, kind="alert", key=what.name)
            for number, what in enumerate(told, 1)
        ]
        changes = changes_of(city.services, case_kinds(), session, city.cipher, entries)
    assert {change.key for change in changes} == {what.name for what in told}
    by_name = {what.name: what for what in told}
    things = [what for what in EVERYTHING if what.person is None and what.domain != "platform"]
    for who, reader in readers.items():
        for change in changes:
            assert shown_to(reader, change) == is_told(who, by_name[change.key]), (who, change.key)
        for what, kind in itertools.product(things, ("device", "reading")):
            news = DeviceNews(kind, f"dev-{what.name}", what.domain, what.district, "{}")
            right = sees_device(who, what, readings=kind == "reading")
            assert news.shown_to(reader) == right, (who, what, kind)


def test_the_stream_tells_of_a_visit_whom_a_consent_lets_follow_it(
    city: City, readers: dict[Who, Reader]
) -> None:
    """No role, no home and no case opens it, and no other person's consent."""
    visit = {
        "gateway": GATEWAY,
        "device": "dev-checkin-none-none-none",
        "carrier": "ble",
        "arrived": city.time,
        "last_seen": city.time,
        "sightings": 1,
        "late": False,
    }
    whose = {"v1": "p1", "v2": "p2", "v3": None}
    with writing(city.services.sessions) as session:
        rows = [{**visit, "id": key, "tag": key, "person_key": p} for key, p in whose.items()]
        session.execute(insert(Visit), rows)
    with city.services.sessions() as session:
        entries = [
            FeedEntry(number=number, at=city.time, kind="visit", key=key)
            for number, key in enumerate(whose, 1)
        ]
        changes = changes_of(city.services, case_kinds(), session, city.cipher, entries)
    assert {change.key for change in changes} == {"v1", "v2"}, "a thing's is told to nobody"
    told = {who for who in EVERYBODY for one in changes if shown_to(readers[who], one)}
    assert {who.relation for who in told} == {"consent", "consent-live"}
    for who, change in itertools.product(EVERYBODY, changes):
        follows = who.role is Role.FAMILY and who.relation in {"consent", "consent-live"}
        right = follows and change.key == "v1"
        assert shown_to(readers[who], change) == right, (who, change.key)


def test_the_stream_tells_of_a_fire_whom_its_alert_is_shown(readers: dict[Who, Reader]) -> None:
    """A domain's own news: whoever leads it, and the people of the home, not a station's host."""
    fires = [what for what in EVERYTHING if what.domain == "smoke" and what.person is None]
    leads = {Role.DISPATCHER, Role.ADMINISTRATOR}
    for who, what in itertools.product(EVERYBODY, fires):
        right = sees(who, what) and (who.role in leads or who.role is Role.FAMILY)
        told = smoke_news.may_see(readers[who], what.household, what.district)
        assert told == right, (who, what)


def test_a_domain_that_nobody_described_is_nobodys(readers: dict[Who, Reader]) -> None:
    for reader in readers.values():
        for operation in Operation:
            for subject in (
                Subject(NOBODYS),
                Subject(NOBODYS, household="home", district="east"),
                Subject(NOBODYS, person="p1"),
                Subject(NOBODYS, device=f"dev-{NOBODYS}-east-home-none", district="east"),
            ):
                assert not may(reader, operation, subject)


def test_loading_rights_costs_the_same_for_all_accounts_at_once(
    city: City, readers: dict[Who, Reader]
) -> None:
    with city.services.sessions() as session:
        accounts = session.scalars(select(Account)).all()
        with statements(city.services.engine) as few:
            readers_of(session, accounts[-1:], city.time)
        with statements(city.services.engine) as many:
            readers_of(session, accounts, city.time)

    assert len(accounts) > len(readers)
    assert len(many) <= 4
    assert len(few) <= len(many)


def test_an_alert_says_what_it_is_about() -> None:
    about: dict[str, Any] = {
        "household": "home",
        "district": "east",
        "raised": NOON,
        "active": True,
    }
    row = AlertRow(domain="smoke", person_key=None, **about)

    assert subject_of(row) == Subject("smoke", **about)


def test_relations_are_those_of_the_schema() -> None:
    assert {relation.value for relation in Relation} == AT_HOME
