"""Check-in in the cloud: visits, footprints and what guardians see and decide."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import func, select

from clocks import Clocks
from cloud_city import GATEWAY, NAME, NOON, TAG, City, visit
from vigil_cloud.alerts.models import AlertRow
from vigil_cloud.checkin.models import Visit
from vigil_cloud.checkin.service import give_tag
from vigil_cloud.checkin.silence import follow_stations
from vigil_cloud.database.engine import writing
from vigil_cloud.devices.models import Gateway
from vigil_cloud.identity.roles import Role
from vigil_schemas.checkin import CheckinVisitV2
from vigil_schemas.types import isoformat_utc


def test_a_visit_of_a_tag_that_nobody_carries_raises_nothing(city: City) -> None:
    city.send(visit(city.time, tag="epc:3034257bf7194e4000001a85"), "station-1")

    with city.services.sessions() as session:
        assert session.scalar(select(func.count()).select_from(AlertRow)) == 0
        assert session.scalars(select(Visit.person_key)).one() is None


def test_a_relative_reads_who_came_where_until_they_left(city: City) -> None:
    city.consent("family")
    city.send(visit(city.time), "station-1")
    (alert,) = city.alerts("family")
    assert (alert["title"], alert["title_zh"]) == (
        f"{NAME} is at Temple gate",
        f"{NAME} 到了 廟口",
    )
    assert alert["severity"] == "info"
    assert alert["subject"] == {"person_key": "p1", "person_name": NAME}
    assert TAG not in str(alert), "a tag's id would let its reader follow it elsewhere"

    city.later(minutes=5)
    city.send(visit(NOON, "departed"), "station-1")

    (alert,) = city.alerts("family")
    assert alert["title"] == f"{NAME} was at Temple gate"
    assert alert["state"]["active"] is False
    assert alert["cleared"] == isoformat_utc(NOON + timedelta(minutes=4))


def test_an_altbeacon_is_carried_like_any_other(city: City) -> None:
    tag = f"altbeacon:{'1f' * 20}"
    city.consent("family")
    given = city.client("administrator").put(f"/api/v1/people/p1/tags/{tag}")
    assert given.status_code == 204, given.text
    heard = visit(city.time).model_dump() | {"tag": tag}
    city.send(CheckinVisitV2.model_validate(heard), "station-1")
    city.later(seconds=1)
    (seen,) = city.client("family").get("/api/v1/people/p1/footprints").json()["visits"]
    assert seen["name"] == "Temple gate"
    with city.services.sessions() as session:
        assert session.scalars(select(Visit.person_key)).all() == ["p1"]


def test_footprints_are_the_stations_in_order(city: City) -> None:
    city.consent("family")
    city.send(visit(NOON - timedelta(hours=1), "departed", "visit-0001"), "station-2")
    city.send(visit(NOON, "arrived", "visit-0002"), "station-1")
    city.send(visit(NOON - timedelta(days=2), "departed", "visit-0000"), "station-1")
    client = city.client("family")
    city.later(seconds=1)

    day = client.get("/api/v1/people/p1/footprints").json()["visits"]
    assert [(step["name_zh"], step["departed"] is None) for step in day] == [
        ("市場", False),
        ("廟口", True),
    ]
    assert (day[0]["latitude"], day[0]["longitude"]) == (23.48, 120.44)
    start = isoformat_utc(NOON - timedelta(days=3))
    longer = client.get("/api/v1/people/p1/footprints", params={"start": start}).json()
    assert len(longer["visits"]) == 3
    too_long = {"start": isoformat_utc(NOON - timedelta(days=100))}
    answer = client.get("/api/v1/people/p1/footprints", params=too_long)
    assert (answer.status_code, answer.json()["code"]) == (422, "bad-period")


def test_a_tag_given_to_another_person_leaves_old_visits_whose_they_were(city: City) -> None:
    city.send(visit(NOON - timedelta(hours=1), "departed"), "station-1")
    city.person("p2", "李大明", "epc:3034257bf7194e4000001a85")
    with writing(city.services.sessions) as session:
        give_tag(session, TAG, "p2", by="operator", now=city.time)
    city.send(visit(NOON, "departed", "visit-0002"), "station-2")
    city.consent("family", "p2")
    city.later(seconds=1)

    visits = city.client("family").get("/api/v1/people/p2/footprints").json()["visits"]

    assert [step["device"] for step in visits] == ["station-2"]


def test_a_guardian_grants_sees_and_revokes(city: City) -> None:
    city.account("daughter", Role.FAMILY)
    city.guardian("family")
    city.send(visit(NOON), "station-1")
    guardian, daughter = city.client("family"), city.client("daughter")
    expires = isoformat_utc(NOON + timedelta(days=1))

    granted = guardian.post(
        "/api/v1/people/p1/consents", json={"account": "daughter", "expires": expires}
    )
    assert granted.status_code == 201
    assert daughter.get("/api/v1/people/mine").json()["people"] == [
        {
            "key": "p1",
            "name": NAME,
            "guardian": False,
            "consent_expires": expires,
            "ends_soon": None,
            "scopes": [
                {"scope": scope, "until": expires, "since": None}
                for scope in ("last_place", "footprint")
            ],
        }
    ]
    city.later(minutes=1)
    assert len(daughter.get("/api/v1/people/p1/footprints").json()["visits"]) == 1

    audit = guardian.get("/api/v1/people/p1/audit").json()["entries"]
    assert [(line["account"], line["action"]) for line in audit] == [
        ("daughter", "location.read"),
        ("family", "consent.granted"),
        ("operator", "rule.preset"),  # as every person begins
        ("operator", "tag.given"),
    ]
    guardian.delete(f"/api/v1/people/p1/consents/{granted.json()['id']}")
    assert daughter.get("/api/v1/people/p1/footprints").status_code == 403
    (consent,) = guardian.get("/api/v1/people/p1/consents").json()["consents"]
    assert consent["revoked"] is not None


def test_whose_consent_was_taken_back_gets_it_from_somebody_else(city: City) -> None:
    """A guardian who may not know any more where somebody is does not decide that alone."""
    city.account("son", Role.FAMILY)
    for guardian in ("family", "son"):
        city.guardian(guardian)
    family, son = city.client("family"), city.client("son")
    path, footprints = "/api/v1/people/p1/consents", "/api/v1/people/p1/footprints"
    body = {"account": "family", "expires": isoformat_utc(NOON + timedelta(days=30))}

    first = family.post(path, json=body)
    assert first.status_code == 201, "whoever enrols somebody begins"
    assert family.post(path, json=body).status_code == 201, "and prolongs it"
    for consent in family.get(path).json()["consents"]:
        assert son.delete(f"{path}/{consent['id']}").status_code == 204
    city.later(minutes=1)
    again = family.post(path, json=body)
    assert (again.status_code, again.json()["code"]) == (403, "second-guardian-needed")
    assert family.get(footprints).status_code == 403
    newest = son.get("/api/v1/people/p1/audit").json()["entries"][0]
    assert (newest["account"], newest["action"]) == ("family", "consent.refused")

    assert son.post(path, json=body).status_code == 201
    city.later(minutes=1)
    assert family.get(footprints).status_code == 200
    assert family.post(path, json=body).status_code == 201, "who was trusted again prolongs it"


def test_a_guardian_who_took_back_their_own_consent_asks_an_administrator(city: City) -> None:
    city.guardian("family")
    family, path = city.client("family"), "/api/v1/people/p1/consents"
    body = {"account": "family", "expires": isoformat_utc(NOON + timedelta(days=30))}
    given = family.post(path, json=body).json()["id"]
    assert family.delete(f"{path}/{given}").status_code == 204
    assert family.post(path, json=body).json()["code"] == "second-guardian-needed"
    city.later(minutes=1)
    city.consent("family")  # as `vigil-cloud consent grant` does
    assert family.get("/api/v1/people/p1/footprints").status_code == 200


def test_a_relative_cannot_pass_the_consent_on_nor_look_at_the_log(city: City) -> None:
    city.account("friend", Role.FAMILY)
    consent = city.consent("family")
    client = city.client("family")
    body = {"account": "friend", "expires": isoformat_utc(NOON + timedelta(days=1))}

    assert client.post("/api/v1/people/p1/consents", json=body).status_code == 403
    assert client.get("/api/v1/people/p1/audit").status_code == 403
    assert client.delete(f"/api/v1/people/p1/consents/{consent}").status_code == 403


def test_consents_end_and_go_to_relatives_only(city: City) -> None:
    city.guardian("family")
    client = city.client("family")

    def ask(account: str, days: float) -> int:
        expires = isoformat_utc(NOON + timedelta(days=days))
        body = {"account": account, "expires": expires}
        return client.post("/api/v1/people/p1/consents", json=body).status_code

    assert ask("family", 30) == 201
    assert ask("family", 0) == 422
    assert ask("family", 4000) == 422
    assert ask("police", 30) == 422
    assert ask("nobody", 30) == 422


def test_a_visit_that_began_before_the_window_is_in_it(city: City) -> None:
    city.consent("family")
    city.send(visit(NOON - timedelta(days=3), "arrived", "visit-long"), "station-1")
    city.send(visit(NOON - timedelta(days=2), "departed", "visit-over"), "station-2")
    client = city.client("family")

    day = client.get("/api/v1/people/p1/footprints").json()["visits"]

    assert [step["visit_id"] for step in day] == [f"{GATEWAY}:visit-long"]


def test_a_visit_under_a_silent_station_is_marked_and_its_alert_is_over(city: City) -> None:
    city.consent("family")
    city.send(visit(city.time), "station-1")
    heard = city.time
    offline_after = timedelta(minutes=3)

    def step() -> bool:
        with writing(city.services.sessions) as session:
            return follow_stations(offline_after, session, city.time)

    with writing(city.services.sessions) as session:
        session.get_one(Gateway, GATEWAY).last_seen = heard
    assert step() is False
    city.later(minutes=4)
    assert (step(), step()) == (True, False)

    (seen,) = city.client("family").get("/api/v1/people/p1/footprints").json()["visits"]
    assert seen["present"] is False
    assert seen["silent_since"] == isoformat_utc(heard)
    (alert,) = city.alerts("family")
    assert alert["state"]["active"] is False
    assert alert["title"] == f"{NAME} was last seen at Temple gate; the station is offline"
    assert alert["detail"]["station_silent_since"] == isoformat_utc(heard)

    with writing(city.services.sessions) as session:
        session.get_one(Gateway, GATEWAY).last_seen = city.time
    assert step() is True
    (seen,) = city.client("family").get("/api/v1/people/p1/footprints").json()["visits"]
    assert (seen["silent_since"], seen["present"]) == (None, True)


def test_a_station_that_is_silent_as_the_clock_is_set_back_is_noticed_in_time(city: City) -> None:
    city.consent("family")
    clocks = Clocks(city)
    city.send(visit(city.time), "station-1")

    def step() -> bool:
        with writing(city.services.sessions) as session:
            return follow_stations(timedelta(minutes=3), session, city.time)

    with writing(city.services.sessions) as session:
        session.get_one(Gateway, GATEWAY).last_seen = city.time
    clocks.later(60)
    assert clocks.set(timedelta(hours=-3)) == timedelta(hours=-3)
    heard = city.time - timedelta(seconds=61)
    assert step() is False
    clocks.later(120)
    assert (step(), step()) == (True, False)
    with city.services.sessions() as session:
        assert session.scalars(select(Visit.silent_since)).one() == heard
    with writing(city.services.sessions) as session:
        session.get_one(Gateway, GATEWAY).last_seen = city.time
    assert (step(), step()) == (True, False)


def test_a_visit_without_a_recent_sign_is_not_said_to_go_on(city: City) -> None:
    city.consent("family")
    city.send(visit(city.time), "station-1")
    city.later(hours=2)
    (seen,) = city.client("family").get("/api/v1/people/p1/footprints").json()["visits"]
    assert (seen["departed"], seen["present"]) == (None, False)


def test_stations_whose_clocks_differ_keep_the_order(city: City) -> None:
    """Station 1's gateway is five minutes ahead: what it saw first must stay first."""
    city.consent("family")
    with writing(city.services.sessions) as session:
        session.get_one(Gateway, GATEWAY).health = {"clock_offset_s": 300.0}
    city.send(visit(city.time + timedelta(minutes=5), "departed", "visit-0001"), "station-1")
    city.later(minutes=6)
    with writing(city.services.sessions) as session:
        session.get_one(Gateway, GATEWAY).health = {}
    city.send(visit(city.time, "arrived", "visit-0002"), "station-2")
    city.later(seconds=1)

    day = city.client("family").get("/api/v1/people/p1/footprints").json()["visits"]

    assert [step["name"] for step in day] == ["Temple gate", "Market"]
    assert day[0]["last_seen"] <= day[1]["arrived"]


def test_no_visit_is_later_than_its_receipt(city: City) -> None:
    city.send(visit(city.time + timedelta(minutes=8)), "station-1")
    with city.services.sessions() as session:
        stored = session.scalars(select(Visit)).one()
        assert stored.arrived == stored.last_seen == city.time
