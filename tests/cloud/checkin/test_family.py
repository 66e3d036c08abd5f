"""Families join by an invitation and register an amulet by themselves."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from cloud_city import GATEWAY, NAME, PASSWORD, TAG, City
from vigil_cloud import seed
from vigil_cloud.checkin import amulets, invitations, notice
from vigil_cloud.checkin.models import Amulet, Invitation, PurposeConsent, Tag
from vigil_cloud.database.engine import writing
from vigil_cloud.devices.models import Gateway
from vigil_cloud.identity import consents
from vigil_cloud.identity.erasure import erase
from vigil_cloud.identity.models import Account, AuditEntry
from vigil_cloud.identity.reader import readers_of
from vigil_cloud.identity.roles import Role
from vigil_cloud.identity.service import account_named, remove_account, set_roles
from vigil_sim import scenario
from vigil_sim.checkin.offers import offers
from vigil_sim.demo import accounts

FREE = "ibeacon:0123456789abcdef0123456789abcdef:1:50"
OTHER = "ibeacon:0123456789abcdef0123456789abcdef:1:51"
OLD = "eddystone-uid:0123456789abcdef0123:0123456789ab"
CODE, OTHER_CODE = "A7K3M-92MDT", "B7K3M-92MDT"
AGREED = {
    "notice": notice.VERSION,
    "language": "zh-TW",
    "capacity": "representative",
    "agreed": True,
}
MOTHER = "陳阿好"


def enrolment(amulet: str = CODE, **other: Any) -> dict[str, Any]:
    return {**AGREED, "name": MOTHER, "amulet": amulet, **other}


@pytest.fixture
def stocked(city: City) -> City:
    """Three amulets that nobody wears; one of an older batch, without a code."""
    with writing(city.services.sessions) as session:
        for tag, code in ((FREE, CODE), (OTHER, OTHER_CODE), (OLD, None)):
            amulets.add(session, city.cipher, tag, by="operator", now=city.time, code=code)
    return city


def invited(city: City, username: str = "registrar") -> dict[str, Any]:
    answer = city.client(username).post("/api/v1/invitations", json={"reason": "came to the desk"})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def token_of(invitation: dict[str, Any]) -> str:
    token: str = invitation["link"].split("#")[1]
    return token


def new_account(
    city: City, token: str, username: str = "daughter"
) -> tuple[httpx.Client, httpx.Response]:
    client = city.anonymous()
    body = {"token": token, "username": username, "password": PASSWORD, "language": "en"}
    answer = client.post("/api/v1/join/account", json=body)
    if answer.status_code == 201:
        client.headers["X-CSRF-Token"] = answer.json()["csrf"]
    return client, answer


def code_of(answer: httpx.Response) -> str:
    code: str = answer.json()["code"]
    return code


def actions(city: City, word: str) -> list[tuple[str, str, str | None]]:
    with city.services.sessions() as session:
        query = select(AuditEntry).where(AuditEntry.action.startswith(word))
        rows = session.scalars(query.order_by(AuditEntry.number)).all()
        return [(row.action, row.account, row.person_key) for row in rows]


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
    assert mine == {"key": key, "name": MOTHER, "guardian": True, "consent_expires": None}
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
    assert stock == {"free": 2, "carried": 1, "lost": 0, "returned": 0}


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


REFUSED: dict[str, tuple[Callable[[City], object], str]] = {
    "somebody wears it": (lambda city: city.person("p2", "李大明", FREE), CODE),
    "a code of nobody": (lambda city: None, "ZZZZZ-ZZZZZ"),
    "an id that has a code": (lambda city: None, FREE),
    "an id outside the stock": (lambda city: None, "ibeacon:" + "e" * 32 + ":1:1"),
    "an id that somebody wears": (lambda city: None, TAG),
}


@pytest.mark.parametrize("what", REFUSED)
def test_an_amulet_that_cannot_be_theirs_is_refused_alike(stocked: City, what: str) -> None:
    city = stocked
    prepare, typed = REFUSED[what]
    prepare(city)
    token = token_of(invited(city))
    family = city.client("family")

    answer = family.post("/api/v1/join", json={"token": token, "enrol": enrolment(typed)})

    assert answer.status_code == 409
    assert answer.json()["code"] == "amulet-refused"
    assert answer.json()["detail"] == "This amulet cannot be registered."
    assert actions(city, "amulet.refused") == [("amulet.refused", "family", None)]
    with city.services.sessions() as session:
        assert session.scalars(select(PurposeConsent)).all() == [], "nothing was half done"
        assert session.scalars(select(Invitation.used)).one() is None, "nor was it used up"
    assert family.post(
        "/api/v1/join", json={"token": token, "enrol": enrolment(OTHER_CODE)}
    ).is_success


@pytest.mark.parametrize("typed", ["x", "epc:3034257bf7194e4000001a85", "A7K3M-92MD!", "9" * 301])
def test_what_is_no_code_is_said_so_and_counts_nothing(stocked: City, typed: str) -> None:
    stocked.guardian("family")
    client = stocked.client("family")
    for _ in range(8):
        answer = client.post("/api/v1/people/p1/amulets", json={**AGREED, "code": typed})
        assert answer.status_code == 422
        assert len(typed) > 300 or code_of(answer) == "bad-amulet"


def test_a_guardian_cannot_try_codes_out(stocked: City) -> None:
    city = stocked
    city.guardian("family")
    client = city.client("family")
    answers = [
        client.post("/api/v1/people/p1/amulets", json={**AGREED, "code": f"ZZZZZ-ZZZZ{n}"})
        for n in range(6)
    ]

    assert [one.status_code for one in answers] == [409] * 5 + [429]
    good = client.post("/api/v1/people/p1/amulets", json={**AGREED, "code": CODE})
    assert good.status_code == 429
    city.later(minutes=5)
    good = client.post("/api/v1/people/p1/amulets", json={**AGREED, "code": CODE})
    assert good.status_code == 204


@pytest.mark.parametrize(
    "typed",
    [
        CODE,
        "a7k3m 92mdt",
        "Ａ７Ｋ３Ｍ－９２ＭＤＴ",
        "A7K3M\u201392MDT",
        "a7k3m\u300092mdt",
        "https://city.example/a#A7K3M-92MDT",
        OLD,
        OLD.upper(),
    ],
)
def test_codes_are_taken_as_people_type_and_phones_scan_them(stocked: City, typed: str) -> None:
    stocked.guardian("family")
    client = stocked.client("family")

    answer = client.post("/api/v1/people/p1/amulets", json={**AGREED, "code": typed})

    assert answer.status_code == 204, answer.text


def test_a_lost_amulet_is_replaced_and_one_is_handed_back(stocked: City) -> None:
    city = stocked
    city.guardian("family")
    client = city.client("family")
    address = "/api/v1/people/p1/amulets"
    (first,) = client.get(address).json()["amulets"]  # given by an administrator

    body = {**AGREED, "code": CODE, "replaces": first["amulet"]}
    assert client.post(address, json=body).status_code == 204
    assert client.post(address, json=AGREED | {"code": CODE}).status_code == 204, "idempotent"
    (second,) = client.get(address).json()["amulets"]
    with city.services.sessions() as session:
        assert session.get(Tag, TAG) is None
        assert session.get_one(Tag, FREE).person_key == "p1"

    end = f"{address}/{second['amulet']}/end"
    assert client.post(end, json={"how": "returned"}).status_code == 204
    assert client.post(end, json={"how": "returned"}).status_code == 404
    assert client.get(address).json()["amulets"] == []
    again = client.post(address, json={**AGREED, "code": CODE})
    assert code_of(again) == "amulet-refused", "not before the city has it back and gave a new code"
    new = city.client("registrar").post("/api/v1/amulets", json={"tags": [FREE]}).json()
    (fresh,) = new["amulets"]
    assert fresh["code"] != CODE
    assert client.post(address, json={**AGREED, "code": fresh["code"]}).status_code == 204
    done = [one[0] for one in actions(city, "amulet.")]
    assert {"amulet.lost", "amulet.returned", "amulet.refused"} <= set(done)


def test_an_old_notice_registers_nothing(stocked: City) -> None:
    stocked.guardian("family")
    client = stocked.client("family")
    shown = stocked.anonymous().get("/api/v1/purpose-notice").json()
    assert shown["version"] == notice.VERSION
    assert all(point["text"] and point["text_zh"] for point in shown["points"])
    body = {**AGREED, "code": CODE, "notice": "2020-01"}

    answer = client.post("/api/v1/people/p1/amulets", json=body)
    refused = client.post("/api/v1/people/p1/amulets", json={**body, "agreed": False})

    assert (code_of(answer), refused.status_code) == ("notice-changed", 422)
    with stocked.services.sessions() as session:
        assert session.get(Tag, FREE) is None


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


def test_one_invitation_makes_one_account_and_goes_on_with_it(city: City) -> None:
    token = token_of(invited(city))
    _, taken = new_account(city, token, "family")
    assert code_of(taken) == "account-exists"
    _, first = new_account(city, token)
    _, second = new_account(city, token, "daughter2")
    assert (first.status_code, code_of(second)) == (201, "invitation-not-valid")

    client = city.client("daughter")  # signs in with it later
    assert client.post("/api/v1/join/look", json={"token": token}).status_code == 200
    joined = client.post("/api/v1/join", json={"token": token, "enrol": enrolment("")})

    assert joined.status_code == 200, joined.text


def test_who_guards_no_more_has_invited_nobody(city: City) -> None:
    city.guardian("family")
    made = city.client("family").post("/api/v1/people/p1/invitations", json={}).json()
    with writing(city.services.sessions) as session:
        consents.remove_guardian(
            session,
            person_key="p1",
            account=account_named(session, "family"),
            by="operator",
            now=city.time,
        )

    answer = city.client("police").post("/api/v1/join", json={"token": token_of(made)})

    assert code_of(answer) == "invitation-not-valid"


def test_nobody_else_shows_or_withdraws_an_invitation(city: City) -> None:
    city.guardian("family")
    city.account("cousin", Role.FAMILY)
    city.account("registrar2", Role.REGISTRAR)
    of_person = city.client("family").post("/api/v1/people/p1/invitations", json={}).json()
    of_staff = invited(city)

    for username in ("cousin", "registrar2", "police", "administrator"):
        client = city.client(username)
        for made in (of_person, of_staff):
            mine = username == "administrator" and made is of_staff
            address = f"/api/v1/invitations/{made['id']}"
            assert client.get(f"{address}/code.svg").status_code == (200 if mine else 404)
            if not mine:
                assert client.delete(address).status_code == 404
    assert city.client("registrar2").get("/api/v1/invitations").json()["invitations"] == []


def test_erasing_a_person_forgets_how_they_were_enrolled(stocked: City) -> None:
    city = stocked
    token = token_of(invited(city))
    client, _ = new_account(city, token)
    key = client.post("/api/v1/join", json={"token": token, "enrol": enrolment()}).json()[
        "person_key"
    ]

    done = erase(city.services, key, by="operator")

    assert done.removed["invitations"] == 1
    with city.services.sessions() as session:
        assert session.get(Amulet, FREE) is None
        assert session.scalars(select(PurposeConsent)).all() == []
        assert session.scalars(select(Invitation)).all() == []


def test_an_invitation_that_was_somebodys_opens_to_nobody_else(city: City) -> None:
    """An account was made with it, and removed before it was used."""
    token = token_of(invited(city))
    new_account(city, token)
    with writing(city.services.sessions) as session:
        session.delete(account_named(session, "daughter"))
    with city.services.sessions() as session:
        (row,) = session.scalars(select(Invitation)).all()
        assert (row.account_id, row.used) == (None, None)
        assert invitations.state_of(row, city.time) == "over"
    _, again = new_account(city, token, "somebody-else")
    assert code_of(again) == "invitation-not-valid"


def test_notes_are_not_in_the_database_file(city: City) -> None:
    city.guardian("family")
    words = "for my brother in Tainan"
    city.client("family").post("/api/v1/people/p1/invitations", json={"note": words})

    folder = city.settings.data_dir
    content = b"".join(path.read_bytes() for path in folder.glob("vigil.sqlite3*"))

    assert words.encode() not in content


class Signed:
    """A browser of the test's, as the simulators' demo asks through it."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def get(self, path: str) -> Any:
        return self._client.get(f"/api/v1{path}").raise_for_status().json()

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        return self._client.post(f"/api/v1{path}", json=body).raise_for_status().json()


