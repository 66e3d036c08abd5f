"""Writing TOML: tables of scalars, lists, tables and arrays of tables."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any


def dumps(table: Mapping[str, Any], prefix: str = "") -> str:
    """TOML text of a nested mapping. Raises ``TypeError`` for a value that TOML does not have."""
    own: list[str] = []
    parts: list[str] = []
    for key, value in table.items():
        path = f"{prefix}{key}"
        if isinstance(value, Mapping):
            parts.append(f"\n[{path}]\n{dumps(value, f'{path}.')}")
        elif _is_tables(value):
            parts += [f"\n[[{path}]]\n{dumps(entry, f'{path}.')}" for entry in value]
        else:
            own.append(f"{key} = {_scalar(value)}\n")
    return "".join(own + parts)


def _is_tables(value: Any) -> bool:
    sequence = isinstance(value, Sequence) and not isinstance(value, str)
    return sequence and bool(value) and all(isinstance(entry, Mapping) for entry in value)


def _scalar(value: Any) -> str:
    if isinstance(value, str):
        # A JSON string is a TOML basic string, but for DEL.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, bool | int | float):
        return json.dumps(value).replace("Infinity", "inf").replace("NaN", "nan")
    if isinstance(value, Sequence):
        return "[" + ", ".join(_scalar(entry) for entry in value) + "]"
    raise TypeError(f"{value!r} cannot be written as TOML")
