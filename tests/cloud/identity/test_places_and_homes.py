"""Homes and districts over the real API and the real stream: what opens, and what ends at once."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from city_stream import Stream, stream
from cloud_city import NAME, City, alarm, exceedance
from sql import statements
from vigil_cloud.alerts.models import AlertRow
from vigil_cloud.database.engine import writing
from vigil_cloud.devices.newest import record_newest
from vigil_cloud.identity.audit import lines_about, verify
from vigil_cloud.identity.models import AuditEntry, Household, Location
from vigil_cloud.identity.roles import Role
from vigil_cloud.notify.channels import put_channel
from vigil_cloud.notify.directory import Directory
from vigil_cloud.notify.models import Channel
from vigil_cloud.timeseries.port import Point, Series
from vigil_schemas.senml import microseconds

ADDRESS = "嘉義市東區中山路七號"


@pytest.fixture
def placed(city: City) -> City:
    """The microphone in the east, the smoke alarm in the Chens' home, "family" living there."""
    office = city.client("administrator")
    for district in ("east", "west"):
        body = {"name": district, "name_zh": district}
        assert office.put(f"/api/v1/districts/{district}", json=body).status_code == 204
    put(city, "devices/mic-1/district", {"district": "east"})
    put(city, "households/chen", {"name": "陳家", "address": ADDRESS, "district": "west"})
    put(city, "households/chen/devices/alarm-1")
    return city


def put(city: City, path: str, body: Any = None) -> None:
    answer = city.client("administrator").put(f"/api/v1/{path}", json=body)
    assert answer.status_code == 204, answer.text


def join(city: City, account: str, relation: str = "resident") -> int:
    body = {"account": account, "relation": relation}
    answer = city.client("administrator").post("/api/v1/households/chen/members", json=body)
    assert answer.status_code == 201, answer.text
    return int(answer.json()["number"])


def devices(city: City, username: str) -> set[str]:
    found = city.client(username).get("/api/v1/devices").json()["devices"]
    return {one["device"] for one in found}


def heard(reader: Stream, *kinds: str) -> str:
    event = reader.next(*kinds)
    assert event is not None
    return str(event.data.get("device", event.kind))


def test_a_family_sees_its_own_home_and_no_other(placed: City) -> None:
    city = placed
    city.account("neighbour", Role.FAMILY)
    city.send(alarm(city.time), "alarm-1")
    assert city.listed("family") == []
    assert "alarm-1" not in devices(city, "family")

    join(city, "family")
    city.send(alarm(city.time, id="alarm-0002"), "alarm-1")

    assert [one["device"] for one in city.listed("family")] == ["alarm-1"] * 2
    assert "alarm-1" in devices(city, "family")
    assert city.listed("neighbour") == []
    assert "alarm-1" not in devices(city, "neighbour")
    homes = city.client("family").get("/api/v1/households/mine").json()["homes"]
    assert [(one["name"], one["devices"]) for one in homes] == [("陳家", ["alarm-1"])]


def test_who_leaves_a_home_sees_it_no_more_on_an_open_page(placed: City) -> None:
    city = placed
    number = join(city, "family")
    with stream(city, "family") as reader:
        city.send(alarm(city.time), "alarm-1")
        assert heard(reader, "alert") == "alarm-1"

        path = f"/api/v1/households/chen/members/{number}"
        assert city.client("administrator").delete(path).status_code == 204
        forgotten = reader.next("resync")
        assert forgotten is not None
        assert "rights" in forgotten.data
        city.send(alarm(city.time, id="alarm-0002"), "alarm-1")
        sees_again = join(city, "family")

        assert heard(reader, "resync", "alert") == "resync", "told while nobody of the home"
    assert sees_again != number


def test_a_district_taken_away_stops_an_open_stream(placed: City) -> None:
    city = placed
    put(city, "accounts/inspector/districts", {"districts": ["east", "west"]})
    with stream(city, "inspector") as reader:
        city.send(exceedance(city.time), "mic-1")
        assert heard(reader, "alert") == "mic-1"

        put(city, "accounts/inspector/districts", {"districts": ["west"]})
        assert heard(reader, "resync", "alert") == "resync"
        city.send(exceedance(city.time, "exceedance-2"), "mic-1")
        read(city, "mic-1")
        put(city, "accounts/inspector/districts", {"districts": ["east"]})

        assert heard(reader, "resync", "alert", "reading", "device") == "resync"
    assert [one["device"] for one in city.listed("inspector")] == ["mic-1"] * 2


