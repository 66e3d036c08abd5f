"""Steps that bring a stalled radio back, over the system's D-Bus: BlueZ's adapter, systemd's unit.

Sources: ``org.bluez.Adapter1`` (BlueZ, doc/adapter-api), ``org.freedesktop.systemd1.Manager``.
Both need rights: the group ``bluetooth``, and for the service a polkit rule for the agent's user.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

_CALL_S: Final = 10.0
_OFF_S: Final = 0.5
"""Between off and on: controllers take the first command while they still go down."""
_RESTART_S: Final = 2.0
"""systemd answers before it has done it."""
UNIT: Final = "bluetooth.service"


class RecoveryRefused(Exception):
    """The step could not be taken: what D-Bus says."""


async def cycle_adapter(adapter: str) -> None:
    """Switch the adapter off and on. Raises ``RecoveryRefused``."""
    from dbus_fast import Variant

    for powered in (False, True):
        body = ["org.bluez.Adapter1", "Powered", Variant("b", powered)]
        properties = ("org.freedesktop.DBus.Properties", "Set", "ssv", body)
        await _call("org.bluez", f"/org/bluez/{adapter}", *properties)
        if not powered:
            await asyncio.sleep(_OFF_S)


async def restart_service() -> None:
    """Restart ``bluetooth.service``. Raises ``RecoveryRefused``."""
    manager = ("org.freedesktop.systemd1.Manager", "RestartUnit", "ss", [UNIT, "replace"])
    await _call("org.freedesktop.systemd1", "/org/freedesktop/systemd1", *manager)
    await asyncio.sleep(_RESTART_S)


async def _call(
    destination: str, path: str, interface: str, member: str, signature: str, body: list[Any]
) -> None:
    from dbus_fast import BusType, Message, MessageType
    from dbus_fast.aio import MessageBus
    from dbus_fast.errors import AuthError, DBusError

    try:
        async with asyncio.timeout(_CALL_S):
            bus = await MessageBus(bus_type=BusType.SYSTEM).connect()
            try:
                call = Message(
                    destination=destination,
                    path=path,
                    interface=interface,
                    member=member,
                    signature=signature,
                    body=body,
                )
                answer = await bus.call(call)
            finally:
                bus.disconnect()
    except (OSError, EOFError, TimeoutError, AuthError, DBusError) as error:
        raise RecoveryRefused(str(error) or type(error).__name__) from error
    if answer is not None and answer.message_type is MessageType.ERROR:
        raise RecoveryRefused(f"{answer.error_name}: {' '.join(map(str, answer.body))}")
