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
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

import cv2
import numpy as np

from vigil_edge.noise.errors import PictureUnusable, PlateReaderMissing
from vigil_edge.noise.plate.candidates import Grey, Picture, Plate, candidates
from vigil_edge.noise.plate.formats import NO_FORMAT, Reading, likeliest
from vigil_edge.noise.plate.recogniser import Characters, recogniser

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
"""Pillow's names; of all others it is not asked, and OpenCV decodes none."""
_ROWS: Final = 4
"""Rows of characters that are read: the most plate-like ones."""
_SHORT: Final = 3.4
"""Width in heights below which a row may be a part of a plate: it is read wider, too."""
_MARGINS: Final = ((0.02, 0.0), (0.2, 0.05), (0.08, -0.08))
"""Crops of the same row, in its heights: (sides, above and below)."""
_OVERLAP: Final = 0.5
_FRAGMENT: Final = 5


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


def read_file(path: Path) -> tuple[PlateRead, float]:
    """The plate and the milliseconds it took. Raises ``PictureUnusable``."""
    began = time.perf_counter()
    picture, scale = load(path)
    found = read_plate(picture)
    if found.box is not None and scale != 1:
        x, y, width, height = (scale * each for each in found.box)
        found = PlateRead(
            found.text, found.confidence, (x, y, width, height), found.characters, found.seen
        )
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
    rows = _rows(picture)
    if not rows:
        return PlateRead(None, 0.0, None)
    first = recogniser().read([_cut(picture, row, *_MARGINS[0]) for row in rows])
    best = max(range(len(rows)), key=lambda index: _worth(first[index], rows[index]))
    row = rows[best]
    more = recogniser().read([_cut(picture, row, *margin) for margin in _MARGINS[1:]])
    votes = [_reading(each) for each in (first[best], *more)]
    return _voted(votes, (row.x, row.y, row.width, row.height))


def _rows(picture: Picture) -> list[Plate]:
    """The most plate-like rows, each once; a small picture may be a plate as a whole."""
    grey = cast(Grey, cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY))
    found = sorted(candidates(grey), key=lambda plate: -plate.score)
    kept: list[Plate] = []
    for plate in found:
        if len(kept) == _ROWS:
            break
        if all(_shared(plate, other) < _OVERLAP for other in kept):
            kept.append(plate)
    kept += [_wider(plate) for plate in kept if plate.width < _SHORT * plate.height]
    height, width = grey.shape
    if 1.4 * height <= width <= 8 * height and width <= 800:
        kept.append(Plate(0, 0, width, height, 0.0))
    return kept


def _wider(plate: Plate) -> Plate:
    """With room for as many characters on either side as might have been missed."""
    more = round(2.4 * plate.height)
    # The box of a sloping row grows in height with its width.
    rise = round(abs(plate.slope) * more)
    return Plate(
        plate.x - more,
        plate.y - rise,
        plate.width + 2 * more,
        plate.height + 2 * rise,
        0.5 * plate.score,
        plate.slope,
    )


def _shared(one: Plate, other: Plate) -> float:
    wide = min(one.x + one.width, other.x + other.width) - max(one.x, other.x)
    high = min(one.y + one.height, other.y + other.height) - max(one.y, other.y)
    if wide <= 0 or high <= 0:
        return 0.0
    return wide * high / min(one.width * one.height, other.width * other.height)


def _cut(picture: Picture, row: Plate, sides: float, above: float) -> Picture:
    """The row made level by a shear, which keeps upright strokes upright."""
    width, height = row.width, row.height
    level = height - abs(row.slope) * width
    if level < 0.4 * height:
        level = 0.4 * height
    left, right = row.x - sides * height, row.x + width + sides * height
    middle = row.y + height / 2
    half = level / 2 * (1 + 2 * above)
    wide, high = max(8, round(right - left)), max(8, round(2 * half))
    shear = np.array(
        [[1, 0, left], [row.slope, 1, middle - half - row.slope * (right - left) / 2]],
        np.float64,
    )
    cut: Any = cv2.warpAffine(
        picture,
        shear,
        (wide, high),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return cast(Picture, cut)


def _reading(line: Characters) -> Reading | None:
    return likeliest(line.chances)


def _worth(line: Characters, row: Plate) -> float:
    """How much a row looks and reads like a plate."""
    reading = _reading(line)
    if reading is None:
        return -1.0 + row.score
    known = 0.0 if reading.prior <= NO_FORMAT else 1.0
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
    if most.prior <= NO_FORMAT:
        # Nothing but the recogniser speaks for it; a part of a plate looks like that as well.
        confidence = round((0.7 if len(text) > _FRAGMENT else 0.5) * confidence, 3)
    read = text if confidence >= LEAST_CONFIDENCE else None
    return PlateRead(read, confidence, box, most.characters, text)
