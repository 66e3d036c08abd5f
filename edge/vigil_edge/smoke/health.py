"""How each alarm is doing, as far as what was heard of it tells. Pure, with a state to be kept.

An alarm on batteries may say nothing for a day. Until it was heard of, or Zigbee2MQTT said
that it is available, it is ``starting``; while its bridge or broker is away, it has failed
for whoever relies on it, whatever it said before.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Final, NamedTuple

from vigil_schemas.gateway import DeviceHealth, SourceState
from vigil_schemas.senml import instant, microseconds


class Finding(NamedTuple):
    """A state, with code and words where it is not ``ok``."""

    state: SourceState
    code: str | None = None
    message: str | None = None


_AGAIN_US: Final = 86_400_000_000
OK: Final = Finding("ok")
BRIDGE_OFFLINE: Final = Finding(
    "failed", "bridge-offline", "Zigbee2MQTT is offline: nobody hears this alarm"
)
NOT_HEARD_YET: Final = Finding(
    "starting", "not-heard-yet", "no message from it yet; an alarm on batteries may take a day"
)
_CONDITIONS: Final = (
    ("link_lost", Finding("failed", "link-lost", "out of reach, or silent for too long")),
    ("hardware_fault", Finding("degraded", "hardware-fault", "it reports a fault of its own")),
    ("tamper", Finding("degraded", "tampered", "it was taken off, or opened")),
    ("battery_alert", Finding("degraded", "battery-low", "its battery needs to be replaced")),
)


def judge(active: Iterable[str], *, heard: bool, bridge_online: bool | None) -> Finding:
    """From an alarm's active conditions, the worst first."""
    conditions = set(active)
    if bridge_online is False:
        return BRIDGE_OFFLINE
    if not heard and "link_lost" not in conditions:
        return NOT_HEARD_YET
    return next((found for condition, found in _CONDITIONS if condition in conditions), OK)


class _Told(NamedTuple):
    state: str
    code: str | None
    since_us: int
    told_us: int


class ToldHealth:
    """What the cloud was told of each alarm, so that only a change is told.

    And once a day all the same: where an alarm was given to another gateway and back, or
    its gateway was not known yet, the cloud has forgotten it or never heard.
    """

    def __init__(self, state: bytes | None = None) -> None:
        self._told: dict[str, _Told] = {
            device: _Told(*told) for device, *told in (json.loads(state) if state else [])
        }

    def state(self) -> bytes:
        """For the constructor of another run."""
        kept = [[device, *told] for device, told in self._told.items()]
        return json.dumps(kept, separators=(",", ":")).encode()

    def change(self, device: str, finding: Finding, now: datetime) -> DeviceHealth | None:
        """What to tell of this alarm now; ``None`` where it is known."""
        before = self._told.get(device)
        now_us = since_us = microseconds(now)
        if before is not None and before.state == finding.state:
            if before.code == finding.code and abs(now_us - before.told_us) < _AGAIN_US:
                return None
            since_us = before.since_us
        self._told[device] = _Told(finding.state, finding.code, since_us, now_us)
        return DeviceHealth(
            device=device,
            state=finding.state,
            since=instant(since_us),
            code=finding.code,
            message=finding.message,
        )
