"""What the demo offers of check-ins can be tried out as it is printed."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import httpx

from cloud.checkin.joining import enrolment, new_account
from cloud_city import GATEWAY, City
from vigil_cloud import seed
from vigil_cloud.database.engine import writing
from vigil_cloud.devices.models import Gateway
from vigil_cloud.identity.reader import readers_of
from vigil_cloud.identity.service import account_named
from vigil_sim import scenario
from vigil_sim.checkin.offers import offers
from vigil_sim.demo import accounts


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
    assert home.devices == {"station-temple"}
