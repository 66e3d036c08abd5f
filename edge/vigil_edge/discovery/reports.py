"""What a search tells the cloud of itself, within one message. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal

from vigil_edge.discovery.search import Found, Place
from vigil_edge.text import well_formed
from vigil_schemas.discovery import (
    MOST_FOUND,
    DiscoveryReport,
    Fact,
    FoundDevice,
    Searched,
)

MOST_BYTES: Final = 160 * 1024
"""Of a message's 256 KiB: escapes and the envelope come on top."""
_PLACES: Final = 200


@dataclass(slots=True)
class Progress:
    """What one search knows so far."""

    command: str
    began: datetime
    searched: list[Searched] = field(default_factory=list)
    found: dict[str, FoundDevice] = field(default_factory=dict)

    def take(self, domain: str, place: Place) -> None:
        """One place, searched."""
        for each in place.found:
            told = described(domain, each)
            self.found[told.found] = told
        searched = Searched(
            domain=domain,
            place=cut(place.place, 200),
            found=len(place.found),
            code=place.code,
            message=None if place.message is None else cut(place.message, 400),
        )
        self.searched = [*self.searched, searched][:_PLACES]

    def report(
        self,
        state: Literal["searching", "done", "interrupted"],
        ended: datetime | None = None,
    ) -> DiscoveryReport:
        """Those that need somebody first: what is configured already is what is left out first."""
        ordered = sorted(self.found.values(), key=lambda one: one.device is not None)
        told = _within(ordered[:MOST_FOUND])
        return DiscoveryReport(
            command_id=self.command,
            state=state,
            began=self.began,
            ended=ended,
            searched=self.searched,
            found=told,
            untold=len(ordered) - len(told),
        )


def _within(found: Sequence[FoundDevice]) -> list[FoundDevice]:
    told: list[FoundDevice] = []
    size = 0
    for each in found:
        size += len(each.model_dump_json().encode())
        if size > MOST_BYTES:
            break
        told.append(each)
    return told


def described(domain: str, found: Found) -> FoundDevice:
    """As the contract tells it."""
    return FoundDevice(
        found=found.key(domain),
        domain=domain,
        driver=cut(found.driver, 40),
        title=cut(found.title, 160),
        title_zh=cut(found.title_zh, 160),
        facts=[Fact(name=cut(k, 60), value=cut(v, 200)) for k, v in found.facts[:24]],
        choices=list(found.choices),
        device=found.device,
        addable=found.template is not None,
        readable=found.readable,
    )


def cut(text: str, most: int) -> str:
    """A device's own words: one line, whole characters, no longer than the contract allows."""
    printable = "".join(c if c.isprintable() else " " for c in well_formed(text))
    return printable[:most]
