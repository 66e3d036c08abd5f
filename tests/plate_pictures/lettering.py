"""Characters as coverage, 0 to 1, from the typefaces that declared packages bring: a machine's own
would make other pictures elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from importlib.resources import files
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

Coverage = npt.NDArray[np.float32]
"""Shape (height, width)."""
Colour = tuple[int, int, int]
"""Blue, green, red."""

_CAPITAL: Final = 200


@lru_cache
def _font_file(name: str) -> str:
    return str(files("pylopdf_fonts_zh_tw") / name)


def faces() -> tuple[str, ...]:
    """Files of typefaces, and "" for the one that Pillow brings."""
    return ("", _font_file("NotoSansTC-Regular.otf"))


def serif() -> str:
    return _font_file("NotoSerifTC-Regular.otf")


@lru_cache(maxsize=4096)
def character(face: str, letter: str, bold: int) -> Coverage:
    """Cut tightly at the sides; capitals are ``_CAPITAL`` high, accents stand above."""
    font = _sized(face)
    image = Image.new("L", (3 * _CAPITAL, 3 * _CAPITAL))
    draw = ImageDraw.Draw(image)
    draw.text((_CAPITAL, 2 * _CAPITAL), letter, fill=255, font=font, anchor="ls", stroke_width=bold)
    drawn = np.asarray(image, np.float32) / np.float32(255)
    columns = np.flatnonzero(drawn.max(axis=0))
    if not len(columns):
        return np.zeros((2 * _CAPITAL, _CAPITAL // 3), np.float32)
    return drawn[_CAPITAL // 2 : 5 * _CAPITAL // 2, columns[0] : columns[-1] + 1]


@lru_cache
def _sized(face: str) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    def at(size: float) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
        return ImageFont.truetype(face, size) if face else ImageFont.load_default(size)

    box = at(_CAPITAL).getbbox("H", anchor="ls")
    return at(_CAPITAL * _CAPITAL / (box[3] - box[1]))


def line(
    text: str,
    height: int,
    *,
    face: str = "",
    bold: int = 0,
    squeeze: float = 1.0,
    gap: float = 0.12,
) -> Coverage:
    """One line whose capitals are ``height`` pixels high; a quarter stands above and below.

    ``squeeze`` narrows the characters; ``gap`` between them is in heights.
    """
    space = np.zeros((2 * _CAPITAL, max(1, round(gap * _CAPITAL))), np.float32)
    parts: list[Coverage] = []
    for letter in text:
        cell = character(face, letter, bold)
        wide = max(2, round(cell.shape[1] * squeeze))
        parts += [_sized_to(cell, (wide, 2 * _CAPITAL)), space]
    whole = np.concatenate(parts[:-1], axis=1)
    scale = height / _CAPITAL
    size = (max(1, round(whole.shape[1] * scale)), round(2 * height))
    return _sized_to(whole, size)


def _sized_to(drawn: Coverage, size: tuple[int, int]) -> Coverage:
    return np.asarray(cv2.resize(drawn, size, interpolation=cv2.INTER_AREA), np.float32)


def fitted(text: str, height: int, width: int, *, face: str = "", bold: int = 0) -> Coverage:
    """As ``line``, narrowed where it would be wider than ``width``."""
    drawn = line(text, height, face=face, bold=bold)
    if drawn.shape[1] > width:
        drawn = _sized_to(drawn, (max(1, width), drawn.shape[0]))
    return drawn


def put(
    image: npt.NDArray[np.float32], ink: Coverage, middle: Sequence[float], colour: Colour
) -> None:
    """``ink`` in ``colour`` with its middle there; what stands out of the image is cut off."""
    high, wide = ink.shape
    left, top = round(middle[0] - wide / 2), round(middle[1] - high / 2)
    x0, y0 = max(0, left), max(0, top)
    x1, y1 = min(image.shape[1], left + wide), min(image.shape[0], top + high)
    if x0 >= x1 or y0 >= y1:
        return
    cover = ink[y0 - top : y1 - top, x0 - left : x1 - left, np.newaxis]
    region = image[y0:y1, x0:x1]
    region[:] = region * (1 - cover) + np.array(colour, np.float32) * cover
