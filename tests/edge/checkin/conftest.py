"""The two stand-ins for a Bluetooth radio, each as the environment that a station finds."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

import servers
from vigil_sim.checkin.advert_socket import AdvertSocket
from vigil_sim.checkin.bluez import BluezStandIn


@pytest.fixture(params=["bluez", "socket"])
async def stand_in(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[BluezStandIn | AdvertSocket]:
    made: BluezStandIn | AdvertSocket
    if request.param == "bluez":
        servers.need("dbus-daemon", "apt-get install dbus")
        made = BluezStandIn()
    else:
        made = AdvertSocket()
    await made.start()
    for name, value in made.environment.items():
        monkeypatch.setenv(name, value)
    try:
        yield made
    finally:
        await made.stop()
