"""How plates are numbered: a prior over what was recognised, never a mask.

``A`` stands for a letter, ``0`` for a digit, ``X`` for either. A format makes the likelier of
characters that look alike: 0 and O, 1 and I, 8 and B. What follows no format can still be read,
when it was seen clearly.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from vigil_edge.noise.plate.recogniser import ALPHABET

FORMATS: Final = (
    # Taiwan: since 2012 cars AAA-0000, motorcycles AAA-0000 and 000-AAA; electric ones begin E.
    ("AAA0000", 0.0),
    ("AAA000", 0.0),
    ("000AAA", 0.0),
    # Taiwan before: AA-0000, 0000-AA and those with one letter and one digit beside.
    ("AA0000", -0.5),
    ("0000AA", -0.5),
    ("A00000", -1.0),
    ("0A0000", -1.0),
    ("00000A", -1.5),
    ("0000A0", -1.5),
    ("0A000", -2.0),
    ("A0000", -2.0),
    # Mercosur, Brazil.
    ("AAA0A00", -0.5),
    # Europe.
    ("AA000AA", -0.5),
    ("0000AAA", -0.5),
    ("AA00AAA", -0.5),
    ("AA0000A", -1.5),
    ("AA00000", -1.0),
    ("AAA00000", -1.5),
    ("AA0000AA", -1.0),
    ("AA000000", -2.0),
    ("0AA0000", -1.0),
    ("AA00000A", -2.0),
    ("0A00000", -1.5),
    ("AAA00AA", -2.0),
    ("A000AAA", -2.0),
    ("AAA000A", -2.0),
    ("AA00AA", -2.0),
    ("00AA00", -2.0),
    ("00AAAA", -2.0),
    ("00AAA0", -2.0),
    ("0AAA00", -2.0),
    ("AA000A", -2.0),
    ("A000AA", -2.0),
    ("A00000A", -2.0),
    ("A0000AA", -2.0),
    ("A00AAA", -2.0),
    ("AAA0000A", -2.5),
    ("AAAA0000", -2.0),
    ("AAAA000", -2.0),
    ("AAAAA000", -2.5),
    ("000A0000", -2.5),
    # States of the USA.
    ("0AAA000", -0.5),
    ("AA0A000", -1.5),
    ("AA0A0A", -2.0),
    ("000AA0", -2.0),
    ("0AA000", -2.0),
    ("A000000", -2.0),
    ("AAA00A", -2.0),
    ("0AAAA0", -2.5),
    ("AAAA00", -2.0),
    ("000A00", -2.5),
    ("00A000", -2.5),
)
NO_FORMAT: Final = -3.0
SELDOM: Final = -2.0
"""Prior from which down a format is a rare one."""
_SHORT_PART: Final = 5


def _parts() -> frozenset[str]:
    """Rare formats that are what a usual one leaves when a character at an end is missed."""
    usual = [form for form, prior in FORMATS if prior > SELDOM]
    left = {part for form in usual for part in (form[1:], form[:-1]) if len(part) > _SHORT_PART}
    return frozenset(form for form, prior in FORMATS if prior <= SELDOM and form in left)


_PARTS: Final = _parts()
_UNSEEN: Final = 1e-4
SHORTEST, LONGEST = 4, 9
_RUNS: Final = re.compile("[A-Z]+")
_LETTERS_OF_WORD: Final = 4
"""In a row, from which on letters that follow no format are a word."""
_WORDS: Final = frozenset(
    (
        "AUTO",
        "AVENUE",
        "BAHN",
        "CALL",
        "CLUB",
        "EXIT",
        "HOTEL",
        "LANE",
        "LINE",
        "MAIN",
        "PARK",
        "PLAZA",
        "ROAD",
        "ROUTE",
        "RUTA",
        "SALE",
        "SHOP",
        "STOP",
        "STRASSE",
        "TAXI",
        "TAXIS",
        "TEXAS",
        "WEST",
        "WORLD",
        "ZONA",
        "ZONE",
    )
)
"""Of signs and advertisements, beside numbers."""
_LETTERS = np.array([each.isalpha() for each in ALPHABET])
_ALLOWED: Final = {"A": _LETTERS, "0": ~_LETTERS, "X": np.ones(36, bool)}


@dataclass(frozen=True, slots=True)
class Reading:
    """A text and how sure each of its characters is, 0 to 1."""

    text: str
    characters: tuple[float, ...]
    prior: float

    @property
    def confidence(self) -> float:
        """That all are right, if each errs by itself."""
        return math.prod(self.characters)


def likeliest(chances: npt.NDArray[np.float64]) -> Reading | None:
    """The text that recognition and formats together speak for; None for no plate's length."""
    if not SHORTEST <= len(chances) <= LONGEST:
        return None
    seen = np.log(np.maximum(chances, _UNSEEN))
    best, score, prior_of_best = seen.argmax(axis=1), -math.inf, NO_FORMAT
    free = float(seen.max(axis=1).sum()) + NO_FORMAT
    score = free
    for form, prior in FORMATS:
        if len(form) != len(chances):
            continue
        allowed = np.stack([_ALLOWED[each] for each in form])
        within = np.where(allowed, seen, -np.inf)
        total = float(within.max(axis=1).sum()) + prior
        if total > score:
            best, score = within.argmax(axis=1), total
            prior_of_best = NO_FORMAT if form in _PARTS else prior
    text = "".join(ALPHABET[index] for index in best)
    sure = _sure(chances, best)
    return Reading(text, sure, prior_of_best)


def _sure(chances: npt.NDArray[np.float64], best: npt.NDArray[np.int64]) -> tuple[float, ...]:
    """A character's share among those of its own kind, and what speaks for another kind counts
    only by half: the format has spoken on that."""
    sure = []
    for row, index in zip(chances, best, strict=True):
        kind = _LETTERS[index] == _LETTERS
        own = float(row[index])
        other = float(row[~kind].max())
        missing = max(0.0, 1.0 - float(row.sum()))
        rivals = float(row[kind].sum()) - own + 0.2 * other + missing
        sure.append(own / max(own + rivals, 1e-9) if own > 0 else 0.05)
    return tuple(sure)


def is_word(reading: Reading) -> bool:
    """That there are nothing but letters or nothing but digits, as on badges, signs and in
    telephone numbers, or a word that stands beside numbers in streets."""
    text = reading.text
    if text.isalpha() or text.isdigit():
        return True
    runs = [run for run in _RUNS.findall(text) if len(run) >= _LETTERS_OF_WORD]
    return any(run in _WORDS for run in runs) or (bool(runs) and reading.prior <= NO_FORMAT)
