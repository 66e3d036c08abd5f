"""How far a command is, on the terminal of whoever waits for it."""

from __future__ import annotations

import sys
import time
from typing import Final

_EVERY_S: Final = 0.5


class Progress:
    """One line on standard error, written over and taken away at the end; only on a terminal."""

    def __init__(self, program: str, what: str, unit: str) -> None:
        self._program = program
        self._what = "".join(letter for letter in what if letter.isprintable())[:40]
        self._unit = unit
        self._on = sys.stderr.isatty()
        self._told = time.monotonic()
        self._written = False

    def show(self, share: float, done: int) -> None:
        """``share`` of it from 0 to 1, and how many ``unit`` those were."""
        if not self._on or time.monotonic() - self._told < _EVERY_S:
            return
        self._told = time.monotonic()
        sys.stderr.write(
            f"\r\x1b[K{self._program}: {100 * share:3.0f} %  {self._what}: {done:,} {self._unit}"
        )
        sys.stderr.flush()
        self._written = True

    def end(self) -> None:
        """Leave the line empty."""
        if self._written:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
