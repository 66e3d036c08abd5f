"""Hosts of stations: links without an account, one message after an hour, one when it is over."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

import webhook
from clocks import Clocks
from cloud_city import GATEWAY, NAME, TAG, City, populated, visit
from mailbox_server import Mailbox, mail_server, mailing
from vigil_cloud.alerts import shelving
from vigil_cloud.alerts.models import AlertRow
from vigil_cloud.checkin import host_address, hosts
from vigil_cloud.checkin.host_watch import Rules, follow
from vigil_cloud.checkin.models import StationAddress, StationHost
from vigil_cloud.database.engine import writing
from vigil_cloud.devices.models import Device, Gateway
from vigil_cloud.devices.shelves import Wanted
from vigil_cloud.identity import households
from vigil_cloud.identity.reader import Relation
from vigil_cloud.identity.service import account_named
from vigil_cloud.jobs.port import Turn
from vigil_cloud.notify.models import Channel, Delivery

STATION = "station-1"
RULES = Rules(timedelta(minutes=3), timedelta(hours=1), "1999")


@pytest.fixture
def hosted(city: City) -> City:
    """A station that works, and a host who is told of it."""
    return with_host(city)


def with_host(city: City) -> City:
    hear(city)
    with writing(city.services.sessions) as session:
        hosts.make_links(session, city.cipher, STATION, by="operator", now=city.time)
        hosts.put_host_channel(session, city.cipher, STATION, "json://127.0.0.1:9", "en")
    return city


def hear(city: City, state: str = "ok", gateway: str = GATEWAY) -> None:
    with writing(city.services.sessions) as session:
        row = session.get_one(Gateway, gateway)
        row.last_seen, row.connected, row.offline = city.time, True, False
        for device in session.scalars(select(Device).where(Device.gateway == gateway)):
            if device.state != state:
                device.state, device.since = state, city.time


def watch(city: City, minutes: int, *, heard: bool = False, state: str = "ok") -> None:
    """The job every ten minutes for so long, and at the end."""
    for step in [10] * (minutes // 10) + [minutes % 10]:
        city.later(minutes=step)
        if heard:
            hear(city, state)
        with writing(city.services.sessions) as session:
            follow(RULES, session, city.time)


def planned(city: City) -> list[tuple[str, str, str]]:
    """Purpose, device and channel of what is to be told of stations."""
    webhook.plan(city)
    with city.services.sessions() as session:
        rows = session.execute(
            select(Delivery.purpose, AlertRow.device, Channel.name)
            .join(AlertRow, AlertRow.id == Delivery.alert_id)
            .join(Channel, Channel.id == Delivery.channel_id)
            .where(AlertRow.kind == "station-silent")
            .order_by(Delivery.id)
        )
        return [(kind, state, name) for kind, state, name in rows]


def sent(city: City) -> None:
    """As the sender leaves what it has sent."""
    with writing(city.services.sessions) as session:
        for one in session.scalars(select(Delivery).where(Delivery.state == "waiting")):
            one.state, one.at = "sent", city.time


def links(city: City) -> tuple[str, str]:
    with city.services.sessions() as session:
        row = session.get_one(StationHost, STATION)
        status = hosts.path_of(city.cipher, row, "status")
        host = hosts.path_of(city.cipher, row, "host")
    assert status
    assert host
    return status, host


def test_after_an_hour_the_host_is_told_once_and_once_when_it_is_back(either_city: City) -> None:
    city = with_host(either_city)
    watch(city, 59)
    assert planned(city) == []
    watch(city, 21)
    told = [("raised", STATION, "station station-1")]
    assert planned(city) == told
    sent(city)
    watch(city, 120)
    assert planned(city) == told

    watch(city, 2, heard=True)
    assert planned(city) == [*told, ("stood-down", STATION, "station station-1")]
    watch(city, 90, heard=True)
    assert len(planned(city)) == 2

    watch(city, 80)
    assert [one[0] for one in planned(city)] == ["raised", "stood-down", "raised"]


def test_after_the_clock_was_set_back_the_host_hears_that_it_works_again(
    either_city: City,
) -> None:
    """The moment of its last sign moves along with the clock, and the alert was looked for by it:
    it stood for ever."""
    city, clocks = with_host(either_city), Clocks(either_city)
    watch(city, 80)
    told = [("raised", STATION, "station station-1")]
    assert planned(city) == told
    sent(city)
    clocks.elapsed += 80 * 60
    assert clocks.set(timedelta(hours=-3)) == timedelta(hours=-3)
    watch(city, 60)
    assert planned(city) == told, "told already"

    watch(city, 2, heard=True)

    assert planned(city) == [*told, ("stood-down", STATION, "station station-1")]
    with city.services.sessions() as session:
        (alert,) = session.scalars(select(AlertRow).where(AlertRow.kind == "station-silent"))
    assert not alert.active


def test_a_station_that_falls_silent_as_the_clock_is_set_back_is_told_in_time(
    hosted: City,
) -> None:
    city, clocks = hosted, Clocks(hosted)
    watch(city, 40)
    clocks.elapsed += 40 * 60
    assert clocks.set(timedelta(hours=-3)) == timedelta(hours=-3)
    watch(city, 10)
    assert planned(city) == []
    watch(city, 30)
    assert planned(city) == [("raised", STATION, "station station-1")]


def test_the_message_says_what_to_do_and_nothing_of_whom_it_heard(hosted: City) -> None:
    city = hosted
    city.send(visit(city.time), STATION)
    watch(city, 80)
    with city.services.sessions() as session:
        (alert,) = session.scalars(select(AlertRow).where(AlertRow.kind == "station-silent"))
        said = f"{alert.title} {alert.title_zh} {alert.detail}"
    assert "call 1999" in alert.detail["remedy"]
    assert "1999" in alert.detail["remedy_zh"]
    assert TAG not in said
    assert NAME not in said
    assert alert.person_key is None


def test_a_station_without_a_host_raises_nothing(city: City) -> None:
    hear(city)
    watch(city, 90)

    with city.services.sessions() as session:
        assert session.scalars(select(AlertRow)).all() == []


def test_a_radio_that_fails_is_a_station_that_does_not_work(hosted: City) -> None:
    city = hosted
    watch(city, 80, heard=True, state="failed")
    with city.services.sessions() as session:
        (alert,) = session.scalars(select(AlertRow).where(AlertRow.kind == "station-silent"))
    assert alert.detail["reason"] == "failed"
    assert "radio" in alert.detail["remedy"]


def test_planned_work_and_a_shelf_tell_nobody(hosted: City) -> None:
    city = hosted
    with writing(city.services.sessions) as session:
        until = city.time + timedelta(days=1)
        wanted = Wanted("out-of-service", "painting the temple", until)
        shelving.begin(session, STATION, wanted, by="operator", now=city.time)
    watch(city, 120)
    assert planned(city) == []
    page = city.anonymous().get(links(city)[0], params={"lang": "en"}).text
    assert "Work on it is planned" in page


def test_a_cloud_that_hears_nobody_blames_no_box(hosted: City) -> None:
    city = hosted
    for gateway in ("gw-west", "gw-north"):
        city.birth(gateway)
        hear(city, gateway=gateway)
    watch(city, 180)  # the broker was down
    assert planned(city) == []

    for gateway in ("gw-west", "gw-north"):
        hear(city, gateway=gateway)
    watch(city, 1)
    assert planned(city) == [], "it has not had a chance to be heard yet"


def test_the_hosts_account_sees_its_own_station_and_no_visit(hosted: City) -> None:
    city = hosted
    with writing(city.services.sessions) as session:
        by, now = "operator", city.time
        place = households.Described("Temple", "1 Temple Road")
        households.put(session, city.cipher, "temple", place, by=by, now=now)
        households.give_device(session, "temple", STATION, by=by, now=now)
        account = account_named(session, "host")
        households.add_member(
            session, "temple", account=account, relation=Relation.CONTACT, by=by, now=now
        )
    city.send(visit(city.time), STATION)
    client = city.client("host")
    watch(city, 80)

    (one,) = client.get("/api/v1/stations").json()["stations"]
    assert (one["device"], one["works"], one["reason"]) == (STATION, False, "silent")
    assert (one["status_link"], one["host_link"]) == (None, None)
    (alert,) = client.get("/api/v1/alerts").json()["alerts"]
    assert alert["device"] == STATION
    assert "has not worked" in alert["title"]
    assert client.get("/api/v1/devices/station-2").status_code == 404
    assert client.get(f"/api/v1/devices/{STATION}").status_code == 200


def test_a_page_without_an_account_says_whether_it_works(hosted: City) -> None:
    city = hosted
    city.send(visit(city.time), STATION)
    status, _ = links(city)
    browser = city.anonymous()

    english = browser.get(status, params={"lang": "en"})
    chinese = browser.get(status, headers={"Accept-Language": "zh-TW"})
    assert "The station works" in english.text
    assert "Temple gate" in english.text
    assert "站點運作正常" in chinese.text
    assert "廟口" in chinese.text
    assert "<form" not in english.text, "what hangs on a wall changes nothing"
    assert english.headers["cache-control"] == "no-store"
    for text in (english.text, chinese.text):
        assert TAG not in text
        assert NAME not in text
        assert "visit" not in text

    city.later(minutes=10)
    broken = browser.get(status, params={"lang": "en"}).text
    assert "The station is not heard" in broken
    assert "call 1999" in broken
    assert re.search(r"Since 2026-03-01 12:00:00", broken)


def post(city: City, path: str, **form: str) -> Any:
    return city.anonymous().post(path, data=form, params={"lang": "en"})


def test_the_host_stops_messages_with_the_link(hosted: City) -> None:
    city = hosted
    status, host = links(city)
    assert post(city, status, do="stop").status_code == 404
    assert post(city, host, do="stop").status_code == 303
    assert "You are told nothing" in city.anonymous().get(host, params={"lang": "en"}).text
    watch(city, 80)
    assert planned(city) == []

    assert post(city, host, do="resume").status_code == 303
    assert "You are told when" in city.anonymous().get(host, params={"lang": "en"}).text
    assert post(city, host, do="nonsense").status_code == 422


@pytest.fixture
def mailed(tmp_path: Path) -> Iterator[tuple[City, Mailbox]]:
    server, mailbox = mail_server()
    city = populated(tmp_path / "mailing", **mailing(server.port))
    yield with_host(city), mailbox
    city.close()
    server.stop()


def ask_mailboxes(city: City) -> None:
    with city.services.sessions() as session:
        if host_address.waiting(session, city.time):
            host_address.send_due(Turn(city.services, city.time))


def test_another_mailbox_says_yes_before_it_is_told_anything(
    mailed: tuple[City, Mailbox],
) -> None:
    city, mailbox = mailed
    _, host = links(city)
    for wrong in ("host", "a@b", "a@b.example, c@d.example", "x@y.example\r\nBcc: z@y.example"):
        assert post(city, host, do="address", address=wrong).status_code == 422
    assert post(city, host, do="address", address="host@temple.example").status_code == 303
    again = post(city, host, do="address", address="stranger@elsewhere.example")
    assert again.status_code == 429, "a link is no way to write to strangers"
    assert "is being sent" in city.anonymous().get(host, params={"lang": "en"}).text

    ask_mailboxes(city)
    ask_mailboxes(city)
    ((recipients, _, body),) = mailbox.letters
    assert recipients == ["host@temple.example"]
    with city.services.sessions() as session:
        channel = session.scalar(select(Channel).where(Channel.name == "station station-1"))
        assert channel is not None
        assert channel.kind != "email", "messages go where they went"
    page = city.anonymous().get(host, params={"lang": "en"}).text
    assert "ho…xample was asked" in page
    assert "host@temple.example" not in page

    confirm = re.search(r"https://vigil\.city\.example(/p/checkin/address/[\w-]+)", body)
    assert confirm is not None
    asked = city.anonymous().get(confirm[1], params={"lang": "en"})
    assert "Yes, send messages here" in asked.text
    assert "was asked" in city.anonymous().get(host, params={"lang": "en"}).text, "GET is no yes"
    assert post(city, confirm[1]).status_code == 200
    assert post(city, confirm[1]).status_code == 404, "once"
    page = city.anonymous().get(host, params={"lang": "en"}).text
    assert "You are told when the station has not worked for an hour" in page
    assert "ho…xample)" in page
    watch(city, 80)
    assert planned(city) == [("raised", STATION, "station station-1")]


def test_a_mailbox_that_does_not_answer_within_a_day_is_forgotten(
    mailed: tuple[City, Mailbox],
) -> None:
    city, mailbox = mailed
    _, host = links(city)
    assert post(city, host, do="address", address="host@temple.example").status_code == 303
    ask_mailboxes(city)
    confirm = re.search(r"(/p/checkin/address/[\w-]+)", mailbox.letters[0][2])
    assert confirm is not None
    city.later(hours=25)
    assert post(city, confirm[1]).status_code == 404
    ask_mailboxes(city)
    with city.services.sessions() as session:
        assert session.scalars(select(StationAddress)).all() == []


def test_a_city_without_mail_asks_nobody(hosted: City) -> None:
    _, host = links(hosted)
    refused = post(hosted, host, do="address", address="host@temple.example")
    assert refused.status_code == 422


def test_how_long_a_host_waits_is_a_setting(hosted: City) -> None:
    soon = replace(RULES, told_after=timedelta(minutes=20))
    for _ in range(3):
        hosted.later(minutes=10)
        with writing(hosted.services.sessions) as session:
            follow(soon, session, hosted.time)
    assert planned(hosted) == [("raised", STATION, "station station-1")]


def test_a_withdrawn_link_shows_nothing_and_strangers_are_limited(hosted: City) -> None:
    city = hosted
    status, host = links(city)
    keeper = city.client("maintainer")
    picture = keeper.get(f"/api/v1/stations/{STATION}/status.svg")
    assert picture.headers["content-type"] == "image/svg+xml"
    assert keeper.delete(f"/api/v1/stations/{STATION}/links").status_code == 204
    with city.services.sessions() as session:
        assert hosts.channel_of(session, STATION) is None, "its host is told nothing any more"
    browser = city.anonymous()
    never = browser.get("/p/checkin/" + "A" * 43).text
    assert browser.get(status).text.replace(status, "") == never
    assert browser.get(host).status_code == 404
    assert keeper.get(f"/api/v1/stations/{STATION}/status.svg").status_code == 404

    answers = [browser.get(f"/p/checkin/{n:043}") for n in range(60)]
    assert answers[-1].status_code == 429

    again = keeper.post(f"/api/v1/stations/{STATION}/links").json()
    assert status not in again["status_link"], "another one is made"


def test_changes_by_a_link_are_limited(hosted: City) -> None:
    _, host = links(hosted)
    act = partial(post, hosted, host)
    answers = [act(do="stop" if n % 2 else "resume").status_code for n in range(11)]

    assert answers == [303] * 10 + [429]
