"""The camera of a place, or its two: opened, held, watched and asked together.

Each reads in a thread of its own, by its own clock and delay, into a ring of its own: one that
fails takes neither the other's pictures nor the sound.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from vigil_edge.noise.pictures.advice import how_to_align, name_of
from vigil_edge.noise.pictures.camera import Camera
from vigil_edge.noise.pictures.frame import Shots
from vigil_edge.noise.pictures.settings import CameraSettings
from vigil_schemas.evidence import CameraRole

CAMERA_GRACE_S: Final = 15
"""Without pictures, before it is told."""
UNSURE_S: Final = 0.5
"""A picture's moment that is known less well: so far behind each other vehicles follow in dense
traffic, so that others may be taken for the one."""
UNSURE_GRACE_S: Final = 60
"""It has to be so all that time before it is told: pictures are held up now and then."""
_NOT_ALIGNED: Final = "camera-not-aligned"
_LOST: Final[dict[CameraRole, str]] = {"overview": "camera-lost", "plate": "plate-camera-lost"}
_BOTH_LOST: Final = "cameras-lost"
_PREFIX: Final[dict[CameraRole, str]] = {"overview": "", "plate": "plate-"}
"""Of the counters."""


@dataclass(frozen=True, slots=True)
class CameraTrouble:
    """What the gateway's health says of cameras."""

    code: str
    message: str


@dataclass(slots=True)
class _Watched:
    camera: Camera
    fps: float
    settings: CameraSettings
    unsure_s: int = 0
    counted: dict[str, int] = field(default_factory=dict)
    down_s: int = 0


class Cameras:
    """``seconds``, ``now``: as of ``Camera``. ``count``: adds to a counter of the gateway's
    health."""

    def __init__(
        self,
        settings: Mapping[CameraRole, CameraSettings],
        seconds: float,
        now: Callable[[], datetime],
        count: Callable[[str, int], None],
    ) -> None:
        self._count = count
        self._watched: dict[CameraRole, _Watched] = {
            role: _Watched(Camera(each, seconds, now), each.fps, each)
            for role, each in settings.items()
        }

    def start(self) -> None:
        """Begin reading all of them."""
        for each in self._watched.values():
            each.camera.start()

    def stop(self) -> None:
        """As ``Camera.stop``, of all of them: asked first, and then waited for."""
        for each in self._watched.values():
            each.camera.ask_to_stop()
        for each in self._watched.values():
            each.camera.stop()

    def hold(self, since: datetime | None) -> None:
        """As ``Camera.hold``."""
        for each in self._watched.values():
            each.camera.hold(since)

    def between(self, start: datetime, end: datetime) -> dict[CameraRole, Shots]:
        """What each saw in a stretch of time; of one that delivered nothing no pictures."""
        return {
            role: Shots(each.camera.between(start, end), each.fps)
            for role, each in self._watched.items()
        }

    def watch(self) -> None:
        """Once a second: how long each has been down, and what became of its pictures."""
        for role, each in self._watched.items():
            each.down_s = each.down_s + 1 if each.camera.trouble else 0
            known = each.camera.known
            unsure = not each.camera.trouble and known is not None and known.within_s > UNSURE_S
            each.unsure_s = each.unsure_s + 1 if unsure else 0
            seen = each.camera.counters
            for name, value in (
                ("frames-dropped", seen.dropped),
                ("camera-reconnects", seen.reconnects),
                ("camera-clock-off", seen.clock_off),
            ):
                fresh = value - each.counted.get(name, 0)
                if fresh:
                    self._count(_PREFIX[role] + name, fresh)
                    each.counted[name] = value

    @property
    def trouble(self) -> CameraTrouble | None:
        """Of those that have delivered nothing for ``CAMERA_GRACE_S``; each is named where there
        are two."""
        lost = {
            role: said
            for role, each in self._watched.items()
            if each.down_s > CAMERA_GRACE_S and (said := each.camera.trouble) is not None
        }
        if not lost:
            return None
        code = _BOTH_LOST if len(lost) > 1 else _LOST[next(iter(lost))]
        if len(self._watched) == 1:
            return CameraTrouble(code, next(iter(lost.values())))
        named = "; ".join(f"{role} camera: {said}" for role, said in lost.items())
        return CameraTrouble(code, named)

    @property
    def unsure(self) -> CameraTrouble | None:
        """Of those whose pictures' moments have not been known well for ``UNSURE_GRACE_S``."""
        told = []
        for role, each in self._watched.items():
            known = each.camera.known
            if each.unsure_s <= UNSURE_GRACE_S or known is None:
                continue
            name = name_of(role, len(self._watched)).en
            mend = how_to_align(role, len(self._watched)).en
            if each.settings.delay_s is not None:
                mend = f"set its clock (NTP), or {mend}"
            told.append(
                f"{name}: its pictures may have been taken {known.earlier_s:.2f} s earlier or"
                f" {known.later_s:.2f} s later than is said; {mend}"
            )
        return CameraTrouble(_NOT_ALIGNED, "; ".join(told)) if told else None
