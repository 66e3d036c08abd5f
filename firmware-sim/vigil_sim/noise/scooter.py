"""A scooter with its rider, seen from behind or from in front, as a cut-out picture."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from vigil_sim.noise.plate import plate

PIXELS_PER_M = 420
WIDTH_M, HEIGHT_M = 1.0, 1.85
PLATE_Z = (0.50, 0.64)
TAIL_Z = 0.80
Colour = tuple[int, int, int]


class _Sheet:
    """Draws in metres: u to the right of the middle, z above the ground."""

    def __init__(self) -> None:
        height, width = round(HEIGHT_M * PIXELS_PER_M), round(WIDTH_M * PIXELS_PER_M)
        self.colour = np.zeros((height, width, 3), dtype=np.uint8)
        self.cover = np.zeros((height, width), dtype=np.uint8)

    def pixel(self, u: float, z: float) -> tuple[int, int]:
        """In sixteenths of a pixel."""
        return (
            round((u + WIDTH_M / 2) * PIXELS_PER_M * 16),
            round((HEIGHT_M - z) * PIXELS_PER_M * 16),
        )

    def shape(self, points: list[tuple[float, float]], colour: Colour) -> None:
        """A filled polygon, blue-green-red."""
        outline = np.array([self.pixel(u, z) for u, z in points], dtype=np.int32)
        cv2.fillPoly(self.colour, [outline], colour, cv2.LINE_AA, 4)
        cv2.fillPoly(self.cover, [outline], 255, cv2.LINE_AA, 4)

    def mirrored(self, points: list[tuple[float, float]], colour: Colour) -> None:
        """A half outline from top to bottom, closed by its mirror image."""
        self.shape(points + [(-u, z) for u, z in reversed(points)], colour)

    def oval(self, u: float, z: float, wide: float, high: float, colour: Colour) -> None:
        """A filled ellipse by its half axes in metres."""
        axes = (round(wide * PIXELS_PER_M * 16), round(high * PIXELS_PER_M * 16))
        for image, value in ((self.colour, colour), (self.cover, (255,))):
            cv2.ellipse(image, self.pixel(u, z), axes, 0, 0, 360, value, -1, cv2.LINE_AA, 4)

    def limb(self, points: list[tuple[float, float]], thick: float, colour: Colour) -> None:
        """A thick line with round joints."""
        line = np.array([self.pixel(u, z) for u, z in points], dtype=np.int32)
        pixels = max(1, round(thick * PIXELS_PER_M))
        cv2.polylines(self.colour, [line], False, colour, pixels, cv2.LINE_AA, 4)
        cv2.polylines(self.cover, [line], False, 255, pixels, cv2.LINE_AA, 4)

    def finish(self) -> NDArray[np.uint8]:
        """(height, width, 4): rounded by light from above and from both sides."""
        height, width = self.cover.shape
        z = np.linspace(1.18, 0.72, height)[:, np.newaxis]
        u = np.linspace(-1, 1, width)[np.newaxis, :]
        shade = z * (1.06 - 0.34 * np.abs(u) ** 1.5)
        soft = cv2.GaussianBlur(self.colour, (0, 0), 1.6).astype(np.float32)
        lit = np.clip(soft * shade[..., np.newaxis], 0, 255)
        return np.dstack([lit, self.cover]).astype(np.uint8)


@lru_cache(maxsize=16)
def scooter(text: str, colour: Colour, *, rear: bool) -> NDArray[np.uint8]:
    """The cut-out, (height, width, 4) uint8: blue, green, red, cover. ``colour`` is BGR."""
    sheet = _Sheet()
    dark, darker = (38, 36, 36), (22, 21, 21)
    _machine(sheet, colour, dark, darker)
    _rider(sheet)
    if rear:
        _tail(sheet, colour, darker, text)
    else:
        _front(sheet, colour, darker)
    picture = sheet.finish()
    if rear:
        _mount_plate(picture, text)
    return picture


def _machine(sheet: _Sheet, colour: Colour, dark: Colour, darker: Colour) -> None:
    sheet.mirrored([(0.0, 0.50), (0.055, 0.48), (0.062, 0.1), (0.045, 0.01), (0.0, 0.0)], darker)
    sheet.shape([(-0.2, 0.42), (-0.05, 0.45), (-0.05, 0.2), (-0.17, 0.2)], dark)
    sheet.limb([(-0.34, 1.02), (-0.12, 1.06), (0.12, 1.06), (0.34, 1.02)], 0.035, darker)
    for side in (-1, 1):
        sheet.limb([(side * 0.3, 1.04), (side * 0.37, 1.2)], 0.014, darker)
        sheet.oval(side * 0.38, 1.23, 0.07, 0.042, (54, 50, 46))
        sheet.limb([(side * 0.29, 1.03), (side * 0.36, 1.015)], 0.042, dark)
    sheet.mirrored([(0.0, 0.6), (0.25, 0.58), (0.24, 0.36), (0.1, 0.3), (0.0, 0.3)], dark)
    body = tuple(int(c * 0.8) for c in colour)
    sheet.mirrored(
        [(0.0, 0.98), (0.27, 0.95), (0.25, 0.66), (0.12, 0.52), (0.0, 0.52)],
        (body[0], body[1], body[2]),
    )


def _rider(sheet: _Sheet) -> None:
    jacket, shade, trousers, skin = (96, 74, 52), (70, 54, 38), (52, 44, 42), (116, 146, 186)
    for side in (-1, 1):
        sheet.limb([(side * 0.1, 0.9), (side * 0.25, 0.76)], 0.15, trousers)
        sheet.limb([(side * 0.25, 0.76), (side * 0.21, 0.42)], 0.1, trousers)
        sheet.oval(side * 0.23, 0.37, 0.07, 0.045, (30, 30, 34))
        sheet.limb([(side * 0.2, 1.36), (side * 0.31, 1.14), (side * 0.32, 1.05)], 0.1, shade)
    sheet.mirrored(
        [
            (0.0, 1.46),
            (0.1, 1.45),
            (0.22, 1.39),
            (0.25, 1.3),
            (0.2, 1.05),
            (0.19, 0.86),
            (0.0, 0.84),
        ],
        jacket,
    )
    sheet.mirrored([(0.0, 1.2), (0.225, 1.2), (0.222, 1.165), (0.0, 1.165)], (196, 206, 206))
    sheet.limb([(0.0, 1.44), (0.0, 1.16)], 0.012, shade)
    sheet.mirrored([(0.0, 1.5), (0.055, 1.5), (0.06, 1.42), (0.0, 1.42)], skin)
    sheet.oval(0.0, 1.59, 0.135, 0.15, (206, 208, 210))
    sheet.mirrored([(0.0, 1.53), (0.134, 1.535), (0.122, 1.48), (0.0, 1.465)], (60, 58, 58))
    sheet.oval(-0.05, 1.66, 0.035, 0.045, (244, 246, 248))
    sheet.mirrored([(0.0, 1.72), (0.03, 1.72), (0.035, 1.5), (0.0, 1.5)], (36, 36, 176))


def _tail(sheet: _Sheet, colour: Colour, darker: Colour, text: str) -> None:
    sheet.mirrored([(0.0, 0.97), (0.19, 0.95), (0.21, 0.9), (0.0, 0.88)], (30, 30, 32))
    sheet.mirrored([(0.0, 0.9), (0.19, 0.88), (0.16, 0.7), (0.1, 0.66), (0.0, 0.66)], colour)
    sheet.mirrored([(0.0, 0.835), (0.155, 0.83), (0.13, 0.765), (0.0, 0.755)], (40, 36, 210))
    sheet.mirrored([(0.0, 0.815), (0.1, 0.812), (0.09, 0.785), (0.0, 0.78)], (150, 150, 255))
    for side in (-1, 1):
        sheet.oval(side * 0.19, 0.8, 0.028, 0.03, (30, 110, 210))
    sheet.mirrored([(0.0, 0.67), (0.145, 0.66), (0.12, 0.42), (0.07, 0.3), (0.0, 0.29)], darker)
    # The exhaust of a tuned scooter: a fat can, high on the right.
    sheet.oval(0.24, 0.4, 0.075, 0.075, (112, 112, 116))
    sheet.oval(0.245, 0.395, 0.06, 0.06, (168, 170, 174))
    sheet.oval(0.245, 0.395, 0.034, 0.034, (18, 18, 18))
    if not text:
        raise ValueError("a scooter has a plate")


def _front(sheet: _Sheet, colour: Colour, darker: Colour) -> None:
    sheet.mirrored([(0.0, 1.1), (0.14, 1.06), (0.2, 0.8), (0.15, 0.5), (0.0, 0.42)], colour)
    sheet.mirrored([(0.0, 0.52), (0.08, 0.5), (0.08, 0.36), (0.0, 0.34)], darker)
    sheet.oval(0.0, 0.9, 0.1, 0.065, (255, 255, 255))
    for side in (-1, 1):
        sheet.oval(side * 0.15, 0.86, 0.03, 0.03, (60, 150, 230))


def _mount_plate(picture: NDArray[np.uint8], text: str) -> None:
    """Plates reflect: this one is not dimmed with the rest."""
    low, high = PLATE_Z
    image = plate(text, scooter=True)
    height = round((high - low) * PIXELS_PER_M)
    width = round(0.26 * PIXELS_PER_M)
    small = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    top = round((HEIGHT_M - high) * PIXELS_PER_M)
    left = (picture.shape[1] - width) // 2
    picture[top : top + height, left : left + width, :3] = small
    picture[top : top + height, left : left + width, 3] = 255
