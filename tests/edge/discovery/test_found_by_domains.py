"""Each domain finds its devices by the protocols that they speak, and says why where it cannot."""

from __future__ import annotations

import asyncio
import json
import socket
import time
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

import servers
from edge.smoke.home import Home
from vigil_edge.checkin import discover as stations
from vigil_edge.checkin.settings import CheckinSettings
from vigil_edge.configuration.added import chosen
from vigil_edge.discovery.search import Found, Place, Search
from vigil_edge.noise import discover as cameras
from vigil_edge.smoke import discover as alarms
from vigil_edge.smoke.settings import SmokeSettings
from vigil_edge.water import discover as sondes
from vigil_edge.water.settings import WaterSettings
from vigil_sim.checkin.beacons import Advert, Beacon
from vigil_sim.checkin.bluez import BluezStandIn
from vigil_sim.checkin.reader import LlrpReader
from vigil_sim.water.device import ModbusSonde, SignalRegister

EXO = [
    SignalRegister("temperature", 0, "Cel"),
    SignalRegister("specific_conductance", 2, "S/m", scale=1e-4),
    SignalRegister("pH", 4, "pH"),
    SignalRegister("orp", 6, "mV"),
    SignalRegister("oxygen_saturation", 8),
    SignalRegister("dissolved_oxygen", 10, "kg/m3", scale=1e-3),
    SignalRegister("turbidity_FNU", 12),
]
"""As a YSI EXO's adapter has them."""
WATER = {
    **{"temperature": 20.0, "specific_conductance": 0.05, "pH": 7.25, "orp": 200.0},
    **{"oxygen_saturation": 90.0, "dissolved_oxygen": 0.008, "turbidity_FNU": 3.0},
}
FLEET = "e2c56db5-dffb-48d2-b060-d0f5a71096e0"


def search(folder: Path, *addresses: str, sections: tuple[Any, ...] = (), **keys: Any) -> Search:
    return Search(
        gateway="gw-found",
        sections=sections,
        addresses=addresses,
        folder=folder,
        monotonic=time.monotonic,
        **keys,
    )


async def places(found: AsyncIterator[Place]) -> list[Place]:
    return [place async for place in found]


def sonde(**keys: Any) -> ModbusSonde:
    return ModbusSonde(lambda _: WATER, EXO, device="sonde-1", interval_s=3600, **keys)


def section(found: Found, device: str, **choices: str) -> dict[str, Any]:
    assert found.template is not None
    table = chosen(found.template, choices, device)
    assert table is not None
    return table


@pytest.mark.parametrize("transport", ["tcp", "rtu", "rtu-over-tcp"])
async def test_a_sonde_is_found_by_its_number_and_recognised(
    tmp_path: Path, transport: Any
) -> None:
    made = sonde(unit=3, transport=transport)
    await made.start()
    try:
        scheme = "rtu://" if transport == "rtu-over-tcp" else ""
        asked = search(tmp_path, f"{scheme}{made.address}", first_unit=2, last_unit=4)
        searched = await places(sondes.discover(asked))
        found = [one for place in searched for one in place.found]
        assert searched[-1].found  # whatever the port could not be set to before
        assert {one.identity for one in found} == {(made.address, "3")}
        one = found[0]
        best = one.choices[0].options[0]
        assert (best.value, "7 of 7" in best.title) == ("ysi-exo", True)
        settings = WaterSettings.model_validate(section(one, "canal-1", description="ysi-exo"))
        assert (settings.unit, settings.address) == (3, made.address)
        readings = {each.name: each for each in await sondes.look(settings)}
        assert readings["pH"].value == pytest.approx(7.25)
        assert readings["pH"].raw == "40e8 0000"
    finally:
        await made.stop()


async def test_a_line_that_is_not_there_is_told_and_costs_no_other(tmp_path: Path) -> None:
    made = sonde(unit=1)
    await made.start()
    try:
        nobody = f"127.0.0.1:{servers.free_port()}"
        asked = search(tmp_path, nobody, made.address, first_unit=1, last_unit=1)
        refused, there = await places(sondes.discover(asked))
        assert (refused.code, refused.found) == ("probe-unreachable", [])
        assert len(there.found) == 1
    finally:
        await made.stop()


