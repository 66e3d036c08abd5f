"""What is entered into the register is corrected, withdrawn, retired, and nothing of it lost."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from sqlalchemy import select

from cases_office import Office, decision, noise_register
from cloud_city import City
from vigil_cloud.identity.models import AuditEntry

CERTIFICATE = {
    "instrument": "XL2-1",
    "kind": "calibration",
    "number": "F-1",
    "valid_from": "2026-01-01",
    "valid_until": "2027-12-31",
}
PLACE = noise_register()["intersections"][0]


@pytest.fixture
def office(city: City) -> Office:
    return Office(city)


def send(office: Office, who: str = "maintainer", **entries: Any) -> httpx.Response:
    return office.city.client(who).post("/api/v1/noise/register", json=entries)


def entered(office: Office, **entries: Any) -> int:
    count: int = send(office, **entries).raise_for_status().json()["entered"]
    return count


def verdict(office: Office, case: str, code: str) -> str:
    (checks,) = [one for one in office.see("ana", case)["sections"] if one["code"] == "checks"]
    found: dict[str, str] = {one["code"]: one["verdict"] for one in checks["data"]["checks"]}
    return found[code]


def versions(office: Office, kind: str, key: str) -> list[dict[str, Any]]:
    query = {"kind": kind, "key": key}
    answer = office.city.client("ana").get("/api/v1/noise/register/versions", params=query)
    found: list[dict[str, Any]] = answer.raise_for_status().json()["versions"]
    return found


def test_a_withdrawn_certificate_counts_no_more_and_again_when_it_is_entered_anew(
    office: Office,
) -> None:
    case = office.noise()["id"]
    assert entered(office, certificates=[CERTIFICATE | {"withdrawn": True}]) == 1
    assert verdict(office, case, "certificate-calibration") == "unknown"
    fine = decision(office.see("ana", case), "fine", 7200)
    assert office.refused("ana", f"/{case}/decisions", fine)[1] == "outcome-barred"

    assert entered(office, certificates=[CERTIFICATE]) == 1
    assert verdict(office, case, "certificate-calibration") == "pass"
    register = office.city.client("ana").get("/api/v1/noise/register").json()
    own = [one for one in register["certificates"] if one["number"] == "F-1"]
    assert [one["withdrawn"] for one in own] == [False, True, False]
    assert [one["recorded_by"] for one in own] == ["keeper", "maintainer", "maintainer"]


def test_where_a_limit_is_withdrawn_the_one_before_it_holds_again(office: Office) -> None:
    case = office.noise()["id"]
    tight = noise_register()["roads"][0] | {
        "valid_from": "2026-02-01",
        "limits": [{"limit_db": 99.0}],
    }
    entered(office, roads=[tight])
    assert verdict(office, case, "limit") == "fail"
    entered(office, roads=[tight | {"withdrawn": True}])
    assert verdict(office, case, "limit") == "pass"


def test_a_placement_that_was_a_mistake_leaves_the_one_before_it(office: Office) -> None:
    case = office.noise()["id"]
    down = {"device": "mic-1", "since": "2026-02-01T00:00:00Z"}
    entered(office, placements=[down])
    assert verdict(office, case, "certificate-verification") == "unknown"
    entered(office, placements=[down | {"withdrawn": True}])
    assert verdict(office, case, "certificate-verification") == "pass"


def test_withdrawn_rules_propose_no_amount(office: Office) -> None:
    case = office.noise()["id"]
    entered(office, rules=[noise_register()["rules"][0] | {"withdrawn": True}])
    outcomes = office.see("ana", case)["outcomes"]
    assert next(one for one in outcomes if one["code"] == "fine")["proposed_twd"] is None


@pytest.mark.parametrize(
    "entries",
    [
        {"certificates": [CERTIFICATE | {"number": "F-9", "withdrawn": True}]},
        {"rules": [{"valid_from": "2020-01-01", "withdrawn": True}]},
        {
            "complaints": [
                {
                    "reference": "115-9",
                    "intersection": "zhongshan",
                    "received": "2026-02-01",
                    "withdrawn": True,
                }
            ]
        },
    ],
)
def test_what_nobody_entered_cannot_be_withdrawn(office: Office, entries: dict[str, Any]) -> None:
    office.register()
    answer = send(office, **entries)
    assert (answer.status_code, answer.json()["code"]) == (422, "noise-not-registered")


def test_what_is_in_use_is_not_retired_and_nothing_begins_with_what_was(office: Office) -> None:
    office.register()
    meter = {"serial": "XL2-1", "maker": "NTi", "model": "XL2"}
    for entries, name in (
        ({"instruments": [meter | {"retired": True}]}, "XL2-1"),
        ({"intersections": [PLACE | {"retired": True}]}, "zhongshan"),
    ):
        answer = send(office, **entries)
        assert (answer.status_code, answer.json()["code"]) == (409, "noise-still-placed")
        assert answer.json()["data"] == {"name": name, "device": "mic-1"}

    down = {"device": "mic-1", "since": "2026-02-20T00:00:00Z"}
    assert entered(office, placements=[down]) == 1
    retired = {
        "instruments": [meter | {"retired": True}],
        "intersections": [PLACE | {"retired": True}],
    }
    assert entered(office, **retired) == 2
    again = down | {"since": "2026-02-21T00:00:00Z"}
    for named in ({"instrument": "XL2-1"}, {"intersection": "zhongshan"}):
        answer = send(office, placements=[again | named])
        assert (answer.status_code, answer.json()["code"]) == (422, "noise-retired")
    with office.city.services.sessions() as session:
        lines = session.scalars(
            select(AuditEntry).where(AuditEntry.action == "noise.register")
        ).all()
    assert lines[-1].detail["retired"] == ["zhongshan", "XL2-1"]


def test_what_is_planned_at_a_place_keeps_it_in_use(office: Office) -> None:
    office.register()
    planned = {"device": "mic-2", "since": "2026-09-01T00:00:00Z", "intersection": "zhongshan"}
    entered(office, placements=[planned, {"device": "mic-1", "since": "2026-02-20T00:00:00Z"}])
    answer = send(office, intersections=[PLACE | {"retired": True}])
    assert (answer.status_code, answer.json()["code"]) == (409, "noise-still-placed")
    assert answer.json()["data"]["device"] == "mic-2"


def test_each_wording_of_a_place_is_kept_with_who_wrote_it(office: Office) -> None:
    office.register()
    entered(office, intersections=[PLACE | {"name": "Zhongshan × Minsheng"}])
    assert entered(office, intersections=[PLACE | {"name": "Zhongshan × Minsheng"}]) == 0
    told = versions(office, "intersection", "zhongshan")
    assert [(one["said"]["name"], one["recorded_by"]) for one in told] == [
        ("Zhongshan × Minsheng", "maintainer"),
        ("Zhongshan Road", "keeper"),
    ]
    assert versions(office, "instrument", "zhongshan") == []


def test_a_complaint_is_corrected_and_withdrawn_and_counted_as_it_then_is(office: Office) -> None:
    office.register()
    said = {"reference": "115-1", "intersection": "zhongshan", "received": "2026-02-01"}
    entered(office, complaints=[said, said | {"reference": "115-2"}])

    def counted() -> int:
        told = office.city.client("ana").get("/api/v1/noise/statistics").json()
        (one,) = told["complaints"]
        count: int = one["before"] + one["after"]
        return count

    assert counted() == 2
    entered(office, complaints=[said | {"received": "2026-02-03"}])
    listed = office.city.client("ana").get("/api/v1/noise/complaints").json()
    assert [(one["reference"], one["received"]) for one in listed["complaints"]] == [
        ("115-1", "2026-02-03"),
        ("115-2", "2026-02-01"),
    ]
    assert listed["more"] is False
    entered(office, complaints=[said | {"withdrawn": True}])
    assert counted() == 1
    assert len(versions(office, "complaint", "115-1")) == 3
    first = office.city.client("ana").get("/api/v1/noise/complaints", params={"limit": 1}).json()
    assert (len(first["complaints"]), first["more"]) == (1, True)


def test_a_last_day_before_the_first_is_refused_with_its_place(office: Office) -> None:
    office.register()
    road = noise_register()["roads"][0] | {"valid_until": "2025-12-31"}
    answer = send(office, roads=[road])
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid-request")
    assert answer.json()["data"]["places"] == ["roads.0"]
    answer = send(office, roads=[road | {"valid_until": None, "limits": [{"limit_db": 20.0}]}])
    assert answer.json()["data"]["places"] == ["roads.0.limits.0.limit_db"]
    assert answer.json()["data"]["kinds"] == ["greater-than-equal"]


def test_who_judges_does_not_write_what_is_judged_by(office: Office) -> None:
    office.register()
    answer = send(office, "ana", certificates=[CERTIFICATE | {"withdrawn": True}])
    assert answer.status_code == 403
