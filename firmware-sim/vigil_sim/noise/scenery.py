"""The street at night without vehicles, ray-cast once per camera: road, houses, lamps, sky.

Colours are linear light (blue, green, red) until the very end, so that lamp
pools and bloom add up as light does.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from vigil_sim.noise.signs import draw_signs
from vigil_sim.noise.view import View

Array = NDArray[np.float32]
LEFT_FACADE_Y = 12.2
RIGHT_FACADE_Y = -4.2
FAR_END_X = 165.0
CROSSING = (17.0, 20.5)
SIDE_STREET = (22.0, 33.0)
LAMPS = tuple(
    (x, y)
    for x in (9.0, 40.0, 66.0, 92.0, 120.0, 148.0)
    for y in ((8.6,) if x < 20 else (8.6, -0.6))
)
LAMP_HEIGHT = 7.6
_LAMP_LIGHT = np.array([0.42, 0.72, 1.0], dtype=np.float32)
_HAZE = np.array([0.060, 0.042, 0.040], dtype=np.float32)


def _hash(*parts: NDArray[np.int64] | int) -> Array:
    """A number in 0..1 for each tuple of integers; the same everywhere and always."""
    mixed: NDArray[np.int64] = np.asarray(0x9E3779B1, dtype=np.int64)
    for part in parts:
        mixed = (mixed ^ (np.asarray(part, dtype=np.int64) * 0x85EBCA6B)) * 0x27D4EB2F & 0x7FFFFFFF
        mixed = mixed ^ (mixed >> 13)
    return ((mixed & 0xFFFFF) / 0xFFFFF).astype(np.float32)


def _noise(x: Array, y: Array, cell: float, seed: int) -> Array:
    """Smooth value noise over the plane, 0..1."""
    x, y = x / cell, y / cell
    i, j = np.floor(x).astype(np.int64), np.floor(y).astype(np.int64)
    u, v = (x - i).astype(np.float32), (y - j).astype(np.float32)
    u, v = u * u * (3 - 2 * u), v * v * (3 - 2 * v)
    top = _hash(i, j, seed) * (1 - u) + _hash(i + 1, j, seed) * u
    low = _hash(i, j + 1, seed) * (1 - u) + _hash(i + 1, j + 1, seed) * u
    return np.asarray(top * (1 - v) + low * v, dtype=np.float32)


def lamp_light(x: Array, y: Array, z: Array | float) -> Array:
    """Illuminance from the street lamps at points of the scene, any shape."""
    total = np.full_like(x, 0.035)
    for lamp_x, lamp_y in LAMPS:
        reach = 1.6 if lamp_y > 0 else -1.6
        drop = LAMP_HEIGHT - z
        square = (x - lamp_x) ** 2 + (y - lamp_y + reach) ** 2 + drop**2
        total += 46.0 * np.maximum(drop, 0.4) / square**1.5
    return total


def _road(x: Array, y: Array, seed: int) -> Array:
    """Reflectance of the ground, (..., 3)."""
    grain = 0.5 * _noise(x, y, 0.045, seed) + 0.5 * _noise(x, y, 0.35, seed + 1)
    worn = _noise(x, y * 3, 5.0, seed + 2)
    grey = 0.085 + 0.035 * grain + 0.03 * worn
    for track in (1.7, 3.6, 5.2, 6.9):
        grey = grey - 0.014 * np.exp(-(((y - track) / 0.28) ** 2))
    colour = np.repeat(grey[..., np.newaxis], 3, axis=2) * np.array([1.0, 1.0, 0.98])
    crossroad = (x > SIDE_STREET[0] - 5.5) & (x < SIDE_STREET[1] + 1.0)
    paint = 0.75 + 0.25 * _noise(x, y, 0.12, seed + 3)
    white = np.array([0.62, 0.64, 0.64], dtype=np.float32)
    yellow = np.array([0.10, 0.46, 0.62], dtype=np.float32)

    def lay(mask: NDArray[np.bool_], shade: Array) -> None:
        colour[mask] = (shade * paint[..., np.newaxis])[mask]

    lay((np.abs(y - 0.95) < 0.07) & ~crossroad, white)
    lay((np.abs(y - 7.75) < 0.07) & ~crossroad, white)
    lay(((np.abs(y - 4.22) < 0.06) | (np.abs(y - 4.48) < 0.06)) & ~crossroad, yellow)
    stripes = (y > 0.9) & (y < 7.9) & ((y % 0.9) < 0.45)
    lay((x > CROSSING[0]) & (x < CROSSING[1]) & stripes, white)
    lay((x > 15.6) & (x < 16.0) & (y > 0.9) & (y < 4.2), white)
    far = (x > SIDE_STREET[1] + 2) & (x < SIDE_STREET[1] + 5)
    lay(far & stripes, white)
    # The box where scooters wait, as Taiwan paints it.
    box = (x > 12.2) & (x < 15.2) & (y > 1.15) & (y < 4.05)
    edge = (np.abs(x - 12.3) < 0.1) | (np.abs(x - 15.1) < 0.1)
    edge |= (np.abs(y - 1.22) < 0.07) | (np.abs(y - 3.98) < 0.07)
    lay(box & edge, white)
    pavement = ((y < 0.35) | (y > 8.35)) & ~((x > SIDE_STREET[0]) & (x < SIDE_STREET[1]))
    tiles = 0.17 + 0.05 * _hash(
        np.floor(x / 0.6).astype(np.int64), np.floor(y / 0.6).astype(np.int64), 5
    )
    tiles = tiles - 0.05 * (((x % 0.6) < 0.03) | ((y % 0.6) < 0.03))
    colour[pavement] = (tiles[..., np.newaxis] * np.array([0.86, 0.95, 1.0]))[pavement]
    kerb = ((np.abs(y - 0.42) < 0.08) | (np.abs(y - 8.28) < 0.08)) & ~(
        (x > SIDE_STREET[0]) & (x < SIDE_STREET[1])
    )
    colour[kerb] = np.array([0.28, 0.3, 0.31])
    cover = (x - 23.5) ** 2 + (y - 3.1) ** 2 < 0.12
    colour[cover] = 0.045
    return np.asarray(colour, dtype=np.float32)


def _house_edges(side: int) -> Array:
    """Where houses meet along one side of the road, metres."""
    rng = np.random.default_rng(90 + side)
    edges = [-6.0]
    while edges[-1] < FAR_END_X:
        edges.append(edges[-1] + float(rng.uniform(5.5, 9.5)))
    return np.asarray(edges, dtype=np.float32)


def _facade(x: Array, z: Array, side: int) -> tuple[Array, Array, NDArray[np.bool_]]:
    """Reflectance (..., 3), own light (..., 3) and where there is a house at all."""
    edges = _house_edges(side)
    house = np.clip(np.searchsorted(edges, x) - 1, 0, edges.size - 2)
    u = x - edges[house]
    width = edges[house + 1] - edges[house]
    storeys = 2 + np.floor(_hash(house, side, 1) * 4)
    height = 4.0 + (storeys - 1) * 3.1 + 1.0
    gap = (x > SIDE_STREET[0] - 1.5) & (x < SIDE_STREET[1] + 1.5)
    there = (z < height) & (z >= 0) & ~gap
    tone = 0.10 + 0.14 * _hash(house, side, 2)
    tint = 0.85 + 0.3 * np.stack([_hash(house, side, 3 + i) for i in range(3)], axis=-1)
    colour = tone[..., np.newaxis] * tint
    tiles = 0.94 + 0.12 * _hash(
        np.floor(x / 0.3).astype(np.int64), np.floor(z / 0.15).astype(np.int64)
    )
    colour *= tiles[..., np.newaxis]
    light = np.zeros_like(colour)
    floor = np.floor((z - 4.0) / 3.1).astype(np.int64)
    column = np.floor(u / 1.9).astype(np.int64)
    fu, fv = u / 1.9 - column, (z - 4.0) / 3.1 - floor
    window = (z > 4) & (z < height - 1.3) & (fu > 0.16) & (fu < 0.84) & (fv > 0.26) & (fv < 0.78)
    window &= (column + 1) * 1.9 < width
    chance = _hash(house, floor, column, side)
    lit = window & (chance > 0.66)
    warm = np.where(
        (_hash(house, floor, column, 7) > 0.35)[..., np.newaxis],
        np.array([0.30, 0.62, 0.95]),
        np.array([0.85, 0.92, 0.80]),
    )
    curtain = 0.55 + 0.45 * np.cos(fu * 9.0 + chance * 30) ** 2
    colour[window] = np.array([0.05, 0.04, 0.035])
    bars = (np.abs((fu - 0.16) / 0.68 * 3 % 1 - 0.5) > 0.46) | (np.abs(fv - 0.52) < 0.02)
    glow = (0.35 + 0.5 * chance) * curtain * np.where(bars, 0.25, 1.0)
    light += np.where(lit[..., np.newaxis], warm * glow[..., np.newaxis] * 0.62, 0)
    shop = z < 3.1
    inside = shop & (u > 0.35) & (u < width - 0.35) & (z < 2.75)
    open_ = inside & (_hash(house, side, 11) > 0.42)
    shutter = inside & ~open_
    colour[shutter] = (0.20 + 0.06 * ((z * 9) % 1 > 0.5)[..., np.newaxis] * np.ones(3))[shutter]
    light += np.where(open_[..., np.newaxis], _shop(x, z, _hash(house, side, 12)), 0)
    return colour.astype(np.float32), light.astype(np.float32), there


def _shop(x: Array, z: Array, mood: Array) -> Array:
    """Light out of an open shop: tubes under the ceiling, goods on shelves, a counter."""
    row, column = np.floor(z / 0.38).astype(np.int64), np.floor(x / 0.3).astype(np.int64)
    goods = np.stack([_hash(row, column, 31 + i) for i in range(3)], axis=-1)
    goods = 0.22 + 0.5 * goods * _hash(row, column, 40)[..., np.newaxis]
    board = (z % 0.38) < 0.05
    goods = np.where(board[..., np.newaxis], 0.12, goods)
    wall = np.array([0.62, 0.74, 0.78]) * (0.7 + 0.3 * _noise(x, z, 0.9, 17))[..., np.newaxis]
    tube = (np.abs(z - 2.62) < 0.05) & ((x % 1.6) < 1.2)
    door = (x % 2.3) < 0.06
    inside = np.where(((z > 0.3) & (z < 2.2))[..., np.newaxis], goods, wall)
    inside = np.where(tube[..., np.newaxis], 1.6, inside)
    inside = np.where(door[..., np.newaxis], 0.05, inside)
    warmth = np.stack([0.55 + 0.45 * mood, 0.82 + 0.1 * mood, np.ones_like(mood)], axis=-1)
    return np.asarray(inside * warmth * (0.35 + 0.4 * mood)[..., np.newaxis], dtype=np.float32)


def _sky(rays: NDArray[np.float64]) -> Array:
    """Night over a city: dark above, haze lit from below near the horizon."""
    rise = rays[..., 2] / np.linalg.norm(rays, axis=2)
    low = np.exp(-np.maximum(rise, 0) / 0.10)[..., np.newaxis]
    colour = np.array([0.050, 0.026, 0.016]) + low * np.array([0.060, 0.050, 0.068])
    cloud = _noise((rays[..., 1] * 9).astype(np.float32), (rise * 40).astype(np.float32), 1.0, 4)
    return np.asarray(colour * (0.86 + 0.28 * cloud[..., np.newaxis]), dtype=np.float32)


def street(view: View, seed: int) -> NDArray[np.uint8]:
    """The still picture, (height, width, 3) uint8, blue-green-red."""
    fine = view.scaled(2)
    rays = fine.rays()
    image = _sky(rays)
    nearest = np.full(image.shape[:2], np.inf)
    camera = np.asarray(fine.position)
    for side, plane in ((0, LEFT_FACADE_Y), (1, RIGHT_FACADE_Y)):
        with np.errstate(divide="ignore", invalid="ignore"):
            t = (plane - camera[1]) / rays[..., 1]
        t = np.where((t > 0) & (t < 400), t, 0.0)
        x = (camera[0] + t * rays[..., 0]).astype(np.float32)
        z = (camera[2] + t * rays[..., 2]).astype(np.float32)
        colour, light, there = _facade(x, z, side)
        there &= (t > 0) & (x < FAR_END_X) & (x > 0)
        lamps = lamp_light(x, np.full_like(x, plane), z)
        shaded = colour * lamps[..., np.newaxis] * _LAMP_LIGHT * 0.75 + light
        image[there] = _hazed(shaded, t)[there]
        nearest[there] = t[there]
    _end_walls(image, nearest, rays, camera)
    _distant_houses(image, nearest, rays, camera)
    with np.errstate(divide="ignore", invalid="ignore"):
        t = -camera[2] / rays[..., 2]
    ground = (t > 0) & (t < nearest)
    t = np.where(ground, t, 1.0)
    x = (camera[0] + t * rays[..., 0]).astype(np.float32)
    y = (camera[1] + t * rays[..., 1]).astype(np.float32)
    lit = _road(x, y, seed) * lamp_light(x, y, 0.0)[..., np.newaxis] * _LAMP_LIGHT
    # Shop fronts spill light over the pavements.
    spill = 0.05 * (
        np.exp(-np.abs(y - LEFT_FACADE_Y) / 1.6) + np.exp(-np.abs(y - RIGHT_FACADE_Y) / 1.6)
    )
    lit = lit + (spill[..., np.newaxis] * np.array([0.8, 0.95, 1.0])).astype(np.float32)
    image[ground] = _hazed(lit, t)[ground]
    draw_signs(image, fine, LEFT_FACADE_Y, RIGHT_FACADE_Y, SIDE_STREET)
    _draw_lamps(image, fine)
    return _develop(image, view, seed)


def _hazed(colour: Array, t: NDArray[np.float64]) -> Array:
    clear = np.exp(-t / 190.0)[..., np.newaxis]
    return np.asarray(colour * clear + _HAZE * (1 - clear), dtype=np.float32)


def _end_walls(
    image: Array,
    nearest: NDArray[np.float64],
    rays: NDArray[np.float64],
    camera: NDArray[np.float64],
) -> None:
    """The houses at the crossing show their side walls to the camera."""
    plane = SIDE_STREET[1] + 1.5
    t = np.where(rays[..., 0] > 0, (plane - camera[0]) / rays[..., 0], 0.0)
    y = (camera[1] + t * rays[..., 1]).astype(np.float32)
    z = (camera[2] + t * rays[..., 2]).astype(np.float32)
    for side, aside in ((0, y - LEFT_FACADE_Y), (1, RIGHT_FACADE_Y - y)):
        colour, light, there = _facade(aside + 40.0, z, 2 + side)
        there &= (t > 0) & (aside > 0) & (t < nearest)
        lamps = 0.4 + lamp_light(np.full_like(y, plane - 4.0), y, z)
        shaded = colour * lamps[..., np.newaxis] * _LAMP_LIGHT * 0.6 + light * 0.8
        image[there] = _hazed(shaded, t)[there]
        nearest[there] = t[there]


def _distant_houses(
    image: Array,
    nearest: NDArray[np.float64],
    rays: NDArray[np.float64],
    camera: NDArray[np.float64],
) -> None:
    """The road bends away at its end, and houses close the view."""
    t = np.where(rays[..., 0] > 0, (FAR_END_X - camera[0]) / rays[..., 0], 0.0)
    y = (camera[1] + t * rays[..., 1]).astype(np.float32)
    z = (camera[2] + t * rays[..., 2]).astype(np.float32)
    block = np.floor((y + 300) / 11).astype(np.int64)
    height = 9 + 20 * _hash(block, 77)
    there = (t > 0) & (z > 0) & (z < height) & (t < nearest)
    lit = _hash(np.floor(y / 2.2).astype(np.int64), np.floor(z / 3.0).astype(np.int64), 9) > 0.72
    lit &= (np.abs(y / 2.2 % 1 - 0.5) < 0.28) & (np.abs(z / 3.0 % 1 - 0.5) < 0.25)
    colour = np.where(
        lit[..., np.newaxis], np.array([0.22, 0.42, 0.60]), np.array([0.032, 0.026, 0.026])
    ).astype(np.float32)
    image[there] = _hazed(colour, t)[there]
    nearest[there] = t[there]


def _draw_lamps(image: Array, view: View) -> None:
    """Poles, arms and glowing heads, far to near; and the signal at the crossing."""
    scale = view.width / 1280
    for x, y in sorted(LAMPS, reverse=True):
        reach = -1.8 if y > 0 else 1.8
        points = np.array([[x, y, 0.0], [x, y, LAMP_HEIGHT], [x, y + reach, LAMP_HEIGHT + 0.25]])
        if view.depth(points).min() < 1.0:
            continue
        pixels = view.project(points)
        thick = max(1, round(0.13 * view.focal / float(view.depth(points)[0])))
        line = np.round(pixels * 8).astype(np.int32).reshape(-1, 1, 2)
        cv2.polylines(image, [line], False, (0.035, 0.034, 0.034), thick, cv2.LINE_AA, 3)
        size = 0.42 * view.focal / float(view.depth(points)[2])
        head = tuple(int(v) for v in np.round(pixels[2] * 8))
        cv2.ellipse(
            image,
            head,
            (int(size * 8), int(size * 2.4)),
            0,
            0,
            360,
            (2.2, 3.4, 4.4),
            -1,
            cv2.LINE_AA,
            3,
        )
    x, y = SIDE_STREET[1] + 2.0, -0.4
    arm = view.project(np.array([[x, y, 0.0], [x, y, 5.4], [x, y + 3.6, 5.5]]))
    line = np.round(arm * 8).astype(np.int32).reshape(-1, 1, 2)
    cv2.polylines(
        image, [line], False, (0.05, 0.055, 0.05), max(1, round(4 * scale)), cv2.LINE_AA, 3
    )
    for index, colour in enumerate(((0.05, 0.05, 0.10), (0.04, 0.09, 0.10), (2.2, 3.0, 0.7))):
        centre = view.project(np.array([[x - 0.1, y + 2.9 - 0.42 * index + 0.42, 5.1]]))[0]
        radius = 0.19 * view.focal / float(view.depth(np.array([[x, y, 5.0]]))[0])
        at = tuple(int(v) for v in np.round(centre * 8))
        cv2.circle(image, at, int(radius * 1.35 * 8), (0.012, 0.012, 0.012), -1, cv2.LINE_AA, 3)
        cv2.circle(image, at, int(radius * 8), colour, -1, cv2.LINE_AA, 3)


def _develop(light: Array, view: View, seed: int) -> NDArray[np.uint8]:
    """Bloom, exposure, tone curve, vignette and grain; down to the camera's pixels."""
    clipped = np.minimum(light, 6.0).astype(np.float32)
    image = cv2.resize(clipped, (view.width, view.height), interpolation=cv2.INTER_AREA)
    bright = np.maximum(image - 0.5, 0)
    bloom = np.zeros_like(image)
    for share, part in ((0.20, 0.005), (0.14, 0.02), (0.08, 0.06)):
        bloom += share * cv2.GaussianBlur(bright, (0, 0), part * view.width)
    u = np.linspace(-1, 1, view.width)[np.newaxis, :]
    v = np.linspace(-1, 1, view.height)[:, np.newaxis]
    vignette = 1 - 0.30 * (u**2 + v**2) ** 1.2
    exposed = 1 - np.exp(-1.55 * np.maximum((image + bloom) * vignette[..., np.newaxis], 0))
    encoded = exposed ** (1 / 2.1) * 255
    grain = np.random.default_rng(seed).normal(0, 2.0, encoded.shape[:2])
    return np.clip(encoded + grain[..., np.newaxis], 0, 255).astype(np.uint8)
