"""Reads the plate in a picture: rows of characters are found, straightened, read and voted on."""

from __future__ import annotations

import errno
import os
import stat
import struct
import time
import warnings
import zlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, cast

import cv2
import numpy as np

from vigil_edge.noise.errors import PictureUnusable, PlateReaderMissing
from vigil_edge.noise.plate.candidates import Picture, Plate
from vigil_edge.noise.plate.formats import NO_FORMAT, SELDOM, Reading, is_word, likeliest
from vigil_edge.noise.plate.lines import MARGINS, cut, level_height, rows_of, shared
from vigil_edge.noise.plate.recogniser import Characters, recogniser
from vigil_edge.noise.plate.surroundings import Around, around

LEAST_CONFIDENCE: Final = 0.6
"""Below this the answer is that it cannot be read."""
MOST_PIXELS: Final = 50_000_000
MOST_BYTES: Final = 4 * MOST_PIXELS
"""Of a file: what stands behind a picture's head may be anything, and is read whole."""
_PARSING: Final = (
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    RecursionError,
    SyntaxError,
    TypeError,
    ValueError,
    struct.error,
    zlib.error,
)
"""What parsers of file heads raise for heads that nobody foresaw."""
_STDERR: Final = 2
_REDUCED_ABOVE: Final = 9_000_000
_LEAST: Final = (24, 12)
_FORMATS: Final = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF", "PPM")
"""Pillow's names: what cameras write. Other parsers (AVIF, JPEG 2000) are not let at files."""
_TRIED: Final = 4
"""Rows that are looked at closely, one after the other, until one is read."""
_SMALL: Final = 2
"""Small letters in a row, from which on it is ordinary writing."""
_ALONE: Final = 7
"""Characters of a known format, from which on a row is no line of two."""
_USUAL: Final = -0.5
"""Prior of a format, from which on such a row is not joined with what stands above or below."""
_ADDED: Final = {True: 1, False: 2}
"""Characters above (True) or below, at most, that may be something else than a plate's line."""
_FRAGMENT: Final = 5
_RARE: Final = 0.85
"""Share of the confidence that is left for a text of a rare format."""
_RIVAL: Final = 0.6
"""Height of another text in heights of the one that is answered, from which on it counts."""
_UNKNOWN: Final = 0.62
"""Share of the confidence that is left for a text of no format: only what is quite sure is
answered."""
DOUBT: Final = 0.4
"""Share of the confidence that is left where a text is a word, or not the whole of a plate."""


@dataclass(frozen=True, slots=True)
class PlateRead:
    """What one picture shows; ``text`` is None where it was not read surely enough."""

    text: str | None
    confidence: float
    box: tuple[int, int, int, int] | None
    """x, y, width, height in pixels of the picture."""
    characters: tuple[float, ...] = ()
    """Of each character of the likeliest text, 0 to 1."""
    seen: str | None = None
    """The likeliest text, also where it is not sure."""
    doubted: bool = False
    """That ``seen`` may be a part of a plate, or none: it speaks for no text."""


def read_file(path: Path) -> tuple[PlateRead, float]:
    """The plate and the milliseconds it took. Raises ``PictureUnusable``."""
    began = time.perf_counter()
    picture, scale = load(path)
    found = read_plate(picture)
    if found.box is not None and scale != 1:
        x, y, width, height = (scale * each for each in found.box)
        found = replace(found, box=(x, y, width, height))
    return found, 1000 * (time.perf_counter() - began)


def load(path: Path) -> tuple[Picture, int]:
    """A picture of bounded size, and how many times smaller than the file's it is.

    Its size is read before its pixels. Raises ``PictureUnusable``.
    """
    taken = _regular(path)
    width, height = _size(path)
    if taken > MOST_BYTES:
        raise PictureUnusable(f"{path.name}: the file is larger than {MOST_BYTES // 1_000_000} MB")
    if width * height > MOST_PIXELS:
        raise PictureUnusable(
            f"{path.name}: {width} × {height} pixels are too many (50 million can be read)"
        )
    if width < _LEAST[0] or height < _LEAST[1]:
        raise PictureUnusable(f"{path.name}: {width} × {height} pixels are too few for a plate")
    reduced = width * height > _REDUCED_ABOVE
    how = cv2.IMREAD_REDUCED_COLOR_2 if reduced else cv2.IMREAD_COLOR
    try:
        with _codecs_silent():
            picture = cv2.imdecode(np.fromfile(path, np.uint8), how)
    except (OSError, MemoryError, cv2.error) as error:
        raise PictureUnusable(f"{path.name}: the picture is damaged") from error
    if picture is None:
        raise PictureUnusable(f"{path.name}: the picture is damaged")
    return cast(Picture, picture), 2 if reduced else 1


