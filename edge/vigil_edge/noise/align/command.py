"""``vigil-edge noise align``: what claps or flashes say of a camera, as lines of its settings."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from vigil_edge.noise.align import delay, looking, onsets, sight
from vigil_edge.noise.align.delay import CannotTell, Delay
from vigil_edge.noise.align.looking import Looked
from vigil_edge.noise.align.recording import NotAligned, Recording
from vigil_edge.noise.bearing.array import ArraySettings
from vigil_edge.noise.bearing.command import listen_to
from vigil_edge.noise.bearing.estimate import Bearing
from vigil_edge.noise.pictures.settings import ViewSettings
from vigil_edge.noise.pictures.view import View
from vigil_edge.noise.sound.pcm import channel_units
from vigil_schemas.evidence import CameraRole

Array = npt.NDArray[np.float64]
SECTIONS: Final[dict[CameraRole, str]] = {
    "overview": "noise.camera",
    "plate": "noise.plate_camera",
}
"""Of ``gateway.toml``."""
SPEED_OF_SOUND: Final = 343.0
PRECISE_S: Final = 0.010
"""A measured delay that is no more certain than this is told with advice."""
OWN_CLOCK_S: Final = 0.040
"""What a camera that dates its pictures itself may be off by before it is told."""
LEAST_WITHIN_S: Final = 0.03
"""A delay is told to be known no better than this (k = 2): how long the least delayed pictures are
on their way changes with the load of camera and network."""
_NEAR_S: Final = 0.1
"""Of a bearing from its clap."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What is known beforehand."""

    channel: int = 0
    distance_m: float | None = None
    """From the events to the microphone, where it is the same of all and known."""
    height_m: float = 1.5
    """Of the events above the road."""
    array: ArraySettings | None = None
    view: ViewSettings | None = None


@dataclass(frozen=True, slots=True)
class Aligned:
    """What was found."""

    delay: Delay
    heard: int
    travel_s: float
    """Of the sound, median: taken off."""
    looked: Looked | None
    why_not_looked: str | None


def align(recording: Recording, asked: Asked) -> Aligned:
    """Raises ``NotAligned`` with what is missing, and what the array raises."""
    units = np.concatenate(
        [
            channel_units(frames, asked.channel)
            for frames in recording.sound.blocks(recording.sound.format.rate_hz)
        ]
    )
    heard = onsets.onsets(np.asarray(units, np.float64), recording.sound.format.rate_hz)
    pictures_s = np.asarray(recording.pictures_s) - recording.sound_started_s
    kind, seen = _seen(recording, pictures_s)
    travel = np.full(len(heard), _fixed_travel(asked))
    try:
        found = delay.agreed(heard - travel, seen, pictures_s, kind)
        # Where the events stood is known once they are paired: then their sound's way is, too.
        pixels = _pixels(found, len(heard), recording)
        own = _travel(pixels, recording, asked)
        if own is not None:
            travel = np.where(np.isfinite(own), own, np.nanmedian(own))
            found = delay.agreed(heard - travel, seen, pictures_s, kind)
            pixels = _pixels(found, len(heard), recording)
    except CannotTell as error:
        raise NotAligned(str(error)) from error
    looked, why = _looked(pixels, heard, recording, asked)
    return Aligned(found, len(heard), float(np.median(travel)), looked, why)


def _fixed_travel(asked: Asked) -> float:
    speed = asked.array.speed_of_sound if asked.array is not None else SPEED_OF_SOUND
    return (asked.distance_m or 0.0) / speed


def _seen(recording: Recording, pictures_s: Array) -> tuple[delay.Kind, list[sight.Seen]]:
    """Flashes where there are enough of them, and else claps."""
    flashes = sight.flashes(recording.pictures)
    if len(flashes) >= delay.LEAST["flash"]:
        return "flash", flashes
    return "clap", sight.stops(recording.pictures, pictures_s)


def _pixels(found: Delay, count: int, recording: Recording) -> Array:
    """Where each event is in the pictures as they came, (count, 2); NaN where it was not seen."""
    scale = recording.size[0] / recording.pictures[0].shape[1]
    pixels = np.full((count, 2), np.nan)
    for event, seen in found.pairs:
        pixels[event] = seen.x, seen.y
    return np.asarray((pixels + 0.5) * scale)


