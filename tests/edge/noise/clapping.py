"""Recordings of claps and flashes whose truth is known, as ``noise align`` keeps them."""

from __future__ import annotations

import atexit
import functools
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

import cv2
import numpy as np

from vigil_edge.noise.align import recording
from vigil_edge.noise.align.command import Asked
from vigil_edge.noise.bearing.array import ArraySettings
from vigil_edge.noise.pictures.frame import Dated, Frame
from vigil_edge.noise.pictures.settings import ViewSettings
from vigil_sim.noise import clapper
from vigil_sim.noise.street import array_section, view_section
from vigil_sim.noise.vehicle import MICROPHONE_CENTRE, microphone_array
from vigil_sim.noise.view import View

RATE_HZ: Final = 48000
BEGAN_S: Final = 1_790_000_000.0
VIEW: Final = View(640, 360)
ROAD_Z: Final = 0.0
HEIGHT_M: Final = 1.5
PLACES: Final = (
    (9.0, 3.6, HEIGHT_M),
    (11.0, 2.6, HEIGHT_M),
    (10.0, 1.0, HEIGHT_M),
    (12.0, 0.2, HEIGHT_M),
    (9.5, 2.2, HEIGHT_M),
)
"""Spread over the picture."""


@dataclass(frozen=True, slots=True)
class Clapping:
    """What is so, and what a test wants to be found."""

    kind: Literal["clap", "flash"] = "flash"
    count: int = 12
    delay_s: float = 0.134
    fps: float = 10.0
    seed: int = 1
    jitter_s: float = 0.0
    even: bool = False
    noise_pa: float = 0.02
    dated: Dated = "arrival"
    places: Sequence[tuple[float, float, float]] = field(default=PLACES)

    def write(self, folder: Path) -> Path:
        """A recording of its own; what most tests ask for is drawn once by each process."""
        if self in (Clapping(), Clapping(places=PLACES[:1])):
            shutil.copytree(_drawn(self), folder, dirs_exist_ok=True)
            return folder
        return self._draw(folder)

    def _draw(self, folder: Path) -> Path:
        events = clapper.claps(self.count, self.places, self.kind, self.seed, even=self.even)
        seconds = events[-1].at_s + 4.0
        heard = clapper.sound(
            events, microphone_array(), seconds, RATE_HZ, self.seed, noise_pa=self.noise_pa
        )
        scene = clapper.Scene(VIEW, events, self.seed)
        shown = clapper.pictures(
            scene, seconds, self.fps, self.delay_s, self.seed, jitter_s=self.jitter_s
        )
        frames = [
            Frame(BEGAN_S + at, cv2.imencode(".jpg", grey)[1].tobytes(), self.dated)
            for at, grey in shown
        ]
        recording.write(folder, heard, RATE_HZ, BEGAN_S, frames, self.dated)
        return folder


@functools.cache
def _drawn(clapping: Clapping) -> Path:
    folder = Path(tempfile.mkdtemp(prefix="vigil-clapping-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return clapping._draw(folder)


def truth() -> ViewSettings:
    """As the camera really looks, in the coordinates of the array."""
    return ViewSettings.model_validate(view_section(VIEW))


def array() -> ArraySettings:
    return ArraySettings.model_validate(array_section())


def asked(**wrong: float) -> Asked:
    """With a view that is set wrongly."""
    return Asked(height_m=HEIGHT_M, array=array(), view=truth().model_copy(update=wrong))


def distance_m(place: tuple[float, float, float] = PLACES[0]) -> float:
    return float(np.linalg.norm(np.asarray(place) - MICROPHONE_CENTRE))
