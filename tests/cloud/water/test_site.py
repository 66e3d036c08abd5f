"""What is brought from the site, what associations are told, and that they see nothing else."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from cases_office import Office, picture
from cloud_city import NOON, City, excursion
from vigil_cloud.database.engine import writing
from vigil_cloud.identity.models import AuditEntry
from vigil_cloud.identity.roles import Role
from vigil_cloud.irrigation.port import Gate, ask_to_close
from vigil_schemas.types import isoformat_utc
from waterways import UPPER, geojson


@pytest.fixture
def office(city: City) -> Office:
    return Office(city)


def enter(
    office: Office, case: str, who: str = "inspector", key: str = "", **entry: Any
) -> tuple[int, dict[str, Any]]:
    answer = office.city.client(who).post(
        f"/api/v1/water/cases/{case}/entries",
        json={"at": "2026-03-01T03:30:00Z", **entry},
        headers={"Idempotency-Key": key} if key else {},
    )
    return answer.status_code, answer.json()


def test_from_the_site_to_the_dossier(office: Office) -> None:
    case = office.water()["id"]
    place: dict[str, Any] = {"latitude": 23.4712, "longitude": 120.4391}
    enter(office, case, kind="visit", text="A hose behind the wall", **place)
    enter(office, case, kind="sample", number="W-17", text="Two bottles", **place)
    status, seen = enter(office, case, kind="result", number="W-17", text="Cu 12 mg/L")
    assert status == 200, seen
    enter(office, case, kind="suspect", text="The dye works", who="other-inspector")

    shown = office.see("inspector", case)
    (site,) = [one for one in shown["sections"] if one["code"] == "site"]
    assert [
        (one["entry"], one["account"], one.get("number")) for one in site["data"]["entries"]
    ] == [
        ("visit", "inspector", None),
        ("sample", "inspector", "W-17"),
        ("result", "inspector", "W-17"),
        ("suspect", "other-inspector", None),
    ]
    assert (site["data"]["entries"][0]["latitude"], site["data"]["entries"][0]["at"]) == (
        23.4712,
        "2026-03-01T03:30:00Z",
    )
    assert "Cu 12 mg/L" in [line["text"] for line in shown["history"]]
    dossier = office.city.client("inspector").get(f"/api/v1/cases/{case}/dossier.json").json()
    assert dossier["history_broken"] == []
    assert any(one["code"] == "site" for one in dossier["sections"])


def test_what_a_phone_sends_late_twice_and_beside_others_is_all_there_once(
    office: Office,
) -> None:
    case = office.water()
    ahead = isoformat_utc(office.city.time + timedelta(hours=2))
    for _ in range(2):
        status, _ = enter(office, case["id"], key="phone-a-1", kind="visit", text="A", at=ahead)
        assert status == 200
        status, _ = enter(
            office, case["id"], "other-inspector", "phone-b-1", kind="visit", text="B"
        )
        assert status == 200
    decided = office.decide("inspector", office.see("inspector", case["id"]), "source-found")
    office.do(
        "inspector",
        f"/{case['id']}/close",
        {"version": decided["version"], "resolution": "mended"},
    )
    assert enter(office, case["id"], key="phone-a-2", kind="sample", number="W-1")[0] == 200
    lines = office.see("inspector", case["id"])["history"]
    assert [line["text"] for line in lines if line["detail"].get("entry") == "visit"] == ["A", "B"]
    (first,) = [line["detail"] for line in lines if line["text"] == "A"]
    assert (first["at"], first["claimed"]) == ("2026-03-01T04:00:00Z", ahead), "a clock ahead"


@pytest.mark.parametrize(
    ("entry", "status", "code"),
    [
        ({"kind": "visit"}, 422, "bad-site-entry"),
        ({"kind": "visit", "latitude": 23.4}, 422, "bad-site-entry"),
        ({"kind": "sample", "text": "no number"}, 422, "bad-site-entry"),
        ({"kind": "result", "number": "W-9", "text": "clean"}, 422, "sample-unknown"),
        ({"kind": "suspect"}, 422, "bad-site-entry"),
        ({"kind": "suspect", "outfall": "o-nowhere"}, 422, "bad-site-entry"),
        ({"kind": "sample", "number": "W 9; drop"}, 422, "invalid-request"),
        ({"kind": "visit", "latitude": 123.4, "longitude": 23.4}, 422, "invalid-request"),
        ({"kind": "rumour", "text": "x"}, 422, "invalid-request"),
    ],
)
def test_what_is_not_whole_is_refused_and_says_what_is_missing(
    office: Office, entry: dict[str, Any], status: int, code: str
) -> None:
    case = office.water()["id"]
    assert (enter(office, case, **entry)[0], enter(office, case, **entry)[1]["code"]) == (
        status,
        code,
    )


def _refused(office: Office, case: str) -> list[AuditEntry]:
    with office.city.services.sessions() as session:
        of_case = (AuditEntry.subject == case, AuditEntry.action == "case.refused")
        return list(session.scalars(select(AuditEntry).where(*of_case)))


def test_a_photograph_tells_no_place_and_a_huge_one_is_refused(office: Office) -> None:
    case = office.water()["id"]
    (kept,) = office.photograph("inspector", case, picture())["photographs"]
    assert kept["location_removed"] is True
    answer = office.send_photograph("inspector", case, b"\xff\xd8" + b"\0" * (100 * 1024 * 1024))
    assert (answer.status_code, answer.json()["code"]) == (413, "photograph-too-large")
    (line,) = _refused(office, case)
    assert (line.account, line.detail["code"]) == ("inspector", "photograph-too-large")


def test_another_district_pushes_no_gate_out_of_the_list(
    city: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vigil_cloud.irrigation.routes.MOST", 1)
    city.account("farmers", Role.IRRIGATION)
    administrator = city.client("administrator")
    for name in ("east", "west"):
        body = {"name": name, "name_zh": name}
        administrator.put(f"/api/v1/districts/{name}", json=body).raise_for_status()
        gate = Gate(name, name, name, 23.47, 120.44)
        with writing(city.services.sessions) as session:
            ask_to_close(
                session,
                "incident",
                gate,
                arrival=None,
                district=name,
                by="inspector",
                now=city.later(minutes=1),
            )
    limited = {"districts": ["east"]}
    administrator.put("/api/v1/accounts/farmers/districts", json=limited).raise_for_status()
    listed = city.client("farmers").get("/api/v1/irrigation/orders").json()["orders"]
    assert [one["gate"] for one in listed] == ["east"]


def test_the_association_closes_the_gate_and_is_told_when_it_may_open(office: Office) -> None:
    city = office.city
    city.account("farmers", Role.IRRIGATION)
    inspector = city.client("inspector")
    inspector.post("/api/v1/water/network/import", content=geojson().encode())
    city.send(excursion(city.time), UPPER)
    (alert,) = city.alerts("inspector", domain="water")
    incident = f"/api/v1/water/incidents/{alert['detail']['incident']}"
    for _ in range(2):  # asked twice, called once
        asked = inspector.post(f"{incident}/gates/close", json={"gate": "g1"})
        assert asked.is_success, asked.text
    (called,) = city.alerts("farmers")
    assert called["title"] == "Close the gate North gate, water expected 12:10"
    assert called["title_zh"] == "請關閉水門 北水門，預計 12:10 到達"
    other = inspector.post(f"{incident}/gates/close", json={"gate": "g9"})
    assert (other.status_code, other.json()["code"]) == (404, "gate-unknown")

    # They see that, and nothing else
    farmers = city.client("farmers")
    (order,) = farmers.get("/api/v1/irrigation/orders").json()["orders"]
    assert (order["name"], order["area"]) == ("North gate", "Rice fields north")
    assert farmers.get("/api/v1/devices").json()["devices"] == []
    assert farmers.get("/api/v1/cases").json()["cases"] == []
    for path in (incident, f"/api/v1/alerts/{alert['id']}", "/api/v1/water/network"):
        assert farmers.get(path).status_code in {403, 404}, path

    for _ in range(2):
        closed = farmers.post(f"/api/v1/irrigation/orders/{order['id']}/closed")
        assert closed.json()["closed_by"] == "farmers"
    (called,) = city.alerts("farmers")
    assert called["state"]["acknowledged"] is True
    (gate,) = inspector.get(incident).json()["gates"]
    assert gate["closed_by"] == "farmers"

    later = {"gate": "g1", "at": isoformat_utc(NOON + timedelta(hours=3))}
    assert inspector.post(f"{incident}/gates/open", json=later).is_success
    (called,) = city.alerts("farmers")
    assert (called["state"]["active"], called["title_zh"]) == (
        False,
        "水門 北水門 自 15:00 起可開啟",
    )
    far = {"gate": "g1", "at": isoformat_utc(NOON + timedelta(days=31))}
    assert inspector.post(f"{incident}/gates/open", json=far).json()["code"] == "bad-gate-time"
    never = inspector.post(f"{incident}/gates/open", json={"gate": "g9"})
    assert never.json()["code"] == "gate-order-unknown"
    # Asked again it is another order, and another call
    inspector.post(f"{incident}/gates/close", json={"gate": "g1"})
    assert len(city.alerts("farmers")) == 2


def test_a_gate_is_closed_by_the_association_of_its_own_place(office: Office) -> None:
    """The probe stands in the east district, the gate below it in the west one."""
    city = office.city
    administrator, inspector = city.client("administrator"), city.client("inspector")
    lines = {"east": (120.42, 120.450), "west": (120.450, 120.47)}
    for name, (west, east) in lines.items():
        corners = [(23.4, west), (23.4, east), (23.5, east), (23.5, west)]
        body = {
            "name": name,
            "name_zh": name,
            "outline": [{"latitude": lat, "longitude": lon} for lat, lon in corners],
        }
        administrator.put(f"/api/v1/districts/{name}", json=body).raise_for_status()
        city.account(f"farmers-{name}", Role.IRRIGATION)
        administrator.put(
            f"/api/v1/accounts/farmers-{name}/districts", json={"districts": [name]}
        ).raise_for_status()
    administrator.put(
        f"/api/v1/devices/{UPPER}/district", json={"district": "east"}
    ).raise_for_status()
    inspector.post("/api/v1/water/network/import", content=geojson().encode())
    city.send(excursion(city.time), UPPER)
    (alert,) = city.alerts("inspector", domain="water")
    incident = f"/api/v1/water/incidents/{alert['detail']['incident']}"
    inspector.post(f"{incident}/gates/close", json={"gate": "g1"}).raise_for_status()

    assert city.alerts("farmers-east") == []
    (called,) = city.alerts("farmers-west")
    assert called["title"].startswith("Close the gate North gate")
    order = city.client("farmers-west").get("/api/v1/irrigation/orders").json()["orders"][0]["id"]
    closed = f"/api/v1/irrigation/orders/{order}/closed"
    assert city.client("farmers-east").post(closed).status_code == 404
    assert city.client("farmers-west").post(closed).is_success
