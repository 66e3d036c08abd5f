"""One plate from several pictures of one vehicle: each picture is read, and the readings vote."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from vigil_edge.noise.errors import PlateReaderMissing
from vigil_edge.noise.plate.candidates import Picture, Plate
from vigil_edge.noise.plate.reader import DOUBT, LEAST_CONFIDENCE, PlateRead, read_plate

MOST_PICTURES: Final = 5
"""That are read: the clearest."""
_SURROUNDINGS: Final = 1.0
"""About a row of characters, in its heights: the reader looks for the plate itself again."""
_HEARD: Final = 0.3
"""Confidence of one picture, below which it speaks neither for a text nor against it: too small or
blurred to be read."""
_ENOUGH: Final = 3
"""Of so many pictures that were read, two at least must agree."""

Abstained = Literal["no-reader", "no-plate", "unsure", "disagreement"]


@dataclass(frozen=True, slots=True)
class Clear:
    """A row of characters in a picture, how plate-like it is, and where the picture comes from."""

    frame: int
    """Which picture."""
    plate: Plate
    picture: Callable[[], Picture | None]


@dataclass(frozen=True, slots=True)
class Vote:
    """What one picture was read as; ``text`` also where it is not sure."""

    frame: int
    plate: Plate
    text: str | None
    confidence: float
    characters: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Voted:
    """``text`` is None where it was not read surely enough; then ``abstained`` says why."""

    text: str | None
    confidence: float
    pictures: int
    votes: int
    characters: tuple[float, ...]
    abstained: Abstained | None
    each: tuple[Vote, ...]
    best: Clear | None
    """What shows it best, for the crop that people look at."""


def read_several(rows: Sequence[Clear]) -> Voted:
    """The plate of one vehicle, from its rows of characters in any number of pictures."""
    clearest = _clearest(rows)
    if not clearest:
        return Voted(None, 0.0, 0, 0, (), "no-plate", (), None)
    votes: list[tuple[Clear, PlateRead]] = []
    for row in clearest:
        picture = row.picture()
        if picture is None:
            continue
        try:
            votes.append((row, read_plate(_about(picture, row.plate))))
        except PlateReaderMissing:
            return Voted(None, 0.0, 0, 0, (), "no-reader", (), clearest[0])
    return _voted(votes, clearest[0])


def _clearest(rows: Sequence[Clear]) -> list[Clear]:
    """The same row comes several times from one picture: each picture once, the best first."""
    best: dict[int, Clear] = {}
    for row in rows:
        if row.frame not in best or row.plate.score > best[row.frame].plate.score:
            best[row.frame] = row
    ranked = sorted(best.values(), key=lambda row: -row.plate.score * row.plate.height**0.5)
    return ranked[:MOST_PICTURES]


def _about(picture: Picture, plate: Plate) -> Picture:
    pad = round(_SURROUNDINGS * plate.height)
    top, left = max(0, plate.y - pad), max(0, plate.x - 2 * pad)
    bottom, right = plate.y + plate.height + pad, plate.x + plate.width + 2 * pad
    return picture[top:bottom, left:right]


def _voted(votes: Sequence[tuple[Clear, PlateRead]], fallback: Clear) -> Voted:
    each = tuple(
        Vote(row.frame, row.plate, read.seen, read.confidence, read.characters)
        for row, read in votes
    )
    behind: dict[str, list[tuple[Clear, PlateRead]]] = defaultdict(list)
    # Seen, but perhaps a part of a plate: they speak against what others say, and for nothing.
    doubted = sum(
        read.doubted and read.seen is not None and read.confidence >= DOUBT * _HEARD
        for _, read in votes
    )
    for row, read in votes:
        if read.seen is not None and not read.doubted and read.confidence >= _HEARD:
            behind[read.seen].append((row, read))
    if not behind:
        return Voted(None, 0.0, len(votes), 0, (), "unsure", each, fallback)
    text, said = max(behind.items(), key=lambda one: sum(read.confidence for _, read in one[1]))
    row, most = max(said, key=lambda vote: vote[1].confidence)
    told = doubted + sum(map(len, behind.values()))
    confidence = round(most.confidence * (0.4 + 0.6 * len(said) / told), 3)
    abstained: Abstained | None = None
    if 2 * doubted >= told:
        abstained = "unsure"
    elif told >= _ENOUGH and len(said) < 2:
        abstained = "disagreement"
    elif confidence < LEAST_CONFIDENCE:
        abstained = "unsure"
    answered = text if abstained is None else None
    return Voted(answered, confidence, len(votes), len(said), most.characters, abstained, each, row)