@contextmanager
def _codecs_silent() -> Iterator[None]:
    """What codecs (libpng, OpenCV) write to the process's standard error themselves is left out:
    one line says what is wrong with the picture."""
    try:
        kept = os.dup(_STDERR)
    except OSError:  # there is none
        yield
        return
    try:
        with Path(os.devnull).open("wb") as nowhere:
            os.dup2(nowhere.fileno(), _STDERR)
        yield
    finally:
        os.dup2(kept, _STDERR)
        os.close(kept)


def _regular(path: Path) -> int:
    """Bytes of the file; what would keep its reader waiting (a pipe, a terminal) is none."""
    try:
        found = path.stat()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "no file has such a name"
        raise PictureUnusable(f"{path.name}: {reason}") from error
    if stat.S_ISDIR(found.st_mode):
        raise PictureUnusable(f"{path.name}: {os.strerror(errno.EISDIR)}")
    if not stat.S_ISREG(found.st_mode):
        raise PictureUnusable(f"{path.name}: a pipe or a device, no file")
    if not found.st_size:
        raise PictureUnusable(f"{path.name}: the file is empty")
    return found.st_size


def _size(path: Path) -> tuple[int, int]:
    try:
        from PIL import Image, UnidentifiedImageError
    except ImportError as error:
        raise PlateReaderMissing("pillow is not installed") from error
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what is wrong with it is told once, by us
            with Image.open(path, formats=_FORMATS) as opened:
                return opened.size
    except Image.DecompressionBombError as error:
        raise PictureUnusable(f"{path.name}: the picture has far too many pixels") from error
    except UnidentifiedImageError as error:
        raise PictureUnusable(
            f"{path.name}: this is no picture (JPEG, PNG, WebP, BMP, TIFF, GIF and PPM are read)"
        ) from error
    except (OSError, MemoryError, *_PARSING) as error:
        reason = getattr(error, "strerror", None) or "the picture is damaged"
        raise PictureUnusable(f"{path.name}: {reason}") from error


def read_plate(picture: Picture) -> PlateRead:
    """The likeliest plate of a picture, (height, width, 3) BGR."""
    rows = rows_of(picture)
    if not rows:
        return PlateRead(None, 0.0, None)
    lines = recogniser().read([cut(picture, row, *MARGINS[0]) for row in rows])
    worth = [_worth(line, row) for line, row in zip(lines, rows, strict=True)]
    ranked = sorted(range(len(rows)), key=lambda index: -worth[index])
    first: PlateRead | None = None
    tried = [index for index in ranked if not _writing(lines[index])] or ranked
    for index in tried[:_TRIED]:
        read, whole = _looked_at(picture, rows[index], lines[index])
        if read.text is not None:
            others = [(rows[each], lines[each]) for each in ranked if each != index]
            return _doubted(read) if _rivalled(picture, read, rows[index], others) else read
        first = first or read
        if whole:
            # The plate, most likely, and not to be read: something else is no answer.
            break
    return first or PlateRead(None, 0.0, None)


def _rivalled(
    picture: Picture, read: PlateRead, row: Plate, others: Sequence[tuple[Plate, Characters]]
) -> bool:
    """That another text somewhere else is read as surely, and is not much smaller: which of the two
    is meant nobody can say."""
    if read.box is None:
        return False
    box = Plate(*read.box, 0.0)
    for other, line in others:
        reading = likeliest(line.chances)
        if reading is None or reading.prior <= NO_FORMAT or reading.confidence < LEAST_CONFIDENCE:
            continue
        smaller = level_height(other) < _RIVAL * level_height(row)
        if smaller or _writing(line) or shared(box, other) > 0:
            continue
        rival = _looked_at(picture, other, line)[0]
        if rival.text not in (None, read.text):
            return True
    return False


def _looked_at(picture: Picture, row: Plate, line: Characters) -> tuple[PlateRead, bool]:
    """A row with what belongs to it, and whether it may be a plate as a whole."""
    seen = around(picture, row) if row.score > 0 else Around(row, False, None, False, False)
    crops = [cut(picture, seen.row, *margin) for margin in MARGINS[0 if seen.grown else 1 :]]
    read = recogniser().read(crops)
    lines = read if seen.grown else [line, *read]
    box = (seen.row.x, seen.row.y, seen.row.width, seen.row.height)
    votes = [likeliest(each.chances) for each in lines]
    if 2 * sum(map(_writing, lines)) > len(lines):
        return _doubted(_voted(votes, box)), False
    if seen.stacked:
        return _doubted(_voted(votes, box)), True
    if seen.second is None:
        return _voted(votes, box), any(map(_whole, votes))
    return _two_lines(picture, row, lines, seen.second, seen.above, box)


