"""Stations: Bluetooth radios of this gateway with what each hears, and UHF readers that answer.

Beacons are carried by people. Of what a radio hears only whose fleet it is (the part of an id that
all beacons of an owner share) and how many there are leaves this gateway: never one beacon's id.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from vigil_edge.checkin import advertisement
from vigil_edge.checkin import llrp_codec as codec
from vigil_edge.checkin.advertisement import EddystoneTlm
from vigil_edge.checkin.errors import LlrpError, RadioFailed, ReaderUnreachable
from vigil_edge.checkin.settings import LLRP_PORT, BleSettings, LlrpSettings
from vigil_edge.configuration.added import Template
from vigil_edge.device.seam import SourceError
from vigil_edge.discovery.addresses import spoken
from vigil_edge.discovery.search import Found, Place, Search
from vigil_schemas.checkin import DOMAIN
from vigil_schemas.discovery import Choice, Option, RawReading

if TYPE_CHECKING:
    from bleak.backends.device import BLEDevice
    from bleak.backends.scanner import AdvertisementData

LISTEN_S: Final = 8.0
"""A beacon says itself up to ten times a second, one that saves its battery every few."""
READER_S: Final = 3.0
_BUS_S: Final = 5.0
_MOST_TAGS: Final = 5000
CHOICE: Final = "beacons"
ALL: Final = "all"


async def discover(search: Search) -> AsyncIterator[Place]:
    """Each radio, then each reader that somebody typed or that is configured."""
    for one in search.sections:
        if isinstance(one, LlrpSettings):
            yield Place(f"llrp {one.host}:{one.port}", [_reader(one.address, (), one.device)])
    async for place in _radios(search):
        yield place
    configured = {
        f"{one.host}:{one.port}" for one in search.sections if isinstance(one, LlrpSettings)
    }
    for address in spoken(search.addresses, "llrp", LLRP_PORT):
        if address not in configured:
            yield await _asked(address)


# -- radios


@dataclass(slots=True)
class _Heard:
    """By fleet: the ids, kept here alone, and how strong the nearest was."""

    adverts: int = 0
    fleets: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    strongest: dict[str, float] = field(default_factory=dict)

    def take(self, tag: str, rssi: float) -> None:
        fleet = fleet_of(tag)
        if len(self.fleets[fleet]) < _MOST_TAGS:
            self.fleets[fleet].add(tag)
        if -127 < rssi < 20 and rssi != 0:
            self.strongest[fleet] = max(self.strongest.get(fleet, -200.0), rssi)


def fleet_of(tag: str) -> str:
    """The part that all beacons of one owner share; of ids that rotate, their kind alone."""
    kind, _, rest = tag.partition(":")
    if kind == "ibeacon":
        return f"{kind}:{rest.partition(':')[0]}"
    if kind == "eddystone-uid":
        return f"{kind}:{rest[:20]}"
    if kind == "altbeacon":
        return f"{kind}:{rest[:32]}"
    return f"{kind}:"


async def _radios(search: Search) -> AsyncIterator[Place]:
    in_use = {
        radio or "hci0": one
        for one in search.sections
        if isinstance(one, BleSettings)
        for radio in one.radios
    }
    for name, one in in_use.items():
        # BlueZ lets one client scan once: the station itself goes on listening.
        yield Place(f"bluetooth {name}", [_radio(name, None, one.device)])
    backends = {one.backend for one in in_use.values()} or {"bluez"}
    if backends != {"bluez"}:
        return
    try:
        adapters = await _adapters()
    except (OSError, EOFError, TimeoutError) as error:
        message = str(error) or "BlueZ does not answer"
        yield Place("bluetooth", code=RadioFailed.code, message=message)
        return
    for name in adapters:
        if name in in_use:
            continue
        try:
            heard = await listen(name, LISTEN_S)
        except SourceError as error:
            yield Place(f"bluetooth {name}", code=error.code, message=str(error))
            continue
        yield Place(f"bluetooth {name}", [_radio(name, heard, None)])


async def _adapters() -> list[str]:
    """As BlueZ names them. Raises ``OSError``, ``EOFError``, ``TimeoutError``."""
    from dbus_fast import BusType, Message, MessageType
    from dbus_fast.aio import MessageBus
    from dbus_fast.errors import AuthError, DBusError

    call = Message(
        destination="org.bluez",
        path="/",
        interface="org.freedesktop.DBus.ObjectManager",
        member="GetManagedObjects",
    )
    try:
        async with asyncio.timeout(_BUS_S):
            bus = await MessageBus(bus_type=BusType.SYSTEM).connect()
            try:
                answer = await bus.call(call)
            finally:
                bus.disconnect()
    except (AuthError, DBusError) as error:
        raise OSError(str(error)) from error
    if answer is None or answer.message_type is MessageType.ERROR:
        raise OSError("there is no BlueZ on the system bus")
    objects: dict[str, dict[str, Any]] = answer.body[0]
    return sorted(
        path.rpartition("/")[2]
        for path, interfaces in objects.items()
        if "org.bluez.Adapter1" in interfaces
    )


async def listen(adapter: str, seconds: float) -> _Heard:
    """What a radio hears. Raises ``RadioFailed``."""
    from bleak import BleakScanner
    from bleak.args.bluez import BlueZScannerArgs
    from bleak.exc import BleakError

    heard = _Heard()

    def advert(_device: BLEDevice, data: AdvertisementData) -> None:
        heard.adverts += 1
        for beacon in advertisement.from_advertisement(data.manufacturer_data, data.service_data):
            if not isinstance(beacon, EddystoneTlm):
                heard.take(beacon.tag, float(data.rssi))

    options: BlueZScannerArgs = {"filters": {"DuplicateData": True}, "adapter": adapter}
    try:
        async with asyncio.timeout(seconds + 20), BleakScanner(advert, bluez=options):
            await asyncio.sleep(seconds)
    except (BleakError, OSError, EOFError, TimeoutError) as error:
        raise RadioFailed(adapter, f"{adapter} cannot scan: {error}") from error
    return heard


def _radio(name: str, heard: _Heard | None, device: str | None) -> Found:
    facts: list[tuple[str, str]] = [("radio", name)]
    fleets: list[str] = []
    if heard is not None:
        facts.append(("adverts heard", f"{heard.adverts} in {LISTEN_S:.0f} s"))
        fleets = sorted(heard.fleets, key=lambda fleet: -len(heard.fleets[fleet]))
        facts += [(fleet, _counted(heard, fleet)) for fleet in fleets[:20]]
    return Found(
        driver="ble",
        title=f"Bluetooth radio {name}",
        title_zh=f"藍牙 {name}",
        identity=(name,),
        facts=tuple(facts),
        choices=() if device else (_which(heard, fleets),),
        template=None if device else _station(name, fleets),
        device=device,
        readable=device is None,
    )


def _counted(heard: _Heard, fleet: str) -> str:
    strongest = heard.strongest.get(fleet)
    near = "" if strongest is None else f", strongest {strongest:.0f} dBm"
    return f"{len(heard.fleets[fleet])} beacons{near}"


def _which(heard: _Heard | None, fleets: list[str]) -> Choice:
    options = [Option(value=ALL, title="every beacon", title_zh="所有信標")]
    for fleet in fleets[:20]:
        count = 0 if heard is None else len(heard.fleets[fleet])
        options.append(
            Option(value=fleet, title=f"{fleet} ({count})", title_zh=f"{fleet}（{count}）")
        )
    return Choice(
        key=CHOICE, title="Which beacons it takes", title_zh="接收哪些信標", options=options
    )


def _station(name: str, fleets: list[str]) -> Template:
    only: dict[str, dict[str, Any]] = {fleet: {"tags_allow": [fleet]} for fleet in fleets[:20]}
    return Template(
        domain=DOMAIN,
        table={"driver": "ble", "adapter": name},
        choices={CHOICE: {ALL: {}, **only}},
    )


# -- readers


def _reader(address: str, facts: tuple[tuple[str, str], ...], device: str | None) -> Found:
    template = Template(domain=DOMAIN, table={"driver": "llrp", "address": address})
    return Found(
        driver="llrp",
        title=f"UHF reader at {address}",
        title_zh=f"UHF 讀取器 {address}",
        identity=(address,),
        facts=(("address", address), *facts),
        template=None if device else template,
        device=device,
    )


async def _asked(address: str) -> Place:
    """A reader greets whoever connects; no other LLRP is spoken, so its inventory goes on."""
    settings = LlrpSettings.model_validate(
        {"device": "search", "driver": "llrp", "address": address}
    )
    place = f"llrp {address}"
    try:
        greeting = await _greeting(settings.host, settings.port)
    except (OSError, TimeoutError, asyncio.IncompleteReadError) as error:
        message = str(error) or "no answer"
        return Place(place, code=ReaderUnreachable.code, message=message)
    except LlrpError as error:
        return Place(place, code=error.code, message=str(error))
    if greeting.name != "ReaderEventNotification":
        return Place(place, code="reader-refused", message=f"greets with {greeting.name}")
    return Place(place, [_reader(address, tuple(_told(greeting)), None)])


async def _greeting(host: str, port: int) -> codec.Frame:
    async with asyncio.timeout(READER_S):
        stream, writer = await asyncio.open_connection(host, port)
        try:
            header = await stream.readexactly(codec.HEADER_BYTES)
            length = codec.frame_length(header)
            body = await stream.readexactly(length - codec.HEADER_BYTES)
            # Said goodbye to in order, so that it takes the next client at once.
            writer.write(codec.encode(14, 1, version=header[0] >> 2 & 0x7))
            await writer.drain()
        finally:
            writer.close()
    return codec.frame(header + body)


def _told(greeting: codec.Frame) -> Iterator[tuple[str, str]]:
    try:
        event = codec.reader_event(greeting.body)
    except LlrpError as error:
        yield "greeting", str(error)
        return
    if event.connection_attempt:
        refused = codec.REFUSALS.get(event.connection_attempt, "another reason")
        yield "does not take a connection now", refused
    if event.utc is not None:
        yield "its clock", event.utc.isoformat(timespec="seconds")


async def look(settings: BleSettings | LlrpSettings) -> list[RawReading]:
    """A radio's fleets once more. Raises ``SourceError``."""
    if isinstance(settings, LlrpSettings):
        raise SourceError(settings.device, "a reader is read once it is added")
    heard = await listen(settings.adapter or "hci0", LISTEN_S)
    readings = [RawReading(name="adverts", raw=f"{heard.adverts}", value=float(heard.adverts))]
    for fleet, tags in list(heard.fleets.items())[:90]:
        if settings.tags_allow is not None and not fleet.startswith(tuple(settings.tags_allow)):
            continue
        readings.append(
            RawReading(name=fleet[:80], raw=_counted(heard, fleet), value=float(len(tags)))
        )
    return readings
