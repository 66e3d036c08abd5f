"""Which sirens sound while something burns: one alarm sounds its group, with no cloud. Pure.

A group is ``at-once`` (a dwelling: any alarm of it sounds all of it) or ``confirmed`` (a building:
two alarms of it, or heat beside smoke). Carbon monoxide and gas have a sound of their own, and
nobody can hush them. A hush lasts ten minutes, is refused while a fire grows, and ends when one
begins to: the alarm that it began at is never silenced then. An alarm that has said fire for hours
without growing, or for a day as it grows, is stuck: it sounds nothing any more, and confirms
nothing.

Times are monotonic seconds of this run.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from math import inf
from typing import Final, Literal, NamedTuple

Sound = Literal["fire", "co"]

HUSH_S: Final = 600.0
STUCK_S: Final = 4 * 3600.0
GROWING_STUCK_S: Final = 24 * 3600.0
"""An alarm that says that it grows, and says nothing more for a day, is stuck as well."""
AGAIN_S: Final = 3.0
"""An order that nobody confirmed is given again after this,"""
TIMES: Final = 3
"""so often at that pace, and then each"""
LATER_S: Final = 30.0
STOPS: Final = 23
"""An order to stop is given so often, for ten minutes: a bridge that restarts hears the last."""
SHOWN_S: Final = 6.0
"""A siren that has not confirmed is shown then: within 10 s, with what a look may take."""
REFRESH_S: Final = 170.0
"""However long they are told to sound, warning devices end by themselves after their own
``MaxDuration``, which is 240 s unless it was set otherwise (ZCL 8.4.2.2.1), and sirens with a
switch after a ``duration`` of mostly 180 s; many say nothing of it."""
_POISON: Final = frozenset(("co", "gas"))
_CONFIRMS: Final = 2


class Burning(NamedTuple):
    """What one alarm says now."""

    kinds: frozenset[str]
    growing: bool
    """It has heat beside smoke, or smoke that rises."""
    since: float


class Order(NamedTuple):
    """What to tell one siren; ``None``: to stop."""

    device: str
    sound: Sound | None


class HushRefused(Exception):
    """``reason``: ``carbon-monoxide``, ``growing`` or ``nothing-sounds``."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(slots=True)
class _Group:
    members: tuple[str, ...]
    confirmed: bool
    burning: dict[str, Burning] = field(default_factory=dict)
    hushed_until: float | None = None
    sound: Sound | None = None


@dataclass(slots=True)
class _Siren:
    told: Sound | None
    """What it was told last."""
    first: float
    at: float
    times: int = 1
    confirmed: bool = False
    failed: bool = False


