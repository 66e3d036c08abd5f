"""What a recording's own notes say of its full scale: ``0 dBFS = 120 dB SPL``. Pure.

Recorders and people put it into ``bext`` (description or coding history), ``iXML``, a comment
in ``LIST``, or GUANO, before the sound or behind it, with a comma or a point.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

NOTED_IN: Final = frozenset({b"bext", b"iXML", b"LIST", b"guan", b"axml"})
MOST_BYTES: Final = 65_536
_FULL_SCALE: Final = re.compile(
    r"0\s*dB\s*FS\s*(?:=|:|is|equals)\s*(\d{2,3}(?:[.,]\d+)?)\s*dB\s*\(?SPL", re.IGNORECASE
)
_POSSIBLE_DB: Final = (60.0, 200.0)


def noted(body: bytes) -> Iterator[float]:
    """Every full scale in a chunk's body, dB re 20 µPa, peak."""
    for said in _FULL_SCALE.finditer(body.decode("latin-1").replace("\0", " ")):
        yield float(said[1].replace(",", "."))


def agreed(found: Sequence[float]) -> tuple[float | None, str | None]:
    """What they agree on; and what is to be told where they do not, or cannot be true."""
    possible = sorted({db for db in found if _POSSIBLE_DB[0] <= db <= _POSSIBLE_DB[1]})
    if len(possible) == 1 and len(set(found)) == 1:
        return possible[0], None
    if not found:
        return None, None
    several = " and ".join(f"{db:g}" for db in sorted(set(found)))
    return None, (
        f"its notes give {several} dB for full scale, which is not taken:"
        " say it with --full-scale-peak-db"
    )