def read(city: City, device: str) -> None:
    point = Point(Series("noise", "gw-east", device, "level"), microseconds(city.time), 50.0, 1)
    with writing(city.services.sessions) as session:
        record_newest(session, {device: {"level": point}})
    city.services.changed.announce()


def test_an_account_without_districts_covers_the_city_and_what_has_no_place(
    placed: City,
) -> None:
    city = placed
    assert {"mic-1", "sonde-1", "station-1"} <= devices(city, "inspector")

    put(city, "accounts/inspector/districts", {"districts": ["east"]})
    assert devices(city, "inspector") == {"mic-1"}

    put(city, "accounts/inspector/districts", {"districts": None})
    assert {"mic-1", "sonde-1", "station-1"} <= devices(city, "inspector")


@pytest.mark.parametrize("body", [{"districts": []}, {}, {"districts": ["nowhere"]}])
def test_a_limit_is_never_lifted_by_saying_nothing(placed: City, body: Any) -> None:
    city = placed
    put(city, "accounts/inspector/districts", {"districts": ["east"]})

    answer = city.client("administrator").put("/api/v1/accounts/inspector/districts", json=body)

    assert answer.status_code in {404, 422}
    assert devices(city, "inspector") == {"mic-1"}


def test_a_district_that_limits_somebody_cannot_be_removed(placed: City) -> None:
    city = placed
    put(city, "accounts/inspector/districts", {"districts": ["west"]})

    answer = city.client("administrator").delete("/api/v1/districts/west")

    assert (answer.status_code, answer.json()["code"]) == (409, "district-in-use")
    assert "mic-1" not in devices(city, "inspector")


def test_an_open_alert_goes_with_its_device(placed: City) -> None:
    city = placed
    put(city, "accounts/inspector/districts", {"districts": ["west"]})
    city.send(exceedance(city.time), "mic-1")
    assert city.listed("inspector") == []

    put(city, "devices/mic-1/district", {"district": "west"})

    assert [one["device"] for one in city.listed("inspector")] == ["mic-1"]


def test_devices_go_along_where_their_home_lies(placed: City) -> None:
    """Or nobody of its district is shown a fire there. One that was put elsewhere stays."""
    home = {"name": "陳家", "address": ADDRESS}
    put(placed, "households/chen/devices/mic-1")
    put(placed, "households/chen", {**home, "district": "east"})
    with placed.services.sessions() as session:
        lie = {row.thing: row.district for row in session.scalars(select(Location))}
    assert (lie["alarm-1"], lie["mic-1"]) == ("east", "east")
    put(placed, "devices/mic-1/district", {"district": "west"})
    put(placed, "devices/alarm-1/district", {"district": None})
    put(placed, "households/chen", {**home, "district": None})
    put(placed, "households/chen", {**home, "district": "east"})
    with placed.services.sessions() as session:
        lie = {row.thing: row.district for row in session.scalars(select(Location))}
    assert (lie["alarm-1"], lie["mic-1"]) == ("east", "west")


def test_nobody_at_home_decides_for_those_on_their_way(placed: City) -> None:
    city = placed
    join(city, "family", "contact")
    city.send(alarm(city.time), "alarm-1")
    (alert,) = city.listed("family")
    client, path = city.client("family"), f"/api/v1/alerts/{alert['id']}"

    assert client.post(f"{path}/acknowledge", json={}).status_code == 200
    refused = client.post(f"{path}/confirm", json={})

    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
    assert client.get("/api/v1/devices/alarm-1").status_code == 200
    assert client.get("/api/v1/devices/alarm-1/series").status_code == 404


def test_the_accounts_of_a_home_are_told_and_no_other_family(placed: City) -> None:
    city = placed
    city.account("neighbour", Role.FAMILY)
    join(city, "family")
    with writing(city.services.sessions) as session:
        from vigil_cloud.identity.service import account_named

        for name in ("family", "neighbour", "inspector"):
            put_channel(
                session,
                city.cipher,
                name=f"of {name}",
                url="json://127.0.0.1:1/",
                account=account_named(session, name),
            )
    city.send(alarm(city.time), "alarm-1")

    with city.services.sessions() as session:
        (alert,) = session.scalars(select(AlertRow))
        allowed = {
            channel.name
            for channel in session.scalars(select(Channel))
            if Directory(session, city.time, channel_id=channel.id).may_hear(alert)
        }
        told = Directory(session, city.time).hearers(
            alert, severity=alert.severity, audience="home"
        )
    assert allowed == {"of family"}
    assert [hearer.name for hearer in told] == ["of family"]