async def test_what_is_configured_is_left_alone_and_named(tmp_path: Path) -> None:
    made = sonde(unit=1, transport="rtu-over-tcp")
    await made.start()
    try:
        settings = WaterSettings.model_validate(made.section())
        asked = search(tmp_path, sections=(settings,), first_unit=1, last_unit=2)
        (line,) = await places(sondes.discover(asked))
        (one,) = line.found
        assert (one.device, one.template) == ("sonde-1", None)
    finally:
        await made.stop()


async def test_a_description_of_the_gateways_own_counts_and_a_wrong_one_is_told(
    tmp_path: Path,
) -> None:
    title = 'title = "Ours"\ntitle_zh = "自訂"\nsource = "x"\n'
    (tmp_path / "ours.toml").write_text(f'{title}[[signal]]\nname = "pH"\nregister = 4\n')
    (tmp_path / "wrong.toml").write_text("title = 1\n")
    made = sonde(unit=1)
    await made.start()
    try:
        asked = search(tmp_path, made.address, first_unit=1, last_unit=1)
        wrong, there = await places(sondes.discover(asked))
        assert "wrong.toml" in wrong.place
        assert wrong.message
        assert "ours" in {option.value for option in there.found[0].choices[0].options}
    finally:
        await made.stop()


@pytest.fixture
def bridge(mosquitto: servers.Mosquitto) -> Any:
    made = Home(mosquitto, f"bridge-{uuid.uuid4().hex[:8]}")
    yield made
    made.close()


def listed(*names: str) -> list[dict[str, Any]]:
    smoke = {"exposes": [{"type": "binary", "name": "smoke", "property": "smoke"}]}
    lamp = {"exposes": [{"type": "light", "features": []}]}
    found = [
        {
            "friendly_name": name,
            "ieee_address": f"0x00{number:014x}",
            "definition": {**smoke, "vendor": "Heiman", "model": "HS1SA-E"},
        }
        for number, name in enumerate(names)
    ]
    return [*found, {"friendly_name": "lamp", "ieee_address": "0x1", "definition": lamp}]


async def test_alarms_are_found_on_the_bridges_list(
    tmp_path: Path, mosquitto: servers.Mosquitto, bridge: Home
) -> None:
    bridge.say("bridge/devices", json.dumps(listed("kitchen", "hall")).encode(), retain=True)
    address = f"mqtt://127.0.0.1:{mosquitto.port}"
    (place,) = await places(alarms.discover(search(tmp_path, address)))
    mine = [one for one in place.found if ("bridge", bridge.base) in one.facts]
    assert len(mine) == 2, "the lamp is none"
    assert ("model", "HS1SA-E") in mine[0].facts
    table = section(mine[0], "wu-kitchen")
    settings: Any = TypeAdapter(SmokeSettings).validate_python(table)
    assert settings.base_topic == bridge.base
    assert [(one.friendly_name, one.device) for one in settings.alarm] == [
        ("kitchen", "wu-kitchen")
    ]

    bridge.say("kitchen", {"smoke": False, "battery": 97}, retain=True)
    readings = {each.name: each for each in await alarms.look(settings)}
    assert (readings["battery"].value, readings["smoke"].raw) == (97.0, "false")

    # One that is configured is named, and offered to nobody.
    again = search(tmp_path, address, sections=(settings,))
    found = [one for each in await places(alarms.discover(again)) for one in each.found]
    assert {one.device for one in found if ("bridge", bridge.base) in one.facts} == {
        "wu-kitchen",
        None,
    }


async def test_a_broker_that_is_away_is_told(tmp_path: Path) -> None:
    address = f"mqtt://127.0.0.1:{servers.free_port()}"
    (place,) = await places(alarms.discover(search(tmp_path, address)))
    assert (place.code, place.found) == ("mqtt-unreachable", [])


