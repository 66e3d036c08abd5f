"""Plates of Brazil, as seen from straight ahead: Mercosur's, the grey ones before, motorcycles'."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np

from plate_pictures.europe import Country, Flat, Made, numbered, worn
from plate_pictures.lettering import Colour, faces, fitted, line, put

_BAND: Final[Colour] = (140, 55, 10)
_WHITE: Final[Colour] = (240, 240, 240)
_BLACK: Final[Colour] = (30, 30, 30)
_LETTERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_PLACES: Final = ("SP - SAO PAULO", "RJ - NITEROI", "MG - BETIM", "PR - CURITIBA", "BA - ILHEUS")
_GREY: Final = Country("BR", (), (190, 192, 190), (35, 35, 35), band=False)
_RED: Final = Country("BR", (), (50, 45, 180), (235, 235, 235), band=False)
_MERCOSUR: Final = Country("BR", (), _WHITE, _BLACK, band=False)


def brazilian(rng: np.random.Generator) -> Made:
    mercosur, motorcycle = bool(rng.random() < 0.5), bool(rng.random() < 0.25)
    kinds = {"L": _LETTERS, "D": "0123456789"}
    series = "LLLDLDD" if mercosur else "LLLDDDD"
    text = "".join(kinds[each][int(rng.integers(len(kinds[each])))] for each in series)
    country = _MERCOSUR if mercosur else (_RED if rng.random() < 0.15 else _GREY)
    flat = _ground((600, 510) if motorcycle else (1000, 325), country, mercosur, rng)
    wide = flat.shape[1]
    if motorcycle:
        numbered(flat, text[:3], (24, 576), 210, 150, country, rng)
        numbered(flat, text[3:], (24, 576), 400, 150, country, rng)
    else:
        shown = text if mercosur else f"{text[:3]}-{text[3:]}"
        numbered(flat, shown, (90 if mercosur else 24, wide - 24), 205, 170, country, rng)
    kind = ("mercosur" if mercosur else "grey") + (" two lines" if motorcycle else "")
    return Made(worn(flat, rng), (text,), kind)


def _ground(
    size: tuple[int, int], country: Country, mercosur: bool, rng: np.random.Generator
) -> Flat:
    """The blue band with the country's name, or the place of registration."""
    wide, high = size
    flat = np.full((high, wide, 3), country.ground, np.float32)
    face = faces()[int(rng.integers(len(faces())))]
    if mercosur:
        flat[:80] = _BAND
        put(flat, line("BRASIL", 44, face=face, bold=5), (wide / 2, 42), _WHITE)
        cv2.circle(flat, (wide - 60, 42), 22, (60, 160, 60), -1, cv2.LINE_AA)
        if wide > high * 2:
            put(flat, line("BR", 32, bold=5), (48, 280), _BLACK)
    else:
        place = _PLACES[int(rng.integers(len(_PLACES)))]
        put(flat, fitted(place, 42, wide - 160, face=face, bold=4), (wide / 2, 58), country.ink)
    cv2.rectangle(flat, (5, 5), (wide - 6, high - 6), country.ink, 6, cv2.LINE_AA)
    return flat
