"""Families join by an invitation and register an amulet by themselves."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from cloud.checkin.joining import (
    AGREED,
    CODE,
    FREE,
    MOTHER,
    OTHER,
    OTHER_CODE,
    actions,
    code_of,
    enrolment,
    invited,
    new_account,
    stocked,
    token_of,
)
from cloud_city import NAME, PASSWORD, City
from vigil_cloud.checkin import amulets, notice
from vigil_cloud.checkin.models import Amulet, PurposeConsent, Tag
from vigil_cloud.database.engine import writing
from vigil_cloud.identity.erasure import erase
from vigil_cloud.identity.models import Account, AuditEntry
from vigil_cloud.identity.roles import Role
from vigil_cloud.identity.service import account_named, remove_account, set_roles

__all__ = ["stocked"]
SPOILT = (
    "never was",
    "empty of meaning",
    "over",
    "withdrawn",
    "used",
    "of somebody else",
    "made by one who is gone",
    "made by one who may no longer",
)


def test_a_family_enrols_somebody_without_a_technician(stocked: City) -> None:
    city = stocked
    made = invited(city)
    token = token_of(made)
    assert token not in made["link"].split("#")[0], "no server is told it as an address"

    offer = city.anonymous().post("/api/v1/join/look", json={"token": token}).json()
    assert offer == {"kind": "enrol", "expires": made["expires"]}
    client, answer = new_account(city, token)
    assert answer.status_code == 201, answer.text
    assert answer.json()["account"]["roles"] == ["family"]
    joined = client.post("/api/v1/join", json={"token": token, "enrol": enrolment()})
    assert joined.status_code == 200, joined.text
    key = joined.json()["person_key"]

    (mine,) = client.get("/api/v1/people/mine").json()["people"]
    assert mine == {
        "key": key,
        "name": MOTHER,
        "guardian": True,
        "consent_expires": None,
        "ends_soon": None,
        "scopes": [],
    }
    (worn,) = client.get(f"/api/v1/people/{key}/amulets").json()["amulets"]
    assert FREE not in str(worn), "its id would let a reader follow it"
    with city.services.sessions() as session:
        assert session.get_one(Tag, FREE).person_key == key
        agreed = session.scalars(select(PurposeConsent)).one()
        said = (agreed.person_key, agreed.version, agreed.language, agreed.capacity)
        assert said == (key, notice.VERSION, "zh-TW", "representative")
        assert agreed.account == "daughter"
    assert [one[0] for one in actions(city, "invitation.")] == [
        "invitation.made",
        "invitation.account",
        "invitation.accepted",
    ]
    (listed,) = city.client("registrar").get("/api/v1/invitations").json()["invitations"]
    assert (listed["state"], listed["used_by"], listed["link"]) == ("used", "daughter", None)
    assert MOTHER not in str(listed)
    stock = city.client("registrar").get("/api/v1/amulets").json()
    assert stock == {"free": 2, "carried": 1, "lost": 0, "returned": 0, "void": 0}


def test_a_relative_joins_and_sees_nothing_before_the_guardian_consents(city: City) -> None:
    city.guardian("family")
    guardian = city.client("family")
    answer = guardian.post("/api/v1/people/p1/invitations", json={"note": "my brother"})
    token = token_of(answer.json())
    picture = guardian.get(f"/api/v1/invitations/{answer.json()['id']}/code.svg")
    assert picture.headers["content-type"] == "image/svg+xml"

    own = guardian.post("/api/v1/join", json={"token": token})
    assert code_of(own) == "own-invitation"
    police = city.client("police")  # signs in with an account that is there already
    joined = police.post("/api/v1/join", json={"token": token})
    assert joined.json() == {"kind": "relative", "person_key": "p1"}

    assert police.get("/api/v1/people/mine").json()["people"] == []
    assert police.get("/api/v1/people/p1/footprints").status_code == 403
    assert set(police.get("/api/v1/session").json()["account"]["roles"]) == {"family", "police"}
    (listed,) = guardian.get("/api/v1/people/p1/invitations").json()["invitations"]
    assert (listed["used_by"], listed["note"]) == ("police", "my brother")
    expires = (city.time + timedelta(days=7)).isoformat()
    body = {"account": listed["used_by"], "expires": expires}
    assert guardian.post("/api/v1/people/p1/consents", json=body).status_code == 201
    (mine,) = police.get("/api/v1/people/mine").json()["people"]
    assert (mine["name"], mine["guardian"]) == (NAME, False)


def spoilt(city: City, how: str) -> tuple[str, str]:
    """A token that is no good, and the account that tries it."""
    if how == "never was":
        return "A" * 43, "police"
    if how == "empty of meaning":
        return "\u00e9#?", "police"
    made = invited(city)
    token = token_of(made)
    if how == "over":
        city.later(days=7)
    elif how == "withdrawn":
        gone = city.client("registrar").delete(f"/api/v1/invitations/{made['id']}")
        assert gone.status_code == 204
    elif how == "used":
        answer = city.client("family").post(
            "/api/v1/join", json={"token": token, "enrol": enrolment("")}
        )
        assert answer.status_code == 200, answer.text
    elif how == "of somebody else":
        _, answer = new_account(city, token)
        assert answer.status_code == 201
    else:
        with writing(city.services.sessions) as session:
            if how == "made by one who is gone":
                remove_account(session, "registrar", by="operator", now=city.time)
            else:
                account = account_named(session, "registrar")
                set_roles(session, account, [Role.VOLUNTEER], by="operator", now=city.time)
    return token, "police"


@pytest.mark.parametrize("how", SPOILT)
def test_whatever_is_no_good_is_refused_alike(city: City, how: str) -> None:
    token, username = spoilt(city, how)
    if how == "over":
        city.sign_in_anew(username) if username in city._clients else None
    before = len(actions(city, "invitation.refused"))

    answers = [
        city.anonymous().post("/api/v1/join/look", json={"token": token}),
        new_account(city, token, "somebody")[1],
        city.client(username).post("/api/v1/join", json={"token": token, "enrol": enrolment("")}),
    ]

    told = {(one.status_code, one.text) for one in answers}
    assert len(told) == 1
    assert (answers[0].status_code, code_of(answers[0])) == (404, "invitation-not-valid")
    assert len(actions(city, "invitation.refused")) == before + 3
    with city.services.sessions() as session:
        assert session.scalar(select(Account.id).where(Account.username == "somebody")) is None


def test_strangers_are_asked_the_same_questions_whatever_is_the_matter(city: City) -> None:
    """Neither the text nor the work tells an invitation that is over from one that never was."""
    from sql import statements

    token, _ = spoilt(city, "withdrawn")
    city.anonymous().post("/api/v1/join/look", json={"token": "B" * 43})
    counts = []
    for one in (token, "A" * 43):
        client = city.anonymous()
        with statements(city.services.engine) as seen:
            client.post("/api/v1/join/look", json={"token": one})
        counts.append(len(seen))

    assert counts[0] == counts[1]


def test_tries_are_limited_as_signing_in_is(city: City) -> None:
    client = city.anonymous()
    answers = [client.post("/api/v1/join/look", json={"token": f"{n:043}"}) for n in range(61)]

    assert {one.status_code for one in answers[:60]} == {404}
    assert (answers[60].status_code, code_of(answers[60])) == (429, "too-many-attempts")
    assert len(actions(city, "invitation.refused")) == 60, "and fill no log"


def test_a_relative_whose_answer_was_lost_joins_once(city: City) -> None:
    city.guardian("family")
    made = city.client("family").post("/api/v1/people/p1/invitations", json={}).json()
    body = {"token": token_of(made)}
    answers = [city.client("police").post("/api/v1/join", json=body) for _ in range(2)]

    assert [one.json() for one in answers] == [{"kind": "relative", "person_key": "p1"}] * 2
    assert len(actions(city, "invitation.accepted")) == 1
    elsewhere = city.client("police").post("/api/v1/join", json={**body, "enrol": enrolment("")})
    strangers = city.client("volunteer").post("/api/v1/join", json=body)
    assert (code_of(elsewhere), code_of(strangers)) == ("invitation-not-valid",) * 2


@pytest.mark.parametrize("name", ["王\n小明", "a\u202egnp.exe", "a\u2028b", "\x1b[2J", "\u2066x"])
def test_a_name_is_one_line_that_turns_nothing_around(city: City, name: str) -> None:
    """It stands in messages to others beside what the city says."""
    token = token_of(invited(city))
    body = {"token": token, "enrol": enrolment("", name=name)}
    assert city.client("family").post("/api/v1/join", json=body).status_code == 422
    known = {"token": token, "username": "daughter", "password": PASSWORD, "display_name": name}
    assert city.anonymous().post("/api/v1/join/account", json=known).status_code == 422
    asked = city.client("registrar").post("/api/v1/invitations", json={"reason": name + "xx"})
    assert asked.status_code == 422


def test_joining_and_amulets_on_either_database(either_city: City) -> None:
    city = either_city
    with writing(city.services.sessions) as session:
        for tag, code in ((FREE, CODE), (OTHER, OTHER_CODE)):
            amulets.add(session, city.cipher, tag, by="operator", now=city.time, code=code)
    token = token_of(invited(city))
    client, _ = new_account(city, token)
    joined = client.post("/api/v1/join", json={"token": token, "enrol": enrolment()})
    again = client.post("/api/v1/join", json={"token": token, "enrol": enrolment()})
    other = client.post("/api/v1/join", json={"token": token, "enrol": enrolment(name="李大明")})
    assert (joined.status_code, code_of(other)) == (200, "invitation-not-valid")
    assert (again.status_code, again.json()) == (200, joined.json()), "its answer may be lost"

    address = f"/api/v1/people/{joined.json()['person_key']}/amulets"
    (worn,) = client.get(address).json()["amulets"]
    body = {**AGREED, "code": OTHER_CODE, "replaces": worn["amulet"]}
    assert client.post(address, json=body).status_code == 204
    relative = client.post(address.replace("amulets", "invitations"), json={"note": "aunt"}).json()
    assert client.delete(f"/api/v1/invitations/{relative['id']}").status_code == 204
    done = erase(city.services, joined.json()["person_key"], by="operator")
    assert done.removed["invitations"] == 2
    with city.services.sessions() as session:
        left = session.scalars(select(Amulet.tag)).all()
        about = session.scalars(select(AuditEntry).where(AuditEntry.person_key.is_not(None)))
        said = [row.subject for row in about]
    assert left == [], "neither the worn one nor the lost one names its carrier"
    assert not {FREE, OTHER} & set(said), "nor does the log, also of one that nobody ever heard"
