"""``vigil-sim demo --journeys``: each journey through the pages, from its alarm to a closed case.

What people do is written in the domains' rooms (``vigil_sim.journey.Journey``); here it is played,
one after the other, and told.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, get_args

from vigil_sim.demo import browser
from vigil_sim.demo.browser import Chromium, Counted, Manner, Window
from vigil_sim.demo.processes import DemoFailed, interrupts
from vigil_sim.domain import SimulatedDomain
from vigil_sim.journey import Holds, Journey, JourneyFailed, Language, Part
from vigil_sim.scenario import CityScenario

ALL: Final = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the command line asked for."""

    keys: tuple[str, ...] | None
    """None: every journey."""
    language: Language | None
    """None: each person in their own."""
    holds: Holds | None
    manner: Manner


@dataclass
class Result:
    """One journey that ended closed."""

    key: str
    seconds: float
    counted: list[Counted] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    audited: int = 0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """``--journeys`` and how they are played."""
    parser.add_argument(
        "--journeys",
        nargs="?",
        const=ALL,
        metavar="KEY,…",
        help="play what people do through the pages in Chromium (all journeys, or those named)",
    )
    group = parser.add_argument_group("journeys are played, unless said otherwise, as people do")
    group.add_argument("--language", choices=get_args(Language), help="everybody in this one")
    group.add_argument("--holds", choices=get_args(Holds), help="everybody before this one")
    group.add_argument("--keyboard", action="store_true", help="by keyboard alone")
    group.add_argument("--maps", action="store_true", help="draw maps (seconds of processor each)")
    group.add_argument("--axe", type=Path, metavar="FILE", help="check each page with axe.min.js")


def asked(arguments: argparse.Namespace) -> Asked | None:
    """None where no journey is asked for. Raises ``DemoFailed``."""
    if arguments.journeys is None:
        return None
    named: str = arguments.journeys
    axe: Path | None = arguments.axe
    if axe is not None and not axe.is_file():
        raise DemoFailed(f"--axe: there is no file {axe}")
    return Asked(
        keys=None if named == ALL else tuple(named.split(",")),
        language=arguments.language,
        holds=arguments.holds,
        manner=Manner(
            keyboard=arguments.keyboard,
            maps=arguments.maps,
            axe=axe.read_text("utf-8") if axe else None,
        ),
    )


def chosen(
    asked: Asked, domains: Sequence[SimulatedDomain], scenario: CityScenario
) -> list[Journey]:
    """In the order of the domains. Raises ``DemoFailed`` where one cannot be played."""
    known = {journey.key: journey for domain in domains for journey in domain.journeys}
    for key in asked.keys or ():
        if key not in known:
            raise DemoFailed(f"no journey {key!r}; known: {', '.join(known)}")
    found = [one for key, one in known.items() if asked.keys is None or key in asked.keys]
    happens = {happening.what for happening in scenario.schedule}
    for journey in found:
        if journey.after not in happens:
            raise DemoFailed(
                f"journey {journey.key} follows from {journey.after!r}, which does not happen in"
                f" the scenario {scenario.name}"
            )
    return found


