"""What the demo offers of check-ins can be tried out as it is printed."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import select

import webhook
from cloud.checkin.joining import enrolment, new_account
from cloud_city import GATEWAY, NOON, City
from vigil_cloud import seed
from vigil_cloud.alerts.models import AlertRow
from vigil_cloud.checkin.host_watch import Rules, follow
from vigil_cloud.database.engine import writing
from vigil_cloud.devices.models import Device, Gateway
from vigil_cloud.identity import households
from vigil_cloud.identity.reader import Relation, readers_of
from vigil_cloud.identity.service import account_named
from vigil_cloud.notify.channels import put_channel
from vigil_cloud.notify.models import Channel, Delivery
from vigil_schemas.gateway import DeviceDescription
from vigil_sim import scenario
from vigil_sim.checkin.hosting import told_of_silence
from vigil_sim.checkin.offers import offers
from vigil_sim.demo import accounts
from vigil_sim.scenario import CityScenario
from vigil_sim.scenario_model import Unplugged


class Signed:
    """A browser of the test's, as the simulators' demo asks through it."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def get(self, path: str) -> Any:
        return self._client.get(f"/api/v1{path}").raise_for_status().json()

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        return self._client.post(f"/api/v1{path}", json=body).raise_for_status().json()


def test_what_the_demo_offers_can_be_tried_out(city: City) -> None:
    with writing(city.services.sessions) as session:
        session.get_one(Gateway, GATEWAY).last_seen = city.time

    joins, station, host = offers(lambda name: nullcontext(Signed(city.client(name))))

    token, code = joins.split("#")[1].split(" ")[0], joins.split(" ")[-1]
    client, _ = new_account(city, token)
    joined = client.post("/api/v1/join", json={"token": token, "enrol": enrolment(code)})
    assert joined.status_code == 200, joined.text
    for line in (station, host):
        path = "/p/" + line.split("/p/")[1]
        assert city.anonymous().get(path).status_code == 200


def test_the_demos_place_has_its_station_and_its_host(city: City, tmp_path: Path) -> None:
    file = tmp_path / "seed.toml"
    file.write_text(accounts.seed({}, scenario.load("city-night"), "2027-01-01T00:00:00Z"), "utf-8")
    settings = city.settings.model_copy(update={"demo": True})
    object.__setattr__(city.services, "settings", settings)

    seed.apply(city.services, seed.read(file))

    with city.services.sessions() as session:
        (reader,) = readers_of(session, [account_named(session, "host")], city.time).values()
    (home,) = reader.homes
    assert home.devices == {"station-shrine"}, "whose box is unplugged in the night"


class Street:
    """What the errand of the demo is given: the real API and pages, a clock that is moved, and a
    box that is heard or not."""

    def __init__(self, city: City, night: CityScenario) -> None:
        self.city = city
        self.scenario = night
        self.plugged = True

    def sign_in(self, username: str) -> AbstractContextManager[Signed]:
        return nullcontext(Signed(self.city.client(username)))

    def page(self, address: str) -> str:
        path = "/p/" + address.split("/p/")[1]
        return self.city.anonymous().get(path, params={"lang": "en"}).raise_for_status().text

    def shown(self, username: str) -> list[str]:
        assert username == "host"
        webhook.plan(self.city)
        with self.city.services.sessions() as session:
            rows = session.execute(
                select(Delivery, AlertRow)
                .join(AlertRow, AlertRow.id == Delivery.alert_id)
                .join(Channel, Channel.id == Delivery.channel_id)
                .where(Channel.name == "of the host")
                .order_by(Delivery.id)
            ).all()
        return [row.AlertRow.title_zh for row in rows]

    def unplug(self, gateway: str) -> None:
        assert gateway == "gw-shrine"
        self.plugged = False

    def plug_in(self, gateway: str) -> None:
        assert gateway == "gw-shrine"
        self.plugged = True

    def passes(self, minutes: float) -> None:
        """Time goes on; what is heard is heard, what was planned is sent, and the job is done."""
        self.city.later(minutes=minutes)
        with writing(self.city.services.sessions) as session:
            for one in session.scalars(select(Delivery).where(Delivery.state == "waiting")):
                one.state, one.at = "sent", self.city.time
            for gateway in session.scalars(select(Gateway)):
                if self.plugged or gateway.gateway != "gw-shrine":
                    gateway.last_seen, gateway.offline = self.city.time, False
            follow(Rules(timedelta(minutes=3), timedelta(hours=1), "1999"), session, self.city.time)


def test_the_demos_host_is_told_of_an_hours_silence_and_of_its_end(city: City) -> None:
    night = scenario.load("city-night")
    shrine = DeviceDescription(device="station-shrine", domain="checkin", driver="ble")
    named = shrine.model_copy(update={"name": "Earth God shrine", "name_zh": "土地公廟"})
    city.birth("gw-shrine", session=1, devices=[named])
    with writing(city.services.sessions) as session:
        device = session.get_one(Device, "station-shrine")
        device.state, device.since = "ok", city.time
        by, now = "operator", city.time
        place = households.Described("土地公廟", "")
        households.put(session, city.cipher, "place", place, by=by, now=now)
        households.give_device(session, "place", "station-shrine", by=by, now=now)
        host = account_named(session, "host")
        households.add_member(
            session, "place", account=host, relation=Relation.CONTACT, by=by, now=now
        )
        address = "json://127.0.0.1:9"
        put_channel(session, city.cipher, name="of the host", url=address, account=host)
    street = Street(city, night)
    street.passes(1)

    (unplugged,) = night.happenings(Unplugged)
    said: list[str] = []
    for step in told_of_silence(unplugged.model_dump(), street):
        said += [] if step is None else [step]
        if step is None:
            street.passes(5)
        assert city.time - NOON < timedelta(hours=3)

    assert [line.split(": ", 1)[1].split(":")[0] for line in said] == [
        "the page behind the code on its box says that it works",
        "its box is unplugged; its host will be told after an hour of the city's time",
        "the page behind the code says that it is not heard",
        "its host was told, and reads it on the station's pages",
        "its host plugs it in again",
        "it works again, and its host was told",
    ]
