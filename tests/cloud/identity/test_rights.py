"""Who may see what: the table of roles and addresses, and what a leak of whereabouts would need."""

from __future__ import annotations

import os
from datetime import timedelta
from itertools import chain, combinations
from pathlib import Path

import pytest
from sqlalchemy import select

from cloud_city import NAME, TAG, City
from granting import consented
from vigil_cloud import seed
from vigil_cloud.alerts.models import AlertRow
from vigil_cloud.alerts.visibility import may_see, visible
from vigil_cloud.identity.audit import lines_about, verify
from vigil_cloud.identity.models import AuditEntry
from vigil_cloud.identity.reader import Reader
from vigil_cloud.identity.roles import Role
from vigil_cloud.identity.whereabouts import Scope
from vigil_schemas.types import isoformat_utc

SEES = {
    Role.FAMILY: set(),
    Role.INSPECTOR: {"noise", "water"},
    Role.REVIEWER: {"noise", "water"},
    Role.POLICE: {"noise", "water"},
    Role.DISPATCHER: {"smoke"},
    Role.VOLUNTEER: set(),
    Role.IRRIGATION: set(),
    Role.HOST: set(),
    Role.REGISTRAR: set(),
    Role.MAINTAINER: {"smoke"},
    Role.ADMINISTRATOR: {"noise", "water", "smoke"},
}
STREET = {Role.INSPECTOR, Role.REVIEWER, Role.POLICE, Role.ADMINISTRATOR}
HOME = {Role.DISPATCHER, Role.MAINTAINER, Role.ADMINISTRATOR}
OPERATE = {Role.MAINTAINER, Role.ADMINISTRATOR}
ALL = set(Role)
PUBLIC_VIEW = ALL - {Role.IRRIGATION, Role.HOST, Role.REGISTRAR}
ADDRESSES = {
    "/api/v1/session": ALL,
    "/api/v1/alerts": ALL,
    "/api/v1/devices": ALL,
    "/api/v1/devices/station-1": PUBLIC_VIEW,
    "/api/v1/devices/mic-1/series": PUBLIC_VIEW,
    "/api/v1/people/mine": ALL,
    "/api/v1/devices/alarm-1": HOME,
    "/api/v1/devices/alarm-1/series": HOME,
    "/api/v1/devices/alarm-1/series/battery": HOME,
    "/api/v1/smoke/conditions": HOME,
    "/api/v1/noise/exceedances": STREET,
    "/api/v1/water/excursions": STREET,
    "/api/v1/gateways": OPERATE,
    "/api/v1/dead-letters": OPERATE,
    "/api/v1/people/p1/footprints": set(),
    "/api/v1/people/p1/audit": set(),
    "/api/v1/people/p1/consents": set(),
}
"""Address → the roles that are answered; nobody has consented to anything."""


@pytest.mark.parametrize("role", list(Role))
def test_each_role_reaches_its_addresses_and_no_other(city: City, role: Role) -> None:
    city.one_of_each()
    client = city.client(role.value)

    answers = {address: client.get(address).status_code for address in ADDRESSES}

    assert {address for address, status in answers.items() if status == 200} == {
        address for address, roles in ADDRESSES.items() if role in roles
    }
    assert set(answers.values()) <= {200, 403, 404}


@pytest.mark.parametrize("address", ADDRESSES)
def test_nobody_is_answered_without_a_session(city: City, address: str) -> None:
    answer = city.anonymous().get(address)

    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "not-signed-in"


@pytest.mark.parametrize("role", list(Role))
def test_each_role_lists_and_opens_the_alerts_of_its_domains(city: City, role: Role) -> None:
    city.one_of_each()
    with city.services.sessions() as session:
        every = {row.domain: row.id for row in session.scalars(select(AlertRow))}
    assert set(every) == {"noise", "water", "checkin", "smoke"}

    listed = {alert["domain"] for alert in city.alerts(role.value)}
    opened = {
        domain
        for domain, alert in every.items()
        if city.client(role.value).get(f"/api/v1/alerts/{alert}").status_code == 200
    }
    acted = {
        domain
        for domain, alert in every.items()
        if city.client(role.value).post(f"/api/v1/alerts/{alert}/acknowledge", json={}).status_code
        == 200
    }

    assert listed == opened == acted == SEES[role]


@pytest.mark.parametrize("role", list(Role))
def test_smoke_alarms_in_homes_are_listed_for_few(city: City, role: Role) -> None:
    devices = city.client(role.value).get("/api/v1/devices").json()["devices"]

    assert ("alarm-1" in {device["device"] for device in devices}) == (role in HOME)


def whereabouts(city: City, username: str) -> bool:
    """Whether any way of asking tells where the person is."""
    client = city.client(username)
    with city.services.sessions() as session:
        alert = session.scalar(select(AlertRow.id).where(AlertRow.domain == "checkin"))
    told = [
        client.get("/api/v1/people/p1/footprints").status_code == 200,
        client.get(f"/api/v1/alerts/{alert}").status_code == 200,
        any(alert["domain"] == "checkin" for alert in city.alerts(username)),
        NAME in client.get("/api/v1/alerts").text,
    ]
    assert len(set(told)) == 1, "the ways of asking disagree"
    return told[0]


def test_consent_opens_and_its_end_closes(city: City) -> None:
    city.one_of_each()
    assert not whereabouts(city, "family")

    city.consent("family", days=0.25)
    assert whereabouts(city, "family")

    city.later(hours=6)
    assert not whereabouts(city, "family"), "an expired consent still opens"


def test_a_revoked_consent_closes_at_once(city: City) -> None:
    city.one_of_each()
    city.guardian("family")
    consent = city.consent("family")
    assert whereabouts(city, "family")

    answer = city.client("family").delete(f"/api/v1/people/p1/consents/{consent}")

    assert answer.status_code == 204
    assert not whereabouts(city, "family")


