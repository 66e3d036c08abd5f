"""A stand-in for BlueZ: ``org.bluez`` on a private D-Bus, so that real bleak code scans it.

Needs the program ``dbus-daemon`` (Debian package ``dbus``); without it use
``vigil_sim.checkin.advert_socket``, which has the same face. The D-Bus interfaces follow
BlueZ's own documentation (``org.bluez.Adapter``, ``.Device``, ``.AdvertisementMonitorManager``).
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar, Final

from dbus_fast import Message, MessageType, Variant
from dbus_fast.aio.message_bus import MessageBus

from vigil_schemas.errors import VigilError
from vigil_sim.checkin.beacons import Advert, Receiver
from vigil_sim.checkin.private_bus import PrivateBus, fits
from vigil_sim.lasting import cancelled, lasting

_ADAPTER: Final = "org.bluez.Adapter1"
_DEVICE: Final = "org.bluez.Device1"
_MONITORS: Final = "org.bluez.AdvertisementMonitorManager1"
_PROPERTIES: Final = "org.freedesktop.DBus.Properties"
_OBJECTS: Final = "org.freedesktop.DBus.ObjectManager"
_UNANSWERED: Final = 32
"""Signals sent before the bus is asked whether it keeps up: dbus-fast gives up its connection
where a socket is full, so no more may be on their way than its buffer holds."""

Properties = dict[str, Variant]


class BluetoothStandInError(VigilError):
    """The stand-in was asked for something that it does not have, or could not start."""

    code: ClassVar[str] = "bluez-stand-in"


def available() -> bool:
    """Whether a dbus-daemon is on PATH."""
    return shutil.which("dbus-daemon") is not None


class BluezStandIn:
    """One machine's Bluetooth service with one or more adapters.

    A gateway with several stations takes one adapter for each. Give the gateway's
    process ``environment``; its stations then use ``driver = "ble"``, ``backend = "bluez"``
    and ``adapter = "hci0"``, ``"hci1"``, ….

    Unlike a real controller it reports every advert, whatever ``DuplicateData`` says.
    """

    backend = "bluez"
    """What goes into a gateway.toml's ``backend``."""

    def __init__(
        self, adapters: Sequence[str] = ("hci0",), *, directory: Path | None = None
    ) -> None:
        self._given_directory = directory
        self._made_directory: Path | None = None
        self._bus_process: PrivateBus | None = None
        self._bus: MessageBus | None = None
        self._signals: asyncio.Queue[Message] = asyncio.Queue()
        self._sending: asyncio.Task[None] | None = None
        self._adapters = {
            name: Adapter(name, number, self._signals.put_nowait)
            for number, name in enumerate(adapters)
        }

    @property
    def environment(self) -> dict[str, str]:
        """Environment for the gateway's process: ``DBUS_SYSTEM_BUS_ADDRESS``."""
        if self._bus_process is None:
            raise BluetoothStandInError("the stand-in has no address before it is started")
        return {"DBUS_SYSTEM_BUS_ADDRESS": self._bus_process.address}

    def adapter(self, name: str = "hci0") -> Receiver:
        """The adapter's radio."""
        return self._named(name)

    def scanning(self, name: str = "hci0") -> bool:
        """Whether any client scans with this adapter now."""
        return self._named(name).discovering

    async def start(self) -> None:
        """Start the bus and own the name ``org.bluez``."""
        directory = self._given_directory
        if directory is None or not fits(directory):
            directory = self._made_directory = Path(tempfile.mkdtemp(prefix="vigil-bluez-"))
        self._bus_process = PrivateBus(directory)
        await self._bus_process.start()
        await self._appear()

    async def stop(self) -> None:
        """Leave the bus and end it."""
        await self._disappear()
        if self._bus_process is not None:
            await self._bus_process.stop()
            self._bus_process = None
        if self._made_directory is not None:
            shutil.rmtree(self._made_directory, ignore_errors=True)
            self._made_directory = None

    async def restart(self) -> None:
        """What clients see when the Bluetooth service crashes and is started again.

        The name vanishes and comes back; devices and scans that it knew are gone, and a
        client that does not notice scans no more.
        """
        for adapter in self._adapters.values():
            adapter.forget()
        await self._disappear()
        await self._appear()

    async def _appear(self) -> None:
        if self._bus_process is None:
            raise BluetoothStandInError("the stand-in must be started first")
        bus = MessageBus(bus_address=self._bus_process.address)
        self._bus = await bus.connect()
        self._bus.add_message_handler(self._handle)
        await self._bus.call(_watch_names())
        await self._bus.request_name("org.bluez")
        self._sending = lasting(self._send_signals(self._bus), "Bluetooth")

    async def _disappear(self) -> None:
        sending, self._sending = self._sending, None
        await cancelled(sending)
        while not self._signals.empty():
            self._signals.get_nowait()
        if self._bus is not None:
            self._bus.disconnect()
            await self._bus.wait_for_disconnect()  # type: ignore[no-untyped-call]  # dbus-fast's own
            self._bus = None

    async def _send_signals(self, bus: MessageBus) -> None:
        sent = 0
        while True:
            await bus.send(await self._signals.get())
            sent += 1
            if sent % _UNANSWERED == 0:
                await bus.call(_to_the_bus("GetId"))

    def _named(self, name: str) -> Adapter:
        try:
            return self._adapters[name]
        except KeyError:
            raise BluetoothStandInError(f"there is no adapter {name!r}") from None

    # -- answering

    def _handle(self, message: Message) -> Message | None:
        if message.message_type is MessageType.SIGNAL:
            if message.member == "NameOwnerChanged" and not message.body[2]:
                for adapter in self._adapters.values():
                    adapter.client_left(message.body[0])
            return None
        if message.message_type is not MessageType.METHOD_CALL:
            return None
        if message.interface == _OBJECTS and message.member == "GetManagedObjects":
            return Message.new_method_return(message, "a{oa{sa{sv}}}", [self._objects()])
        for adapter in self._adapters.values():
            if message.path == adapter.path:
                return adapter.answer(message)
        if message.interface == _PROPERTIES:
            return self._device_properties(message)
        return None

    def _objects(self) -> dict[str, dict[str, Properties]]:
        objects: dict[str, dict[str, Properties]] = {"/org/bluez": {"org.bluez.AgentManager1": {}}}
        for adapter in self._adapters.values():
            objects[adapter.path] = adapter.interfaces()
            for path, properties in adapter.devices.items():
                objects[path] = {_DEVICE: properties}
        return objects

    def _device_properties(self, message: Message) -> Message | None:
        for adapter in self._adapters.values():
            properties = adapter.devices.get(message.path or "")
            if properties is not None:
                return _properties_answer(message, properties)
        return None


