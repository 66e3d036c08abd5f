"""A stand-in for BlueZ: ``org.bluez`` on a private D-Bus, so that real bleak code scans it.

Needs the program ``dbus-daemon`` (Debian package ``dbus``); without it use
``vigil_sim.checkin.advert_socket``, which has the same face. The D-Bus interfaces follow
BlueZ's own documentation (``org.bluez.Adapter``, ``.Device``, ``.AdvertisementMonitorManager``).
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Final

from dbus_fast import Message, MessageType
from dbus_fast.aio.message_bus import MessageBus

from vigil_schemas.errors import VigilError
from vigil_sim.checkin.beacons import Receiver
from vigil_sim.checkin.bluez_adapter import (
    DEVICE,
    OBJECTS,
    PROPERTIES,
    Adapter,
    Properties,
    Until,
    properties_answer,
)
from vigil_sim.checkin.introspection import introspected
from vigil_sim.checkin.private_bus import PrivateBus, fits
from vigil_sim.supervised import cancel_and_wait, start_supervised

_INTROSPECTABLE: Final = "org.freedesktop.DBus.Introspectable"
_PEER: Final = "org.freedesktop.DBus.Peer"
"""Every connection answers these calls; dbus-fast does."""
_SYSTEMD: Final = "org.freedesktop.systemd1"
_UNIT: Final = "bluetooth.service"
_UNANSWERED: Final = 32
"""Signals sent before the bus is asked whether it keeps up: dbus-fast gives up its connection
where a socket is full, so no more may be on their way than its buffer holds."""


class BluetoothStandInError(VigilError):
    """The stand-in was asked for something that it does not have, or could not start."""

    code: ClassVar[str] = "bluez-stand-in"
    remedy: ClassVar[str] = "Install `dbus-daemon`; ask only for an adapter that the scenario has."


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
        self._restarting: asyncio.Task[None] | None = None
        self.restarts = 0
        """How often a client had the service restarted."""
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

    def stall(self, until: Until, name: str = "hci0") -> None:
        """This adapter delivers nothing more, without an error, until a client does so much."""
        self._named(name).stall(until)

    async def start(self) -> None:
        """Start the bus; own the name ``org.bluez``, and systemd's for the service's restart."""
        directory = self._given_directory
        if directory is None or not fits(directory):
            directory = self._made_directory = Path(tempfile.mkdtemp(prefix="vigil-bluez-"))
        self._bus_process = PrivateBus(directory)
        await self._bus_process.start()
        await self._appear()

    async def stop(self) -> None:
        """Leave the bus and end it."""
        await cancel_and_wait(self._restarting)
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
        await self._bus.request_name(_SYSTEMD)
        self._sending = start_supervised(self._send_signals(self._bus), "Bluetooth")

    async def _disappear(self) -> None:
        sending, self._sending = self._sending, None
        await cancel_and_wait(sending)
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
            self._heard(message)
            return None
        if message.message_type is not MessageType.METHOD_CALL:
            return None
        if message.interface == OBJECTS and message.member == "GetManagedObjects":
            return Message.new_method_return(message, "a{oa{sa{sv}}}", [self._objects()])
        if message.interface == _INTROSPECTABLE and message.member == "Introspect":
            described = introspected(message.path or "/", self._objects())
            if described is not None:
                return Message.new_method_return(message, "s", [described])
        if message.interface == f"{_SYSTEMD}.Manager" and message.member == "RestartUnit":
            return self._restart_unit(message)
        for adapter in self._adapters.values():
            if message.path == adapter.path and message.interface != _PEER:
                return adapter.answer(message)
        if message.interface == PROPERTIES:
            return self._device_properties(message)
        return None

    def _restart_unit(self, message: Message) -> Message:
        if message.body[0] != _UNIT:
            unknown = f"Unit {message.body[0]} not found."
            return Message.new_error(message, f"{_SYSTEMD}.NoSuchUnit", unknown)
        self.restarts += 1
        self._restarting = start_supervised(self._restart_soon(), "bluetooth.service")
        return Message.new_method_return(message, "o", ["/org/freedesktop/systemd1/job/1"])

    async def _restart_soon(self) -> None:
        await asyncio.sleep(0.1)  # systemd answers first
        await self.restart()

    def _heard(self, signal: Message) -> None:
        if signal.member == "NameOwnerChanged" and not signal.body[2]:
            for adapter in self._adapters.values():
                adapter.client_left(signal.body[0])

    def _objects(self) -> dict[str, dict[str, Properties]]:
        objects: dict[str, dict[str, Properties]] = {"/org/bluez": {"org.bluez.AgentManager1": {}}}
        for adapter in self._adapters.values():
            objects[adapter.path] = adapter.interfaces()
            for path, properties in adapter.devices.items():
                objects[path] = {DEVICE: properties}
        return objects

    def _device_properties(self, message: Message) -> Message | None:
        for adapter in self._adapters.values():
            properties = adapter.devices.get(message.path or "")
            if properties is not None:
                return properties_answer(message, properties)
        return None


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
