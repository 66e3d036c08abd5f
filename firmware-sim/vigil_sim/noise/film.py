"""What the camera sees at any moment: the still street, and the vehicles on it.

While nothing moves, one picture a second is encoded (for the clock in it) and
served again and again.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone

import cv2
import numpy as np
from numpy.typing import NDArray

from vigil_sim.noise.car import SEDAN, VAN, Placed, draw_car, paste
from vigil_sim.noise.glow import beam, glow, shadow
from vigil_sim.noise.scenery import street
from vigil_sim.noise.scooter import HEIGHT_M, TAIL_Z, WIDTH_M, scooter
from vigil_sim.noise.surfaces import lamp_light
from vigil_sim.noise.vehicle import Motion, VehicleKind
from vigil_sim.noise.view import View

_TAIPEI = timezone(timedelta(hours=8))
_QUALITY = 82
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_VISIBLE_M = (-6.0, 150.0)
_COLOURS: dict[VehicleKind, tuple[int, int, int]] = {
    "scooter": (196, 24, 32),
    "car": (206, 210, 214),
    "taxi": (236, 186, 20),
    "van": (120, 132, 150),
}


@dataclass(frozen=True, slots=True)
class Shot:
    """One vehicle's passage before the camera."""

    kind: VehicleKind
    motion: Motion
    plate: str
    nearest_at: float
    """The street's second at which it is nearest to the microphones."""
    colour: tuple[int, int, int] | None = None
    """Red, green, blue."""

    def x(self, t: float) -> float:
        """Where its rear is along the road at the street's time ``t``."""
        return self.motion.x(t - self.nearest_at)


class Film:
    """Pictures of one street. Safe to ask from several threads."""

    def __init__(self, view: View, seed: int, label: str) -> None:
        """``label`` is written into the picture with the time; empty: nothing is written."""
        self.view = view
        self._still = street(view, seed)
        self._label = label.upper()
        self._shots: list[Shot] = []
        self._resting: tuple[int, bytes] = (-1, b"")
        self._lock = threading.Lock()

    def add(self, shot: Shot) -> None:
        """Let a vehicle pass."""
        self._shots = [*self._shots, shot]

    def moving(self, t: float) -> bool:
        """Whether a vehicle is in sight."""
        return any(_VISIBLE_M[0] < shot.x(t) < _VISIBLE_M[1] for shot in self._shots)

    def jpeg(self, t: float, unix: float) -> bytes:
        """The picture at the street's time ``t``, with the time of day (``unix``) written in it."""
        if self.moving(t):
            return _encode(self._stamped(self.picture(t), unix))
        second = int(unix) if self._label else 0
        with self._lock:
            if self._resting[0] != second:
                self._resting = (second, _encode(self._stamped(self._still.copy(), unix)))
            return self._resting[1]

    def picture(self, t: float) -> NDArray[np.uint8]:
        """The picture without writing, (height, width, 3) uint8, blue-green-red."""
        image = self._still.copy()
        seen = [shot for shot in self._shots if _VISIBLE_M[0] < shot.x(t) < _VISIBLE_M[1]]
        for shot in sorted(seen, key=lambda each: -each.x(t)):
            self._draw(image, shot, shot.x(t))
        return image

    def _draw(self, image: NDArray[np.uint8], shot: Shot, x: float) -> None:
        away = shot.motion.velocity[0] > 0
        heading = 1 if away else -1
        y = shot.motion.nearest[1]
        rgb = shot.colour or _COLOURS[shot.kind]
        colour = (rgb[2], rgb[1], rgb[0])
        here = lamp_light(np.array([x]), np.array([y]), 1.0)[0]
        light = float(np.clip(0.42 + 0.42 * here, 0.42, 1.0))
        haze = float(np.exp(-max(x, 0.0) / 260.0))
        if shot.kind == "scooter":
            self._scooter(image, shot, x, y, colour, light, away)
            return
        body = VAN if shot.kind == "van" else SEDAN
        shadow(image, self.view, x + heading * body.length / 2, y, body.length / 2 + 0.2, 1.0)
        beam(image, self.view, x + heading * body.length, y, heading, strength=0.75)
        paint = (colour[0] * haze, colour[1] * haze, colour[2] * haze)
        taxi = shot.kind == "taxi"
        car = Placed(body, x, y, heading, paint, shot.plate, light, taxi)
        draw_car(image, self.view, car)
        for side in (-1, 1):
            z = body.lamp_z[0 if away else 1]
            at = car.point(0.0 if away else body.length, side * (body.half_width - 0.2), z)
            if away:
                glow(image, self.view, at, 0.55, (30, 26, 150))
            else:
                glow(image, self.view, at, 1.6, (225, 238, 245))
                glow(image, self.view, at, 5.0, (52, 58, 62))

    def _scooter(  # noqa: PLR0913 - where, in which colour and light it is drawn
        self,
        image: NDArray[np.uint8],
        shot: Shot,
        x: float,
        y: float,
        colour: tuple[int, int, int],
        light: float,
        away: bool,
    ) -> None:
        if x < 1.5:
            return
        heading = 1 if away else -1
        shadow(image, self.view, x + 0.7, y, 1.0, 0.4)
        beam(image, self.view, x + heading * 1.6, y, heading, strength=0.6, half_width=1.3)
        picture = scooter(shot.plate, colour, rear=away)
        dimmed = picture.copy()
        mask = picture[..., :3].min(axis=2) < 200  # the plate and the lamps shine by themselves
        dimmed[mask, :3] = (picture[mask, :3] * light).astype(np.uint8)
        half = WIDTH_M / 2
        corners = np.array(
            [
                [x, y + half, HEIGHT_M],
                [x, y - half, HEIGHT_M],
                [x, y - half, 0.0],
                [x, y + half, 0.0],
            ]
        )
        paste(image, dimmed, self.view.project(corners))
        if away:
            glow(image, self.view, np.array([x - 0.02, y, TAIL_Z]), 0.5, (30, 24, 170))
        else:
            glow(image, self.view, np.array([x, y, 0.9]), 1.5, (225, 238, 245))

    def _stamped(self, image: NDArray[np.uint8], unix: float) -> NDArray[np.uint8]:
        if not self._label:
            return image
        when = datetime.fromtimestamp(unix, UTC).astimezone(_TAIPEI)
        text = f"{self._label}   {when:%Y-%m-%d %H:%M:%S}"
        scale = self.view.width / 1600
        at = (round(12 * scale * 2), round(24 * scale * 2))
        for shift, colour in ((1, (16, 16, 16)), (0, (235, 235, 235))):
            place = (at[0] + shift, at[1] + shift)
            cv2.putText(image, text, place, _FONT, scale, colour, 1, cv2.LINE_AA)
        return image


def _encode(image: NDArray[np.uint8]) -> bytes:
    done, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    if not done:
        raise RuntimeError("OpenCV could not encode a JPEG picture")
    return data.tobytes()