def test_consent_for_one_person_opens_no_other(city: City) -> None:
    city.one_of_each()
    city.person("p2", "李", "ibeacon:ffffffffffffffffffffffffffffffff:1:8")
    city.consent("family", "p2")

    assert not whereabouts(city, "family")


@pytest.mark.parametrize("role", sorted(set(Role) - {Role.FAMILY}))
def test_no_other_role_sees_a_location_even_with_a_consent_row(city: City, role: Role) -> None:
    # A consent left from when the account held the role family.
    city.one_of_each()
    city.account("changed", Role.FAMILY, role)
    city.consent("changed")
    assert whereabouts(city, "changed")
    with city.services.sessions() as session, session.begin():
        from vigil_cloud.identity.service import account_named

        account_named(session, "changed").roles = [role.value]

    assert not whereabouts(city, "changed")


def test_a_guardian_without_consent_sees_who_looked_but_not_where(city: City) -> None:
    city.one_of_each()
    city.guardian("family")

    assert city.client("family").get("/api/v1/people/p1/audit").status_code == 200
    assert not whereabouts(city, "family")


def test_unknown_persons_and_those_without_consent_are_answered_alike(city: City) -> None:
    client = city.client("family")

    known = client.get("/api/v1/people/p1/footprints")
    unknown = client.get("/api/v1/people/nobody/footprints")

    assert (known.status_code, known.json()) == (unknown.status_code, unknown.json())


def test_every_read_of_a_location_is_written_down(city: City) -> None:
    city.one_of_each()
    city.consent("family")
    client = city.client("family")
    with city.services.sessions() as session:
        alert = session.scalar(select(AlertRow.id).where(AlertRow.domain == "checkin"))
        before = len(lines_about(session, "p1"))

    client.get("/api/v1/alerts")
    client.get(f"/api/v1/alerts/{alert}")
    client.get("/api/v1/people/p1/footprints")
    client.post(f"/api/v1/alerts/{alert}/acknowledge", json={"comment": "seen"})

    with city.services.sessions() as session:
        lines = lines_about(session, "p1")
        told = [(line.account, line.action) for line in lines[: len(lines) - before]]
        verify(session)
    assert sorted(told) == [
        ("family", "alert.acknowledged"),
        ("family", "location.read"),
        ("family", "location.read"),
        ("family", "location.read"),
    ]


def test_a_moved_tag_and_a_new_guardian_are_written_down_for_those_they_concern(
    city: City, tmp_path: Path
) -> None:
    file = tmp_path / "seed.toml"
    file.write_text(
        '[[person]]\nkey = "p2"\nname = "Li"\nguardians = ["family"]\n'
        f'[[tag]]\ntag = "{TAG}"\nperson = "p2"\n'
        '[[account]]\nusername = "inspector"\npassword = "x"\nroles = ["police"]\n'
    )
    for _ in range(2):  # again changes nothing and says nothing
        seed.apply(city.services, seed.read(file))

    with city.services.sessions() as session:
        told = {
            key: [(line.account, line.action, line.subject) for line in lines_about(session, key)]
            for key in ("p1", "p2")
        }
        roles = select(AuditEntry).where(AuditEntry.action == "account.roles")
        (changed,) = session.scalars(roles)
        verify(session)
    assert told["p1"][0] == ("seed", "tag.taken", TAG)
    assert told["p2"] == [
        ("seed", "rule.preset", ""),  # whoever gets a first amulet begins with rules (ADR 89)
        ("seed", "tag.given", TAG),
        ("seed", "guardian.added", "family"),
    ]
    assert changed.detail == {"before": ["inspector"], "after": ["police"]}


@pytest.mark.parametrize("username", ["nobody", "police"])
def test_a_guardian_does_not_find_out_who_else_signs_in(city: City, username: str) -> None:
    city.guardian("family")
    body = {"account": username, "expires": isoformat_utc(city.time + timedelta(days=1))}

    answer = city.client("family").post("/api/v1/people/p1/consents", json=body)

    assert answer.status_code == 422
    assert (
        answer.json()["detail"] == "No relative has an account of this name; ask how they sign in."
    )


def test_a_refused_look_up_shows_nothing_and_is_no_read(city: City) -> None:
    city.one_of_each()
    city.client("administrator").get("/api/v1/people/p1/footprints")

    with city.services.sessions() as session:
        assert not [line for line in lines_about(session, "p1") if line.action == "location.read"]


def test_the_rule_in_python_and_in_sql_agree(city: City) -> None:
    city.one_of_each()
    with city.services.sessions() as session:
        rows = list(session.scalars(select(AlertRow)))
        # What two roles open together beyond what each opens does not grow with a third; every
        # set of them in the long form.
        most = len(Role) if os.environ.get("VIGIL_FULL") else 2
        together = (*(combinations(Role, n) for n in range(most + 1)), [tuple(Role)])
        for roles in map(frozenset, chain.from_iterable(together)):
            for held in (
                consented(),
                consented("p1"),
                consented("p2"),
                consented("p1", scopes={Scope.LIVE, Scope.FOOTPRINT}),
                consented("p1", footprint_from=city.time + timedelta(hours=1)),
            ):
                reader = Reader(1, "reader", roles, held)
                by_sql = set(session.scalars(select(AlertRow.id).where(visible(reader))))
                by_hand = {row.id for row in rows if may_see(reader, row)}
                assert by_sql == by_hand, (roles, held)


def test_names_are_not_in_the_database_file(city: City) -> None:
    city.one_of_each()
    city.services.engine.dispose()

    for file in city.settings.data_dir.rglob("*"):
        if file.is_file():
            assert NAME.encode() not in file.read_bytes(), file
