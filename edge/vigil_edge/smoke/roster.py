"""Who is behind a bridge: the configured alarms, what the bridge lists, and who is neither. Pure.

An alarm that nobody configured is heard all the same, under an id that follows from its name.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

from vigil_edge.smoke import sirens
from vigil_edge.smoke.bridge import Address, Listed, address, guessed, listed
from vigil_edge.smoke.settings import BrokerSettings
from vigil_edge.smoke.sirens import Siren
from vigil_edge.smoke.words import Kind
from vigil_schemas.gateway import DeviceDescription
from vigil_schemas.smoke import DOMAIN

_MOST: Final = 200
"""Alarms that nobody configured and that get an id of their own; the others share one."""
_PLAIN_ID: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,15}")


class Roster:
    """Friendly names and the device ids that they stand for."""

    def __init__(self, settings: BrokerSettings, state: bytes | None = None) -> None:
        self.configured = {alarm.friendly_name: alarm.device for alarm in settings.alarm}
        self.unconfigured: dict[str, str] = json.loads(state) if state else {}
        """Device id → friendly name."""
        self._bridge = settings.device[:40].rstrip("._-")
        self._driver = settings.driver
        self._names_of = {device: name for name, device in self.configured.items()}
        self._ids = frozenset(self.configured.values())
        self._listed: dict[str, Listed] = {}
        self._names: list[str] = []
        self._sort()

    def state(self) -> bytes:
        """For the constructor of another run."""
        return json.dumps(self.unconfigured, separators=(",", ":")).encode()

    def find(self, rest: str, payload: bytes) -> Address | None:
        """Whose message a topic below the base topic is; ``None`` where nobody can say."""
        return address(rest, self._names) or guessed(rest, payload)

    def devices(self, name: str, active: Callable[[str], Collection[str]]) -> list[str]:
        """The ids that a name stands for; one that was configured meanwhile may have two."""
        found = [self.configured[name]] if name in self.configured else []
        other = self._derived(name)
        if other in self.unconfigured and (not found or active(other)):
            found.append(other)
        return found

    def found(self, name: str) -> str:
        """The id of an alarm that nobody configured, noted from now on."""
        device = self._derived(name)
        if device not in self.unconfigured:
            self.unconfigured[device] = name
            self._sort()
        return device

    def take(self, payload: bytes, active: Callable[[str], Collection[str]]) -> bool:
        """``bridge/devices``; false where it cannot be read.

        Who was configured, or is gone, is forgotten once nothing is active there.
        """
        found = listed(payload)
        if found is None:
            return False
        self._listed = found
        for name, described in found.items():
            if described.is_alarm and name not in self.configured:
                self.found(name)
        for device, name in list(self.unconfigured.items()):
            if (name in self.configured or name not in found) and not active(device):
                del self.unconfigured[device]
        self._sort()
        return True

    def is_alarm(self, name: str) -> bool:
        """Whether the bridge lists a device as an alarm."""
        return name in self._listed and self._listed[name].is_alarm

    def measured(self, name: str) -> frozenset[Kind]:
        """Kinds of which the bridge lists a number with a unit."""
        return self._listed[name].measured if name in self._listed else frozenset()

    def settable(self, device: str) -> tuple[str, Mapping[str, Any]] | None:
        """A device's name on the bridge and what can be asked of it there; ``None`` where the
        bridge has not listed it."""
        names = {v: k for k, v in self.configured.items()} | self.unconfigured
        name = names.get(device)
        found = self._listed.get(name) if name is not None else None
        return None if name is None or found is None else (name, found.settable)

    def siren(self, device: str) -> Siren | None:
        """How a configured alarm is told to sound; ``None`` where it is known that it cannot."""
        name = self._names_of.get(device)
        found = self._listed.get(name) if name is not None else None
        if found is not None:
            return found.siren
        return sirens.UNLISTED if name is not None else None

    def name(self, device: str) -> str | None:
        """A configured alarm's name on the bridge."""
        return self._names_of.get(device)

    def only_sounds(self, device: str) -> bool:
        """Whether the bridge lists it as a siren that is no alarm."""
        name = self._names_of.get(device)
        found = self._listed.get(name) if name is not None else None
        return found is not None and found.siren is not None and not found.is_alarm

    def is_configured(self, device: str) -> bool:
        """Whether a ``[[smoke.alarm]]`` names it."""
        return device in self._ids

    def is_missing(self, device: str) -> bool:
        """Whether the bridge's list lacks a configured alarm."""
        return bool(self._listed) and any(
            device == known and name not in self._listed for name, known in self.configured.items()
        )

    def all_devices(self) -> list[str]:
        """Every id, the configured ones first."""
        return [*self.configured.values(), *self.unconfigured]

    def descriptions(self) -> list[DeviceDescription]:
        """Of the alarms that nobody configured, for the gateway's birth."""
        return [
            DeviceDescription(
                device=device,
                domain=DOMAIN,
                driver=self._driver,
                name=f"{name[:90]} (not configured)",
                name_zh=f"{name[:90]}(未設定)",
            )
            for device, name in self.unconfigured.items()
        ]

    def _derived(self, name: str) -> str:
        digest = hashlib.sha256(name.encode("utf-8", "replace")).hexdigest()
        device = f"{self._bridge}.{name}"
        if not _PLAIN_ID.fullmatch(name) or device in self._ids:
            slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:14].strip("-")
            device = f"{self._bridge}.{slug or 'alarm'}-{digest[:6]}"
        if device not in self.unconfigured and len(self.unconfigured) >= _MOST:
            return f"{self._bridge}.unconfigured"
        return device

    def _sort(self) -> None:
        """Names that topics begin with, the longest first."""
        known = {*self.configured, *self._listed, *self.unconfigured.values()}
        self._names = sorted(known, key=len, reverse=True)
