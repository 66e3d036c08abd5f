"""A program that is started before it is asked for: the words that it is then given.

Nothing else is loaded here: it is what such a program does first.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Final

WAITS: Final = "-"
"""The only word with which such a program is started."""


def given(load: Callable[[], object]) -> list[str] | None:
    """The words of the command line. Where they are only ``WAITS``: once ``load`` is done, those of
    the first line of the input, a JSON list; ``None`` where it ends before, for nobody asks."""
    words = sys.argv[1:]
    if words != [WAITS]:
        return words
    load()
    line = sys.stdin.readline()
    return [str(word) for word in json.loads(line)] if line else None
