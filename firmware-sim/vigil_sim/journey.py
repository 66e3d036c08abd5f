"""Journeys: what people do from an alarm to its closed case, written down as they do it.

A domain lists its own in its descriptor (``SimulatedDomain.journeys``); ``vigil-sim demo
--journeys`` plays them through the pages in a real browser (``vigil_sim.demo.journeys``). Nothing
here knows which browser: a journey is written against ``Stage`` and ``Person``, and everything
that a person does in it is done on a page.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple, Protocol

from vigil_sim.scenario_model import Scenario

Language = Literal["zh-TW", "en"]
Holds = Literal["phone", "desktop"]
LANGUAGES: Final[tuple[Language, ...]] = ("zh-TW", "en")
HOLDS: Final[tuple[Holds, ...]] = ("phone", "desktop")


class JourneyFailed(Exception):
    """It cannot go on; the message says what was not as it must be."""


class Words(NamedTuple):
    """The same words in both languages of the pages."""

    zh: str
    en: str

    def said(self, language: Language) -> str:
        """In one of them."""
        return self.zh if language == "zh-TW" else self.en


Text = Words | str
"""A plain text is the same in both languages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Something on a page as a person finds it: by what it is and what it is called.

    Of several the first that can be seen is meant, or the one that ``which`` counts (from 0).
    """

    role: str | None = None
    """ARIA role; with it ``name`` is the accessible name."""
    name: Text | None = None
    """Without a role: the label of a field."""
    exact: bool = False
    text: Text | None = None
    """A text that stands there."""
    css: str | None = None
    """Where nothing that a person would call it by tells it apart: ``[data-hit=…]``."""
    having: Text | None = None
    """Of those, the ones that contain this text."""
    inside: Target | None = None
    which: int = 0

    def within(self, outer: Target) -> Target:
        """The same, inside of something."""
        return replace(self, inside=outer)

    def __str__(self) -> str:
        what = self.css or self.role or ("field" if self.name else "text")
        called = " ".join(
            f"“{' / '.join(said) if isinstance(said, Words) else said}”"
            for said in (self.name, self.text, self.having)
            if said is not None
        )
        inside = f" in {self.inside}" if self.inside else ""
        return f"{what} {called}".rstrip() + inside


def button(name: Text, *, exact: bool = True) -> Target:
    """A button by its words."""
    return Target(role="button", name=name, exact=exact)


def link(having: Text) -> Target:
    """A link that contains these words."""
    return Target(role="link", having=having)


def field(label: Text, *, exact: bool = False) -> Target:
    """A field, a box or a choice by its label."""
    return Target(name=label, exact=exact)


def text(words: Text, *, exact: bool = False) -> Target:
    """Words that can be read."""
    return Target(text=words, exact=exact)


def heading(words: Text) -> Target:
    """A heading by its words."""
    return Target(role="heading", name=words)


def part(css: str, having: Text | None = None) -> Target:
    """A part of a page by its selector."""
    return Target(css=css, having=having)


DIALOG: Final = Target(role="dialog")
"""The one that is open."""


class Person(Protocol):
    """One signed-in account at its own window, by mouse, by finger or by keyboard alone.

    Whatever is waited for is waited for 60 s; after that the journey fails with its step.
    """

    language: Language
    username: str

    @property
    def path(self) -> str:
        """Where the window is now, as ``/cases/…``."""

    def opens(self, path: str) -> None:
        """Goes to a page by its address, as by a link in a message."""

    def sees(self, *wanted: Target) -> None:
        """Waits until each can be seen."""

    def misses(self, *unwanted: Target) -> None:
        """Waits until none can be seen."""

    def arrives(self, pattern: str) -> None:
        """Waits until the path matches a regular expression from its beginning."""

    def reads(self, wanted: Target) -> str:
        """The words that stand there, or what a field holds."""

    def presses(self, wanted: Target) -> None:
        """A button, a link, a box or one of several choices."""

    def writes(self, wanted: Target, words: Text) -> None:
        """Into a field, in place of what is there."""

    def chooses(self, wanted: Target, option: Text) -> None:
        """One of a list that opens."""

    def attaches(self, wanted: Target, file: Path) -> None:
        """A file, chosen where the page asks for one."""

    def downloads(self, wanted: Target) -> Path:
        """Follows a link to a file; where it was saved."""

    def network(self, there: bool) -> None:
        """The network goes away, or is back."""

    def stands_at(self, latitude: float, longitude: float) -> None:
        """Where the device says it is; the page may ask for it."""

    def begins_to_decide(self) -> None:
        """From here on this person's taps are counted: the alert is before them."""

    def aside(self) -> AbstractContextManager[None]:
        """What is done in here is not on the way to the decision: its taps are not counted."""

    def has_decided(self, at_most: int, what: str = "") -> None:
        """The count ends. ``at_most`` is the goal; ``what`` names it where there are several."""


class Stage(Protocol):
    """The city and the cloud while one journey is played."""

    folder: Path
    """For files of this journey."""

    @property
    def scenario(self) -> Scenario:
        """What is played."""

    def person(self, username: str) -> Person:
        """One of the journey's people, signed in at a window of their own."""

    def photograph(self) -> Path:
        """A picture as a telephone takes it (JPEG)."""

    def step(self, words: str) -> None:
        """Says what begins now; a failure is told with it."""

    def happened(self, what: str) -> Mapping[str, Any]:
        """Waits until the timetable tells of the first happening of this kind; its keys."""


class Part(NamedTuple):
    """Who takes part, and how, unless another way is asked for."""

    username: str
    holds: Holds
    language: Language


def _nothing_before(_: Stage) -> None:
    """Most people first hear of it when it happens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Journey:
    """One way from an alarm to a closed case."""

    key: str
    """Printed with its seconds."""
    people: tuple[Part, ...]
    after: str
    """The kind of happening that it follows from; a scenario without one cannot play it."""
    play: Callable[[Stage], None]
    """Returns when its people see that it is closed; raises what ``Person`` raises."""
    before: Callable[[Stage], None] = _nothing_before
    """What people do before the night begins: go on call, agree to something."""
    instead_of: frozenset[str] = frozenset()
    """Happenings whose people (``SimulatedDomain.people``) are played by this journey."""
