"""Taiwanese licence plates: white, dark characters, one line (cars ``ABC-1234``, scooters too)."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

PIXELS_PER_MM = 1.6
CAR_MM = (380, 160)
SCOOTER_MM = (260, 140)
_INK = (34, 30, 26)


@lru_cache(maxsize=64)
def plate(text: str, *, scooter: bool) -> NDArray[np.uint8]:
    """The plate as seen from straight ahead, (height, width, 3) uint8, blue-green-red."""
    wide, high = SCOOTER_MM if scooter else CAR_MM
    width, height = round(wide * PIXELS_PER_MM), round(high * PIXELS_PER_MM)
    image = np.full((height, width, 3), (238, 240, 238), dtype=np.uint8)
    rim = max(2, height // 45)
    cv2.rectangle(image, (rim, rim), (width - 1 - rim, height - 1 - rim), _INK, rim, cv2.LINE_AA)
    for x in (0.27, 0.73):
        cv2.circle(
            image, (round(x * width), round(0.12 * height)), height // 26, (120, 122, 120), -1
        )
    left, right = 0.055 * width, 0.945 * width
    top, bottom = round(0.24 * height), round(0.86 * height)
    shares = [0.45 if character == "-" else 1.0 for character in text]
    unit = (right - left) / sum(shares)
    x = left
    for character, share in zip(text, shares, strict=True):
        cell = _character(character, round(unit * share * 0.80), bottom - top)
        at = round(x + unit * share * 0.10)
        region = image[top : top + cell.shape[0], at : at + cell.shape[1]]
        ink = cell[: region.shape[0], : region.shape[1], np.newaxis] / 255.0
        region[:] = (region * (1 - ink) + np.array(_INK) * ink).astype(np.uint8)
        x += unit * share
    return image


def _character(character: str, width: int, height: int) -> NDArray[np.uint8]:
    """One character stretched into its cell: coverage 0..255, (height, width)."""
    if character == "-":
        cell = np.zeros((height, width), dtype=np.uint8)
        cv2.rectangle(
            cell,
            (width // 8, round(height * 0.42)),
            (width - width // 8, round(height * 0.58)),
            255,
            -1,
        )
        return cell
    size, weight = 4.0, 17
    (w, h), _ = cv2.getTextSize(character, cv2.FONT_HERSHEY_SIMPLEX, size, weight)
    big = np.zeros((h + 80, w + 80), dtype=np.uint8)
    cv2.putText(
        big, character, (40, h + 40), cv2.FONT_HERSHEY_SIMPLEX, size, 255, weight, cv2.LINE_AA
    )
    rows, columns = np.flatnonzero(big.max(axis=1)), np.flatnonzero(big.max(axis=0))
    tight = big[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    if character in "1I":  # narrow ones keep their own width
        narrow = max(3, round(width * 0.45))
        cell = np.zeros((height, width), dtype=np.uint8)
        start = (width - narrow) // 2
        cell[:, start : start + narrow] = cv2.resize(
            tight, (narrow, height), interpolation=cv2.INTER_AREA
        )
        return cell
    return np.asarray(
        cv2.resize(tight, (width, height), interpolation=cv2.INTER_AREA), dtype=np.uint8
    )
