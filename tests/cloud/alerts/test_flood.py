"""More alarms than anybody reads become one counted alert, and no fire is hidden in it.

The long form (``VIGIL_FULL=1``) has a contact chatter three times as long.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from cloud_city import City, alarm
from vigil_cloud.alerts.models import AlertRow
from vigil_cloud.database.engine import writing
from vigil_cloud.identity import households
from vigil_cloud.identity.roles import Role
from vigil_cloud.identity.service import account_named
from vigil_cloud.notify.models import Channel, Delivery
from vigil_schemas.smoke import SmokeAlarm
from webhook import plan


def fire(city: City, number: int, *, active: bool = True, condition: str = "smoke") -> SmokeAlarm:
    return alarm(city.time, active=active, condition=condition, id=f"alarm-id-{number}")


def copied(folder: Path, to: Path) -> Iterator[City]:
    city = City(Path(shutil.copytree(folder, to)))
    yield city
    city.close()


@pytest.fixture(scope="module")
def filled_folder(populated_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = Path(shutil.copytree(populated_folder, tmp_path_factory.mktemp("filled") / "cloud"))
    city = City(folder)
    for number in range(100):
        city.send(fire(city, number), f"smoke-{number}")
    city.close()
    return folder


@pytest.fixture
def filled(filled_folder: Path, tmp_path: Path) -> Iterator[City]:
    """The gateway has raised as many alerts as are told singly: smoke-0 to smoke-99, each once."""
    yield from copied(filled_folder, tmp_path / "filled")


@pytest.fixture(scope="module")
def complaining_folder(populated_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    name = tmp_path_factory.mktemp("complaining") / "cloud"
    folder = Path(shutil.copytree(populated_folder, name))
    city = City(folder)
    flood_of_batteries(city)
    city.close()
    return folder


@pytest.fixture
def complaining(complaining_folder: Path, tmp_path: Path) -> Iterator[City]:
    """After ``flood_of_batteries``."""
    yield from copied(complaining_folder, tmp_path / "complaining")


def counted(city: City) -> list[dict[str, Any]]:
    """As the page of the alert shows it."""
    client = city.client("dispatcher")
    with city.services.sessions() as session:
        ids = session.scalars(select(AlertRow.id).where(AlertRow.kind == "many")).all()
    return [client.get(f"/api/v1/alerts/{id_}").json() for id_ in ids]


def rows(city: City) -> int:
    with city.services.sessions() as session:
        return session.scalar(select(func.count()).select_from(AlertRow)) or 0


def test_above_a_hundred_a_minute_alarms_join_one_that_names_each_device(city: City) -> None:
    for number in range(250):
        city.send(fire(city, number), f"smoke-{number % 130}")
        city.later(seconds=0.1)

    (alert,) = counted(city)
    assert rows(city) == 101
    assert alert["severity"] == "critical"
    assert alert["detail"]["count"] == 150
    told = set(alert["detail"]["devices"])
    assert told == {f"smoke-{number % 130}" for number in range(100, 250)}
    assert alert["title"].startswith("150 alarms at once from 130 devices: Smoke alarm at smoke-")
    assert alert["title_zh"].startswith("130 個裝置同時發出 150 則警報：")
    assert sum(one["count"] for one in alert["detail"]["devices"].values()) == 150


def test_another_gateways_alarm_stays_its_own(filled: City) -> None:
    for number in range(100, 150):
        filled.send(fire(filled, number), f"smoke-{number}")
    filled.send(fire(filled, 999), "smoke-west", gateway="gw-west")
    found = filled.alerts("dispatcher", limit=200)
    assert [one["device"] for one in found if one["gateway"] == "gw-west"] == ["smoke-west"]


def test_a_fire_during_the_flood_and_the_one_after_it(city: City) -> None:
    """Given a flood that goes on slowly: it goes on joining; a minute after it, alarms are told
    singly again."""
    for number in range(101):
        city.send(fire(city, number), "smoke-mad")
    for number in range(200, 220):
        city.later(seconds=30)
        city.send(fire(city, number), f"smoke-{number}")
    (alert,) = counted(city)
    assert set(alert["detail"]["devices"]) == {
        "smoke-mad",
        *(f"smoke-{n}" for n in range(200, 220)),
    }
    assert rows(city) == 101

    city.later(seconds=61)
    city.send(fire(city, 300), "smoke-300")
    assert rows(city) == 102
    assert "smoke-300" not in counted(city)[0]["detail"]["devices"]


def test_it_is_over_when_every_device_has_said_so(filled: City) -> None:
    for number in range(100, 103):
        filled.send(fire(filled, number), f"smoke-{number}")
    for number in (100, 101):
        filled.send(fire(filled, number, active=False), f"smoke-{number}")
    assert counted(filled)[0]["state"]["active"] is True
    filled.later(minutes=5)
    filled.send(fire(filled, 102, active=False), "smoke-102")
    (alert,) = counted(filled)
    assert alert["state"]["active"] is False
    assert all(one["cleared"] for one in alert["detail"]["devices"].values())
    assert alert["detail"]["count"] == 3


def test_each_home_hears_of_its_own_device(filled: City) -> None:
    with writing(filled.services.sessions) as session:
        for name, device in (("early", "smoke-100"), ("late", "smoke-140"), ("none", "smoke-x")):
            fields = {"role": "dispatcher", "domains": [], "devices": [device]}
            session.add(Channel(name=name, url=b"json://127.0.0.1", **fields))
    for number in range(100, 150):
        filled.send(fire(filled, number), f"smoke-{number}")
    plan(filled)
    with filled.services.sessions() as session:
        heard = session.execute(
            select(Channel.name, AlertRow.kind)
            .join(Delivery, Delivery.channel_id == Channel.id)
            .join(AlertRow, AlertRow.id == Delivery.alert_id)
            .where(AlertRow.kind == "many")
        ).all()
    assert {name for name, _ in heard} == {"early", "late"}


def test_a_worse_condition_makes_the_counted_alert_worse(city: City) -> None:
    for number in range(110):
        city.send(fire(city, number, condition="battery_alert"), f"smoke-{number}")
    assert counted(city)[0]["severity"] == "minor"
    city.send(fire(city, 110), "smoke-110")
    (alert,) = counted(city)
    assert alert["severity"] == "critical"
    assert alert["detail"]["devices"]["smoke-110"]["kinds"] == ["smoke"]


def test_what_joined_is_counted_on_the_gateways_page(filled: City) -> None:
    filled.birth()
    for number in range(100, 104):
        filled.send(fire(filled, number), f"smoke-{number}")
    (gateway,) = filled.client("maintainer").get("/api/v1/gateways").json()["gateways"]
    assert gateway["dropped"] == {"alerts-joined": 4}


def test_the_end_of_one_condition_ends_no_fire_of_the_same_device(filled: City) -> None:
    """Given smoke and a weak battery that joined, a new battery is not the end of the fire."""
    filled.send(fire(filled, 100), "smoke-100")
    filled.send(fire(filled, 500), "smoke-100")
    filled.send(fire(filled, 501, condition="battery_alert"), "smoke-100")
    for number in (100, 501, 999):  # its first fire, its battery, and what nobody had heard of
        filled.send(fire(filled, number, active=False), "smoke-100")

    (alert,) = counted(filled)
    assert alert["state"]["active"] is True
    assert alert["detail"]["devices"]["smoke-100"]["cleared"] is None
    filled.send(fire(filled, 500, active=False), "smoke-100")
    (alert,) = counted(filled)
    assert alert["state"]["active"] is False


def test_a_device_that_makes_up_alarms_is_never_over_by_itself(city: City) -> None:
    for number in range(130):
        city.send(fire(city, number), "smoke-mad")
    for number in range(100, 130):
        city.send(fire(city, number, active=False), "smoke-mad")
    (alert,) = counted(city)
    assert alert["state"]["active"] is True
    assert rows(city) == 101, "ends of what joined raise nothing of their own"


def told(city: City, name: str) -> list[str]:
    """Why a channel is told of the counted alert, each time."""
    plan(city)
    with city.services.sessions() as session:
        steps = session.scalars(
            select(Delivery.step)
            .join(Channel, Channel.id == Delivery.channel_id)
            .join(AlertRow, AlertRow.id == Delivery.alert_id)
            .where(AlertRow.kind == "many", Channel.name == name)
            .order_by(Delivery.id)
        )
        return list(steps)


def flood_of_batteries(city: City) -> None:
    """Given twenty devices that all complain of their batteries without end."""
    with writing(city.services.sessions) as session:
        for name, devices in (("duty", []), ("home", ["smoke-7"])):
            fields = {"role": "dispatcher", "domains": [], "devices": devices}
            session.add(Channel(name=name, url=b"json://127.0.0.1", **fields, minimum="critical"))
    for number in range(140):
        city.send(fire(city, number, condition="battery_alert"), f"smoke-{number % 20}")
    assert told(city, "duty") == told(city, "home") == []


def test_each_fire_in_a_flood_of_lesser_alarms_is_told(complaining: City) -> None:
    for number in range(1, 7):
        complaining.send(fire(complaining, 1000 + number), f"smoke-{number}")
        assert len(told(complaining, "duty")) == number
    (alert,) = counted(complaining)
    assert alert["title"].count("Smoke alarm at smoke-") == 3, "no battery stands before a fire"
    complaining.send(fire(complaining, 2000, condition="battery_alert"), "smoke-19")
    assert "battery" not in counted(complaining)[0]["title"]


def test_a_home_hears_of_its_own_fire_however_many_burn(complaining: City) -> None:
    for number in range(1000, 1024):
        complaining.send(fire(complaining, number), f"smoke-{number}")
    duty, home = len(told(complaining, "duty")), len(told(complaining, "home"))
    complaining.send(fire(complaining, 2000), "smoke-7")
    assert (len(told(complaining, "duty")), len(told(complaining, "home"))) == (duty, home + 1)


def test_a_fire_after_the_acknowledgement_is_told_and_no_longer_acknowledged(
    complaining: City,
) -> None:
    for number in range(20):
        complaining.send(fire(complaining, 1000 + number), f"smoke-{number}")
    for number in range(20, 25):
        (alert,) = counted(complaining)
        client = complaining.client("dispatcher")
        client.post(f"/api/v1/alerts/{alert['id']}/acknowledge", json={}).raise_for_status()
        before = len(told(complaining, "duty"))
        complaining.send(fire(complaining, 1000 + number), f"smoke-{number}")
        assert len(told(complaining, "duty")) == before + 1
        assert counted(complaining)[0]["state"]["acknowledged"] is False


def test_a_fire_that_was_over_and_comes_again_is_told(complaining: City) -> None:
    complaining.send(fire(complaining, 1000), "smoke-7")
    before = len(told(complaining, "home"))
    for number in (*range(7, 140, 20), 1000):
        condition = "smoke" if number == 1000 else "battery_alert"
        complaining.send(fire(complaining, number, active=False, condition=condition), "smoke-7")
    complaining.send(fire(complaining, 1001), "smoke-7")
    assert len(told(complaining, "home")) > before


def test_a_contact_that_chatters_calls_a_bounded_number_of_times(complaining: City) -> None:
    for number in range(1000, 1300 if os.environ.get("VIGIL_FULL") else 1100):
        complaining.send(fire(complaining, number), "smoke-30")
        complaining.send(fire(complaining, number, active=False), "smoke-30")
    assert 20 <= len(told(complaining, "duty")) < 30


def home(city: City, key: str, username: str, *devices: str) -> None:
    """A household with a member and what stands in it."""
    city.account(username, Role.FAMILY)
    with writing(city.services.sessions) as session:
        told: dict[str, Any] = {"by": "operator", "now": city.time}
        households.put(session, city.cipher, key, households.Described(key), **told)
        account = account_named(session, username)
        households.add_member(session, key, account=account, **told)
        for device in devices:
            households.give_device(session, key, device, **told)


def test_a_family_sees_what_it_is_told_of_and_nothing_of_its_neighbours(filled: City) -> None:
    """Given a flood in a house of many homes: each has a counted alert of its own."""
    home(filled, "chen", "chen", "smoke-110", "smoke-111")
    home(filled, "lin", "lin", "smoke-120")
    for number in range(100, 130):
        filled.send(fire(filled, number), f"smoke-{number}")

    (chen,) = filled.alerts("chen")
    assert chen["kind"] == "many"
    assert sorted(chen["detail"]["devices"]) == ["smoke-110", "smoke-111"]
    assert "smoke-12" not in str(chen)
    (lin,) = filled.alerts("lin")
    assert sorted(lin["detail"]["devices"]) == ["smoke-120"]
    told = [alert["detail"]["devices"] for alert in counted(filled)]
    assert sorted(map(len, told)) == [1, 2, 27]
    assert set().union(*told) == {f"smoke-{number}" for number in range(100, 130)}

    filled.send(fire(filled, 120, active=False), "smoke-120")
    assert [one["state"]["active"] for one in filled.alerts("lin")] == [False]
    assert [one["state"]["active"] for one in filled.alerts("chen")] == [True]


def test_an_end_finds_the_counted_alert_that_waits_for_it(either_city: City) -> None:
    """Given an alarm that was moved to another home while it rang, and rang there anew."""
    city = either_city
    home(city, "chen", "chen", "smoke-110")
    home(city, "lin", "lin", "smoke-120")
    for number in [*range(100), 110, 120]:
        city.send(fire(city, number), f"smoke-{number}")
    with writing(city.services.sessions) as session:
        households.give_device(session, "lin", "smoke-110", by="operator", now=city.time)
    city.send(fire(city, 111), "smoke-110")

    city.send(fire(city, 111, active=False), "smoke-110")
    assert standing_of(city) == {"chen": {"smoke-110": 1}, "lin": {"smoke-110": 0, "smoke-120": 1}}
    city.send(fire(city, 110, active=False), "smoke-110")
    assert standing_of(city) == {"chen": {"smoke-110": 0}, "lin": {"smoke-110": 0, "smoke-120": 1}}


def standing_of(city: City) -> dict[str | None, dict[str, int]]:
    """By home: how many alarms of each device its counted alert waits for."""
    with city.services.sessions() as session:
        many = session.scalars(select(AlertRow).where(AlertRow.kind == "many")).all()
        return {
            row.household: {
                device: len(one["standing"]) for device, one in row.detail["devices"].items()
            }
            for row in many
        }


def test_whoever_is_told_of_an_alert_may_open_it(filled: City) -> None:
    """The same asked of the plan: no channel is told of what its owner cannot see."""
    home(filled, "chen", "chen", "smoke-110")
    home(filled, "lin", "lin", "smoke-120", "smoke-121")
    with writing(filled.services.sessions) as session:
        for username in ("chen", "lin"):
            account = account_named(session, username)
            session.add(
                Channel(
                    name=username, url=b"json://", account_id=account.id, domains=[], devices=[]
                )
            )
    for number in range(100, 130):
        filled.send(fire(filled, number), f"smoke-{number}")
    plan(filled)

    with filled.services.sessions() as session:
        query = select(Channel.name, Delivery.alert_id).join(
            Delivery, Delivery.channel_id == Channel.id
        )
        told = session.execute(query.where(Channel.name.in_(("chen", "lin")))).all()
    assert {name for name, _ in told} == {"chen", "lin"}
    for name, alert in told:
        assert filled.client(name).get(f"/api/v1/alerts/{alert}").status_code == 200, name
