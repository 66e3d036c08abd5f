"""Recordings of claps and flashes whose truth is known, as ``noise align`` keeps them."""

from __future__ import annotations

import atexit
import functools
import json
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

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
    offset_s: float | None = None
    """Of a camera that dates its pictures, until they arrive."""
    places: Sequence[tuple[float, float, float]] = field(default=PLACES)
    jitter_seed: int = 1

    def write(self, folder: Path) -> Path:
        """A recording of its own. Pictures and sound are drawn once by each process, whatever dates
        the camera gives them."""
        plain = Clapping(
            self.kind, self.count, 0.0, self.fps, self.seed, 0.0, self.even, self.noise_pa
        )
        drawn = _drawn(replace(plain, places=self.places))
        shutil.copytree(drawn.folder, folder, dirs_exist_ok=True)
        rng = np.random.default_rng(self.jitter_seed)
        late_s = self.delay_s + rng.uniform(-self.jitter_s, self.jitter_s, len(drawn.taken_s))
        dated = (BEGAN_S + np.array(drawn.taken_s) + late_s).tolist()
        names = [f"{number:05d}.jpg" for number in range(len(dated))]
        listed = {"frames": list(zip(names, dated, strict=True))}
        (folder / "frames.json").write_text(json.dumps(listed))
        told = {"sound_started_s": BEGAN_S, "dated": self.dated, "offset_s": self.offset_s}
        (folder / "align.json").write_text(json.dumps(told))
        return folder

    def sound(self) -> NDArray[np.float32]:
        """What is to be heard, pascal, (samples, microphones)."""
        events = self._events
        seconds = events[-1].at_s + 4.0
        return clapper.sound(
            events, microphone_array(), seconds, RATE_HZ, self.seed, noise_pa=self.noise_pa
        )

    def draw(self, folder: Path) -> list[float]:
        """As ``write``, but drawn; returns when each picture was taken, from the beginning."""
        events = self._events
        scene = clapper.Scene(VIEW, events, self.seed)
        shown = clapper.pictures(scene, events[-1].at_s + 4.0, self.fps, 0.0, self.seed)
        frames = [
            Frame(BEGAN_S + at, cv2.imencode(".jpg", grey)[1].tobytes(), self.dated)
            for at, grey in shown
        ]
        recording.write(folder, self.sound(), RATE_HZ, BEGAN_S, frames, self.dated)
        return [at for at, _ in shown]

    @property
    def _events(self) -> list[clapper.Clap]:
        return clapper.claps(self.count, self.places, self.kind, self.seed, even=self.even)


@dataclass(frozen=True, slots=True)
class _Drawn:
    folder: Path
    taken_s: list[float]


@functools.cache
def _drawn(clapping: Clapping) -> _Drawn:
    folder = Path(tempfile.mkdtemp(prefix="vigil-clapping-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return _Drawn(folder, clapping.draw(folder))


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
