"""A domain of the tests alone, from its device to the page: no file of the product knows of it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

import servers
from browser.conftest import WITHOUT_WEBGL
from cloud.lantern import LANTERN
from cloud_city import PASSWORD, City
from edge.agent_process import Agent
from edge.test_domains import SECTION, TOY
from gateways import new_name
from vigil_cloud.database.engine import writing
from vigil_cloud.devices.seen import enrol
from vigil_cloud.domain.registry import registered
from vigil_cloud.identity.roles import Role
from vigil_cloud.ingest.intakes import Ingest
from vigil_cloud.ingest.subscriber import BrokerAddress

REVIEWER = "reviewer"


@pytest.fixture
def lit_city(tmp_path: Path, mosquitto: servers.Mosquitto) -> Iterator[City]:
    """An agent whose toy domain has told of a lantern, a broker, an ingest, an API."""
    gateway = new_name()
    with registered(LANTERN):
        city = City(tmp_path / "cloud")
        city.time = datetime.now(UTC)
        city.account(REVIEWER, Role.REVIEWER)
        with writing(city.services.sessions) as session:
            enrol(session, gateway, city.time)
        ingest = Ingest(city.services, city.handlers, BrokerAddress.parse(mosquitto.url))
        agent = Agent(tmp_path, gateway, None, TOY)
        ingest.start()
        try:
            agent.configure(mosquitto.port, SECTION)
            agent.start()
            servers.eventually(lambda: city.listed(REVIEWER, domain="lantern"), "an alert", 60)
            yield city
        finally:
            agent.close()
            ingest.stop()
            city.close()


def test_from_its_device_to_the_page(lit_city: City, chromium: Browser) -> None:
    url = lit_city.serve()
    context = chromium.new_context(locale="en")
    context.add_init_script(WITHOUT_WEBGL)
    try:
        credentials = {"username": REVIEWER, "password": PASSWORD}
        assert context.request.post(f"{url}/api/v1/session", data=credentials).ok
        page = context.new_page()
        page.goto(f"{url}/alerts")
        page.get_by_role("link", name="Lantern lit").first.click()
        expect(page.get_by_role("heading", name="Lantern lit").first).to_be_visible()
        expect(page.get_by_text("At the gate").first).to_be_visible()

        page.goto(f"{url}/devices/lantern-1")
        expect(page.get_by_text("0.75").first).to_be_visible()
    finally:
        context.close()
