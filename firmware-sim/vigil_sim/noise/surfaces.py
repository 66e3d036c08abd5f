"""What the street is made of: reflectance and own light of road, houses, shops and sky.

Functions of place alone, over any number of points at once, in linear light
(blue, green, red). Hashes of integer cells stand in for chance.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Mask = NDArray[np.bool_]
FAR_END_X = 165.0
CROSSING = (17.0, 20.5)
SIDE_STREET = (22.0, 33.0)
LAMPS = tuple(
    (x, y)
    for x in (9.0, 40.0, 66.0, 92.0, 120.0, 148.0)
    for y in ((8.6,) if x < 20 else (8.6, -0.6))
)
LAMP_HEIGHT = 7.6
_STOREY_M, _SHOP_M, _BAY_M = 3.1, 4.0, 1.9


def _hash(*parts: NDArray[np.int64] | int) -> Array:
    """A number in 0..1 for each tuple of integers; the same everywhere and always."""
    mixed: NDArray[np.int64] = np.asarray(0x9E3779B1, dtype=np.int64)
    for part in parts:
        mixed = (mixed ^ (np.asarray(part, dtype=np.int64) * 0x85EBCA6B)) * 0x27D4EB2F & 0x7FFFFFFF
        mixed = mixed ^ (mixed >> 13)
    return ((mixed & 0xFFFFF) / 0xFFFFF).astype(np.float32)


def _cell(x: Array, size: float) -> NDArray[np.int64]:
    return np.asarray(np.floor(x / size), dtype=np.int64)


@lru_cache(maxsize=16)
def _lattice(seed: int) -> Array:
    return np.random.default_rng(seed).random((256, 256), dtype=np.float32)


def _noise(x: Array, y: Array, cell: float, seed: int) -> Array:
    """Smooth value noise over the plane, 0..1."""
    x, y = x / cell, y / cell
    i, j = np.floor(x).astype(np.int32), np.floor(y).astype(np.int32)
    u, v = (x - i).astype(np.float32), (y - j).astype(np.float32)
    u, v = u * u * (3 - 2 * u), v * v * (3 - 2 * v)
    chance = _lattice(seed)
    i0, i1, j0, j1 = i & 255, (i + 1) & 255, j & 255, (j + 1) & 255
    top = chance[i0, j0] * (1 - u) + chance[i1, j0] * u
    low = chance[i0, j1] * (1 - u) + chance[i1, j1] * u
    return np.asarray(top * (1 - v) + low * v, dtype=np.float32)


def lamp_light(x: Array, y: Array, z: Array | float) -> Array:
    """Illuminance from the street lamps at points of the scene, any shape."""
    total = np.full_like(x, 0.035)
    for lamp_x, lamp_y in LAMPS:
        reach = 1.6 if lamp_y > 0 else -1.6
        drop = LAMP_HEIGHT - z
        square = (x - lamp_x) ** 2 + (y - lamp_y + reach) ** 2 + drop**2
        total += 46.0 * np.maximum(drop, 0.4) / (square * np.sqrt(square))
    return total


def road(x: Array, y: Array, seed: int) -> Array:
    """Reflectance of the ground, (n, 3)."""
    grain = 0.5 * _noise(x, y, 0.045, seed) + 0.5 * _noise(x, y, 0.35, seed + 1)
    grey = 0.085 + 0.035 * grain + 0.03 * _noise(x, y * 3, 5.0, seed + 2)
    for track in (1.7, 3.6, 5.2, 6.9):
        grey = grey - 0.014 * np.exp(-(((y - track) / 0.28) ** 2))
    colour = grey[:, np.newaxis] * np.array([1.0, 1.0, 0.98], dtype=np.float32)
    paint = (0.75 + 0.25 * _noise(x, y, 0.12, seed + 3))[:, np.newaxis]
    white, yellow = _markings(x, y)
    colour = np.where(white[:, np.newaxis], paint * np.float32(0.63), colour)
    colour = np.where(
        yellow[:, np.newaxis], paint * np.array([0.10, 0.46, 0.62], dtype=np.float32), colour
    )
    aside = (x > SIDE_STREET[0]) & (x < SIDE_STREET[1])
    pavement = ((y < 0.35) | (y > 8.35)) & ~aside
    tiles = 0.17 + 0.05 * _hash(_cell(x, 0.6), _cell(y, 0.6), 5)
    tiles = tiles - 0.05 * (((x % 0.6) < 0.03) | ((y % 0.6) < 0.03))
    colour[pavement] = tiles[pavement, np.newaxis] * np.array([0.86, 0.95, 1.0])
    kerb = ((np.abs(y - 0.42) < 0.08) | (np.abs(y - 8.28) < 0.08)) & ~aside
    colour[kerb] = (0.28, 0.3, 0.31)
    colour[(x - 23.5) ** 2 + (y - 3.1) ** 2 < 0.12] = 0.045  # a manhole's cover
    return np.asarray(colour, dtype=np.float32)


def _markings(x: Array, y: Array) -> tuple[Mask, Mask]:
    """Where the road is painted white, and where yellow (between opposite directions)."""
    plain = ~((x > SIDE_STREET[0] - 5.5) & (x < SIDE_STREET[1] + 1.0))
    yellow = ((np.abs(y - 4.22) < 0.06) | (np.abs(y - 4.48) < 0.06)) & plain
    white = ((np.abs(y - 0.95) < 0.07) | (np.abs(y - 7.75) < 0.07)) & plain
    stripes = (y > 0.9) & (y < 7.9) & ((y % 0.9) < 0.45)
    white |= (x > CROSSING[0]) & (x < CROSSING[1]) & stripes
    white |= (x > SIDE_STREET[1] + 2) & (x < SIDE_STREET[1] + 5) & stripes
    white |= (x > 15.6) & (x < 16.0) & (y > 0.9) & (y < 4.2)
    # The box where scooters wait, as Taiwan paints it.
    box = (x > 12.2) & (x < 15.2) & (y > 1.15) & (y < 4.05)
    edge = (np.abs(x - 12.3) < 0.1) | (np.abs(x - 15.1) < 0.1)
    edge |= (np.abs(y - 1.22) < 0.07) | (np.abs(y - 3.98) < 0.07)
    return white | (box & edge), yellow


def _house_edges(side: int) -> Array:
    """Where houses meet along one side of the road, metres."""
    rng = np.random.default_rng(90 + side)
    edges = [-6.0]
    while edges[-1] < FAR_END_X:
        edges.append(edges[-1] + float(rng.uniform(5.5, 9.5)))
    return np.asarray(edges, dtype=np.float32)


def facade(x: Array, z: Array, side: int) -> tuple[Array, Array, Mask]:
    """Reflectance (n, 3), own light (n, 3) and whether there is a house at all (n,)."""
    edges = _house_edges(side)
    house = np.clip(np.searchsorted(edges, x) - 1, 0, edges.size - 2)
    u = x - edges[house]
    width = edges[house + 1] - edges[house]
    storeys = 2 + np.floor(_hash(house, side, 1) * 4)
    height = (_SHOP_M + (storeys - 1) * _STOREY_M + 1.0).astype(np.float32)
    gap = (x > SIDE_STREET[0] - 1.5) & (x < SIDE_STREET[1] + 1.5)
    tint = np.stack([_hash(house, side, 3 + i) for i in range(3)], axis=-1)
    tiles = 0.94 + 0.12 * _hash(_cell(x, 0.3), _cell(z, 0.15))
    tone = (0.10 + 0.14 * _hash(house, side, 2)) * tiles
    colour = tone[:, np.newaxis] * (0.85 + 0.3 * tint)
    light = np.zeros_like(colour)
    _windows(colour, light, u, z, width, height, house, side)
    inside = (u > 0.35) & (u < width - 0.35) & (z < 2.75)
    opened = inside & (_hash(house, side, 11) > 0.42)
    shutter = inside & ~opened
    colour[shutter] = (0.20 + 0.06 * ((z[shutter] * 9) % 1 > 0.5))[:, np.newaxis]
    light[opened] = _shop(x[opened], z[opened], _hash(house[opened], side, 12))
    return colour.astype(np.float32), light, (z < height) & (z >= 0) & ~gap


def _windows(  # noqa: PLR0913 - columns of pixels that belong together
    colour: Array,
    light: Array,
    u: Array,
    z: Array,
    width: Array,
    height: Array,
    house: NDArray[np.int64],
    side: int,
) -> None:
    """Paint the windows above the shops into ``colour``, and the lit ones into ``light``."""
    floor, column = _cell(z - _SHOP_M, _STOREY_M), _cell(u, _BAY_M)
    fu, fv = u / _BAY_M - column, (z - _SHOP_M) / _STOREY_M - floor
    window = (z > _SHOP_M) & (z < height - 1.3) & (np.abs(fu - 0.5) < 0.34)
    window &= (np.abs(fv - 0.52) < 0.26) & ((column + 1) * _BAY_M < width)
    colour[window] = (0.05, 0.04, 0.035)
    chance = _hash(house, floor, column, side)
    lit = window & (chance > 0.66)
    fu, fv, chance = fu[lit], fv[lit], chance[lit]
    bars = (np.abs((fu - 0.16) / 0.68 * 3 % 1 - 0.5) > 0.46) | (np.abs(fv - 0.52) < 0.02)
    curtain = 0.55 + 0.45 * np.cos(fu * 9.0 + chance * 30) ** 2
    glow = 0.62 * (0.35 + 0.5 * chance) * curtain * np.where(bars, 0.25, 1.0)
    warm = _hash(house[lit], floor[lit], column[lit], 7) > 0.35
    tone = np.where(warm[:, np.newaxis], (0.30, 0.62, 0.95), (0.85, 0.92, 0.80))
    light[lit] = tone * glow[:, np.newaxis]


def _shop(x: Array, z: Array, mood: Array) -> Array:
    """Light out of an open shop: tubes under the ceiling, goods on shelves, a counter."""
    row, column = _cell(z, 0.38), _cell(x, 0.3)
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


def distant(y: Array, z: Array) -> tuple[Array, Mask]:
    """Light of the houses that close the view, (n, 3), and whether there is one, (n,)."""
    there = (z > 0) & (z < 9 + 20 * _hash(_cell(y + 300, 11.0), 77))
    lit = _hash(_cell(y, 2.2), _cell(z, 3.0), 9) > 0.72
    lit &= (np.abs(y / 2.2 % 1 - 0.5) < 0.28) & (np.abs(z / 3.0 % 1 - 0.5) < 0.25)
    colour = np.where(lit[:, np.newaxis], (0.22, 0.42, 0.60), (0.032, 0.026, 0.026))
    return colour.astype(np.float32), there


def sky(rays: NDArray[np.float64]) -> Array:
    """Night over a city: dark above, haze lit from below near the horizon."""
    rise = rays[..., 2] / np.linalg.norm(rays, axis=2)
    low = np.exp(-np.maximum(rise, 0) / 0.10)[..., np.newaxis]
    colour = np.array([0.050, 0.026, 0.016]) + low * np.array([0.060, 0.050, 0.068])
    cloud = _noise((rays[..., 1] * 9).astype(np.float32), (rise * 40).astype(np.float32), 1.0, 4)
    return np.asarray(colour * (0.86 + 0.28 * cloud[..., np.newaxis]), dtype=np.float32)
