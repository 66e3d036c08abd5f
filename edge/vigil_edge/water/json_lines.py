"""What a replay prints: one JSON object a row."""

from __future__ import annotations

import json
from collections.abc import Iterable
from itertools import chain, repeat
from typing import TYPE_CHECKING, Any, Final

from pydantic_core import to_json

from vigil_edge.water.rows import Row

if TYPE_CHECKING:
    from vigil_edge.water.qc_columns import Floats
    from vigil_edge.water.replay_columns import Block

_ENCODE: Final = json.JSONEncoder(ensure_ascii=False).encode


def of_row(row: Row) -> str:
    """With its line end."""
    # Times are in UTC already, so that their text ends in +00:00.
    t = None if row.t is None else row.t.isoformat()[:-6] + "Z"
    line: dict[str, Any] = {"t": t, "values": row.values, "flags": row.flags}
    if row.off_scale is not None:
        line["off_scale"] = row.off_scale
    if row.station is not None:
        line["station"] = row.station
    return _ENCODE(line) + "\n"


def of_block(block: Block) -> str:
    """The same of many rows."""
    columns: list[Iterable[str]] = []
    joint = '", "values": {'
    for name, values in zip(block.names, block.values, strict=True):
        columns += [repeat(f"{joint}{_ENCODE(name)}: "), _numbers(values)]
        joint = ", "
    rows = zip(repeat('{"t": "'), block.times, *columns, _ends(block), strict=False)
    return "".join(chain.from_iterable(rows))


def _numbers(values: Floats) -> list[str]:
    return to_json(values.tolist(), inf_nan_mode="null").decode()[1:-1].split(",")


def _ends(block: Block) -> list[str]:
    """Of each row, from its flags on; most rows have the same."""
    known: dict[tuple[int, ...], str] = {}
    station = "" if block.station is None else f', "station": {_ENCODE(block.station)}'
    ends: list[str] = []
    for flags in zip(*(column.tolist() for column in block.flags), strict=True):
        end = known.get(flags)
        if end is None:
            shown = _ENCODE(dict(zip(block.names, flags, strict=True)))
            end = known[flags] = f'}}, "flags": {shown}{station}}}\n'
        ends.append(end)
    for at, sides in block.sides.items():
        flags = tuple(int(column[at]) for column in block.flags)
        shown = _ENCODE(dict(zip(block.names, flags, strict=True)))
        ends[at] = f'}}, "flags": {shown}, "off_scale": {_ENCODE(sides)}{station}}}\n'
    return ends