def test_what_the_demo_offers_can_be_tried_out(city: City) -> None:
    with writing(city.services.sessions) as session:
        session.get_one(Gateway, GATEWAY).last_seen = city.time

    joins, station, host = offers(lambda name: nullcontext(Signed(city.client(name))))

    token, code = joins.split("#")[1].split(" ")[0], joins.split(" ")[-1]
    client, _ = new_account(city, token)
    joined = client.post("/api/v1/join", json={"token": token, "enrol": enrolment(code)})
    assert joined.status_code == 200, joined.text
    for line in (station, host):
        path = "/p/" + line.split("/p/")[1]
        assert city.anonymous().get(path).status_code == 200


def test_the_demos_place_has_its_station_and_its_host(city: City, tmp_path: Path) -> None:
    file = tmp_path / "seed.toml"
    file.write_text(accounts.seed({}, scenario.load("city-night"), "2027-01-01T00:00:00Z"), "utf-8")
    settings = city.settings.model_copy(update={"demo": True})
    object.__setattr__(city.services, "settings", settings)

    seed.apply(city.services, seed.read(file))

    with city.services.sessions() as session:
        (reader,) = readers_of(session, [account_named(session, "host")], city.time).values()
    (home,) = reader.homes
    assert home.devices == {"station-temple"}


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
