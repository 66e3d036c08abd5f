"""A press that is doubled, or sent again after its answer was lost, makes one thing alone."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any, NamedTuple

import httpx
import pytest
from sqlalchemy import func, select

from cloud.checkin.joining import AGREED, FREE, OTHER_CODE
from cloud_city import City
from vigil_cloud.app import jobs
from vigil_cloud.checkin import amulets
from vigil_cloud.checkin.models import Amulet, Invitation, Thing
from vigil_cloud.database.engine import writing
from vigil_cloud.devices.models import DeviceShelf, Downlink
from vigil_cloud.enrolment.models import EnrolmentCode
from vigil_cloud.identity.erasure import erase
from vigil_cloud.identity.models import (
    AnsweredRequest,
    Consent,
    GatewayToken,
    Guardian,
    HouseholdMember,
)
from vigil_cloud.jobs.port import Turn
from vigil_schemas.gateway import ConfigurationReport

STICKER = "epc:30340789000c0e42dfdc1c35"
CODE = "A7K3M-92MDT"
KEY = "a-key-of-one-press"
TAGS = ["epc:30340789000c0e42dfdc1c01", "epc:30340789000c0e42dfdc1c02"]


class Case(NamedTuple):
    """One creating request."""

    who: str
    path: str
    body: Any
    model: type[Any]
    other: Any = None
    """Another body, to the same address."""
    status: int = 201


CASES = {
    "relative": Case("family", "people/p1/invitations", {}, Invitation, {"note": "brother"}),
    "family": Case(
        "registrar",
        "invitations",
        {"reason": "came to the desk"},
        Invitation,
        {"reason": "by telephone"},
    ),
    "thing": Case(
        "family",
        "people/p1/things",
        {"kind": "bicycle", "name": "red", "code": CODE},
        Thing,
        {"kind": "bicycle", "name": "blue", "code": CODE},
    ),
    "consent": Case(
        "family",
        "people/p1/consents",
        {"account": "family", "expires": "2026-04-01T00:00:00Z"},
        Consent,
        {"account": "family", "expires": "2026-04-02T00:00:00Z"},
    ),
    "stock": Case("registrar", "amulets", {"tags": TAGS}, Amulet, {"tags": TAGS[:1]}),
    "code": Case(
        "administrator", "gateways/gw-west/enrolment", {}, EnrolmentCode, {"name": "West"}
    ),
    "gateway": Case(
        "administrator", "gateways", {"gateway": "gw-west"}, GatewayToken, {"gateway": "gw-x"}
    ),
    "token": Case("administrator", "gateways/gw-east/token", None, GatewayToken),
    "command": Case(
        "maintainer",
        "gateways/gw-east/commands",
        {"action": "report_health"},
        Downlink,
        {"action": "resend_birth"},
        202,
    ),
    "device": Case(
        "maintainer",
        "devices/sonde-1/commands",
        {"action": "sample_now"},
        Downlink,
        {"action": "sample_now", "expires_in_s": 60},
        202,
    ),
    "configuration": Case(
        "maintainer",
        "gateways/gw-east/configurations",
        {"revision": 0, "paused_devices": ["sonde-1"]},
        Downlink,
        {"revision": 0, "paused_devices": []},
        202,
    ),
    "restoration": Case(
        "maintainer",
        "gateways/gw-east/configurations/0/restoration",
        {"revision": 0},
        Downlink,
        {"revision": 1},
        202,
    ),
    "found": Case(
        "maintainer",
        "gateways/gw-east/devices",
        {"revision": 0, "found": "0123456789abcdef", "device": "probe-9"},
        Downlink,
        {"revision": 0, "found": "0123456789abcdef", "device": "probe-8"},
        202,
    ),
    "shelf": Case(
        "maintainer",
        "devices/sonde-1/shelves",
        {"kind": "shelved", "reason": "works", "until": "2026-03-01T05:00:00Z"},
        DeviceShelf,
        {"kind": "shelved", "reason": "rain", "until": "2026-03-01T05:00:00Z"},
    ),
}


@pytest.fixture
def office(city: City) -> City:
    city.guardian("family")
    with writing(city.services.sessions) as session:
        for tag, code in ((STICKER, CODE), (FREE, OTHER_CODE)):
            amulets.add(session, city.cipher, tag, by="operator", now=city.time, code=code)
    return city


def post(city: City, case: Case, key: str | None = KEY, body: Any = ...) -> httpx.Response:
    headers = {} if key is None else {"Idempotency-Key": key}
    asked = case.body if body is ... else body
    return city.client(case.who).post(f"/api/v1/{case.path}", json=asked, headers=headers)


def count(city: City, model: type[Any]) -> int:
    with city.services.sessions() as session:
        return session.scalar(select(func.count()).select_from(model)) or 0


@pytest.mark.parametrize("name", CASES)
def test_the_same_request_again_makes_nothing_more(office: City, name: str) -> None:
    case = CASES[name]
    first = post(office, case)
    assert first.status_code == case.status, first.text
    made = count(office, case.model)

    again = post(office, case)

    assert (again.status_code, again.json()) == (case.status, first.json())
    assert count(office, case.model) == made


def test_a_setting_whose_answer_was_lost_is_no_conflict_when_it_is_sent_again(city: City) -> None:
    offered = ConfigurationReport(
        revision=0, in_force=False, settings={"sonde-1": {"interval_s": 60.0}}
    )
    city.send(offered, "gw-east")
    client, path = city.client("maintainer"), "/api/v1/devices/sonde-1/settings"
    body = {"revision": 0, "settings": {"interval_s": 30}}
    key = {"Idempotency-Key": KEY}
    first = client.patch(path, json=body, headers=key)
    assert first.status_code == 202, first.text

    again = client.patch(path, json=body, headers=key)

    assert (again.status_code, again.json()) == (202, first.json())
    assert count(city, Downlink) == 1
    assert client.patch(path, json=body).json()["code"] == "configuration-moved"


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.other])
def test_the_key_of_another_request_is_refused(office: City, name: str) -> None:
    case = CASES[name]
    assert post(office, case).status_code == case.status
    made = count(office, case.model)
    answer = post(office, case, body=case.other)
    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency-key-reused")
    assert count(office, case.model) == made


def test_a_repeated_registration_of_an_amulet_is_no_refusal(office: City) -> None:
    case = Case("family", "people/p1/amulets", {"code": OTHER_CODE, **AGREED}, Amulet)
    assert post(office, case).status_code == 204
    assert post(office, case).status_code == 204


def test_two_at_once_make_one(either_city: City) -> None:
    city = either_city
    city.guardian("family")
    case = CASES["relative"]
    city.client("family")
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda _: post(city, case), range(2)))
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].json() == answers[1].json()
    assert count(city, Invitation) == 1


def test_what_was_refused_may_be_tried_again_under_its_key(office: City) -> None:
    case = CASES["thing"]
    refused = post(office, case, body={**case.body, "code": "ZZZZZ-ZZZZZ"})
    assert refused.status_code == 409
    assert post(office, case).status_code == 201


def test_a_key_is_its_accounts_own_and_ends_with_the_right(office: City) -> None:
    case = CASES["relative"]
    assert post(office, case).status_code == 201
    assert post(office, case._replace(who="police")).status_code in (403, 404)
    office.guardian("police")
    assert post(office, case._replace(who="police")).status_code == 201
    assert count(office, Invitation) == 2
    with writing(office.services.sessions) as session:
        session.query(Guardian).delete()
    assert post(office, case).status_code in (403, 404)


def test_answers_go_after_a_day_and_with_the_person(office: City) -> None:
    assert post(office, CASES["thing"]).status_code == 201
    assert post(office, CASES["family"]).status_code == 201
    assert count(office, AnsweredRequest) == 2
    with office.services.sessions() as session:
        kept = b"".join(session.scalars(select(AnsweredRequest.answer)))
    assert b"red" not in kept
    erase(office.services, "p1", by="operator")
    assert count(office, AnsweredRequest) == 1
    office.time += timedelta(days=1, seconds=1)
    known: dict[str, Callable[[Turn], object]] = {
        job.name: job.run for job in jobs(office.services, ingest=False)
    }
    known["answered-requests-forgotten"](Turn(office.services, office.time))
    assert count(office, AnsweredRequest) == 0


def test_a_member_belongs_to_a_home_once(office: City) -> None:
    administrator = office.client("administrator")
    made = administrator.put("/api/v1/households/h1", json={"name": "Chen"})
    assert made.is_success, made.text
    case = Case(
        "administrator",
        "households/h1/members",
        {"account": "family", "relation": "resident"},
        HouseholdMember,
    )
    first, again = post(office, case), post(office, case)
    assert (first.status_code, again.json()) == (201, first.json())
    assert count(office, HouseholdMember) == 1
