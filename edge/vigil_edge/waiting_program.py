"""A standby program: started before it is asked for, it loads what it needs and is then given its
arguments on standard input (``vigil_edge.worker.Worker.prepare`` starts it).

Imports the standard library alone, for such a program imports this first.
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
