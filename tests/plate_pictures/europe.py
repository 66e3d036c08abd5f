"""Plates of Europe, as seen from straight ahead."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from plate_pictures.lettering import Colour, faces, line, put

Flat = npt.NDArray[np.float32]
"""Shape (height, width, 3), blue, green, red, 0 to 255."""

_BLACK: Final = (32, 30, 30)
_WHITE: Final = (238, 240, 238)
_YELLOW: Final = (60, 200, 245)
_BLUE: Final = (150, 60, 10)
_LETTERS: Final = "ABCDEFGHJKLMNPRSTUVWXYZ"
_CONSONANTS: Final = "BCDFGHJKLMNPRSTVWXYZ"


@dataclass(frozen=True, slots=True)
class Made:
    """A plate, and the texts that are right for it."""

    flat: Flat
    texts: tuple[str, ...]
    kind: str


@dataclass(frozen=True, slots=True)
class Country:
    """``series``: L a letter, C a consonant, D a digit, * a seal, ^ a small crest, all else as it
    stands; | ends the first line of two."""

    mark: str
    series: tuple[str, ...]
    ground: Colour = _WHITE
    ink: Colour = _BLACK
    right_band: bool = False
    band: bool = True


COUNTRIES: Final = (
    Country("D", ("M*LL DDDD", "HH*L DDDD", "B*LL DDD", "KA*LL DDDD", "MÜ*L DDDD", "OFF*LL DDD")),
    Country("D", ("FÜ*LL DD", "GÖ*LL DDD", "RÜD*L DDD", "STA*LL DDD", "WÜ*LL DDDD", "LÖ*LL DDD")),
    Country("D", ("S*|LL DDDD", "KN*|LL DDD", "DA*|L DDDD")),
    Country("F", ("LL-DDD-LL",), right_band=True),
    Country("I", ("LL DDDLL",), right_band=True),
    Country("E", ("DDDD CCC",)),
    Country("NL", ("DD-CC-CC", "CC-DDD-C", "D-CCC-DD"), _YELLOW),
    Country("GB", ("LLDD LLL",)),
    Country("GB", ("LLDD LLL",), _YELLOW, band=False),
    Country("GB", ("LLDD|LLL",), _YELLOW, band=False),
    Country("PL", ("WA DDDDL", "KR DDDDD", "PO DLLDD", "GD DDDDD")),
    Country("CZ", ("DLD^DDDD",)),
    Country("SK", ("BA^DDDLL", "ZA^DDDLL")),
    Country("A", ("W^DDDDDL", "GU^DDDLL")),
    Country("B", ("1-LLL-DDD",), ink=(50, 30, 150)),
    Country("P", ("DD-LL-DD", "LL-DD-LL")),
    Country("HR", ("ZG^DDDD-LL",)),
    Country("S", ("LLL DDD",)),
)


def _drawn(series: str, rng: np.random.Generator) -> str:
    kinds = {"L": _LETTERS, "C": _CONSONANTS, "D": "0123456789"}
    # A place's own letters come before the first mark; only what is not among the kinds stands.
    return "".join(
        kinds[each][int(rng.integers(len(kinds[each])))] if each in kinds else each
        for each in series
    )


def european(rng: np.random.Generator) -> Made:
    country = COUNTRIES[int(rng.integers(len(COUNTRIES)))]
    series = country.series[int(rng.integers(len(country.series)))]
    head = next((i for i, each in enumerate(series) if each in "*^ -|"), 0)
    fixed = series[:head] if country.mark in ("D", "PL", "SK", "A", "HR") else ""
    shown = fixed + _drawn(series[len(fixed) :], rng)
    lines = shown.split("|")
    flat = _one(lines[0], country, rng) if len(lines) == 1 else _two(lines, country, rng)
    kind = f"{country.mark}{' two lines' if len(lines) > 1 else ''}"
    bare = "".join(each for each in shown if each.isalnum())
    plain = bare.translate(str.maketrans("ÄÖÜ", "AOU"))
    return Made(flat, tuple(dict.fromkeys((bare, plain))), kind)


def _one(text: str, country: Country, rng: np.random.Generator) -> Flat:
    flat = _ground(1040, 220, country, rng)
    left = 100 if country.band else 24
    right = 1040 - (100 if country.right_band else 24)
    numbered(flat, text, (left, right), 110, 150, country, rng)
    return worn(flat, rng)


def _two(lines: list[str], country: Country, rng: np.random.Generator) -> Flat:
    flat = _ground(600, 400, country, rng)
    left = 90 if country.band else 24
    numbered(flat, lines[0], (left, 576), 110, 135, country, rng)
    numbered(flat, lines[1], (24, 576), 290, 135, country, rng)
    return worn(flat, rng)


def _ground(width: int, height: int, country: Country, rng: np.random.Generator) -> Flat:
    flat = np.full((height, width, 3), country.ground, np.float32)
    high = 220 if height == 220 else 200
    if country.band:
        flat[:high, :90] = _BLUE
        put(flat, line(country.mark, 52, bold=6), (46, 0.78 * high), _WHITE)
        for turn in np.linspace(0, 2 * np.pi, 12, endpoint=False):
            at = (round(46 + 28 * np.cos(turn)), round(0.32 * high + 28 * np.sin(turn)))
            cv2.circle(flat, at, 5, (0, 200, 240), -1, cv2.LINE_AA)
    if country.right_band:
        flat[:, -90:] = _BLUE
        below = f"{int(rng.integers(1, 96)):02d}"
        put(flat, line(below, 46, bold=5), (width - 46, 0.76 * high), _WHITE)
        cv2.circle(flat, (width - 46, round(0.3 * high)), 24, (0, 200, 240), 5, cv2.LINE_AA)
    cv2.rectangle(flat, (5, 5), (width - 6, height - 6), _BLACK, 6, cv2.LINE_AA)
    return flat


def numbered(
    flat: Flat,
    text: str,
    room: tuple[int, int],
    middle: float,
    height: int,
    country: Country,
    rng: np.random.Generator,
) -> None:
    """Groups of characters with what stands between them, narrowed to the room there is."""
    face = faces()[int(rng.integers(len(faces())))]
    if not face and not text.isascii():
        face = faces()[-1]  # Pillow's own has no umlauts
    bold, gap = int(rng.integers(2, 9)), float(rng.uniform(0.1, 0.2))
    if not face:
        bold += 6
    pieces = _grouped(text)
    squeeze = float(rng.uniform(0.62, 0.85))
    for _ in range(12):
        drawn = [
            line(part, height, face=face, bold=bold, squeeze=squeeze, gap=gap) if not wide else None
            for part, wide in pieces
        ]
        widths = [
            round(wide * height) if ink is None else ink.shape[1]
            for ink, (_, wide) in zip(drawn, pieces, strict=True)
        ]
        if sum(widths) <= room[1] - room[0] - 20:
            break
        squeeze, gap = 0.93 * squeeze, 0.93 * gap
    x = (room[0] + room[1] - sum(widths)) / 2
    for ink, wide, (part, _) in zip(drawn, widths, pieces, strict=True):
        at = (x + wide / 2, middle)
        if ink is not None:
            put(flat, ink, at, country.ink)
        elif part == "-":
            _dash(flat, at, country.ink)
        elif part in _MARKS:
            _MARKS[part](flat, at, height, rng)
        x += wide


def _grouped(text: str) -> list[tuple[str, float]]:
    """Groups of characters, of width 0, and what stands between, as wide as told in heights."""
    pieces: list[tuple[str, float]] = []
    for each in text:
        if each in "*^- ":
            pieces.append((each, 0.62 if each in "*^" else 0.34))
        elif pieces and pieces[-1][0] not in "*^- ":
            pieces[-1] = (pieces[-1][0] + each, 0)
        else:
            pieces.append((each, 0))
    return pieces


def _dash(flat: Flat, at: tuple[float, float], ink: Colour) -> None:
    low, high = (round(at[0] - 16), round(at[1] - 8)), (round(at[0] + 16), round(at[1] + 8))
    cv2.rectangle(flat, low, high, ink, -1)


def _seals(flat: Flat, at: tuple[float, float], height: int, rng: np.random.Generator) -> None:
    """The inspection's disc above the authority's."""
    radius = round(0.2 * height)
    colours = ((40, 120, 230), (60, 180, 60), (200, 150, 60), (150, 90, 200))
    above = (round(at[0]), round(at[1] - 0.25 * height))
    below = (round(at[0]), round(at[1] + 0.26 * height))
    cv2.circle(flat, above, radius, colours[int(rng.integers(4))], -1, cv2.LINE_AA)
    cv2.circle(flat, above, radius // 2, _BLACK, 3, cv2.LINE_AA)
    cv2.circle(flat, below, round(1.1 * radius), (190, 190, 195), -1, cv2.LINE_AA)
    cv2.circle(flat, below, round(0.7 * radius), (70, 110, 190), -1, cv2.LINE_AA)
    cv2.circle(flat, below, round(1.1 * radius), (90, 90, 90), 3, cv2.LINE_AA)


def _crest(flat: Flat, at: tuple[float, float], height: int, rng: np.random.Generator) -> None:
    """A shield or a round seal, about half as high as the characters."""
    x, y, size = round(at[0]), round(at[1]), round(0.24 * height)
    if rng.random() < 0.5:
        shield = np.array(
            [
                [x - size, y - size],
                [x + size, y - size],
                [x + size, y + size // 3],
                [x, y + round(1.3 * size)],
                [x - size, y + size // 3],
            ]
        )
        cv2.fillPoly(flat, [shield], (60, 50, 190), cv2.LINE_AA)
        cv2.line(flat, (x, y - size), (x, y + size), _WHITE, 8, cv2.LINE_AA)
    else:
        cv2.circle(flat, (x, y), size, (110, 160, 90), -1, cv2.LINE_AA)
        cv2.circle(flat, (x, y), size // 2, (60, 60, 70), 4, cv2.LINE_AA)


_MARKS: Final = {"*": _seals, "^": _crest}


def worn(flat: Flat, rng: np.random.Generator) -> Flat:
    """Screws, dirt from below, and pressed characters that shine at one side."""
    height, width = flat.shape[:2]
    if rng.random() < 0.5:
        y = round(height * float(rng.choice([0.16, 0.5, 0.85])))
        for x in (0.16, 0.84):
            cv2.circle(flat, (round(x * width), y), 9, (120, 120, 120), -1, cv2.LINE_AA)
    dirt = cv2.resize(
        rng.normal(0, 1, (5, 14)).astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC
    )
    fall = np.linspace(0, 1, height, dtype=np.float32)[:, np.newaxis]
    flat = flat - (np.clip(dirt, 0, 3) * (8 + 22 * fall))[..., np.newaxis] * float(
        rng.uniform(0, 1)
    )
    grey = flat.mean(axis=2)
    relief = np.roll(grey, 4, axis=0) - grey
    shining = np.clip(flat + 0.18 * relief[..., np.newaxis], 0, 255)
    return np.asarray(shining, np.float32)