class Adapter:
    """One ``/org/bluez/hciN``: who scans, and which devices were heard."""

    def __init__(self, name: str, number: int, emit: Callable[[Message], None]) -> None:
        self.path = f"/org/bluez/{name}"
        self.devices: dict[str, Properties] = {}
        self._name = name
        self._address = f"00:1A:7D:DA:71:{number:02X}"
        self._emit = emit
        self._powered = True
        self._scanning: set[str] = set()
        self._monitors: set[tuple[str, str]] = set()

    @property
    def discovering(self) -> bool:
        """Whether any client scans."""
        return self._powered and bool(self._scanning or self._monitors)

    def forget(self) -> None:
        """Lose every device and every scan, as a restarted service does."""
        self.devices.clear()
        self._scanning.clear()
        self._monitors.clear()

    def client_left(self, client: str) -> None:
        """BlueZ ends the scans of a client that leaves the bus."""
        self._scanning.discard(client)
        self._monitors = {monitor for monitor in self._monitors if monitor[0] != client}

    def heard(self, advert: Advert) -> None:
        """``Receiver``: a new device is announced, a known one changes its properties."""
        if not self.discovering:
            return
        path = f"{self.path}/dev_{advert.address.replace(':', '_')}"
        heard = _advertised(advert)
        known = self.devices.get(path)
        if known is None:
            self.devices[path] = _identity(advert, self.path) | heard
            # A copy: it is sent later, and the next advert may be here before.
            body: list[Any] = [path, {_DEVICE: dict(self.devices[path])}]
            self._emit(Message.new_signal("/", _OBJECTS, "InterfacesAdded", "oa{sa{sv}}", body))
            return
        known.update(heard)
        self._changed(path, _DEVICE, heard)

    def interfaces(self) -> dict[str, Properties]:
        """The adapter's interfaces with their properties."""
        return {
            _ADAPTER: {
                "Address": Variant("s", self._address),
                "AddressType": Variant("s", "public"),
                "Name": Variant("s", self._name),
                "Alias": Variant("s", self._name),
                "Powered": Variant("b", self._powered),
                "Discoverable": Variant("b", False),
                "Discovering": Variant("b", self.discovering),
                "UUIDs": Variant("as", []),
                "Roles": Variant("as", ["central", "peripheral"]),
            },
            _MONITORS: {
                "SupportedMonitorTypes": Variant("as", ["or_patterns"]),
                "SupportedFeatures": Variant("as", []),
            },
        }

    def answer(self, message: Message) -> Message:
        """The reply to a call of one of the adapter's methods."""
        if message.interface == _PROPERTIES:
            return self._answer_properties(message)
        if message.interface == _ADAPTER:
            return self._answer_adapter(message)
        if message.interface == _MONITORS:
            return self._answer_monitors(message)
        return _unknown(message)

    def _answer_adapter(self, message: Message) -> Message:
        client = message.sender or ""
        match message.member:
            case "SetDiscoveryFilter":
                return Message.new_method_return(message)
            case "GetDiscoveryFilters":
                words = [["UUIDs", "RSSI", "Pathloss", "Transport", "DuplicateData"]]
                return Message.new_method_return(message, "as", words)
            case "StartDiscovery" if not self._powered:
                return _error(message, "NotReady", "Resource Not Ready")
            case "StartDiscovery" if client in self._scanning:
                return _error(message, "InProgress", "Operation already in progress")
            case "StartDiscovery":
                self._scanning.add(client)
                self._changed(self.path, _ADAPTER, {"Discovering": Variant("b", True)})
                return Message.new_method_return(message)
            case "StopDiscovery" if client not in self._scanning:
                return _error(message, "Failed", "No discovery started")
            case "StopDiscovery":
                self._scanning.discard(client)
                self._rest()
                return Message.new_method_return(message)
            case "RemoveDevice":
                return self._remove_device(message)
        return _unknown(message)

    def _remove_device(self, message: Message) -> Message:
        path = message.body[0]
        if self.devices.pop(path, None) is None:
            return _error(message, "DoesNotExist", "Does Not Exist")
        removed = [path, [_DEVICE]]
        self._emit(Message.new_signal("/", _OBJECTS, "InterfacesRemoved", "oas", removed))
        return Message.new_method_return(message)

    def _answer_monitors(self, message: Message) -> Message:
        monitor = (message.sender or "", message.body[0] if message.body else "")
        if message.member == "RegisterMonitor":
            self._monitors.add(monitor)
            activate = Message(
                destination=monitor[0],
                path=monitor[1],
                interface="org.bluez.AdvertisementMonitor1",
                member="Activate",
            )
            # BlueZ activates a monitor only after it has answered its registration.
            asyncio.get_running_loop().call_soon(self._emit, activate)
            return Message.new_method_return(message)
        if message.member == "UnregisterMonitor":
            self._monitors.discard(monitor)
            self._rest()
            return Message.new_method_return(message)
        return _unknown(message)

    def _answer_properties(self, message: Message) -> Message:
        if message.member == "Set" and message.body[:2] == [_ADAPTER, "Powered"]:
            self._powered = bool(message.body[2].value)
            self._changed(self.path, _ADAPTER, {"Powered": Variant("b", self._powered)})
            return Message.new_method_return(message)
        return _properties_answer(message, self.interfaces().get(message.body[0], {}))

    def _rest(self) -> None:
        if self.discovering:
            return
        for path, properties in self.devices.items():
            gone = [name for name in ("RSSI", "TxPower") if properties.pop(name, None)]
            self._changed(path, _DEVICE, {}, gone)
        self._changed(self.path, _ADAPTER, {"Discovering": Variant("b", False)})

    def _changed(
        self, path: str, interface: str, properties: Properties, invalidated: Sequence[str] = ()
    ) -> None:
        body: list[Any] = [interface, properties, list(invalidated)]
        self._emit(Message.new_signal(path, _PROPERTIES, "PropertiesChanged", "sa{sv}as", body))


