"""Kinds of values that command lines take."""

from __future__ import annotations

import argparse


def speed(text: str) -> float:
    """World seconds per second."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value <= 1000:
        raise argparse.ArgumentTypeError(f"{text!r}: a speed lies above 0 and up to 1000")
    return value


def port(text: str) -> int:
    """Of TCP."""
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise argparse.ArgumentTypeError(f"{text!r}: a port lies between 1 and 65535")
    return int(text)
