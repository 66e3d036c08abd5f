"""How the process that looks at a case is started (``casework``), for whoever starts it: nothing of
what it loads is loaded here."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

ONE_BY_ONE: Final = "one-by-one"
ENVIRONMENT: Final = {
    "OPENCV_LOG_LEVEL": "SILENT",
    "OPENCV_FFMPEG_LOGLEVEL": "-8",
    # Its jobs share the processors already: libraries that start threads of their own wait in
    # loops, and each thread keeps memory for itself.
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "MALLOC_ARENA_MAX": "2",
}


PROGRAM: Final = (sys.executable, "-m", "vigil_edge.noise.casework")
"""Whoever will soon have a case may have it prepared."""


def words(folder: Path, *, one_by_one: bool = False) -> list[str]:
    """The command that looks at the case in ``folder``. ``one_by_one``: on one processor, what is
    found before anything is made of it."""
    said = [*PROGRAM, str(folder)]
    return [*said, ONE_BY_ONE] if one_by_one else said
