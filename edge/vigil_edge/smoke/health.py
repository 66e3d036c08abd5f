"""How each alarm is doing, as far as what was heard of it tells. Pure, with a state to be kept.

An alarm on batteries may say nothing for a day. Until it was heard, or Zigbee2MQTT said that
it is available and how things stood with it, it is ``starting``; while its bridge or broker is
away, it has failed for whoever relies on it, whatever it said before. One that speaks and has
never said its fire key protects nobody: it is degraded.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Final, NamedTuple

from vigil_edge.smoke import self_test
from vigil_edge.smoke.condition import Known
from vigil_edge.smoke.errors import FrameMalformed
from vigil_schemas.gateway import DeviceHealth, SourceState
from vigil_schemas.senml import instant, microseconds


class Finding(NamedTuple):
    """A state, with code and words where it is not ``ok``."""

    state: SourceState
    code: str | None = None
    message: str | None = None


_AGAIN_US: Final = 86_400_000_000
_MISREAD_S: Final = 86_400.0
"""So long after such a frame it is shown: one that comes now and then is told once, and not each
time anew between two that can be read."""
_LATELY_US: Final = 7 * _AGAIN_US
OK: Final = Finding("ok")
BRIDGE_OFFLINE: Final = Finding(
    "failed", "bridge-offline", "Zigbee2MQTT is offline: nobody hears this alarm"
)
NOT_HEARD_YET: Final = Finding(
    "starting", "not-heard-yet", "no message from it yet; an alarm on batteries may take a day"
)
FIRE_UNSAID: Final = Finding(
    "degraded",
    "fire-unsaid",
    "it speaks, but has never said whether there is smoke (no fire key in its messages):"
    " press its test button, and see what Zigbee2MQTT lists for this model",
)
NOT_ON_BRIDGE: Final = Finding(
    "failed",
    "not-on-bridge",
    "Zigbee2MQTT has no device of this friendly_name: was it renamed or removed?",
)
GARBLED: Final = Finding(
    "degraded", "payload-malformed", "its last message could not be read: is it `output: json`?"
)
TEST_STUCK: Final = Finding(
    "degraded", "test-stuck", "it has called itself under test for more than 10 minutes"
)
UNCONFIGURED: Final = Finding(
    "degraded",
    "unconfigured",
    "it is on the bridge, but in no [[smoke.alarm]] of gateway.toml: only a fire is told of it,"
    " without the name of the place",
)
SIREN_UNCONFIRMED: Final = Finding(
    "degraded",
    "siren-unconfirmed",
    "it was told to sound and has not said that it does: somebody may not have been woken",
)
FIRE_STUCK: Final = Finding(
    "degraded",
    "fire-stuck",
    "it has said fire for hours without any further sign: it sounds no other alarm any more",
)
_CONDITIONS: Final = (
    ("hardware_fault", Finding("degraded", "hardware-fault", "it reports a fault of its own")),
    (
        "end_of_service",
        Finding("degraded", "end-of-service", "it says that its service life ended"),
    ),
    ("tamper", Finding("degraded", "tampered", "it was taken off, or opened")),
    ("battery_alert", Finding("degraded", "battery-low", "its battery needs to be replaced")),
)
_LINK_LOST: Final = Finding("failed", "link-lost", "out of reach, or silent for too long")


def judge(
    known: Known | None,
    moment: float,
    *,
    bridge_online: bool | None,
    configured: bool = True,
    on_bridge: bool = True,
) -> Finding:
    """From what is known of an alarm, the worst first. ``moment`` is monotonic, seconds."""
    if bridge_online is False:
        return BRIDGE_OFFLINE
    if configured and not on_bridge:
        return NOT_ON_BRIDGE
    if known is None:
        return NOT_HEARD_YET if configured else UNCONFIGURED
    if "link_lost" in known.active:
        return _LINK_LOST
    unreadable = known.active.get("unreadable")
    if unreadable is not None:
        said = f"its fire key cannot be read ({unreadable.raw}): possibly a fire"
        return Finding("degraded", "fire-unreadable", said[:400])
    if not configured:
        return UNCONFIGURED
    if known.garbled:
        return GARBLED
    misread = _misread(known, moment)
    if not (known.heard and known.fire_said):
        unsaid = FIRE_UNSAID if known.heard and known.spoke else NOT_HEARD_YET
        return misread or unsaid
    found = next((found for name, found in _CONDITIONS if name in known.active), OK)
    if found == OK and self_test.is_stuck(known, moment):
        return TEST_STUCK
    return misread or OK if found == OK else found


def _misread(known: Known, moment: float) -> Finding | None:
    """Of a frame that is none of this model: after all that the alarm says of itself."""
    if known.misread is not None and moment - known.misread[1] < _MISREAD_S:
        return Finding("degraded", FrameMalformed.code, known.misread[0][:400])
    return None


def beside(finding: Finding, siren: str | None, *, only_sounds: bool) -> Finding:
    """The same with what ``Sounding.finding`` says of it as a siren; ``only_sounds``: it is a siren
    and no alarm, and need not speak of fire."""
    if siren == SIREN_UNCONFIRMED.code and finding != BRIDGE_OFFLINE:
        return SIREN_UNCONFIRMED
    if only_sounds and finding == FIRE_UNSAID:
        return OK
    well = finding == OK or finding.code == FrameMalformed.code
    return FIRE_STUCK if siren == FIRE_STUCK.code and well else finding


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

    def of_interest(self, now: datetime) -> list[str]:
        """Alarms that are not well, or became so lately: a cloud that was restored from a backup
        may think otherwise."""
        before_us = microseconds(now) - _LATELY_US
        return [
            device
            for device, told in self._told.items()
            if told.state != "ok" or told.since_us > before_us
        ]

    def forget_telling(self, device: str) -> None:
        """It is to be told again, with the time since when it is so."""
        if (told := self._told.get(device)) is not None:
            self._told[device] = told._replace(told_us=0)

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
