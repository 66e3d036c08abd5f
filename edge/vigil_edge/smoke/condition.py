"""One alarm's conditions: what is known of it, what is told of it, and how it is kept.

Terms follow Matter's Smoke CO Alarm cluster (0x005C).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID, uuid5

from vigil_edge.smoke import supervision
from vigil_edge.smoke.battery import Track
from vigil_edge.smoke.supervision import Rhythm
from vigil_edge.smoke.warming import Warming
from vigil_edge.smoke.words import KINDS, Kind
from vigil_schemas.senml import instant
from vigil_schemas.smoke import SmokeAlarm, SmokeCondition

NAMESPACE: Final = UUID("2a3b7c1e-8c55-5b0d-9d52-7a4de1d6a9c3")
FIRES: Final[frozenset[SmokeCondition]] = frozenset(KINDS)
URGENT: Final = FIRES | {"unreadable", "test"}
"""Conditions that go before everything else."""
_TRACES: Final = 8


@dataclass(slots=True)
class Active:
    """A condition that is active."""

    began_us: int
    """As stated by the device where it is believable, microseconds since 1970."""
    moment: float
    """When it was taken, monotonic seconds of this run."""
    unconfirmed_us: int | None = None
    during_test: bool = False
    density: float | None = None
    """The smoke that a further rise is measured against: as it was told last (``rising``)."""
    rises: int = 0
    """How many were told."""
    signs: list[str] = field(default_factory=list)
    raw: str | None = None
    densest: float | None = None
    """The most that was told."""
    again: int = 0
    """How many of the rises went beyond nothing that was told before."""
    least: float | None = None
    """Since it was told last."""

    @property
    def told_as_fire(self) -> bool:
        """Whether it is neither an old report nor a test."""
        return self.unconfirmed_us is None and not self.during_test


@dataclass(slots=True)
class Known:
    """What is known of one alarm; times in microseconds since 1970."""

    active: dict[SmokeCondition, Active] = field(default_factory=dict)
    heard_us: int = 0
    """When it was last heard, or its silence began to count."""
    heard: bool = False
    """Whether it ever spoke, or Zigbee2MQTT vouched for it."""
    spoke: bool = False
    """Whether it was heard itself, and not Zigbee2MQTT about it."""
    fire_said: bool = False
    """Whether it ever said its fire key so that it can be read."""
    newest_us: int | None = None
    """The latest ``last_seen`` that was taken: by the bridge's clock."""
    begun: list[str] = field(default_factory=list)
    """The newest beginnings, as ``condition/microseconds``: two of one moment are two."""
    traces: list[str] = field(default_factory=list)
    """Digests of old messages without ``last_seen`` that said fire."""
    test_over: float | None = None
    """When the last self test ended, monotonic seconds of this run."""
    test_asked: float | None = None
    """When it was asked for a self test from here, monotonic seconds of this run; not kept: after
    a restart smoke is smoke."""
    lost_by_silence: bool = False
    measured: set[Kind] = field(default_factory=set)
    """Kinds of which a bare number is a concentration."""
    clear_density: float = 0.0
    battery: float | None = None
    battery_track: Track = field(default_factory=list)
    rhythm: Rhythm = field(default_factory=Rhythm)
    """How often it speaks when nothing happens."""
    warming: Warming = field(default_factory=Warming)
    link: int | None = None
    density: float | None = None
    garbled: bool = False
    """Its last message could not be read at all."""
    misread: tuple[str, float] | None = None
    """What was wrong with the last frame that is none of this model, and when it came, monotonic
    seconds of this run."""
    live: bool = False
    """Whether its last message tells how things stand, and not how they stood."""

    def begin(self, condition: SmokeCondition, active: Active) -> None:
        """It is active from now on, under an id that it alone has."""
        while f"{condition}/{active.began_us}" in self.begun:
            active.began_us += 1
        self.begun = [*self.begun[1 - _TRACES :], f"{condition}/{active.began_us}"]
        self.active[condition] = active

    def remember(self, trace: str) -> None:
        """Keep a digest, the newest few of them."""
        if trace not in self.traces:
            self.traces = [*self.traces[1 - _TRACES :], trace]


