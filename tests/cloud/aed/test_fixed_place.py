"""A phone in a pocket: the fixed place that counts then, and the word before a position ends."""

from __future__ import annotations

import threading

from aed_town import PATIENT, alert_of, callouts, calls_of, press, ready, rounds
from cloud_city import City
from vigil_cloud.aed import ending, live
from vigil_cloud.jobs.port import Turn
from webhook import Hook, channel

NEAR = [PATIENT[0] + 0.001, PATIENT[1]]
FAR = [PATIENT[0] + 0.2, PATIENT[1]]


def _fix(town: City, name: str, hours: str = "24/7", position: list[float] = NEAR) -> None:
    place = {"position": position, "hours": hours}
    town.client(name).put(
        "/api/v1/aed/volunteer/fixed-place", json={"place": place}
    ).raise_for_status()


def _forget(town: City) -> None:
    (job,) = [one for one in live.jobs() if one.name == "aed-positions-forgotten"]
    job.run(Turn(town.services, town.time))


def test_a_fixed_place_counts_where_no_position_of_now_is_known(town: City) -> None:
    ready(town, "ann", 0.001)
    _fix(town, "ann")
    town.later(hours=2)
    _forget(town)
    assert town.client("ann").get("/api/v1/aed/volunteer").json()["bars"] == []
    press(town)
    rounds(town)
    assert alert_of(town)["detail"]["called"] == 1
    assert calls_of(town, "ann")[0]["state"] == "called"


def test_a_position_of_now_goes_before_the_fixed_place(town: City) -> None:
    ready(town, "ann", 0.2)
    _fix(town, "ann")
    press(town)
    rounds(town)
    assert callouts(town) == [], "20 km away, whatever place was entered"


def test_outside_its_hours_the_fixed_place_counts_no_more(town: City) -> None:
    ready(town, "ann", 0.001)
    _fix(town, "ann", "Mo-Su 08:00-13:00")  # now it is noon
    town.later(minutes=40)
    assert town.client("ann").get("/api/v1/aed/volunteer").json()["bars"] == []
    town.later(minutes=40)
    assert town.client("ann").get("/api/v1/aed/volunteer").json()["bars"] == ["no-position"]
    press(town)
    rounds(town)
    assert callouts(town) == []


def test_off_call_nobody_is_called_from_a_fixed_place(town: City) -> None:
    ready(town, "ann", 0.001)
    _fix(town, "ann")
    ann = town.client("ann")
    ann.put("/api/v1/aed/volunteer/on-call", json={"position": None}).raise_for_status()
    press(town)
    rounds(town)
    assert callouts(town) == []
    assert ann.get("/api/v1/aed/volunteer").json()["fixed_place"]["hours"] == "24/7"


def test_on_call_at_the_fixed_place_alone(town: City) -> None:
    """A browser that tells no place keeps nobody from being called."""
    ready(town, "ann", 0.001)
    ann = town.client("ann")
    on_call = "/api/v1/aed/volunteer/on-call"
    ann.put(on_call, json={"position": None}).raise_for_status()
    asked = {"position": None, "at_fixed_place": True}
    refused = ann.put(on_call, json=asked)
    assert refused.json()["data"] == {"bar": "no-position"}
    _fix(town, "ann")
    assert ann.put(on_call, json=asked).json()["bars"] == []
    press(town)
    rounds(town)
    assert len(callouts(town)) == 1


