"""Plates of states of the USA, as seen from straight ahead."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np

from plate_pictures.europe import Flat, Made
from plate_pictures.lettering import Colour, faces, fitted, line, put, serif

_LETTERS: Final = "ABCDEFGHJKLMNPRSTUVWXYZ"
_STATES: Final = (
    ("California", "dmv.ca.gov", ("DLLLDDD",)),
    ("NEW YORK", "EMPIRE STATE", ("LLL-DDDD", "LLL DDDD")),
    ("TEXAS", "The Lone Star State", ("LLL-DDDD", "LLD^LDDD", "LLL^DDDD")),
    ("FLORIDA", "SUNSHINE STATE", ("LLL^LDD", "LDD^DLL", "DDD^LLL")),
    ("OHIO", "BIRTHPLACE OF AVIATION", ("LLL DDDD",)),
    ("Pennsylvania", "visitPA.com", ("LLL-DDDD", "LLL^DDDD")),
    ("ILLINOIS", "Land of Lincoln", ("LDD DDDD", "DDD DDDD", "LL DDDDD")),
    ("Virginia", "VIRGINIA IS FOR LOVERS", ("LLL-DDDD",)),
    ("MASSACHUSETTS", "The Spirit of America", ("DDD LLD", "DLL DDD")),
    ("GEORGIA", "www.georgia.gov", ("LLL DDDD",)),
    ("NEW JERSEY", "Garden State", ("LDD^LLL", "LLL^DDL")),
    ("MICHIGAN", "PURE MICHIGAN", ("LLL DDDD", "DLLLDD")),
    ("COLORADO", "", ("DDD^LLL", "LLL-DDD")),
    ("Minnesota", "10,000 lakes", ("DDD-LLL",)),
    ("WASHINGTON", "EVERGREEN STATE", ("LLLDDDD", "DDD-LLL")),
    ("ARIZONA", "GRAND CANYON STATE", ("LLLDDDD",)),
    ("OREGON", "", ("DDD LLL",)),
    ("MISSOURI", "SHOW-ME STATE", ("LLD LDL",)),
    ("WISCONSIN", "America's Dairyland", ("DDD-LLL", "LLL-DDDD")),
    ("MARYLAND", "www.maryland.gov", ("DLLDDDD",)),
    ("NORTH CAROLINA", "First in Flight", ("LLL-DDDD",)),
    ("Connecticut", "Constitution State", ("LL DDDDD", "DLLLLD")),
)
_INKS: Final[tuple[Colour, ...]] = (
    (110, 40, 20),
    (30, 30, 30),
    (60, 20, 120),
    (60, 80, 20),
    (140, 60, 20),
)
_DEALERS: Final = (
    "SMITH CHEVROLET",
    "AUTO WORLD",
    "BOB'S FORD - DALLAS",
    "TOYOTA OF PLANO",
    "www.carmart.com",
    "ALUMNI",
    "MERCEDES-BENZ",
)
_MONTHS: Final = ("JAN", "MAR", "MAY", "JUL", "SEP", "NOV")


def american(rng: np.random.Generator) -> Made:
    state, slogan, series = _STATES[int(rng.integers(len(_STATES)))]
    form = series[int(rng.integers(len(series)))]
    kinds = {"L": _LETTERS, "D": "0123456789"}
    shown = "".join(
        kinds[each][int(rng.integers(len(kinds[each])))] if each in kinds else each for each in form
    )
    ink = _INKS[int(rng.integers(len(_INKS)))]
    flat = _ground(rng)
    words = serif() if rng.random() < 0.3 else faces()[int(rng.integers(len(faces())))]
    put(flat, fitted(state, int(rng.integers(34, 52)), 380, face=words, bold=4), (300, 44), ink)
    if slogan and rng.random() < 0.8:
        put(
            flat,
            fitted(slogan, int(rng.integers(22, 32)), 400, face=words, bold=2),
            (300, 268),
            ink,
        )
    stacked = ""
    if rng.random() < 0.05:
        stacked = "".join(_LETTERS[int(rng.integers(len(_LETTERS)))] for _ in range(2))
    _number(flat, shown, stacked, ink, rng)
    _stickers(flat, rng)
    kind = "stacked" if stacked else "plain"
    if rng.random() < 0.35:
        flat, kind = _framed(flat, rng), f"{kind} framed"
    bare = "".join(each for each in shown if each.isalnum())
    # Without the stacked letters it is another vehicle's.
    return Made(flat, (stacked + bare,), f"{kind} {state}")


def _ground(rng: np.random.Generator) -> Flat:
    """Shades of the sky, hills or stripes behind the number."""
    light = np.array([rng.uniform(205, 245) for _ in range(3)], np.float32)
    flat = np.full((300, 600, 3), light, np.float32)
    look = rng.random()
    fall = np.linspace(0, 1, 300, dtype=np.float32)[:, np.newaxis, np.newaxis]
    if look < 0.35:
        tint = np.array([rng.uniform(120, 230) for _ in range(3)], np.float32)
        flat = flat * fall + tint * (1 - fall)
    elif look < 0.6:
        hills = 190 + 40 * np.cumsum(rng.normal(0, 0.25, 9))
        line_of = np.interp(np.arange(600), np.linspace(0, 599, 9), hills)
        below = np.arange(300)[:, np.newaxis] > line_of
        flat[below] -= np.array([rng.uniform(10, 75) for _ in range(3)], np.float32)
    elif look < 0.75:
        at = (int(rng.integers(180, 420)), int(rng.integers(110, 190)))
        spot = tuple(float(rng.uniform(120, 220)) for _ in range(3))
        cv2.ellipse(flat, at, (90, 70), float(rng.uniform(0, 180)), 0, 360, spot, -1, cv2.LINE_AA)
    if rng.random() < 0.25:
        flat[:70] = np.array(_INKS[int(rng.integers(5))], np.float32) * 0.4 + 120
    cv2.rectangle(flat, (4, 4), (595, 295), (120, 110, 100), 3, cv2.LINE_AA)
    return flat


def _number(flat: Flat, text: str, stacked: str, ink: Colour, rng: np.random.Generator) -> None:
    face = faces()[int(rng.integers(len(faces())))]
    bold = int(rng.integers(0, 6)) + (0 if face else 8)
    height = int(rng.integers(118, 142))
    groups = text.replace("-", "|-|").replace("^", "|^|").replace(" ", "| |").split("|")
    squeeze, gap = float(rng.uniform(0.5, 0.72)), float(rng.uniform(0.1, 0.2))
    room = 560 - (60 if stacked else 0)
    while True:
        drawn = [
            None if g in "-^ " else line(g, height, face=face, bold=bold, squeeze=squeeze, gap=gap)
            for g in groups
        ]
        wide = [
            round(height * {"-": 0.32, "^": 0.5, " ": 0.3}[g]) if d is None else d.shape[1]
            for g, d in zip(groups, drawn, strict=True)
        ]
        if sum(wide) <= room:
            break
        squeeze, gap = 0.94 * squeeze, 0.94 * gap
    x = 300 - sum(wide) / 2 + (30 if stacked else 0)
    if stacked:
        for letter, y in zip(stacked, (125, 190), strict=True):
            put(flat, line(letter, 50, face=face, bold=bold, squeeze=0.8), (x - 32, y), ink)
    for group, cover, width in zip(groups, drawn, wide, strict=True):
        if cover is not None:
            put(flat, 0.45 * np.roll(cover, (3, 3), (0, 1)), (x + width / 2, 157), (255, 255, 255))
            put(flat, cover, (x + width / 2, 155), ink)
        elif group == "-":
            cv2.rectangle(
                flat, (round(x + width / 2 - 12), 150), (round(x + width / 2 + 12), 162), ink, -1
            )
        elif group == "^":
            _emblem(flat, (x + width / 2, 155), rng)
        x += width


def _emblem(flat: Flat, at: tuple[float, float], rng: np.random.Generator) -> None:
    """An outline of the state, a star or a fruit between the two groups."""
    x, y = at
    count = int(rng.integers(5, 10))
    turns = np.sort(rng.uniform(0, 2 * np.pi, count))
    reach = rng.uniform(14, 34, count)
    outline = np.stack([x + reach * np.cos(turns), y + reach * np.sin(turns)], axis=1)
    tint = tuple(float(rng.uniform(30, 180)) for _ in range(3))
    cv2.fillPoly(flat, [outline.round().astype(np.int32)], tint, cv2.LINE_AA)


def _stickers(flat: Flat, rng: np.random.Generator) -> None:
    for x in (60, 540):
        y = 42 if rng.random() < 0.4 else 262
        if rng.random() < 0.6:
            tint = tuple(float(rng.uniform(20, 230)) for _ in range(3))
            cv2.rectangle(flat, (x - 38, y - 26), (x + 38, y + 26), tint, -1)
            text = _MONTHS[int(rng.integers(6))] if x == 60 else f"{int(rng.integers(8, 27)):02d}"
            put(
                flat,
                line(text, 30, bold=10),
                (x, y),
                (20, 20, 20) if sum(tint) > 330 else (240, 240, 240),
            )
        for bolt in (42, 262):
            if abs(bolt - y) > 60 or rng.random() < 0.5:
                cv2.circle(flat, (150 if x == 60 else 450, bolt), 8, (90, 90, 95), -1, cv2.LINE_AA)


def _framed(flat: Flat, rng: np.random.Generator) -> Flat:
    """A dealer's frame: its text stands where the state's name and the slogan are covered."""
    dark = rng.random() < 0.6
    tint: Colour = (35, 35, 35) if dark else (185, 185, 190)
    words: Colour = (225, 225, 225) if dark else (40, 40, 40)
    whole = np.full((360, 660, 3), tint, np.float32)
    whole[30:330, 30:630] = flat
    top, bottom = int(rng.integers(44, 62)), int(rng.integers(50, 80))
    whole[:top], whole[-bottom:] = tint, tint
    for y in (top / 2, 360 - bottom / 2):
        if rng.random() < 0.75:
            text = _DEALERS[int(rng.integers(len(_DEALERS)))]
            put(
                whole,
                fitted(text, int(rng.integers(24, 38)), 560, face=faces()[-1]),
                (330, y),
                words,
            )
    return whole
