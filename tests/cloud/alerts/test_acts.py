"""Acting on alerts over HTTP: history, who was faster, pages, and what is told to whom."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from cloud_city import NOON, City, alarm, exceedance, excursion
from sql import statements
from vigil_cloud.identity.audit import verify
from vigil_schemas.types import isoformat_utc


def act(city: City, username: str, alert: dict[str, Any], action: str, **body: Any) -> Any:
    return city.client(username).post(f"/api/v1/alerts/{alert['id']}/{action}", json=body)


def test_a_loud_vehicle_is_acknowledged_confirmed_and_then_over(city: City) -> None:
    city.send(exceedance(city.time), "mic-1")
    (alert,) = city.alerts("inspector")
    assert (alert["title"], alert["title_zh"]) == (
        "Loud vehicle 91.2 dB(A)",
        "高噪音車輛 91.2 分貝",
    )
    assert alert["state"] == {
        "active": True,
        "acknowledged": False,
        "confirmed": False,
        "shelved_until": None,
        "out_of_service": False,
        "out_of_service_until": None,
        "device_shelf": None,
        "device_shelf_until": None,
    }
    assert (alert["latitude"], alert["longitude"]) == (23.48, 120.44)

    early = act(city, "reviewer", alert, "confirm")
    assert (early.status_code, early.json()["code"]) == (409, "not-acknowledged")
    city.later(minutes=1)
    act(city, "inspector", alert, "acknowledge", comment="on my way")
    late = act(city, "reviewer", alert, "acknowledge")
    assert (late.status_code, late.json()["code"]) == (409, "already-acknowledged")
    city.later(minutes=1)
    done = act(city, "reviewer", alert, "confirm", comment="fined").json()

    assert done["state"]["active"] is False, "an occurrence without an end is over when confirmed"
    assert done["acknowledged_by"] == "inspector"
    assert done["acknowledged_at"] == isoformat_utc(NOON + timedelta(minutes=1))
    assert done["confirmed_by"] == "reviewer"
    assert [(line["action"], line["account"], line["comment"]) for line in done["history"]] == [
        ("raised", None, ""),
        ("acknowledged", "inspector", "on my way"),
        ("confirmed", "reviewer", "fined"),
    ]
    with city.services.sessions() as session:
        verify(session)


def test_who_decides_on_an_old_state_is_refused(city: City) -> None:
    city.send(exceedance(city.time), "mic-1")
    (alert,) = city.alerts("inspector")
    act(city, "reviewer", alert, "acknowledge", version=alert["version"])

    late = act(
        city,
        "inspector",
        alert,
        "shelve",
        version=alert["version"],
        until=isoformat_utc(city.time + timedelta(hours=1)),
    )

    assert (late.status_code, late.json()["code"]) == (409, "changed-meanwhile")


def test_a_shelf_ends_by_itself(city: City) -> None:
    city.send(excursion(city.time), "sonde-1")
    (alert,) = city.alerts("inspector")
    until = isoformat_utc(city.time + timedelta(hours=1))

    shelved = act(city, "inspector", alert, "shelve", until=until).json()
    assert shelved["state"]["shelved_until"] == until
    city.later(hours=1)
    assert city.alerts("inspector")[0]["state"]["shelved_until"] is None
    assert act(city, "inspector", alert, "unshelve").json()["code"] == "not-shelved"


def test_out_of_service_is_for_those_who_maintain(city: City) -> None:
    city.send(alarm(city.time), "alarm-1")
    (alert,) = city.alerts("dispatcher")

    refused = act(city, "dispatcher", alert, "service", out_of_service=True)
    until = isoformat_utc(city.time + timedelta(hours=2))
    done = act(city, "maintainer", alert, "service", out_of_service=True, until=until).json()

    assert refused.status_code == 403
    assert done["state"]["out_of_service"] is True


def test_pages_follow_each_other_without_gap_or_overlap(city: City) -> None:
    for number in range(7):
        city.send(exceedance(city.time, f"exceedance-{number}"), "mic-1")
        if number % 2:  # pairs share a moment: the id decides their order
            city.later(seconds=1)
    client = city.client("inspector")

    seen: list[str] = []
    before = None
    for _ in range(10):
        query = {"limit": 2} | ({"before": before} if before else {})
        page = client.get("/api/v1/alerts", params=query).json()
        seen += [alert["id"] for alert in page["alerts"]]
        before = page["next"]
        if before is None:
            break

    assert len(seen) == len(set(seen)) == 7
    raised = [datetime.fromisoformat(alert["raised"]) for alert in city.alerts("inspector")]
    assert raised == sorted(raised, reverse=True)


def test_active_asks_for_what_somebody_has_still_to_look_at(city: City) -> None:
    city.send(excursion(city.time), "sonde-1")
    city.send(excursion(city.time, "end"), "sonde-1")
    (alert,) = city.alerts("inspector", active=True)
    assert alert["state"]["active"] is False, "over, but nobody has seen it"

    act(city, "inspector", alert, "acknowledge")

    assert city.alerts("inspector", active=True) == []
    assert len(city.alerts("inspector", active=False)) == 1
    assert city.alerts("inspector", domain="noise") == []


def test_many_alerts_cost_as_many_queries_as_one_and_little_to_send(city: City) -> None:
    client = city.client("inspector")

    def queries() -> int:
        client.get("/api/v1/session")  # writes down that the session is in use
        with statements(city.services.engine) as asked:
            client.get("/api/v1/alerts", params={"state": ["new", "in_progress"], "limit": 200})
        return len(asked)

    city.send(exceedance(city.time, "exceedance-0"), "mic-1")
    one = queries()
    for number in range(1, 601):
        city.later(seconds=1)  # a flood would be one counted alert
        city.send(exceedance(city.time, f"exceedance-{number}"), "mic-1")

    assert queries() == one
    assert one <= 5
    sent = 0
    for path in ("/alerts?state=new&state=in_progress&limit=50", "/alerts/open", "/devices"):
        with client.stream("GET", f"/api/v1{path}") as answer:
            assert answer.status_code == 200
            sent += sum(len(part) for part in answer.iter_raw())
    assert sent < 15_000, "601 open alerts and what a page needs besides"


def test_work_is_new_in_progress_by_somebody_and_done(city: City) -> None:
    def ids(username: str, **query: Any) -> list[str]:
        return [alert["id"] for alert in city.listed(username, **query)]

    city.send(excursion(city.time), "sonde-1")
    (alert,) = city.listed("inspector", state="new")
    assert (alert["work"], alert["acknowledged_by"]) == ("new", None)

    # Taken by one of them; then it is over, and nobody has said that the work is done
    act(city, "inspector", alert, "acknowledge")
    city.send(excursion(city.time, "end"), "sonde-1")
    (taken,) = city.listed("inspector", state=["new", "in_progress"])
    assert taken["state"]["active"] is False
    assert (taken["work"], taken["acknowledged_by"]) == ("in_progress", "inspector")
    assert ids("inspector", mine=True) == [alert["id"]]
    assert ids("reviewer", mine=True) == []
    assert city.client("inspector").get("/api/v1/alerts/open").json()["total"] == {
        "new": 0,
        "in_progress": 1,
        "mine": 1,
    }

    act(city, "inspector", alert, "confirm")
    assert ids("inspector", state=["new", "in_progress"]) == ids("inspector", mine=True) == []
    (done,) = city.listed("inspector", state="done")
    assert done["work"] == "done"


def test_what_is_confirmed_but_not_over_is_not_done(city: City) -> None:
    city.send(alarm(city.time), "alarm-1")
    (alert,) = city.listed("dispatcher")
    act(city, "dispatcher", alert, "acknowledge")
    act(city, "dispatcher", alert, "confirm")
    (still,) = city.listed("dispatcher", state="in_progress")
    assert still["state"]["active"] is True
    city.send(alarm(city.time, active=False), "alarm-1")
    # It fell silent, and people are called for its fire until somebody ends that.
    (still,) = city.listed("dispatcher", state="in_progress")
    assert still["state"]["active"] is False
    (fire,) = city.client("dispatcher").get("/api/v1/smoke/fires").json()["fires"]
    for what in ("acknowledge", "stand-down"):
        said = city.client("dispatcher").post(f"/api/v1/smoke/fires/{fire['fire']}/lead/{what}")
        assert said.is_success, said.text
    assert city.listed("dispatcher", state=["new", "in_progress"]) == []


def test_counts_are_of_all_and_leave_out_what_is_shelved(city: City) -> None:
    for number in range(60):
        city.send(exceedance(city.time, f"exceedance-{number}"), "mic-1")
    alert = city.listed("inspector", limit=1)[0]
    until = (city.time + timedelta(hours=1)).isoformat()
    city.client("inspector").post(f"/api/v1/alerts/{alert['id']}/shelve", json={"until": until})

    counted = city.client("inspector").get("/api/v1/alerts/open").json()
    assert counted["total"]["new"] == counted["domains"]["noise"]["new"] == 59
    (device,) = counted["devices"]
    assert (device["device"], device["count"], device["severity"]) == ("mic-1", 59, "major")
    city.later(hours=2)
    assert city.client("inspector").get("/api/v1/alerts/open").json()["total"]["new"] == 60
    assert city.client("dispatcher").get("/api/v1/alerts/open").json()["devices"] == []


def test_a_cursor_of_another_order_is_refused(city: City) -> None:
    cursor = "1767225600.000000_6f1f3c1e-6d0e-5b1e-9a58-0a4f6f0d6b11"
    answer = city.client("inspector").get(f"/api/v1/alerts?state=new&before={cursor}")
    assert (answer.status_code, answer.json()["code"]) == (422, "wrong-cursor")