def test_a_fixed_place_is_agreed_to_sealed_audited_and_forgotten(town: City) -> None:
    ann = town.client("ann")
    place = {"place": {"position": NEAR, "hours": "24/7"}}
    refused = ann.put("/api/v1/aed/volunteer/fixed-place", json=place)
    assert refused.json()["data"] == {"bar": "no-consent"}
    ready(town, "ann", 0.001)
    unreadable = {"place": {"position": NEAR, "hours": "whenever"}}
    refused = ann.put("/api/v1/aed/volunteer/fixed-place", json=unreadable)
    assert refused.json()["code"] == "bad-opening-hours"
    _fix(town, "ann")
    _fix(town, "ann", position=FAR)
    listed = town.client("administrator").get("/api/v1/aed/volunteers").json()["volunteers"]
    assert [one["fixed_place"] for one in listed] == [None] * len(listed)

    def kept() -> list[tuple[object, ...]]:
        query = "SELECT fixed_position, fixed_hours, fixed_consented FROM aed_volunteers"
        with town.services.engine.connect() as connection:
            return [tuple(row) for row in connection.exec_driver_sql(query)]

    assert str(FAR[0]).encode() not in bytes(kept()[0][0])  # type: ignore[call-overload]  # sealed
    ann.put("/api/v1/aed/volunteer/fixed-place", json={"place": None}).raise_for_status()
    assert kept() == [(None, "", None)]
    _fix(town, "ann")
    ann.put("/api/v1/aed/volunteer/consent", json={"consent": False}).raise_for_status()
    assert kept() == [(None, "", None)], "who is not to be called is found nowhere"
    with town.services.engine.connect() as connection:
        said = connection.exec_driver_sql(
            "SELECT action FROM audit_log WHERE action LIKE 'aed.fixed%' ORDER BY number"
        ).all()
    given, withdrawn = ("aed.fixed-place-given",), ("aed.fixed-place-withdrawn",)
    assert [tuple(row) for row in said] == [given, withdrawn, given]


def test_who_stays_on_call_is_told_before_the_position_ends(town: City, hook: Hook) -> None:
    ready(town, "ann", 0.001)
    channel(town, hook.url, name="ann's phone", username="ann")
    stop = threading.Event()
    town.later(minutes=21)
    with town.services.sessions() as session:
        assert not ending.waiting(session, town.time)
    town.later(minutes=2)
    with town.services.sessions() as session:
        assert ending.waiting(session, town.time)
    hook.status = 503
    assert ending.send_waiting(town.services, stop) == 1
    hook.status = 200
    assert ending.send_waiting(town.services, stop) == 0, "not before its pause is over"
    town.later(seconds=30)
    assert ending.send_waiting(town.services, stop) == 1, "what failed is tried again"
    assert ending.send_waiting(town.services, stop) == 0, "and told once"
    (told,) = hook.received
    assert "12:30" in str(told), "the city's clock"
    assert "not called" in str(told)
    assert town.client("ann").get("/api/v1/aed/volunteer").json()["ending_told"] == "sent"
    ready(town, "ann", 0.001)
    town.later(minutes=24)
    _fix(town, "ann")
    assert ending.send_waiting(town.services, stop) == 1, "a new position ends anew"
    assert "fixed place alone" in str(hook.received[-1])


def test_an_ending_that_nobody_could_be_told_stands_on_the_volunteers_page(
    town: City, hook: Hook
) -> None:
    ready(town, "ann", 0.001)
    channel(town, hook.url, name="ann's phone", username="ann")
    hook.status = 503
    town.later(minutes=23)
    before = hook.requests
    for _ in range(8 * 12):
        ending.send_waiting(town.services, threading.Event())
        town.later(seconds=5)
    ending.send_waiting(town.services, threading.Event())
    assert 4 <= hook.requests - before <= 6, "30, 60 and then each 120 s"
    told = town.client("ann").get("/api/v1/aed/volunteer").json()["ending_told"]
    assert told.startswith("given up after ")
    with town.services.sessions() as session:
        assert not ending.waiting(session, town.time)
    ready(town, "ann", 0.001)
    assert town.client("ann").get("/api/v1/aed/volunteer").json()["ending_told"] == ""


def test_off_call_no_ending_is_told(town: City, hook: Hook) -> None:
    ready(town, "ann", 0.001)
    channel(town, hook.url, name="ann's phone", username="ann")
    town.later(minutes=25)
    town.client("ann").put(
        "/api/v1/aed/volunteer/on-call", json={"position": None}
    ).raise_for_status()
    assert ending.send_waiting(town.services, threading.Event()) == 0
    assert hook.received == []