def _two_lines(
    picture: Picture,
    row: Plate,
    lines: list[Characters],
    other: Plate,
    above: bool,
    box: tuple[int, int, int, int],
) -> tuple[PlateRead, bool]:
    """``row``, read as ``lines``, with the ``other`` line ``above`` or below; as ``_looked_at``."""
    votes = [likeliest(each.chances) for each in lines]
    whole = [each for each in votes if each is not None and _whole(each)]
    if any(len(each.text) >= _ALONE and each.prior >= _USUAL for each in whole):
        return _voted(votes, box), True  # what stands above or below is something else
    more = recogniser().read([cut(picture, other, *margin) for margin in MARGINS])
    both = [
        likeliest(np.concatenate([two.chances, one.chances][:: 1 if above else -1]))
        for one, two in zip(lines, more, strict=True)
    ]
    added = max(len(each.chances) for each in more)
    if not added:
        return _voted(votes, box), True
    if added <= _ADDED[above] and any(each.prior > SELDOM for each in whole):
        # A plate by itself, and a reflector or a bolt beside it; or a district's single letter.
        alone = _voted(votes, box)
        return (alone if added == 1 and not above else _doubted(alone)), True
    left, top = min(row.x, other.x), min(row.y, other.y)
    right = max(row.x + row.width, other.x + other.width)
    bottom = max(row.y + row.height, other.y + other.height)
    joined = _voted(both, (left, top, right - left, bottom - top))
    if any(each is not None and each.prior > NO_FORMAT for each in both):
        return joined, True
    if any(len(each.text) >= _ALONE for each in whole):
        return _voted(votes, box), True
    # Two lines that are no plate together: neither is one alone.
    return _doubted(joined), False


def _writing(line: Characters) -> bool:
    """Of a sign or a badge: words, or small letters. Digits alone may be a line of two."""
    reading = likeliest(line.chances)
    if reading is None or reading.text.isdigit():
        return False
    return line.small >= _SMALL or is_word(reading)


def _whole(reading: Reading | None) -> bool:
    """That it may be a plate's text: no word of a street, no piece of something."""
    if reading is None or is_word(reading):
        return False
    return reading.prior > NO_FORMAT or len(reading.text) > _FRAGMENT


def _doubted(read: PlateRead) -> PlateRead:
    """What was seen, without an answer."""
    return replace(read, text=None, confidence=round(DOUBT * read.confidence, 3), doubted=True)


def _worth(line: Characters, row: Plate) -> float:
    """How much a row looks and reads like a plate."""
    reading = likeliest(line.chances)
    if reading is None:
        return -1.0 + row.score
    if is_word(reading):
        return -0.5 + row.score
    known = 0.0 if reading.prior <= NO_FORMAT else 1.0 + 0.1 * reading.prior
    return reading.confidence + known + 0.5 * row.score - 0.3 * line.strange


def _voted(votes: list[Reading | None], box: tuple[int, int, int, int]) -> PlateRead:
    """The text with the most confidence behind it; crops that say otherwise count against it."""
    behind: dict[str, list[Reading]] = defaultdict(list)
    for vote in votes:
        if vote is not None:
            behind[vote.text].append(vote)
    if not behind:
        return PlateRead(None, 0.0, box)
    text, said = max(behind.items(), key=lambda each: sum(v.confidence for v in each[1]))
    most = max(said, key=lambda vote: vote.confidence)
    agreement = len(said) / len(votes)
    confidence = round(most.confidence * (0.4 + 0.6 * agreement), 3)
    if is_word(most):
        confidence = round(DOUBT * confidence, 3)
    elif NO_FORMAT < most.prior <= SELDOM:
        confidence = round(_RARE * confidence, 3)
    elif most.prior <= NO_FORMAT:
        # Nothing but the recogniser speaks for it; a part of a plate looks like that as well.
        confidence = round((_UNKNOWN if len(text) > _FRAGMENT else 0.5) * confidence, 3)
    read = text if confidence >= LEAST_CONFIDENCE else None
    return PlateRead(read, confidence, box, most.characters, text)
