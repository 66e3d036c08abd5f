"""Mistakes in a configuration, said so that a person can mend them: line, key, what to write."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple

from pydantic import TypeAdapter, ValidationError, ValidationInfo
from pydantic.errors import PydanticInvalidForJsonSchema
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError

from vigil_schemas.toml_lines import Path

CHECKING: Final = "vigil_edge.checking"
"""Key of the validation context that is true in ``vigil-edge check``."""


def checking(info: ValidationInfo) -> bool:
    """Whether a mistake may be refused that a running gateway only reports.

    A rule that is newer than the files it judges must not stop a gateway at its upgrade.
    """
    return bool((info.context or {}).get(CHECKING))


class Mistake(NamedTuple):
    """One thing to mend."""

    line: int
    key: str
    """Such as ``water[0].signal[1].range_fail``; empty where the whole file is meant."""
    message: str


class Found(NamedTuple):
    """One mistake of a section, its key relative to that section."""

    path: Path
    message: str
    missing: bool


def show(path: Path) -> str:
    """``("water", 0, "unit")`` as ``water[0].unit``."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def suggestion(word: str, known: Iterable[str]) -> str:
    """``; did you mean 'x'?`` where a known word is near, else nothing."""
    near = difflib.get_close_matches(word, sorted(known), n=1, cutoff=0.6)
    return f"; did you mean '{near[0]}'?" if near else ""


def misplaced(*places: tuple[Path, str]) -> ValidationError:
    """For a validator to raise: mistakes that lie deeper than, or beside, what it validates.

    Each place is relative to the validated field, or to the table for a model's validator.
    """
    return ValidationError.from_exception_data(
        "misplaced",
        [
            InitErrorDetails(
                type=PydanticCustomError("misplaced", "{said}", {"said": message}),
                loc=path,
                input=None,
            )
            for path, message in places
        ],
    )


def repeated(tables: Sequence[Any], key: str) -> list[tuple[Path, str]]:
    """The places, for ``misplaced``, where a key's value has already stood in an earlier table."""
    seen: dict[Any, int] = {}
    found: list[tuple[Path, str]] = []
    for index, table in enumerate(tables):
        value = getattr(table, key)
        if value in seen:
            found.append(((index, key), f"{value!r} stands here twice, first in [{seen[value]}]"))
        seen.setdefault(value, index)
    return found


def from_validation(
    error: ValidationError, adapter: TypeAdapter[Any], table: Any
) -> Iterator[Found]:
    """What pydantic found in one table, each place once, in words for the file's author."""
    seen: set[tuple[Path, str]] = set()
    for detail in error.errors(include_url=False):
        found = _one(detail, adapter, table)
        if (found.path, found.message) not in seen:
            seen.add((found.path, found.message))
            yield found


def _one(detail: ErrorDetails, adapter: TypeAdapter[Any], table: Any) -> Found:
    kind = detail["type"]
    path = _written(detail["loc"], table, keep_last=kind == "missing")
    context = detail.get("ctx", {})
    if kind == "missing":
        return Found(path, "is missing", missing=True)
    if kind == "extra_forbidden":
        hint = suggestion(str(path[-1]), _known(adapter, path[:-1])) if path else ""
        return Found(path, f"unknown key{hint}", missing=False)
    if kind == "union_tag_not_found":
        key = str(context["discriminator"]).strip("'\"")
        return Found((*path, key), "is missing", missing=True)
    if kind == "union_tag_invalid":
        key = str(context["discriminator"]).strip("'\"")
        message = f"{context['tag']!r} is not one of {context['expected_tags']}"
        return Found((*path, key), message, missing=False)
    if (shape := _shape(kind, detail["input"])) is not None:
        return Found(path, shape, missing=False)
    message = detail["msg"].removeprefix("Value error, ").removeprefix("Input ")
    secret = "token" in path or "@" in str(detail["input"])
    given = "" if secret else _given(detail["input"])
    return Found(path, message + given, missing=False)


def _shape(kind: str, given: Any) -> str | None:
    """For a value of the wrong shape: how the right one is written."""
    if kind in ("model_type", "dict_type"):
        brackets = ", in single brackets" if isinstance(given, list) else ""
        return f"write it as a table{brackets}"
    if kind in ("list_type", "tuple_type"):
        tables = isinstance(given, dict)
        return "write it as tables, in double brackets" if tables else "write a list in brackets"
    return "write a path in quotation marks" if kind == "path_type" else None


def _given(value: Any) -> str:
    """The wrong value itself, where it is short enough to help."""
    if isinstance(value, bool | int | float | str) and len(repr(value)) <= 60:
        return f" (it is {value!r})"
    return ""


def _written(loc: tuple[int | str, ...], table: Any, *, keep_last: bool) -> Path:
    """The location as keys of the file: without the branches of unions that pydantic names too."""
    path: list[str | int] = []
    value = table
    for position, part in enumerate(loc):
        inside = (isinstance(value, dict) and part in value) or (
            isinstance(value, list) and isinstance(part, int) and part < len(value)
        )
        if inside:
            value = value[part]
            path.append(part)
        elif keep_last and position == len(loc) - 1:
            path.append(part)
    return tuple(path)


def _known(adapter: TypeAdapter[Any], path: Path) -> set[str]:
    """The keys that may stand in the table at ``path``."""
    try:
        schema = adapter.json_schema()
    except PydanticInvalidForJsonSchema:
        return set()
    nodes = list(_branches(schema, schema))
    for part in path:
        below = [
            node.get("items") if isinstance(part, int) else node.get("properties", {}).get(part)
            for node in nodes
        ]
        nodes = [leaf for node in below if node for leaf in _branches(node, schema)]
    return {key for node in nodes for key in node.get("properties", {})}


def _branches(node: dict[str, Any], schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A schema node with references and alternatives opened."""
    if "$ref" in node:
        yield from _branches(schema["$defs"][node["$ref"].rsplit("/", 1)[-1]], schema)
        return
    yield node
    for word in ("anyOf", "oneOf", "allOf"):
        for branch in node.get(word, []):
            yield from _branches(branch, schema)
