"""One picture of a camera, and what every kind of camera offers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal, Protocol

from vigil_edge.noise.pictures.moments import UNKNOWN, Known

MAX_FRAME_BYTES: Final = 4 * 1024 * 1024

Dated = Literal["camera", "sender", "aligned", "arrival"]
"""By what a picture's moment is known: the camera's own stamp, its RTCP sender reports, its arrival
less the delay that was measured, or its arrival alone."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture: seconds since 1970 (UTC), and the JPEG as it came."""

    time_s: float
    jpeg: bytes
    dated: Dated = "camera"
    clock_off: bool = False
    """The camera said a moment that cannot be: its clock is wrong, and its arrival counts."""
    offset_s: float | None = None
    """Its arrival less the moment that its camera told, where it told one."""
    known: Known = UNKNOWN
    """How well ``time_s`` is known."""


@dataclass(frozen=True, slots=True)
class Shots:
    """What one camera saw of a passage."""

    pictures: list[Frame]
    fps: float
    """At most so many were kept a second."""


class FrameSource(Protocol):
    """One connection to a camera; ended by an exception or by running out."""

    def frames(self, wanted: Callable[[], bool]) -> Iterator[Frame | None]:
        """Frames with their own time stamp (0: none), or an arrival that a stall does not move
        (``dated``: ``arrival``); None for one that could not be read.

        ``wanted`` says whether the rate limit would let a frame in now: a source that
        has to compress frames itself may skip the others.
        """


def as_jpeg(payload: Any) -> bytes | None:
    """The payload if it looks like one whole JPEG, else None."""
    data = bytes(payload)
    whole = data[:2] == b"\xff\xd8" and data.rstrip(b"\r\n\0")[-2:] == b"\xff\xd9"
    return data if whole else None
