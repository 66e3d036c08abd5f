"""One Bluetooth adapter of the stand-in: who scans with it, and which devices it has heard."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Final, Literal

from dbus_fast import Message, Variant

from vigil_sim.checkin.beacons import Advert

ADAPTER: Final = "org.bluez.Adapter1"
DEVICE: Final = "org.bluez.Device1"
MONITORS: Final = "org.bluez.AdvertisementMonitorManager1"
PROPERTIES: Final = "org.freedesktop.DBus.Properties"
OBJECTS: Final = "org.freedesktop.DBus.ObjectManager"

Properties = dict[str, Variant]
Until = Literal["scan", "adapter", "service"]
"""What ends a stall: a scan begun anew, the adapter switched off and on, the service restarted."""


class Adapter:
    """One ``/org/bluez/hciN``: who scans, and which devices were heard."""

    def __init__(self, name: str, number: int, emit: Callable[[Message], None]) -> None:
        self.path = f"/org/bluez/{name}"
        self.devices: dict[str, Properties] = {}
        self._name = name
        self._address = f"00:1A:7D:DA:71:{number:02X}"
        self._emit = emit
        self._powered = True
        self._stalled: Until | None = None
        self._scanning: set[str] = set()
        self._monitors: set[tuple[str, str]] = set()

    @property
    def discovering(self) -> bool:
        """Whether any client scans."""
        return self._powered and bool(self._scanning or self._monitors)

    def stall(self, until: Until) -> None:
        """Deliver nothing more, without a word, until that is done."""
        self._stalled = until

    def forget(self) -> None:
        """Lose every device and every scan, as a restarted service does."""
        self._stalled = None
        self.devices.clear()
        self._scanning.clear()
        self._monitors.clear()

    def client_left(self, client: str) -> None:
        """BlueZ ends the scans of a client that leaves the bus."""
        self._scanning.discard(client)
        self._monitors = {monitor for monitor in self._monitors if monitor[0] != client}

    def heard(self, advert: Advert) -> None:
        """``Receiver``: a new device is announced, a known one changes its properties."""
        if not self.discovering or self._stalled is not None:
            return
        path = f"{self.path}/dev_{advert.address.replace(':', '_')}"
        heard = _advertised(advert)
        known = self.devices.get(path)
        if known is None:
            self.devices[path] = _identity(advert, self.path) | heard
            # A copy: it is sent later, and the next advert may be here before.
            body: list[Any] = [path, {DEVICE: dict(self.devices[path])}]
            self._emit(Message.new_signal("/", OBJECTS, "InterfacesAdded", "oa{sa{sv}}", body))
            return
        known.update(heard)
        self._changed(path, DEVICE, heard)

    def interfaces(self) -> dict[str, Properties]:
        """The adapter's interfaces with their properties."""
        return {
            ADAPTER: {
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
            MONITORS: {
                "SupportedMonitorTypes": Variant("as", ["or_patterns"]),
                "SupportedFeatures": Variant("as", []),
            },
        }

    def answer(self, message: Message) -> Message:
        """The reply to a call of one of the adapter's methods."""
        if message.interface == PROPERTIES:
            return self._answer_properties(message)
        if message.interface == ADAPTER:
            return self._answer_adapter(message)
        if message.interface == MONITORS:
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
                if self._stalled == "scan":
                    self._stalled = None
                self._changed(self.path, ADAPTER, {"Discovering": Variant("b", True)})
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
        removed = [path, [DEVICE]]
        self._emit(Message.new_signal("/", OBJECTS, "InterfacesRemoved", "oas", removed))
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
        if message.member == "Set" and message.body[:2] == [ADAPTER, "Powered"]:
            self._powered = bool(message.body[2].value)
            if not self._powered:
                self._scanning.clear()
                self._monitors.clear()
                if self._stalled in {"scan", "adapter"}:
                    self._stalled = None
            self._changed(self.path, ADAPTER, {"Powered": Variant("b", self._powered)})
            return Message.new_method_return(message)
        return properties_answer(message, self.interfaces().get(message.body[0], {}))

    def _rest(self) -> None:
        if self.discovering:
            return
        for path, properties in self.devices.items():
            gone = [name for name in ("RSSI", "TxPower") if properties.pop(name, None)]
            self._changed(path, DEVICE, {}, gone)
        self._changed(self.path, ADAPTER, {"Discovering": Variant("b", False)})

    def _changed(
        self, path: str, interface: str, properties: Properties, invalidated: Sequence[str] = ()
    ) -> None:
        body: list[Any] = [interface, properties, list(invalidated)]
        self._emit(Message.new_signal(path, PROPERTIES, "PropertiesChanged", "sa{sv}as", body))


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


def properties_answer(message: Message, properties: Properties) -> Message:
    """Answer ``Get`` and ``GetAll`` of ``org.freedesktop.DBus.Properties``."""
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