@pytest.fixture
async def radios(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[BluezStandIn]:
    servers.need("dbus-daemon", "apt-get install dbus")
    made = BluezStandIn(["hci0", "hci1"])
    await made.start()
    for name, value in made.environment.items():
        monkeypatch.setenv(name, value)
    yield made
    await made.stop()


async def heard_while(
    radio: BluezStandIn, adapter: str, adverts: list[Advert], task: asyncio.Task[Any]
) -> None:
    while not task.done():
        if radio.scanning(adapter):
            for one in adverts:
                radio.adapter(adapter).heard(one)
        await asyncio.sleep(0.05)


async def test_radios_tell_of_fleets_and_of_no_beacon(
    tmp_path: Path, radios: BluezStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stations, "LISTEN_S", 1.0)
    beacons = [
        Beacon.ibeacon(f"AA:BB:CC:00:00:{number:02d}", FLEET, 77, 4321 + number)
        for number in range(3)
    ]
    adverts = [
        Advert(
            address=one.address,
            rssi=-60 - number,
            manufacturer_data=dict(one.manufacturer_data),
            service_data=dict(one.service_data),
        )
        for number, one in enumerate(beacons)
    ]
    task = asyncio.create_task(places(stations.discover(search(tmp_path))))
    await heard_while(radios, "hci0", adverts, task)
    searched = {place.place: place for place in await task}

    assert set(searched) == {"bluetooth hci0", "bluetooth hci1"}
    (one,) = searched["bluetooth hci0"].found
    fleet = f"ibeacon:{FLEET.replace('-', '')}"
    assert (fleet, "3 beacons, strongest -60 dBm") in one.facts
    told = repr(one)
    assert not [beacon.tag for beacon in beacons if beacon.tag in told], "no beacon's own id"
    assert "4321" not in told
    table = section(one, "gate-1", beacons=fleet)
    settings: Any = TypeAdapter(CheckinSettings).validate_python(table)
    assert (settings.adapter, settings.tags_allow) == ("hci0", [fleet])
    assert settings.allows(beacons[0].tag)


async def test_a_reader_greets_and_goes_on(tmp_path: Path) -> None:
    reader = LlrpReader(lambda _: [], device="gate")
    await reader.start()
    try:
        address = f"llrp://{reader.section()['address']}"
        found = [
            one
            for place in await places(stations.discover(search(tmp_path, address)))
            for one in place.found
            if one.driver == "llrp"
        ]
        assert len(found) == 1
        table = section(found[0], "gate-2")
        assert table["address"] == reader.section()["address"]
    finally:
        await reader.stop()


class _Camera(asyncio.DatagramProtocol):
    """Answers a probe as an ONVIF device does, and with what nobody can read."""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        assert b"NetworkVideoTransmitter" in data
        answer = """<e:Envelope xmlns:e="http://www.w3.org/2003/05/soap-envelope"
 xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing"
 xmlns:d="http://schemas.xmlsoap.org/ws/2005/04/discovery"><e:Body><d:ProbeMatches><d:ProbeMatch>
<a:EndpointReference><a:Address>urn:uuid:1234</a:Address></a:EndpointReference>
<d:Scopes>onvif://www.onvif.org/name/Street%20cam onvif://www.onvif.org/hardware/C-1</d:Scopes>
<d:XAddrs>http://[broken http://192.0.2.7/onvif/device_service</d:XAddrs>
</d:ProbeMatch></d:ProbeMatches></e:Body></e:Envelope>"""
        entity = b"<!DOCTYPE x [<!ENTITY a 'b'>]><x>&a;</x>"
        odd = b'<?xml version="1.0" encoding="odd"?><x/>'
        for each in (odd, entity, b"\xff\x00", answer.encode()):
            self.transport.sendto(each, addr)


async def test_cameras_answer_a_probe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cameras, "LISTEN_S", 0.5)
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(
        _Camera, local_addr=("127.0.0.1", 0), family=socket.AF_INET
    )
    try:
        group: tuple[str, int] = transport.get_extra_info("sockname")
        place = await cameras.onvif(group)
    finally:
        transport.close()
    (one,) = place.found
    assert one.title == "Camera Street cam at 192.0.2.7"
    assert one.template is None, "it needs a password, which no page is given"
    assert place.code == "answer-unreadable"


async def test_an_rtsp_server_says_what_it_is() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"RTSP/1.0 200 OK\r\nCSeq: 1\r\nServer: GStreamer\r\nPublic: PLAY\r\n\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        place = await cameras.rtsp(f"127.0.0.1:{port}")
    assert ("server", "GStreamer") in place.found[0].facts
    silent = await cameras.rtsp(f"127.0.0.1:{port}")
    assert (silent.code, silent.found) == ("camera-unreachable", [])


def test_the_same_thing_at_the_same_place_has_the_same_id() -> None:
    one = Found(driver="d", title="t", title_zh="t", identity=("a", "1"), facts=(("x", "1"),))
    renamed = Found(driver="d", title="u", title_zh="u", identity=("a", "1"))
    other = Found(driver="d", title="t", title_zh="t", identity=("a", "2"))
    assert one.key("water") == renamed.key("water")
    assert len({one.key("water"), other.key("water"), one.key("smoke")}) == 3
