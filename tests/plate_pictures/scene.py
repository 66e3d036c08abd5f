"""A street with a car that carries the plate, and the other writing there: badges, stickers,
signs, advertisements."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from plate_pictures.america import american
from plate_pictures.brazil import brazilian
from plate_pictures.europe import Flat, Made, european
from plate_pictures.lettering import faces, fitted, put

Picture = npt.NDArray[np.uint8]
"""Shape (height, width, 3), BGR."""
Spot = Callable[[float, float], list[int]]
"""A place on a car, -1 to 1 from left to right and 0 to 1 from above, in pixels."""

_BADGES: Final = (
    "GOLF GTI",
    "FORD",
    "QUATTRO",
    "PASSAT",
    "320d",
    "CIVIC",
    "SILVERADO",
    "F-150",
    "A4 TDI",
    "CR-V",
    "OCTAVIA",
    "CAMRY",
    "V60",
    "4MATIC",
    "C4",
    "JEEP",
    "1500",
)
_STICKERS: Final = (
    "AUTOHAUS MEIER",
    "tel 089 123456",
    "BABY AN BORD",
    "MY OTHER CAR",
    "www.auto24.de",
    "AB 1 2",
    "USA 1",
    "CHICAGO BEARS 34",
)
_SIGNS: Final = (
    "HAUPTSTRASSE 12",
    "ZONE 30",
    "STOP",
    "TAXI 24H",
    "FOR SALE 555 0199",
    "BUS 42",
    "PARKING",
    "RUE 14 JUILLET",
    "HOTEL CENTRAL",
    "MAIN ST 1200",
    "SALE 50",
    "PIZZA 4YOU",
)
REGIONS: Final[dict[str, Callable[[np.random.Generator], Made]]] = {
    "EU": european,
    "US": american,
    "BR": brazilian,
}


@dataclass(frozen=True, slots=True)
class Shown:
    picture: Picture
    texts: tuple[str, ...]
    """That are right: without separators, in capitals."""
    kind: str
    width: float
    """Of the plate, in pixels of the picture."""
    box: tuple[int, int, int, int]
    night: bool


def shown(region: str, rng: np.random.Generator) -> Shown:
    """One picture with one plate."""
    made = REGIONS[region](rng)
    width = float(np.exp(rng.uniform(np.log(80), np.log(250))))
    wide, high = ((960, 720), (1280, 720), (1024, 768), (800, 600))[int(rng.integers(4))]
    night = bool(rng.random() < 0.2)
    canvas = _street(wide, high, rng)
    middle = (wide * float(rng.uniform(0.36, 0.64)), high * float(rng.uniform(0.52, 0.74)))
    scale = width / made.flat.shape[1]
    _car(canvas, middle, width * (2.9 if made.flat.shape[1] > 800 else 4.6), rng)
    corners = _corners(made.flat, width, middle, rng)
    canvas = _mounted(canvas, made.flat, corners, scale, rng)
    picture = _taken(canvas, corners, night, rng)
    low, top = corners.min(axis=0), corners.max(axis=0)
    box = (round(low[0]), round(low[1]), round(top[0] - low[0]), round(top[1] - low[1]))
    return Shown(picture, made.texts, made.kind, width, box, night)


def _clouded(
    shape: tuple[int, int], grain: int, rng: np.random.Generator
) -> npt.NDArray[np.float32]:
    """Noise of several sizes, about -1 to 1."""
    high, wide = shape
    total = np.zeros(shape, np.float32)
    for size, weight in ((grain, 0.5), (2 * grain, 0.3), (4 * grain, 0.2)):
        few = rng.normal(0, 1, (max(2, size * high // wide), max(2, size))).astype(np.float32)
        total += weight * cv2.resize(few, (wide, high), interpolation=cv2.INTER_CUBIC)
    return total


def _street(wide: int, high: int, rng: np.random.Generator) -> Flat:
    """Walls with windows, foliage, signs with writing, and the road."""
    canvas = np.empty((high, wide, 3), np.float32)
    horizon = round(high * float(rng.uniform(0.4, 0.55)))
    wall = np.array([rng.uniform(70, 190) for _ in range(3)], np.float32)
    canvas[:] = wall + 12 * _clouded((high, wide), 60, rng)[..., np.newaxis]
    for x in range(int(rng.integers(0, 60)), wide, int(rng.integers(80, 170))):
        for y in range(int(rng.integers(0, 40)), horizon - 60, int(rng.integers(90, 160))):
            shade = tuple(float(rng.uniform(20, 110)) for _ in range(3))
            cv2.rectangle(canvas, (x, y), (x + 45, y + 65), shade, -1)
            cv2.rectangle(canvas, (x, y), (x + 45, y + 65), (200, 200, 200), 3)
            cv2.line(canvas, (x + 22, y), (x + 22, y + 65), (200, 200, 200), 2)
    if rng.random() < 0.5:  # leaves
        left = int(rng.integers(0, wide - 200))
        leaves = _clouded((horizon, 200), 40, rng)[..., np.newaxis]
        canvas[:horizon, left : left + 200] = np.array([40, 90, 60]) + 35 * leaves
    if rng.random() < 0.4:  # a fence
        for x in range(0, wide, int(rng.integers(9, 24))):
            cv2.line(canvas, (x, horizon - 70), (x, horizon), (60, 60, 60), 3)
    for _ in range(int(rng.integers(1, 4))):
        _sign(
            canvas, (float(rng.uniform(0.1, 0.9)) * wide, float(rng.uniform(0.08, 0.4)) * high), rng
        )
    road = float(rng.uniform(70, 130)) + 10 * _clouded((high - horizon, wide), 160, rng)
    canvas[horizon:] = road[..., np.newaxis]
    cv2.line(canvas, (0, horizon), (wide, horizon), (160, 160, 165), 6)
    return canvas


def _sign(canvas: Flat, at: tuple[float, float], rng: np.random.Generator) -> None:
    text = _SIGNS[int(rng.integers(len(_SIGNS)))]
    ink = fitted(
        text, int(rng.integers(14, 42)), 420, face=faces()[int(rng.integers(len(faces())))], bold=4
    )
    high, wide = ink.shape
    dark = rng.random() < 0.5
    ground = (120, 60, 20) if dark else (235, 235, 240)
    x, y = round(at[0]), round(at[1])
    cv2.rectangle(
        canvas, (x - wide // 2 - 12, y - high // 2), (x + wide // 2 + 12, y + high // 2), ground, -1
    )
    put(canvas, ink, at, (240, 240, 240) if dark else (30, 30, 30))


def _car(canvas: Flat, plate: tuple[float, float], width: float, rng: np.random.Generator) -> None:
    """From behind: body, rear window, lamps, bumper, the shadow below; writing on its tailgate."""
    x, y = plate
    half, tall = width / 2, 0.62 * width
    top, bottom = y - 0.62 * tall, y + 0.34 * tall
    paint = np.array([rng.uniform(15, 220) for _ in range(3)], np.float32)
    if rng.random() < 0.5:
        paint[:] = paint.mean()

    def spot(u: float, v: float) -> list[int]:
        return [round(x + u * half), round(top + v * (bottom - top))]

    under, reach = (round(x), round(bottom + 0.02 * tall)), (round(1.05 * half), round(0.07 * tall))
    cv2.ellipse(canvas, under, reach, 0, 0, 360, (25, 25, 25), -1, cv2.LINE_AA)
    for side in (-1, 1):
        a, b = spot(side * 0.9, 0.86), spot(side * 0.62, 1.02)
        cv2.rectangle(canvas, (min(a[0], b[0]), a[1]), (max(a[0], b[0]), b[1]), (22, 22, 22), -1)
    _body(canvas, spot, width, paint, rng)
    _glass(canvas, spot)
    bumper = (spot(-1, 0.8)[0], spot(0, 0.8)[1]), (spot(1, 0)[0], spot(0, 0.92)[1])
    cv2.rectangle(canvas, *bumper, (38, 38, 40), -1)
    recess = paint * float(rng.uniform(0.4, 0.9))
    a, b = spot(-0.5, 0.53), spot(0.5, 0.79)
    cv2.rectangle(canvas, (a[0], a[1]), (b[0], b[1]), recess.tolist(), -1)
    _written_upon(canvas, spot, width, paint, rng)


def _body(
    canvas: Flat,
    spot: Spot,
    width: float,
    paint: npt.NDArray[np.float32],
    rng: np.random.Generator,
) -> None:
    corners = ((-0.7, 0), (0.7, 0), (0.96, 0.4), (1, 0.9), (-1, 0.9), (-0.96, 0.4))
    mask = np.zeros(canvas.shape[:2], np.uint8)
    cv2.fillPoly(mask, [np.array([spot(*each) for each in corners])], 255, cv2.LINE_AA)
    soft = cv2.GaussianBlur(mask, (0, 0), max(1.0, 0.012 * width))
    cover = soft.astype(np.float32)[..., np.newaxis] / 255
    rows = np.linspace(-1, 1, canvas.shape[0], dtype=np.float32)[:, np.newaxis, np.newaxis]
    shine = (
        1.0
        + 0.35 * np.cos(9 * rows + float(rng.uniform(0, 6)))
        + 0.05 * _clouded(canvas.shape[:2], 12, rng)[..., np.newaxis]
    )
    canvas[:] = canvas * (1 - cover) + np.clip(paint * shine, 0, 255) * cover


def _glass(canvas: Flat, spot: Spot) -> None:
    """The rear window with the sky in it, and the lamps."""
    window = np.array([spot(-0.58, 0.06), spot(0.58, 0.06), spot(0.74, 0.36), spot(-0.74, 0.36)])
    cv2.fillPoly(canvas, [window], (55, 50, 48), cv2.LINE_AA)
    sky = np.array([spot(-0.5, 0.1), spot(0.1, 0.1), spot(-0.2, 0.33)])
    cv2.polylines(canvas, [sky], True, (95, 92, 90), 2, cv2.LINE_AA)
    for side in (-1, 1):
        corners = ((0.97, 0.42), (0.62, 0.45), (0.66, 0.6), (0.99, 0.6))
        lamp = np.array([spot(side * u, v) for u, v in corners])
        cv2.fillPoly(canvas, [lamp], (40, 35, 170), cv2.LINE_AA)


def _written_upon(
    canvas: Flat,
    spot: Spot,
    width: float,
    paint: npt.NDArray[np.float32],
    rng: np.random.Generator,
) -> None:
    chrome = (215, 215, 220) if paint.mean() < 140 else (70, 70, 75)
    for u in (-0.66, 0.66):
        if rng.random() < 0.6:
            text = _BADGES[int(rng.integers(len(_BADGES)))]
            ink = fitted(text, max(6, round(0.024 * width)), round(0.26 * width), face=faces()[-1])
            put(canvas, ink, tuple(spot(u, 0.70)), chrome)
    if rng.random() < 0.5:
        text = _BADGES[int(rng.integers(len(_BADGES)))]
        ink = fitted(text, max(6, round(0.034 * width)), round(0.4 * width), face=faces()[-1])
        put(canvas, ink, tuple(spot(0, 0.47)), chrome)
    if rng.random() < 0.4:
        text = _STICKERS[int(rng.integers(len(_STICKERS)))]
        ink = fitted(text, max(6, round(0.03 * width)), round(0.5 * width), bold=6)
        put(canvas, ink, tuple(spot(float(rng.uniform(-0.3, 0.3)), 0.3)), (225, 225, 225))


def _corners(
    flat: Flat, width: float, middle: tuple[float, float], rng: np.random.Generator
) -> npt.NDArray[np.float32]:
    """Of the plate, turned to the side by up to 40°, tilted, seen from above."""
    height = width * flat.shape[0] / flat.shape[1]
    yaw = np.radians(float(np.clip(rng.normal(0, 16), -40, 40)))
    pitch = np.radians(float(rng.uniform(-5, 22)))
    roll = np.radians(float(np.clip(rng.normal(0, 2.5), -8, 8)))
    away = 9 * width
    corners = []
    for u, v in ((-1, -1), (1, -1), (1, 1), (-1, 1)):
        # The plate keeps its width as seen, whatever it is turned by.
        x, y = u * width / 2 / np.cos(yaw), v * height / 2
        depth = away + x * np.sin(yaw) + y * np.sin(pitch)
        seen = np.array([x * np.cos(yaw), y * np.cos(pitch)]) * away / depth
        corners.append(
            (
                middle[0] + seen[0] * np.cos(roll) - seen[1] * np.sin(roll),
                middle[1] + seen[0] * np.sin(roll) + seen[1] * np.cos(roll),
            )
        )
    return np.array(corners, np.float32)


def _mounted(
    canvas: Flat,
    flat: Flat,
    corners: npt.NDArray[np.float32],
    scale: float,
    rng: np.random.Generator,
) -> Flat:
    high, wide = canvas.shape[:2]
    # In front of a dark surround, four times as fine as the picture, then averaged.
    framed = cv2.copyMakeBorder(flat, 10, 10, 10, 10, cv2.BORDER_CONSTANT, value=(35, 35, 38, 0))
    fine = 4
    left, top = np.floor(corners.min(axis=0)).astype(int) - 8
    right, bottom = np.ceil(corners.max(axis=0)).astype(int) + 8
    left, top, right, bottom = max(0, left), max(0, top), min(wide, right), min(high, bottom)
    h, w = framed.shape[:2]
    source = np.array([[0, 0], [w, 0], [w, h], [0, h]], np.float32)
    matrix = cv2.getPerspectiveTransform(
        source, ((corners - (left, top)) * fine).astype(np.float32)
    )
    size = ((right - left) * fine, (bottom - top) * fine)
    soft = cv2.GaussianBlur(framed, (0, 0), max(0.1, 0.35 / scale / fine))
    light = np.linspace(
        float(rng.uniform(0.7, 1.05)), float(rng.uniform(0.85, 1.05)), w, dtype=np.float32
    )
    drawn = cv2.warpPerspective(soft * light[:, np.newaxis], matrix, size)
    mask = cv2.warpPerspective(np.ones((h, w), np.float32), matrix, size)
    small = (right - left, bottom - top)
    drawn = cv2.resize(drawn, small, interpolation=cv2.INTER_AREA)
    cover = cv2.resize(mask, small, interpolation=cv2.INTER_AREA)[..., np.newaxis]
    if rng.random() < 0.15:  # the sun's edge across it
        edge = np.add.outer(
            np.arange(small[1]) * float(rng.uniform(-1, 1)),
            np.arange(small[0]) - small[0] * float(rng.uniform(0.3, 0.7)),
        )
        drawn *= np.where(edge > 0, 1.0, 0.55)[..., np.newaxis].astype(np.float32)
    region = canvas[top:bottom, left:right]
    region[:] = region * (1 - cover) + drawn
    return canvas


def _taken(
    canvas: Flat, corners: npt.NDArray[np.float32], night: bool, rng: np.random.Generator
) -> Picture:
    """Light, the lens, motion, the sensor's noise and the file's compression."""
    high, wide = canvas.shape[:2]
    x, y = corners.mean(axis=0)
    if night:
        across = (np.arange(wide) - x) ** 2
        down = (np.arange(high) - y) ** 2
        lit = np.exp(-(across[np.newaxis] + down[:, np.newaxis]) / (0.25 * wide) ** 2)
        canvas = canvas * (0.12 + float(rng.uniform(0.35, 0.8)) * lit)[..., np.newaxis]
    else:
        canvas = canvas * float(rng.uniform(0.6, 1.1)) + float(rng.uniform(0, 22))
    soft = float(rng.uniform(0.35, 1.1))
    canvas = np.asarray(cv2.GaussianBlur(canvas.astype(np.float32), (0, 0), soft), np.float32)
    if rng.random() < 0.2:
        length = int(rng.integers(2, 5))
        moved = (length, 1) if rng.random() < 0.7 else (1, length)
        canvas = np.asarray(cv2.blur(canvas, moved), np.float32)
    noise = rng.normal(0, 1, canvas.shape).astype(np.float32)
    strength = float(rng.uniform(4, 9)) if night else float(rng.uniform(1, 4.5))
    canvas = canvas + strength * noise
    quality = int(rng.integers(60, 95))
    picture = np.clip(canvas, 0, 255).astype(np.uint8)
    packed = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR), np.uint8)
