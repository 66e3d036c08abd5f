"""Amulets that families register by themselves: by their code, and only the city's."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import select

from cloud.checkin.joining import (
    AGREED,
    CODE,
    FREE,
    OLD,
    OTHER_CODE,
    actions,
    code_of,
    enrolment,
    invited,
    stocked,
    token_of,
)
from cloud_city import TAG, City
from vigil_cloud.checkin import notice
from vigil_cloud.checkin.models import Invitation, PurposeConsent, Tag

__all__ = ["stocked"]
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
