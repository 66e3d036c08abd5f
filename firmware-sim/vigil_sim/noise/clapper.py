"""Somebody who claps, or fires a flash that bangs, before a noise camera: what its microphones hear
and what its camera sees, with the moments and places known. Pure and seeded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from vigil_sim.noise.propagation import SPEED_OF_SOUND
from vigil_sim.noise.view import View

Array = NDArray[np.float64]
Grey = NDArray[np.uint8]

FLASH_S: Final = 0.12
CLOSING_S: Final = 0.3
"""Hands come together, ever faster."""
STILL_S: Final = (0.6, 1.1)
"""Then they are held still: so long, as people do, now this and now that."""
OPENING_S: Final = (0.5, 1.1)
"""And part again, slowly."""
_APART_M: Final = 0.45
"""Half the distance of open hands."""
_HAND_M: Final = 0.11
_PEAK_PA: Final = 20.0
"""Of a clap, at 1 m."""
_BANG_S: Final = 0.006
"""In which a clap's sound falls to 1/e."""
_PARTS: Final = 16
"""Of a pixel, in which hands are placed."""


@dataclass(frozen=True, slots=True)
class Clap:
    """One event: seconds, and where in road coordinates (x along, y left, z up), metres."""

    at_s: float
    place: tuple[float, float, float]
    kind: Literal["clap", "flash"] = "clap"
    still_s: float = STILL_S[0]
    opening_s: float = OPENING_S[0]


def claps(
    count: int,
    places: Sequence[tuple[float, float, float]],
    kind: Literal["clap", "flash"],
    seed: int,
    *,
    first_s: float = 3.0,
    even: bool = False,
) -> list[Clap]:
    """At uneven intervals, going through the places one after another."""
    rng = np.random.default_rng(seed)
    pauses = np.full(count, 2.5) if even else rng.uniform(2.3, 4.1, count)
    moments = first_s + np.cumsum(pauses) - pauses[0]
    still, opening = rng.uniform(*STILL_S, count), rng.uniform(*OPENING_S, count)
    return [
        Clap(float(at), places[number % len(places)], kind, float(held), float(parting))
        for number, (at, held, parting) in enumerate(zip(moments, still, opening, strict=True))
    ]


def sound(
    events: Sequence[Clap],
    microphones: Array,
    seconds: float,
    rate_hz: int,
    seed: int,
    *,
    noise_pa: float = 0.02,
) -> NDArray[np.float32]:
    """Pressure in pascal, (samples, microphones). ``noise_pa``: root mean square of the street's
    noise, other at each microphone."""
    rng = np.random.default_rng(seed)
    count = round(seconds * rate_hz)
    heard = rng.normal(0.0, noise_pa, (count, len(microphones)))
    length = round(6 * _BANG_S * rate_hz)
    for event in events:
        bang = rng.normal(0.0, 1.0, length) * np.exp(-np.arange(length) / (_BANG_S * rate_hz))
        spectrum = np.fft.rfft(bang, 2 * length)
        frequencies = np.fft.rfftfreq(2 * length)
        for channel, microphone in enumerate(microphones):
            away = float(np.linalg.norm(np.asarray(event.place) - microphone))
            arrives = (event.at_s + away / SPEED_OF_SOUND) * rate_hz
            first = int(np.floor(arrives))
            shifted = np.fft.irfft(spectrum * np.exp(-2j * np.pi * frequencies * (arrives - first)))
            end = min(first + length, count)
            if 0 <= first < end:
                heard[first:end, channel] += _PEAK_PA / max(away, 0.3) * shifted[: end - first]
    return heard.astype(np.float32)


class Scene:
    """The street in grey, with whoever claps in it."""

    def __init__(self, view: View, events: Sequence[Clap], seed: int) -> None:
        self._view, self._events = view, list(events)
        rng = np.random.default_rng(seed)
        coarse = rng.uniform(40, 130, (view.height // 24 + 2, view.width // 24 + 2))
        street = cv2.resize(coarse, (view.width, view.height), interpolation=cv2.INTER_CUBIC)
        self._street = np.clip(street, 0, 255).astype(np.uint8)
        self._rng = rng

    def picture(self, at_s: float) -> Grey:
        """As the camera takes it at that moment, with the noise of its sensor."""
        shown = self._street.copy()
        for event in self._events:
            if event.kind == "flash":
                self._flash(shown, event, at_s - event.at_s)
            else:
                self._hands(shown, event, at_s - event.at_s)
        noise = self._rng.normal(0.0, 2.0, shown.shape)
        return np.clip(shown + noise, 0, 255).astype(np.uint8)

    def _flash(self, shown: Grey, event: Clap, since_s: float) -> None:
        if 0.0 <= since_s < FLASH_S:
            self._disc(shown, event.place, 0.25, 255)

    def _hands(self, shown: Grey, event: Clap, since_s: float) -> None:
        apart = _apart(event, since_s)
        if apart is None:
            return
        _, right, _ = self._view.axes
        for side in (-1.0, 1.0):
            place = np.asarray(event.place) + side * (apart + _HAND_M / 2) * right
            self._disc(shown, (float(place[0]), float(place[1]), float(place[2])), _HAND_M, 215)

    def _disc(
        self, shown: Grey, place: tuple[float, float, float], across_m: float, level: int
    ) -> None:
        points = np.asarray(place, float)[None, :]
        (x, y), depth = self._view.project(points)[0], float(self._view.depth(points)[0])
        radius = max(1.0, self._view.focal * across_m / 2 / depth)
        centre = (round(float(x) * _PARTS), round(float(y) * _PARTS))
        shift = int(np.log2(_PARTS))
        cv2.circle(shown, centre, round(radius * _PARTS), level, -1, cv2.LINE_AA, shift)


def _apart(event: Clap, since_s: float) -> float | None:
    """Half the gap between the hands, metres; ``None`` while they are not shown."""
    if -2 * CLOSING_S <= since_s < -CLOSING_S:
        return _APART_M
    if since_s < -CLOSING_S or since_s >= event.still_s + event.opening_s:
        return None
    if since_s < 0:
        gone = 1.0 + since_s / CLOSING_S
        return _APART_M * (1.0 - gone**2)
    if since_s < event.still_s:
        return 0.0
    return _APART_M * (since_s - event.still_s) / event.opening_s


def pictures(
    scene: Scene,
    seconds: float,
    fps: float,
    delay_s: float,
    seed: int,
    *,
    jitter_s: float = 0.0,
) -> list[tuple[float, Grey]]:
    """Pictures with the moments that a camera gives them which dates them ``delay_s`` late."""
    rng = np.random.default_rng(seed)
    phase = float(rng.uniform(0, 1 / fps))
    taken = phase + np.arange(int((seconds - phase) * fps)) / fps
    late = delay_s + rng.uniform(-jitter_s, jitter_s, len(taken))
    return [(float(at + by), scene.picture(float(at))) for at, by in zip(taken, late, strict=True)]