def _identity(advert: Advert, adapter_path: str) -> Properties:
    alias = advert.local_name or advert.address.replace(":", "-")
    return {
        "Address": Variant("s", advert.address),
        "AddressType": Variant("s", "random"),
        "Alias": Variant("s", alias),
        "Paired": Variant("b", False),
        "Trusted": Variant("b", False),
        "Blocked": Variant("b", False),
        "Connected": Variant("b", False),
        "ServicesResolved": Variant("b", False),
        "Adapter": Variant("o", adapter_path),
    }


def _advertised(advert: Advert) -> Properties:
    heard: Properties = {"RSSI": Variant("n", advert.rssi)}
    if advert.manufacturer_data:
        data = {key: Variant("ay", value) for key, value in advert.manufacturer_data.items()}
        heard["ManufacturerData"] = Variant("a{qv}", data)
    if advert.service_data:
        named = {key: Variant("ay", value) for key, value in advert.service_data.items()}
        heard["ServiceData"] = Variant("a{sv}", named)
    if advert.service_uuids:
        heard["UUIDs"] = Variant("as", list(advert.service_uuids))
    if advert.local_name is not None:
        heard["Name"] = Variant("s", advert.local_name)
    if advert.tx_power is not None:
        heard["TxPower"] = Variant("n", advert.tx_power)
    return heard


def _properties_answer(message: Message, properties: Properties) -> Message:
    if message.member == "GetAll":
        return Message.new_method_return(message, "a{sv}", [properties])
    if message.member == "Get" and message.body[1] in properties:
        return Message.new_method_return(message, "v", [properties[message.body[1]]])
    return Message.new_error(
        message, "org.freedesktop.DBus.Error.InvalidArgs", "No such property, or not writable"
    )


def _error(message: Message, name: str, text: str) -> Message:
    return Message.new_error(message, f"org.bluez.Error.{name}", text)


def _unknown(message: Message) -> Message:
    return Message.new_error(
        message,
        "org.freedesktop.DBus.Error.UnknownMethod",
        f"{message.interface}.{message.member} does not exist on {message.path}",
    )


def _watch_names() -> Message:
    rule = "type=signal,sender=org.freedesktop.DBus,member=NameOwnerChanged"
    return _to_the_bus("AddMatch", "s", [rule])


def _to_the_bus(member: str, signature: str = "", body: Sequence[str] = ()) -> Message:
    return Message(
        destination="org.freedesktop.DBus",
        path="/org/freedesktop/DBus",
        interface="org.freedesktop.DBus",
        member=member,
        signature=signature,
        body=list(body),
    )
