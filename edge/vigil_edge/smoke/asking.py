"""What an alarm can be asked for over its bridge, as the bridge's own list says. Pure.

Source: zigbee2mqtt.io, "Exposes" (``access``: bit 2 is settable) and ``<friendly name>/set``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from vigil_edge.device.seam import CommandRefused
from vigil_schemas.commands import CommandArguments, Mute, SelfTest

_PROPERTIES: Final[Mapping[type[CommandArguments], tuple[str, ...]]] = {
    SelfTest: ("self_test", "selftest", "trigger_selftest", "self_checking", "test"),
    Mute: ("silence", "mute", "mute_buzzer", "buzzer_mute", "alarm_silence"),
}
"""As the converters name them."""


def can(what: type[CommandArguments], settable: Mapping[str, Any]) -> bool:
    """Whether the device has a property for it."""
    return any(name in settable for name in _PROPERTIES.get(what, ()))


def payload(arguments: CommandArguments, settable: Mapping[str, Any]) -> bytes:
    """What to publish on the device's ``/set``. Raises ``CommandRefused``."""
    for name in _PROPERTIES.get(type(arguments), ()):
        if name in settable:
            return json.dumps({name: settable[name]}, ensure_ascii=False).encode()
    able = ", ".join(sorted(settable)) or "nothing"
    message = f"the bridge says that this alarm cannot do it; it can be asked for {able}"
    raise CommandRefused("unsupported-by-device", message)
