"""How a siren behind Zigbee2MQTT is told to sound and to stop, and how it says that it does. Pure.

Source: zigbee2mqtt.io, "Exposes" and the converters of warning devices (IAS WD, ZCL 8.4: the
composite ``warning``) and of sirens with a switch or a list of their own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from vigil_edge.smoke import words
from vigil_edge.smoke.interlink import Sound
from vigil_edge.smoke.payload import Pairs
from vigil_edge.smoke.phrases import snake_case

DURATION_S: Final = 1800
_SET: Final = 2
"""Bit of ``access``: the property can be set by ``/set``."""
_WARNING: Final = "warning"
_MODES: Final[Mapping[Sound, tuple[str, ...]]] = {
    "fire": ("fire", "fire_panic", "emergency", "emergency_panic", "burglar"),
    "co": ("emergency", "emergency_panic", "police_panic", "burglar", "fire"),
}
"""The first that a siren has: carbon monoxide must not sound as a fire does."""
_LEVELS: Final = ("very_high", "high", "medium", "low")
_SWITCHES: Final[Mapping[Sound, tuple[str, ...]]] = {
    "fire": ("alarm_smoke", "siren", "alarm", "alarm_state", "siren_state", "alarm_burglar"),
    "co": ("alarm_co", "alarm_burglar", "siren", "alarm", "alarm_state", "siren_state"),
}
_STARTS: Final = (
    *("fire", "smoke", "fire_alarm", "alarm", "on", "start", "alarming", "sound", "both"),
    *("alarm_sound_light", "sound_light", "alarm_sound", "emergency", "high"),
)
_STOPS: Final = (
    *("stop", "off", "clear", "normal", "no_alarm", "idle", "none", "silent", "silence", "mute"),
)
_SOUNDING: Final = frozenset(
    (*_SWITCHES["fire"], *_SWITCHES["co"], "warning", "alarm_status", "siren_status")
)
_SIREN_STATES: Final = frozenset(("siren", "siren_state", "siren_status"))


class Siren(NamedTuple):
    """What one device takes: by sound what starts it, and what stops it."""

    start: Mapping[Sound, Mapping[str, Any]]
    stop: Mapping[str, Any]
    tells: bool
    """Whether it says itself that it sounds; one that cannot is believed once it is heard."""

    @property
    def keys(self) -> frozenset[str]:
        """By which it says what it was told: such a key is no detector's while it sounds."""
        orders = (*self.start.values(), self.stop)
        return _SIREN_STATES | {snake_case(key) for order in orders for key in order}

    def payload(self, sound: Sound | None) -> Mapping[str, Any]:
        """For the device's ``/set``."""
        return self.stop if sound is None else self.start[sound]


def _warning(modes: Sequence[str], levels: Sequence[str], features: Sequence[str]) -> Siren:
    def one(mode: str, level: str | None, duration: int) -> dict[str, Any]:
        given: dict[str, Any] = {"mode": mode}
        if level is not None:
            given["level"] = level
        if "strobe" in features:
            given["strobe"] = duration > 0
        if "duration" in features:
            given["duration"] = duration
        return {_WARNING: given}

    def mode(sound: Sound) -> str:
        return next((each for each in _MODES[sound] if each in modes), _MODES[sound][0])

    loud = next((each for each in _LEVELS if each in levels), None)
    return Siren(
        {sound: one(mode(sound), loud, DURATION_S) for sound in _MODES},
        one("stop", loud, 0),
        tells=False,
    )


UNLISTED: Final = _warning(_MODES["fire"], _LEVELS, ("strobe", "duration"))
"""Of a device that the bridge has not listed yet: the standard of warning devices."""


def of(exposes: Any) -> Siren | None:
    """From a definition's ``exposes``; ``None`` where it can be told nothing of the kind."""
    found = dict(_features(exposes, 0))
    warning = found.get(_WARNING)
    if warning is not None:
        inner = dict(_features(warning.get("features"), 0))
        modes, levels = _values(inner.get("mode")), _values(inner.get("level"))
        return _warning(modes, levels, list(inner))
    switches = {name: _switch(one) for name, one in found.items() if _settable(one)}
    start: dict[Sound, Mapping[str, Any]] = {}
    stop: dict[str, Any] = {}
    for sound, names in _SWITCHES.items():
        name = next((name for name in names if switches.get(name) is not None), None)
        if name is None:
            continue
        on, off = switches[name] or (None, None)
        start[sound] = {name: on}
        stop[name] = off
    if not start:
        return None
    first = next(iter(start.values()))
    return Siren({sound: start.get(sound, first) for sound in _SWITCHES}, stop, tells=True)


def _features(exposes: Any, depth: int) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for one in exposes if isinstance(exposes, list) else ():
        if not isinstance(one, dict):
            continue
        name = one.get("property", one.get("name"))
        if isinstance(name, str):
            yield snake_case(name), one
        if depth < 2 and name != _WARNING:
            yield from _features(one.get("features"), depth + 1)


def _settable(one: Mapping[str, Any]) -> bool:
    access = one.get("access")
    return isinstance(access, int) and bool(access & _SET)


def _values(one: Mapping[str, Any] | None) -> list[str]:
    values = one.get("values") if one is not None else None
    return [each for each in values if isinstance(each, str)] if isinstance(values, list) else []


def _switch(one: Mapping[str, Any]) -> tuple[Any, Any] | None:
    """What turns it on and off."""
    if one.get("type") == "binary" and "value_on" in one and "value_off" in one:
        return one["value_on"], one["value_off"]
    values = _values(one)
    by_word = {snake_case(each): each for each in values}
    on = next((by_word[each] for each in _STARTS if each in by_word), None)
    off = next((by_word[each] for each in _STOPS if each in by_word), None)
    return None if on is None or off is None else (on, off)


def sounds(pairs: Sequence[tuple[str, Any]]) -> bool | None:
    """Whether a message says that the device sounds; ``None``: it does not say."""
    said: list[bool] = []
    for key, value in pairs:
        if key not in _SOUNDING:
            continue
        if isinstance(value, Pairs):  # {"warning": {"mode": "fire"}}
            value = dict(value.pairs).get("mode")
        if isinstance(value, str) and words.as_number(value) is None:
            word = snake_case(value)
            said += [False] if word in _STOPS else [True] if word in _STARTS else []
            continue
        found = words.truth(value)
        said += [] if found is None else [found]
    return any(said) if said else None