class Player:
    """All journeys that were asked for, in one browser."""

    def __init__(
        self,
        asked: Asked,
        scenario: CityScenario,
        directory: Path,
        *,
        say: Callable[[str], None],
        between: Callable[[], None],
        happened: Mapping[str, Sequence[Mapping[str, Any]]],
    ) -> None:
        """``happened`` is what the timetable has told so far, by kind; ``between`` hears more of
        it, and is called while anything is waited for. Raises ``DemoFailed`` before anything is
        started."""
        browser.chromium()
        self.journeys = chosen(asked, scenario.domains, scenario)
        self.instead_of = frozenset[str]().union(*(one.instead_of for one in self.journeys))
        self.results: list[Result] = []
        self.scenario = scenario
        self.say = say
        self.happened = happened
        self._asked = asked
        self._directory = directory
        self._between = between

    @contextmanager
    def browsing(self, url: str) -> Iterator[None]:
        """Chromium, for as long as people use it. Ctrl-C is heard while something is waited for:
        an exception in the middle of a call would leave Playwright unable to end it."""
        with interrupts.held():
            chromium = Chromium(url, self._asked.manner, self._between)
            try:
                self._stages = [
                    _Stage(self, chromium, journey, self._folder(journey))
                    for journey in self.journeys
                ]
                yield
            finally:
                chromium.close()

    def prepare(self) -> None:
        """What people do before the night begins."""
        for stage in self._stages:
            with stage.told():
                stage.step("before the night")
                stage.journey.before(stage)

    def play(self) -> None:
        """Each journey to its end. Raises ``DemoFailed`` for the first that does not get there."""
        for stage in self._stages:
            with stage.told():
                stage.step(f"begins with the first {stage.journey.after}")
                stage.happened(stage.journey.after)
                began = time.monotonic()
                stage.journey.play(stage)
                self.results.append(stage.ended(time.monotonic() - began))

    def tell(self, line: Callable[[str], None]) -> None:
        """What was measured."""
        for one in self.results:
            line(f"journey: {one.key} {one.seconds:.2f}")
        for one in self.results:
            for count in one.counted:
                line(f"taps: {' '.join((one.key, count.what)).strip()} {count.taps}")
        if self._asked.manner.axe is not None:
            found = [f"axe: {one.key} {said}" for one in self.results for said in one.violations]
            for said in found:
                line(said)
            line(f"axe pages: {sum(one.audited for one in self.results)}")
            line(f"axe violations: {len(found)}")

    def part(self, journey: Journey, username: str) -> Part:
        """How one of its people takes part. Raises ``DemoFailed``."""
        for who in journey.people:
            if who.username == username:
                return Part(
                    username, self._asked.holds or who.holds, self._asked.language or who.language
                )
        raise DemoFailed(f"journey {journey.key} does not list {username!r} among its people")

    def _folder(self, journey: Journey) -> Path:
        folder = self._directory / "journeys" / journey.key
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def wait(self) -> None:
        """A moment, in which the city and the processes are looked at."""
        self._between()
        time.sleep(0.1)


class _Stage:
    """``vigil_sim.journey.Stage``."""

    def __init__(self, player: Player, chromium: Chromium, journey: Journey, folder: Path) -> None:
        self.journey = journey
        self.folder = folder
        self._player = player
        self._chromium = chromium
        self._windows: dict[str, Window] = {}
        self._now = "the beginning"

    @property
    def scenario(self) -> CityScenario:
        return self._player.scenario

    def person(self, username: str) -> Window:
        if username not in self._windows:
            who = self._player.part(self.journey, username)
            self._windows[username] = Window(self._chromium, who, self.folder)
        return self._windows[username]

    def photograph(self) -> Path:
        import cv2
        import numpy as np

        path = self.folder / "photograph.jpg"
        picture = np.full((240, 320, 3), (160, 90, 40), np.uint8)
        cv2.circle(picture, (160, 120), 60, (40, 40, 40), -1)
        cv2.imwrite(str(path), picture)
        return path

    def step(self, words: str) -> None:
        self._audit()
        self._now = words
        self._player.say(f"journey {self.journey.key}: {words}")

    def happened(self, what: str) -> Mapping[str, Any]:
        while not self._player.happened.get(what):
            self._player.wait()
        return self._player.happened[what][0]

    def ended(self, seconds: float) -> Result:
        """Its people saw that it is closed; their windows are."""
        self._audit()
        found = [window.found for window in self._windows.values()]
        if thrown := [text for one in found for text in one.thrown]:
            raise JourneyFailed(f"a page threw {thrown[0]}")
        for window in self._windows.values():
            window.close()
        return Result(
            self.journey.key,
            seconds,
            [count for one in found for count in one.counted],
            [line for one in found for line in one.violations],
            sum(one.audited for one in found),
        )

    def _audit(self) -> None:
        for window in self._windows.values():
            window.audit()

    @contextmanager
    def told(self) -> Iterator[None]:
        """What goes wrong is told with the journey, its step and pictures, as ``DemoFailed``."""
        from playwright.sync_api import Error

        try:
            yield
        except (JourneyFailed, Error) as error:
            interrupts.check()  # Ctrl-C in a terminal ends the browser as well
            pictures = []
            for username, window in self._windows.items():
                picture = self.folder / f"{username}.png"
                window.picture(picture)
                pictures.append(str(picture))
            shown = f"; see {', '.join(pictures)}" if pictures else ""
            raise DemoFailed(
                f"journey {self.journey.key}: at “{self._now}”: {error}{shown}"
            ) from error