def test_lists_cost_the_same_for_who_is_limited(placed: City) -> None:
    city = placed
    join(city, "family")
    for number in range(30):
        city.send(alarm(city.time, id=f"alarm-{number:04}"), "alarm-1")
        city.later(minutes=2)
    client = city.client("family")

    def cost(limit: int) -> int:
        with statements(city.services.engine) as asked:
            client.get("/api/v1/alerts", params={"limit": limit}).raise_for_status()
            client.get("/api/v1/devices").raise_for_status()
        return len(asked)

    client.get("/api/v1/alerts")
    assert cost(1) == cost(30)


def test_an_erased_home_leaves_no_name_and_no_address(placed: City) -> None:
    city = placed
    join(city, "family")
    city.send(alarm(city.time), "alarm-1")
    stored = b"".join(p.read_bytes() for p in city.settings.data_dir.rglob("*") if p.is_file())
    assert ADDRESS.encode() not in stored, "an address lies in the clear"

    office = city.client("administrator")
    assert office.delete("/api/v1/households/chen").status_code == 204

    assert city.listed("family") == []
    assert office.get("/api/v1/households").json()["households"] == []
    again = office.put("/api/v1/households/chen", json={"name": "陳家"})
    assert (again.status_code, again.json()["code"]) == (409, "person-erased")
    with city.services.sessions() as session:
        assert session.scalars(select(Household)).all() == []
        assert session.scalars(select(AlertRow.household)).all() == [None]
        verify(session)


def test_every_change_of_a_home_is_written_down(placed: City) -> None:
    city = placed
    number = join(city, "family")
    city.client("administrator").delete(f"/api/v1/households/chen/members/{number}")
    with city.services.sessions() as session:
        lines = session.scalars(select(AuditEntry).where(AuditEntry.subject == "chen")).all()
        told = [line.action for line in lines]
        assert not any("陳" in str(line.detail) or ADDRESS in str(line.detail) for line in lines)
        assert lines_about(session, "chen") == []
        verify(session)
    assert told == [
        "household.added",
        "household.device-given",
        "household.member-added",
        "household.member-removed",
    ]


def test_a_home_shows_who_belongs_to_it_to_those_who_live_there(placed: City) -> None:
    join(placed, "family")
    placed.account("aunt", Role.FAMILY)
    join(placed, "aunt", "contact")
    office = placed.client("administrator")
    office.post("/api/v1/households/chen/members", json={"person": "p1"}).raise_for_status()

    (home,) = placed.client("family").get("/api/v1/households/mine").json()["homes"]
    assert [(one["name"], one["relation"]) for one in home["members"]] == [
        ("family", "resident"),
        ("aunt", "contact"),
        (NAME, "resident"),
    ]
    (home,) = placed.client("aunt").get("/api/v1/households/mine").json()["homes"]
    assert home["members"] == [], "who is told of alarms does not look into the home"
    whole = office.get("/api/v1/households/chen").json()
    assert [one["account"] or one["person"] for one in whole["members"]] == ["family", "aunt", "p1"]
    assert office.get("/api/v1/households/nobody").status_code == 404


def test_a_district_has_an_outline_until_it_is_taken_away(placed: City) -> None:
    office = placed.client("administrator")
    corners = [
        {"latitude": 23.47, "longitude": 120.43},
        {"latitude": 23.49, "longitude": 120.43},
        {"latitude": 23.48, "longitude": 120.46},
    ]

    def east() -> Any:
        found = placed.client("inspector").get("/api/v1/districts").json()["districts"]
        return next(one for one in found if one["district"] == "east")

    assert east()["outline"] is None
    put(placed, "districts/east", {"name": "East", "name_zh": "東區", "outline": corners})
    put(placed, "districts/east", {"name": "East side", "name_zh": "東區"})
    assert (east()["name"], east()["outline"]) == ("East side", corners), "said nothing: it stays"
    for wrong in (corners[:2], [{"latitude": 91, "longitude": 0}] * 3, "east"):
        body = {"name": "East", "name_zh": "東區", "outline": wrong}
        assert office.put("/api/v1/districts/east", json=body).status_code == 422
    put(placed, "districts/east", {"name": "East", "name_zh": "東區", "outline": None})
    assert east()["outline"] is None
