"""Patrols: what a tester measured, and photographs."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from cases_office import picture
from cloud_city import City
from vigil_cloud.aed import patrol_photos, tester
from vigil_cloud.aed.models import AedPatrolPhoto
from vigil_cloud.identity.models import AuditEntry
from vigil_cloud.retention import Retention

SITE = {"name": "City hall", "latitude": 23.48, "longitude": 120.44}
WELL = dict.fromkeys(("present", "indicator_ok", "pads_sealed", "cabinet_ok", "sign_visible"), True)
TESTED = {"tester": "DA-2006-17", "passed": True, "rated_j": 200.0, "measured_j": 196.5}


@pytest.fixture
def hall(city: City) -> City:
    city.client("maintainer").put("/api/v1/aed/sites/hall", json=SITE).raise_for_status()
    return city


def patrol(city: City, **more: Any) -> httpx.Response:
    body = {**WELL, **more}
    return city.client("maintainer").post("/api/v1/aed/sites/hall/patrols", json=body)


def told(city: City) -> list[dict[str, Any]]:
    answer = city.client("maintainer").get("/api/v1/aed/sites/hall/patrols").raise_for_status()
    found: list[dict[str, Any]] = answer.json()["patrols"]
    return found


def photograph(city: City, who: str = "maintainer", site: str = "hall") -> httpx.Response:
    return city.client(who).post(
        "/api/v1/aed/patrol-photos", params={"site": site}, content=picture()
    )


def test_what_a_tester_measured_is_kept_with_the_patrol(hall: City) -> None:
    assert patrol(hall, tester=TESTED).raise_for_status().json()["usable"] is True
    (one,) = told(hall)
    assert one["tester"] == {**TESTED, "charge_s": None}
    assert (one["troubles"], one["usable"]) == ([], True)
    assert patrol(hall).raise_for_status().json()["usable"] is True
    assert told(hall)[0]["tester"] is None


@pytest.mark.parametrize(
    ("found", "why"),
    [
        ({"passed": False}, ["tester-failed"]),
        ({"measured_j": 160.0}, ["energy-off"]),
        ({"measured_j": 231.0}, ["energy-off"]),
        ({"charge_s": 16.0}, ["charges-slowly"]),
        ({"passed": False, "measured_j": 1.0}, ["tester-failed", "energy-off"]),
    ],
)
def test_what_a_tester_finds_unfit_is_fetched_by_nobody(
    hall: City, found: dict[str, Any], why: list[str]
) -> None:
    """Whatever was ticked beside it."""
    answer = patrol(hall, tester={**TESTED, **found}).raise_for_status().json()
    assert (answer["usable"], answer["in_service"]) == (False, False)
    assert told(hall)[0]["troubles"] == why


def test_a_patrol_whose_answer_was_lost_is_told_once(hall: City) -> None:
    client = hall.client("maintainer")
    key = {"Idempotency-Key": "0123456789abcdef"}
    path, bad = "/api/v1/aed/sites/hall/patrols", {**WELL, "indicator_ok": False}
    photo = "/api/v1/aed/patrol-photos?site=hall"
    sent = [client.post(photo, content=picture(), headers=key).json() for _ in range(2)]
    assert sent[0] == sent[1]
    first = client.post(path, json=bad, headers=key).raise_for_status().json()
    hall.later(days=1)
    hall.sign_in_anew("maintainer")
    client = hall.client("maintainer")
    again = client.post(path, json=bad, headers=key).raise_for_status().json()
    assert (again["checked"], again["in_service"]) == (first["checked"], False)
    (one,) = told(hall)
    assert one["photos"] == [sent[0]["photo"]]
    late = client.post(photo, content=picture(), headers=key).raise_for_status().json()
    assert late["photo"] == sent[0]["photo"]
    more = {"Idempotency-Key": "fedcba9876543210"}
    second = client.post(photo, content=picture(), headers=more).raise_for_status().json()
    client.post(path, json=bad, headers=key).raise_for_status()
    assert told(hall)[0]["photos"] == [sent[0]["photo"], second["photo"]], "added to what waited"

    changes: list[dict[str, object]] = [
        {"battery_until": "2031-01-31"},
        {"pads_until": "2031-01-31"},
        {"note": "x"},
        {"tester": TESTED},
    ]
    for other in (WELL, *({**bad, **one} for one in changes)):
        answer = client.post(path, json=other, headers=key)
        assert (answer.status_code, answer.json()["code"]) == (422, "idempotency-key-reused")
    client.put("/api/v1/aed/sites/pool", json=SITE).raise_for_status()
    elsewhere = client.post("/api/v1/aed/patrol-photos?site=pool", content=picture(), headers=key)
    assert elsewhere.json()["code"] == "idempotency-key-reused"
    assert client.post(path, json=WELL).raise_for_status().json()["in_service"] is True
    assert client.post(path, json=WELL).is_success
    assert len(told(hall)) == 3, "without a key each is another"


@pytest.mark.parametrize(
    "bad", [{"measured_j": -1.0}, {"measured_j": 1e9}, {"passed": "yes"}, {"more": 1}], ids=str
)
def test_what_is_no_measurement_is_refused(hall: City, bad: dict[str, Any]) -> None:
    assert patrol(hall, tester={**TESTED, **bad}).status_code == 422
    assert told(hall) == []


@given(st.floats(1, 400), st.floats(0.01, 500))
def test_the_bound_is_fifteen_in_a_hundred_or_three_joules(rated: float, measured: float) -> None:
    result = tester.TesterResult(tester="x", passed=True, rated_j=rated, measured_j=measured)
    within = abs(measured - rated) <= 3 or abs(measured - rated) <= 0.15 * rated
    assert (tester.troubles(result) == []) is within


def test_photographs_are_of_the_patrol_that_is_told_next(hall: City) -> None:
    first = photograph(hall).raise_for_status().json()["photo"]
    patrol(hall).raise_for_status()
    hall.later(minutes=5)
    second = photograph(hall).raise_for_status().json()["photo"]
    patrol(hall).raise_for_status()
    assert [one["photos"] for one in told(hall)] == [[second], [first]]
    shown = hall.client("maintainer").get(f"/api/v1/aed/sites/hall/photos/{first}")
    assert shown.content.startswith(b"\xff\xd8")
    with hall.services.engine.connect() as connection:
        kept = connection.exec_driver_sql("SELECT picture FROM aed_patrol_photos").all()
    assert all(shown.content[:200] not in one for (one,) in kept)
    other = hall.client("maintainer").get(f"/api/v1/aed/sites/elsewhere/photos/{first}")
    assert (other.status_code, other.json()["code"]) == (404, "aed-photo-unknown")


def test_photographs_of_no_patrol_are_removed_by_retention_and_that_is_written_down(
    hall: City,
) -> None:
    """Also where nobody photographs this AED again."""
    kept = photograph(hall).raise_for_status().json()["photo"]
    patrol(hall).raise_for_status()
    photograph(hall).raise_for_status()
    Retention(hall.services).keep()
    assert _photos(hall) == {(kept, False), (kept + 1, True)}, "its patrol may still be told"
    hall.later(hours=3)
    Retention(hall.services).keep()
    assert _photos(hall) == {(kept, False)}
    with hall.services.sessions() as session:
        lines = session.scalars(select(AuditEntry).order_by(AuditEntry.number)).all()
    added = [one for one in lines if one.action == "aed.patrol-photo-added"]
    assert [(one.account, one.subject) for one in added] == [("maintainer", "hall")] * 2
    (gone,) = [one for one in lines if one.subject == "aed_patrol_photos"]
    assert gone.account == "retention"


def _photos(city: City) -> set[tuple[int, bool]]:
    with city.services.sessions() as session:
        rows = session.scalars(select(AedPatrolPhoto)).all()
        return {(row.id, row.patrol is None) for row in rows}


def test_photographs_of_no_patrol_go_and_are_bounded(hall: City) -> None:
    for _ in range(patrol_photos.MOST):
        photograph(hall).raise_for_status()
    refused = photograph(hall)
    assert (refused.status_code, refused.json()["code"]) == (409, "aed-too-many-photos")
    assert photograph(hall, site="nowhere").status_code == 404
    hall.later(hours=3)
    assert photograph(hall).is_success, "the others waited for their patrol for too long"
    patrol(hall).raise_for_status()
    assert len(told(hall)[0]["photos"]) == 1