def _travel(pixels: Array, recording: Recording, asked: Asked) -> Array | None:
    """Seconds that each event's sound was on its way, where the view tells; ``None`` else."""
    if asked.view is None or asked.array is None or asked.distance_m is not None:
        return None
    view = View(asked.view, *recording.size)
    origin = np.asarray(asked.array.positions, np.float64).mean(axis=0)
    points = looking.places(view, pixels, asked.height_m)
    away = np.linalg.norm(points - origin, axis=1)
    return None if np.isnan(away).all() else away / asked.array.speed_of_sound


def _looked(
    pixels: Array, heard: Array, recording: Recording, asked: Asked
) -> tuple[Looked | None, str | None]:
    if asked.array is None:
        return None, "no [noise.array] is given: bearings are not told"
    if asked.view is None:
        return None, "no view is given: its position and road_z have to be measured"
    channels = asked.array.of_channels
    bearings = list(listen_to(recording.sound, asked.array, channels).bearings)
    azimuths = np.array([_bearing_at(at, bearings) for at in heard])
    origin = np.asarray(asked.array.positions, np.float64).mean(axis=0)
    view = View(asked.view, *recording.size)
    looked = looking.look(view, pixels, azimuths, origin, asked.height_m)
    if looked is None:
        told = int(np.isfinite(azimuths).sum())
        return None, (
            f"{told} of {len(heard)} events have a bearing, and fewer than {looking.LEAST} agree"
            f" with the pictures within {looking.MOST_DEG:g}°"
        )
    return looked, None


def _bearing_at(moment: float, bearings: list[Bearing]) -> float:
    near = [one for one in bearings if abs(one.t - moment) <= _NEAR_S and one.azimuth is not None]
    best = max(near, key=lambda one: one.confidence, default=None)
    return np.nan if best is None or best.azimuth is None else best.azimuth


def lines(
    found: Aligned,
    dated: str,
    section: str = SECTIONS["overview"],
    offset_s: float | None = None,
) -> Iterator[str]:
    """Lines of ``gateway.toml``, for this section; what is only told stands behind ``#``.
    ``dated``, ``offset_s``: as of ``Recording``."""
    measured, words = found.delay, {"flash": "flashes", "clap": "claps"}[found.delay.seen]
    yield (
        f"# {measured.events} of {found.heard} {words} agree: {measured.seconds:+.4f} s"
        f" ± {measured.uncertainty_s:.4f} s (standard uncertainty);"
        f" {found.travel_s * 1000:.1f} ms of the sound's way are taken off"
    )
    if measured.uncertainty_s > PRECISE_S:
        yield "# That is not precise: more of them, at uneven intervals, narrow it down."
    yield f"[{section}]"
    yield from _delay_lines(measured, dated, offset_s)
    if found.looked is None:
        yield f"# [{section}.view] stays as it is: {found.why_not_looked}."
        return
    looked = found.looked
    yield (
        f"# {looked.events} events, {looked.residual_deg:.2f}° between bearings and pictures"
        " (root mean square)"
    )
    yield f"[{section}.view]"
    x, y, z = looked.view.position
    yield f"position = [{x}, {y}, {z}]"
    yield f"azimuth = {looked.view.azimuth:.2f}"
    yield f"pitch = {looked.view.pitch} # as it was: bearings do not tell it"
    told = "" if looked.field_told else " # as it was: the events stood too near to each other"
    yield f"field = {looked.view.field:.2f}{told}"
    yield f"road_z = {looked.view.road_z}"


def _delay_lines(measured: Delay, dated: str, offset_s: float | None) -> Iterator[str]:
    late_s = measured.seconds
    if dated in ("camera", "sender"):
        if abs(late_s) > OWN_CLOCK_S:
            yield f"# Its clock is off by {late_s:+.3f} s: set it (NTP), then align again."
        if offset_s is None:
            yield "# The camera dates its pictures itself; how late they come was not kept."
            return
        late_s += offset_s
    if late_s < -2 * measured.uncertainty_s - 0.005:
        yield f"# Pictures came {-late_s:.3f} s before they were taken: is the distance right?"
        return
    if dated in ("camera", "sender"):
        yield "# The camera dates its pictures itself: by these lines its clock is watched."
    yield f"delay_s = {min(5.0, max(0.0, late_s)):.4f}"
    yield f"delay_within_s = {min(1.0, max(LEAST_WITHIN_S, 2.0 * measured.uncertainty_s)):.3f}"