def told(device: str, condition: SmokeCondition, known: Known, active: Active) -> SmokeAlarm:
    """That it is active, with everything that is known of it by now."""
    unconfirmed_us = active.unconfirmed_us
    return SmokeAlarm(
        alarm_id=alarm_id(device, condition, active),
        condition=condition,
        active=True,
        since=instant(active.began_us),
        during_test=active.during_test,
        unconfirmed_since=None if unconfirmed_us is None else instant(unconfirmed_us),
        signs=list(active.signs),
        smoke_density=known.density if condition in FIRES else None,
        rises=active.rises or None,
        raw=active.raw,
        battery_percent=known.battery,
        link_quality=known.link,
    )


def told_last(device: str, condition: SmokeCondition, known: Known, active: Active) -> SmokeAlarm:
    """The same once more, under the id under which it was told last."""
    now = told(device, condition, known, active)
    risen = "density" in active.signs and active.density is not None
    return now.model_copy(update={"smoke_density": active.density}) if risen else now


def ended(
    device: str, condition: SmokeCondition, known: Known, active: Active, time: datetime
) -> SmokeAlarm:
    """That it is over; never before it began."""
    return SmokeAlarm(
        alarm_id=alarm_id(device, condition, active),
        condition=condition,
        active=False,
        since=max(time, instant(active.began_us)),
        battery_percent=known.battery,
        link_quality=known.link,
    )


def alarm_id(device: str, condition: str, active: Active) -> str:
    """The same for everything that is told of one condition from its beginning to its end."""
    return str(uuid5(NAMESPACE, f"{device}/{condition}/{active.began_us}"))


def event_id(alarm: SmokeAlarm) -> str:
    """The id of the message that carries it: the same however often it is derived.

    It differs as soon as what is told differs in more than figures.
    """
    said = f"{alarm.alarm_id}/{alarm.active}"
    if alarm.during_test:
        said += "/test"
    if alarm.unconfirmed_since is not None:
        said += "/unconfirmed"
    if alarm.signs:
        said += "/" + "+".join(alarm.signs)
    if "density" in alarm.signs:
        said += f"/{alarm.smoke_density}"
    if alarm.rises is not None:
        said += f"/{alarm.rises}"
    return str(uuid5(NAMESPACE, said))


_SAME: Final = (
    *("heard_us", "heard", "spoke", "fire_said", "newest_us", "traces", "begun"),
    *("lost_by_silence", "clear_density", "battery"),
)
"""Kept as they are, where they are not what a new alarm has."""


def kept(known: Known, moment: float) -> dict[str, Any]:
    """As JSON; moments become ages, which mean something in another run too."""
    found: dict[str, Any] = {
        "active": {
            condition: [
                *(active.began_us, moment - active.moment, active.unconfirmed_us),
                *(active.during_test, active.density, active.rises, active.signs, active.raw),
            ]
            for condition, active in known.active.items()
        },
        "risen": {
            condition: [active.densest, active.again, active.least]
            for condition, active in known.active.items()
            if active.densest is not None
        },
        "measured": sorted(known.measured),
        "battery_track": known.battery_track,
        **{name: getattr(known, name) for name in _SAME},
    }
    found = {name: value for name, value in found.items() if value}
    if known.test_over is not None:
        found["test_over"] = moment - known.test_over
    if rhythm := known.rhythm.kept():
        found["rhythm"] = rhythm
    return found


def restored(state: Mapping[str, Any], moment: float) -> Known:
    """From what ``kept`` gave; ``moment`` is when it was, in this run's monotonic seconds."""
    active = {
        condition: Active(began_us, moment - age, *rest)
        for condition, (began_us, age, *rest) in state.get("active", {}).items()
    }
    for condition, told_of in state.get("risen", {}).items():
        active[condition].densest, active[condition].again, active[condition].least = told_of
    over = state.get("test_over")
    track: Track = [(at_us, percent) for at_us, percent in state.get("battery_track", ())]
    return Known(
        active=active,
        test_over=None if over is None else moment - over,
        measured=set(state.get("measured", ())),
        battery_track=track,
        rhythm=supervision.restored(state.get("rhythm", ())),
        **{name: state[name] for name in _SAME if name in state},
    )


def of_first_release(entry: list[Any], now_us: int, moment: float) -> tuple[str, Known]:
    """As 0.1 kept it: ``[device, {condition: began_us}, heard_us, battery, heard]``.

    How long a condition lasts follows from the wall clock, that a stuck test hides no fire.
    """
    device, active, heard_us, battery, *heard = entry
    return device, Known(
        active={
            condition: Active(began_us, moment - max(now_us - began_us, 0) / 1e6)
            for condition, began_us in active.items()
        },
        heard_us=heard_us,
        heard=bool(heard and heard[0]),
        battery=battery,
    )