class Interlink:
    """The groups behind one bridge. ``groups`` names each device's; ``confirmed`` are the groups
    that sound on confirmation."""

    def __init__(
        self,
        groups: Mapping[str, Collection[str]],
        confirmed: Collection[str] = (),
        state: bytes | None = None,
    ) -> None:
        self._of = {device: tuple(names) for device, names in groups.items() if names}
        names = dict.fromkeys(name for found in self._of.values() for name in found)
        self._groups = {
            name: _Group(
                tuple(device for device, found in self._of.items() if name in found),
                name in confirmed,
            )
            for name in names
        }
        self._sirens: dict[str, _Siren] = {}
        self._look: set[str] = set()
        """Devices whose sound may have changed."""
        self._repeat_at: float | None = None
        for device, sound in (json.loads(state) if state else {}).items():
            if device in self._of:
                # Whatever it was told before, it is told anew: what must sound, or to stop.
                self._sirens[device] = _Siren(sound, 0.0, 0.0, times=0)
                self._look.add(device)

    def state(self) -> bytes:
        """For the constructor of another run."""
        told = {device: one.told for device, one in self._sirens.items()}
        return json.dumps(told, separators=(",", ":")).encode()

    # -- what is heard

    def burns(self, device: str, burning: Burning | None, moment: float) -> None:
        """What an alarm says now; ``None``: nothing burns there."""
        for name in self._of.get(device, ()):
            group = self._groups[name]
            before = group.burning.get(device)
            if burning is None:
                group.burning.pop(device, None)
            else:
                group.burning[device] = burning
                if before is None or (burning.growing and not before.growing):
                    group.hushed_until = None  # more burns than when it was hushed
            self._follow(group, moment)

    def heard(self, device: str, sounds: bool) -> None:
        """A siren says whether it sounds."""
        siren = self._sirens.get(device)
        if siren is None:
            return
        if sounds is (siren.told is not None):
            self._confirm(device, siren)
        else:
            siren.confirmed = False
            self._repeat_at = self._next()

    def believe(self, device: str) -> None:
        """A siren that cannot say whether it sounds was heard at all since it was told."""
        siren = self._sirens.get(device)
        if siren is not None and siren.times:
            self._confirm(device, siren)

    def _confirm(self, device: str, siren: _Siren) -> None:
        siren.confirmed, siren.failed = True, False
        if siren.told is None:
            del self._sirens[device]

    def is_told(self, device: str) -> bool:
        """Whether it sounds at our word, or has not confirmed yet that it stopped."""
        return device in self._sirens

    def failed(self, device: str) -> None:
        """The bridge says that it could not tell a siren."""
        siren = self._sirens.get(device)
        if siren is not None and not siren.confirmed:
            siren.failed = True

    def again(self) -> None:
        """The connection is new: nobody knows what was heard over the old one."""
        for device, siren in self._sirens.items():
            siren.times, siren.confirmed = 0, False
            self._look.add(device)

    def hush(self, device: str, moment: float) -> None:
        """Silence what an alarm's groups sound. Raises ``HushRefused``."""
        groups = [self._groups[name] for name in self._of.get(device, ())]
        sounding = [group for group in groups if self._sound(group, moment) is not None]
        if not sounding:
            raise HushRefused("nothing-sounds")
        for group in sounding:
            if any(one.kinds & _POISON for one in group.burning.values()):
                raise HushRefused("carbon-monoxide")
            if self._grows(group, moment):
                raise HushRefused("growing")
        for group in sounding:
            group.hushed_until = moment + HUSH_S
            self._follow(group, moment)

    # -- what follows

    def orders(self, moment: float) -> list[Order]:
        """What to tell which siren now, each once."""
        for group in self._groups.values():
            if group.burning or group.hushed_until is not None:
                self._follow(group, moment)
        look, self._look = self._look, set()
        found = list(self._changed(look, moment))
        if self._repeat_at is not None and moment >= self._repeat_at:
            found += self._repeated({order.device for order in found}, moment)
            self._repeat_at = self._next()
        elif found:
            self._repeat_at = min(self._repeat_at or inf, moment + AGAIN_S)
        return found

    def unconfirmed(self, device: str, moment: float) -> bool:
        """Whether it was told to sound, and nobody knows that it does."""
        siren = self._sirens.get(device)
        if siren is None or siren.told is None or siren.confirmed or not siren.times:
            return False
        return siren.failed or moment - siren.first >= SHOWN_S

    def stuck(self, device: str, moment: float) -> bool:
        """Whether it has said fire for too long to be believed without a further sign."""
        return any(
            _is_stuck(self._groups[name].burning.get(device), moment)
            for name in self._of.get(device, ())
        )

    def due(self) -> float | None:
        """When ``orders`` or ``unconfirmed`` may say something new by themselves."""
        return self._repeat_at

    def _next(self) -> float | None:
        return min((one.at + _pause(one) for one in self._sirens.values()), default=None)

    def _changed(self, devices: Collection[str], moment: float) -> Iterator[Order]:
        for device in devices:
            wanted = self._wanted(device)
            siren = self._sirens.get(device)
            if siren is None and wanted is None:
                continue
            if siren is None or siren.told != wanted or not siren.times:
                self._sirens[device] = _Siren(wanted, moment, moment)
                yield Order(device, wanted)

    def _repeated(self, told: Collection[str], moment: float) -> Iterator[Order]:
        for device, siren in list(self._sirens.items()):
            if device in told:
                continue
            if siren.told is None and siren.times >= STOPS:
                del self._sirens[device]
                continue
            if moment - siren.at >= _pause(siren):
                siren.at, siren.times = moment, siren.times + 1
                yield Order(device, siren.told)

    def _wanted(self, device: str) -> Sound | None:
        sounds = {self._groups[name].sound for name in self._of[device]}
        return "fire" if "fire" in sounds else "co" if "co" in sounds else None

    def _follow(self, group: _Group, moment: float) -> None:
        sound = self._sound(group, moment)
        if sound is None and not group.burning:
            group.hushed_until = None
        if sound != group.sound:
            group.sound = sound
            self._look.update(group.members)

    def _sound(self, group: _Group, moment: float) -> Sound | None:
        burning = [one for one in group.burning.values() if not _is_stuck(one, moment)]
        certain = len(burning) >= _CONFIRMS or any(one.growing for one in burning)
        if not burning or (group.confirmed and not certain):
            return None
        kinds = frozenset().union(*(one.kinds for one in burning))
        if group.hushed_until is not None and moment < group.hushed_until and not kinds & _POISON:
            return None
        return "fire" if kinds - _POISON else "co"

    def _grows(self, group: _Group, moment: float) -> bool:
        burning = [one for one in group.burning.values() if not _is_stuck(one, moment)]
        return len(burning) >= _CONFIRMS or any(one.growing for one in burning)


def _pause(siren: _Siren) -> float:
    """Until it is told again."""
    if siren.confirmed and siren.told is not None:
        return REFRESH_S
    return AGAIN_S if siren.times < TIMES else LATER_S


def _is_stuck(burning: Burning | None, moment: float) -> bool:
    if burning is None:
        return False
    longest = GROWING_STUCK_S if burning.growing else STUCK_S
    return moment - burning.since >= longest
