"""Numbers among the options of a command."""

from __future__ import annotations

import argparse
from typing import Final

_MOST: Final = 1_000_000.0
"""Beyond what any option means: days of it lie within what a date can be."""


def finite(text: str) -> float:
    """One that can be reckoned with: neither ``nan`` nor ``inf``, nor what no date can hold."""
    try:
        value = float(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number") from error
    if not abs(value) <= _MOST:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a number from -{_MOST:.0f} to {_MOST:.0f}"
        )
    return value
