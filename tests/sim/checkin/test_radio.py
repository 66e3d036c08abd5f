"""Real bleak, in a process of its own, hears what the simulated street transmits."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from servers import need
from sim.waiting import until
from vigil_sim.checkin.advert_socket import AdvertSocket
from vigil_sim.checkin.beacons import Advert, Beacon
from vigil_sim.checkin.bluez import BluezStandIn
from vigil_sim.checkin.private_bus import fits
from vigil_sim.checkin.street import Station, Street, Walker
from vigil_sim.faults import Fault, FaultKind, Faults
from vigil_sim.ledger import Ledger, LedgerReader

AMULET = Beacon.ibeacon(
    "C0:FF:EE:00:00:01", "f7826da6-4fa2-4e98-8024-bc5b71e0893e", 12, 345, interval_s=0.02
)
STICKER = Beacon.eddystone_uid(
    "C0:FF:EE:00:00:02", "00112233445566778899", "aabbccddeeff", interval_s=0.02
)
StandIn = BluezStandIn | AdvertSocket


@pytest.fixture(params=["bluez", "socket"])
def make(request: pytest.FixtureRequest) -> Callable[..., StandIn]:
    if request.param == "socket":
        return AdvertSocket
    need("dbus-daemon", "apt-get install dbus")
    return BluezStandIn


class Scan:
    """A bleak process and the lines that it printed."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def line(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        async with asyncio.timeout(60):
            text = await self._process.stdout.readline()
        assert text, "the scanner ended"
        return dict(json.loads(text))

    async def lines(self, count: int) -> list[dict[str, Any]]:
        return [await self.line() for _ in range(count)]

    async def end(self) -> list[dict[str, Any]]:
        """Close its input and return what it still printed."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        async with asyncio.timeout(60):
            rest, _ = await self._process.communicate()
        assert self._process.returncode == 0
        return [json.loads(line) for line in rest.splitlines()]


@asynccontextmanager
async def scan(stand_in: StandIn, adapter: str = "hci0") -> AsyncIterator[Scan]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(Path(__file__).with_name("scan.py")),
        stand_in.backend,
        adapter,
        env=os.environ | stand_in.environment,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        scanner = Scan(process)
        assert await scanner.line() == {"scanning": adapter}
        yield scanner
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


async def test_every_advert_arrives_in_order(make: Callable[..., StandIn]) -> None:
    stand_in = make()
    await stand_in.start()
    try:
        async with scan(stand_in) as scanner:
            for number in range(500):
                beacon = (AMULET, STICKER)[number % 2]
                stand_in.adapter().heard(beacon.advert(-40 - number % 50))
            heard = await scanner.lines(500)
            assert [line["rssi"] for line in heard] == [-40 - n % 50 for n in range(500)]
            assert heard[0]["address"] == AMULET.address
            assert heard[0]["manufacturer"] == {"76": AMULET.manufacturer_data[76].hex()}
            assert heard[1]["service"] == {k: v.hex() for k, v in STICKER.service_data.items()}
            assert await scanner.end() == [{"stopped": "hci0"}]
    finally:
        await stand_in.stop()


async def test_two_stations_of_one_gateway_hear_their_own_street_corner(
    make: Callable[..., StandIn], tmp_path: Path
) -> None:
    stand_in = make(("hci0", "hci1"))
    await stand_in.start()
    with Ledger(tmp_path / "ledger.db") as ledger:
        stations = [
            Station("station-a", "gw-1", (0.0, 0.0), stand_in.adapter("hci0")),
            Station("station-b", "gw-1", (500.0, 0.0), stand_in.adapter("hci1")),
        ]
        walkers = [Walker(AMULET, lambda t: (3.0, 0.0)), Walker(STICKER, lambda t: (497.0, 0.0))]
        street = Street(walkers, stations, seed=1, ledger=ledger)
        try:
            async with scan(stand_in, "hci0") as a, scan(stand_in, "hci1") as b:
                await street.start()
                near_a, near_b = await a.lines(20), await b.lines(20)
                await street.stop()
                near_a += await a.end()
                near_b += await b.end()
        finally:
            await street.stop()
            await stand_in.stop()
    assert {line["address"] for line in near_a if "address" in line} == {AMULET.address}
    assert {line["address"] for line in near_b if "address" in line} == {STICKER.address}
    with LedgerReader(tmp_path / "ledger.db") as truth:
        produced = [e.value for e in truth.entries("advert", device="station-a")]
    assert [line["rssi"] for line in near_a if "rssi" in line] == produced


async def test_the_bus_may_live_in_any_folder(tmp_path_factory: pytest.TempPathFactory) -> None:
    need("dbus-daemon", "apt-get install dbus")
    stand_in = BluezStandIn(directory=tmp_path_factory.mktemp("夜 d&<b>;,%") / "匯流排")
    await stand_in.start()
    assert "%e5%8c%af" in stand_in.environment["DBUS_SYSTEM_BUS_ADDRESS"]
    async with scan(stand_in) as scanner:
        stand_in.adapter().heard(AMULET.advert(-60))
        assert (await scanner.line())["rssi"] == -60
    await stand_in.stop()


async def test_foreign_tools_can_look_at_it(tmp_path_factory: pytest.TempPathFactory) -> None:
    """As at BlueZ itself: introspection of every node, properties, methods."""
    need("dbus-daemon", "apt-get install dbus")
    tool = need("dbus-send", "apt-get install dbus")
    stand_in = BluezStandIn(directory=tmp_path_factory.mktemp("b"))
    await stand_in.start()
    address = stand_in.environment["DBUS_SYSTEM_BUS_ADDRESS"]

    async def ask(path: str, method: str, *given: str) -> str:
        asked = await asyncio.create_subprocess_exec(
            *(str(tool), f"--bus={address}", "--dest=org.bluez", "--print-reply=literal"),
            *(path, method, *given),
            stdout=asyncio.subprocess.PIPE,
        )
        async with asyncio.timeout(60):
            said, _ = await asked.communicate()
        assert asked.returncode == 0, (path, method)
        return said.decode().strip()

    async def tree(path: str) -> dict[str, ElementTree.Element]:
        said = await ask(path, "org.freedesktop.DBus.Introspectable.Introspect")
        node = ElementTree.fromstring(said)
        found = {path: node}
        for child in node.findall("node"):
            found |= await tree(f"{path.rstrip('/')}/{child.get('name')}")
        return found

    device = "/org/bluez/hci0/dev_C0_FF_EE_00_00_02"
    try:
        async with scan(stand_in):
            stand_in.adapter().heard(STICKER.advert(-71))
            nodes = await tree("/")
            assert set(nodes) == {"/", "/org", "/org/bluez", "/org/bluez/hci0", device}
            adapter = nodes["/org/bluez/hci0"]
            assert adapter.find(".//method[@name='StartDiscovery']") is not None
            assert adapter.find(".//property[@name='Powered'][@access='readwrite']") is not None
            assert nodes[device].find(".//property[@name='RSSI'][@type='n']") is not None
            wanted = ("string:org.bluez.Device1", "string:RSSI")
            rssi = await ask(device, "org.freedesktop.DBus.Properties.Get", *wanted)
            assert rssi.split()[-1] == "-71"
            every = await ask("/", "org.freedesktop.DBus.ObjectManager.GetManagedObjects")
            assert device in every
            filters = await ask("/org/bluez/hci0", "org.bluez.Adapter1.GetDiscoveryFilters")
            assert "DuplicateData" in filters
            await ask("/org/bluez/hci0", "org.freedesktop.DBus.Peer.Ping")
    finally:
        await stand_in.stop()


def test_a_sockets_path_is_measured_in_bytes() -> None:
    assert fits(Path("/tmp") / ("a" * 97))
    assert not fits(Path("/tmp") / ("夜" * 40))


async def test_a_restarted_service_forgets_the_scan(make: Callable[..., StandIn]) -> None:
    stand_in = make()
    await stand_in.start()
    try:
        async with scan(stand_in) as scanner:
            stand_in.adapter().heard(AMULET.advert(-50))
            await scanner.line()
            await stand_in.restart()
            await until(lambda: not stand_in.scanning(), "the scan is forgotten")
            stand_in.adapter().heard(AMULET.advert(-51))
            # Whoever scans anew afterwards is served again.
            async with scan(stand_in) as second:
                stand_in.adapter().heard(AMULET.advert(-52))
                assert (await second.line())["rssi"] == -52
    finally:
        await stand_in.stop()


async def test_a_client_that_dies_scans_no_more(make: Callable[..., StandIn]) -> None:
    stand_in = make()
    await stand_in.start()
    try:
        async with scan(stand_in) as scanner:
            assert stand_in.scanning()
            scanner._process.kill()
            await until(lambda: not stand_in.scanning(), "the scan is forgotten")
    finally:
        await stand_in.stop()


class Ear:
    """A receiver that keeps what it heard."""

    def __init__(self) -> None:
        self.adverts: list[Advert] = []

    def heard(self, advert: Advert) -> None:
        self.adverts.append(advert)


@pytest.mark.parametrize(
    ("fault", "heard"),
    [
        (Fault(FaultKind.DROP, start_s=10), [True, False]),
        (Fault(FaultKind.REBOOT, start_s=10, stop_s=20), [True, False]),
        (Fault(FaultKind.DRIFT, start_s=10, magnitude=-5.0, parameter="rssi"), [True, False]),
    ],
)
def test_faults_of_a_station(fault: Fault, heard: list[bool]) -> None:
    ear = Ear()
    station = Station("s", "g", (0.0, 0.0), ear, Faults([fault]))
    walker = Walker(AMULET, lambda t: (2.0, 0.0))
    street = Street([walker], [station], shadowing_db=0.0)
    received = []
    for t in (5.0, 19.0):
        before = len(ear.adverts)
        street.transmit(walker, t)
        received.append(len(ear.adverts) > before)
    assert received == heard


def test_a_corrupt_advert_is_not_the_beacon() -> None:
    ear = Ear()
    faults = Faults([Fault(FaultKind.CORRUPT_FRAME, style="truncated")])
    walker = Walker(STICKER, lambda t: (2.0, 0.0))
    street = Street([walker], [Station("s", "g", (0.0, 0.0), ear, faults)])
    street.transmit(walker, 0.0)
    (advert,) = ear.adverts
    assert all(len(data) < 20 for data in advert.service_data.values())


def test_nobody_hears_who_is_away_or_too_far() -> None:
    ear = Ear()
    far, away = Walker(AMULET, lambda t: (400.0, 0.0)), Walker(STICKER, lambda t: None)
    street = Street([far, away], [Station("s", "g", (0.0, 0.0), ear)], seed=3)
    for t in range(200):
        street.transmit(far, float(t))
        street.transmit(away, float(t))
    assert ear.adverts == []
