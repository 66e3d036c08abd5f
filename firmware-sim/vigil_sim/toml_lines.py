"""Where in a TOML text a key stands, so that a mistake can be shown with its line."""

from __future__ import annotations

import re
from collections.abc import Sequence

_HEADER = re.compile(r"^\s*(\[\[?)\s*([^\]]+?)\s*\]\]?\s*(?:#.*)?$")
_KEY = re.compile(r"""^\s*["']?([A-Za-z0-9_-]+)["']?\s*=""")


def line_of(text: str, path: Sequence[str | int]) -> int | None:
    """Line (from 1) of the key that ``path`` leads to, or of the table that should hold it.

    ``path`` is as pydantic reports it: ``("schedule", 2, "plate")``. ``None`` if nothing fits.
    """
    tables = _tables(text)
    if not path:
        return None
    for depth in range(len(path), 0, -1):
        wanted, rest = tuple(path[:depth]), path[depth:]
        if wanted in tables:
            start, keys = tables[wanted]
            return keys.get(str(rest[0]), start) if rest else start
    return tables[()][1].get(str(path[0]))


_Table = tuple[int, dict[str, int]]


def _tables(text: str) -> dict[tuple[str | int, ...], _Table]:
    """Each table's path, the line of its header and the lines of its keys."""
    keys: dict[str, int] = {}
    tables: dict[tuple[str | int, ...], _Table] = {(): (1, keys)}
    counts: dict[tuple[str | int, ...], int] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        header = _HEADER.match(line)
        if header:
            path: tuple[str | int, ...] = ()
            parts = [part.strip().strip("\"'") for part in header[2].split(".")]
            for index, part in enumerate(parts):
                path = (*path, part)
                if header[1] == "[[" and index == len(parts) - 1:
                    counts[path] = counts.get(path, -1) + 1
                if path in counts:
                    path = (*path, counts[path])
            keys = {}
            tables[path] = (number, keys)
        else:
            key = _KEY.match(line)
            if key:
                keys.setdefault(key[1], number)
    return tables
