"""What is wrong with something that was sent, as data: each mistake with its place and its kind."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple


class Mistake(NamedTuple):
    """One thing that is wrong."""

    place: str
    """Where, as a path from the top: ``step.0.persons``; empty: the whole."""
    kind: str
    """What, in one word for programs."""
    text: str
    value: str = ""
    """What stood there, where that helps and is nobody's secret."""


def mistakes_of(details: Iterable[Mapping[str, Any]]) -> list[Mistake]:
    """From what pydantic found (``ValidationError.errors``). A check of ours
    (``PydanticCustomError``) names its own kind, and in its context the field (``at``) and the
    value."""
    found = []
    for detail in details:
        place, context = [str(part) for part in detail["loc"]], detail.get("ctx", {})
        if at := context.get("at"):
            place.append(str(at))
        kind, value = str(detail["type"]).replace("_", "-"), str(context.get("value", ""))
        found.append(Mistake(".".join(place), kind, str(detail["msg"]), value))
    return found
