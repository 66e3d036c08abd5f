"""Who answers for a person is called, or it is said plainly that they are not."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from city_stream import stream
from cloud.checkin.joining import FREE, MOTHER, enrolment, invited, new_account, stocked, token_of
from cloud_city import NOON, City, exceedance, visit
from vigil_cloud.database.engine import writing
from vigil_cloud.identity import consents
from vigil_cloud.identity.guardian_consents import GUARDIAN_FOR, make_guardian, not_called
from vigil_cloud.identity.models import Consent
from vigil_cloud.identity.roles import Role
from vigil_cloud.identity.service import account_named, set_active, set_roles
from vigil_cloud.identity.whereabouts import DEFAULT, EVERYTHING, Scope, read, write
from vigil_cloud.notify.notification_sender import NotificationSender
from vigil_schemas.types import isoformat_utc
from webhook import Hook, channel

__all__ = ["stocked"]


def silent(city: City) -> list[tuple[str, str]]:
    with city.services.sessions() as session:
        return [(one.person, one.account) for one in not_called(session, city.time)]


def make(city: City, username: str, scopes: Any = (), person: str = "p1") -> bool:
    with writing(city.services.sessions) as session:
        account = account_named(session, username)
        return make_guardian(
            session,
            person_key=person,
            account=account,
            by="registrar",
            now=city.time,
            scopes=scopes,
        )


def given(city: City) -> list[tuple[str, bool]]:
    with city.services.sessions() as session:
        rows = session.scalars(select(Consent).order_by(Consent.id))
        return [(one.scopes, one.revoked is None) for one in rows]


@pytest.mark.parametrize("chosen", [True, False])
def test_who_enrols_her_mother_is_called_as_she_chose(stocked: City, chosen: bool) -> None:
    city, hook = stocked, Hook()
    token = token_of(invited(city))
    client, answer = new_account(city, token)
    assert answer.status_code == 201, answer.text
    city._clients["daughter"] = client
    # She reads the street as well, so that a page that is told nothing can be told apart.
    with writing(city.services.sessions) as session:
        roles = [Role.FAMILY, Role.INSPECTOR]
        set_roles(session, account_named(session, "daughter"), roles, by="operator", now=city.time)
    own: dict[str, Any] = {"own": [scope.value for scope in Scope]} if chosen else {}
    joined = client.post("/api/v1/join", json={"token": token, "enrol": enrolment(**own)})
    key = joined.raise_for_status().json()["person_key"]
    channel(city, hook.url, "telephone", username="daughter")
    city.rule("seen", key)

    with stream(city, "daughter") as page:
        city.send(visit(city.time, tag=FREE), "station-1")
        city.send(exceedance(city.time), "mic-1")
        kinds = set()
        while (event := page.next("alert", "visit")) and event.data.get("domain") != "noise":
            kinds.add(event.kind)
    NotificationSender(city.services).deliver_due()
    hook.close()

    (mine,) = client.get("/api/v1/people/mine").json()["people"]
    until = isoformat_utc(city.time + GUARDIAN_FOR)
    assert {one["scope"]: one["until"] for one in mine["scopes"]} == (
        dict.fromkeys(EVERYTHING, until) if chosen else {}
    )
    assert kinds == ({"alert", "visit"} if chosen else set())
    assert [title for title in hook.titles if "Temple gate" in title] == (
        [f"{MOTHER} is at Temple gate"] if chosen else []
    )
    assert client.get(f"/api/v1/people/{key}/footprints").status_code == (200 if chosen else 403)
    told = city.client("registrar").get("/api/v1/enrolment/not-called").json()
    one = {"person": key, "account": "daughter"}
    assert told == ({"count": 0, "guardians": []} if chosen else {"count": 1, "guardians": [one]})


def test_what_is_no_scope_enrols_nobody(stocked: City) -> None:
    token = token_of(invited(stocked))
    client, _ = new_account(stocked, token)
    body = {"token": token, "enrol": enrolment(own=["everything"])}
    assert client.post("/api/v1/join", json=body).status_code == 422
    assert client.get("/api/v1/people/mine").json()["people"] == []


def test_who_is_no_new_guardian_is_opened_nothing_by_being_named_again(city: City) -> None:
    assert make(city, "family", DEFAULT)
    assert not make(city, "family", EVERYTHING)
    assert given(city) == [(write(DEFAULT), True)]
    assert silent(city) == [("p1", "family")]


@pytest.mark.parametrize("how", ["revoked", "narrowed"])
def test_what_was_taken_back_does_not_come_with_the_guardianship(city: City, how: str) -> None:
    consent = city.consent("family")
    city.later(minutes=1)
    with writing(city.services.sessions) as session:
        changed: dict[str, Any] = {"person_key": "p1", "consent_id": consent, "by": "uncle"}
        if how == "revoked":
            consents.revoke(session, **changed, now=city.time)
        else:
            wanted = consents.Wanted()
            consents.narrow(session, **changed, wanted=wanted, now=city.time)
    before = given(city)
    assert make(city, "family", EVERYTHING)
    assert given(city) == before
    assert silent(city) == [("p1", "family")]


NOT_CALLED = {
    "no consent": True,
    "the default": True,
    "everything but alerts": True,
    "over": True,
    "taken back": True,
    "of another person": True,
    "no longer family": True,
    "closed": True,
    "alerts": False,
    "two consents": False,
}


@pytest.mark.parametrize("how", NOT_CALLED)
def test_who_is_not_called_is_listed(city: City, how: str) -> None:
    city.guardian("family")
    if how == "the default":
        city.consent("family", scopes=DEFAULT)
    elif how == "everything but alerts":
        city.consent("family", scopes=EVERYTHING - {Scope.ALERTS})
    elif how == "of another person":
        city.person("p2", tag=FREE)
        city.consent("family", "p2")
    elif how == "two consents":
        city.consent("family", scopes={Scope.LIVE})
        city.consent("family", scopes={Scope.ALERTS})
    elif how != "no consent":
        consent = city.consent("family", days=1)
        with writing(city.services.sessions) as session:
            account = account_named(session, "family")
            if how == "taken back":
                consents.revoke(
                    session, person_key="p1", consent_id=consent, by="uncle", now=city.time
                )
            elif how == "no longer family":
                set_roles(session, account, [Role.VOLUNTEER], by="operator", now=city.time)
            elif how == "closed":
                set_active(session, "family", False, by="operator", now=city.time)
        if how == "over":
            city.time = NOON + timedelta(days=1)

    right = [("p1", "family")] if NOT_CALLED[how] else []
    assert silent(city) == right
    with city.services.sessions() as session:
        named = [(one.person, one.account) for one in not_called(session, city.time, ["p1", "p9"])]
        assert named == right
        assert not_called(session, city.time, ["p9"]) == []
    shown = city.client("administrator").get("/api/v1/people").json()["people"]
    assert [one["not_called"] for one in shown if one["key"] == "p1"] == [
        [name for _, name in right]
    ]


def test_a_consent_of_a_guardian_without_scopes_is_told_of_as_not_called(city: City) -> None:
    """The default stays what it is, for them too: it is said, and nothing is opened silently."""
    city.guardian("family")
    body = {"account": "family", "expires": isoformat_utc(NOON + timedelta(days=9))}
    guardian = city.client("family")
    path = "/api/v1/people/p1/consents"
    assert guardian.post(path, json=body).json()["scopes"] == ["last_place", "footprint"]
    assert silent(city) == [("p1", "family")]
    assert guardian.post(path, json={**body, "scopes": ["alerts"]}).status_code == 201
    assert silent(city) == []
    assert {scope for written, _ in given(city) for scope in read(written)} == {
        Scope.LAST_PLACE,
        Scope.FOOTPRINT,
        Scope.ALERTS,
    }
