"""Chromium, and a window of it for one person of a journey: by mouse, by finger, by keyboard.

Playwright is imported only where a browser is started: nothing else of the simulators needs it.
"""

from __future__ import annotations

import importlib.util
import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from vigil_sim.demo.accounts import PASSWORD
from vigil_sim.demo.processes import DemoFailed, program
from vigil_sim.journey import JourneyFailed, Language, Part, Target, Text, Words, button
from vigil_sim.journey import field as labelled

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator

WAIT_S: Final = 60.0
_LOOK_MS: Final = 80.0
_ATTEMPTS: Final = 3
_TABS: Final = 300
"""So many stops are on no page: what is not reached by then cannot be reached."""
_SIZES: Final = {"desktop": (1440, 900), "phone": (390, 844)}
_INSTALL_PLAYWRIGHT: Final = "pip install 'vigil-city[journeys]'"
_INSTALL_CHROMIUM: Final = "apt-get install chromium"
_NAMES: Final = ("chromium", "chromium-browser", "google-chrome")
_FLAGS: Final = (
    "--no-sandbox",  # inside of containers it cannot be had; only our own pages are opened
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--ignore-gpu-blocklist",
    "--disable-gpu-compositing",
    "--disable-gpu-rasterization",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
_WITHOUT_MAPS: Final = """
  const own = HTMLCanvasElement.prototype.getContext;
  HTMLCanvasElement.prototype.getContext = function (kind, ...rest) {
    return kind.startsWith("webgl") ? null : own.call(this, kind, ...rest);
  };
"""
_HAS_FOCUS: Final = """e => e === document.activeElement
  || (e.type === "radio" && document.activeElement?.type === "radio"
      && document.activeElement.name === e.name)"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How people use their windows."""

    keyboard: bool = False
    maps: bool = False
    """Without a graphics card a processor takes seconds for each map that is drawn."""
    axe: str | None = None
    """The program text of axe-core, where pages are to be checked with it."""


@dataclass
class Counted:
    """Taps from an alert to a decision."""

    what: str
    taps: int
    at_most: int


def chromium() -> str:
    """Path of the browser. Raises ``DemoFailed`` with what installs what is missing."""
    if importlib.util.find_spec("playwright") is None:
        raise DemoFailed(f"Playwright is not installed: {_INSTALL_PLAYWRIGHT}")
    for name in _NAMES:
        with suppress(DemoFailed):
            return program(name)
    return program(_NAMES[0], _INSTALL_CHROMIUM)


class Chromium:
    """One browser for all journeys. ``between`` is called while anything is waited for."""

    def __init__(self, url: str, manner: Manner, between: Callable[[], None]) -> None:
        from playwright.sync_api import sync_playwright

        self.url = url
        self.manner = manner
        self.between = between
        self._open = ExitStack()
        try:
            playwright = self._open.enter_context(sync_playwright())
            launch = playwright.chromium.launch
            self.browser: Browser = launch(executable_path=chromium(), args=list(_FLAGS))
        except BaseException:
            self.close()
            raise
        self._open.callback(self.browser.close)

    def close(self) -> None:
        """Also where it has died meanwhile."""
        with suppress(_failures()):
            self._open.close()


def _failures() -> type[Exception]:
    """What a browser that is gone raises."""
    from playwright.sync_api import Error

    return Error


@dataclass
class _Findings:
    """What was noticed at a window."""

    counted: list[Counted] = field(default_factory=list)
    thrown: list[str] = field(default_factory=list)
    violations: dict[str, None] = field(default_factory=dict)
    audited: int = 0


class Window:
    """``vigil_sim.journey.Person``."""

    def __init__(self, chromium: Chromium, who: Part, folder: Path) -> None:
        self.username = who.username
        self.language: Language = who.language
        self.found = _Findings()
        self._chromium = chromium
        self._manner = chromium.manner
        self._folder = folder
        self._phone = who.holds == "phone"
        self._taps = 0
        width, height = _SIZES[who.holds]
        self._context = chromium.browser.new_context(
            base_url=chromium.url,
            viewport={"width": width, "height": height},
            locale=who.language,
            timezone_id="Asia/Taipei",
            has_touch=self._phone,
            reduced_motion="reduce",
            accept_downloads=True,
        )
        self._context.set_default_timeout(WAIT_S * 1000)
        # Chosen at this window: what the account prefers is a suggestion.
        chosen = json.dumps(who.language)
        self._context.add_init_script(f"localStorage.setItem('vigil.language', {chosen})")
        if not self._manner.maps:
            self._context.add_init_script(_WITHOUT_MAPS)
        self._page = self._context.new_page()
        self._page.on("pageerror", lambda error: self.found.thrown.append(str(error)))
        self._sign_in()

    def close(self) -> None:
        """The window is closed."""
        with suppress(_failures()):
            self._context.close()

    def _sign_in(self) -> None:
        self.opens("/")
        name, password = Words("帳號", "User name"), Words("密碼", "Password")
        self.writes(labelled(name), self.username)
        self.writes(labelled(password), PASSWORD)
        self.presses(button(Words("登入", "Sign in")))
        self.misses(labelled(password))

    # --- where, and what is there ---

    @property
    def path(self) -> str:
        return self._page.url.removeprefix(self._chromium.url)

    def opens(self, path: str) -> None:
        self._page.goto(path, wait_until="domcontentloaded")

    def sees(self, *wanted: Target) -> None:
        for one in wanted:
            self._until(f"{one} to be seen", self._locate(one).is_visible)

    def misses(self, *unwanted: Target) -> None:
        for one in unwanted:
            found = self._locate(one)
            self._until(f"{one} to be gone", lambda found=found: not found.is_visible())  # type: ignore[misc]  # the default binds this one

    def arrives(self, pattern: str) -> None:
        self._until(f"the page {pattern}", lambda: re.match(pattern, self.path) is not None)

    def reads(self, wanted: Target) -> str:
        self.sees(wanted)
        found = self._locate(wanted)
        said: str = found.evaluate(
            "e => 'value' in e && e.tagName !== 'LI' ? e.value : e.innerText"
        )
        return said

    # --- what is done ---

    def presses(self, wanted: Target) -> None:
        found = self._ready(wanted)
        self._taps += 1
        if not self._manner.keyboard:
            self._touch(found)
            return
        self._reach(found, wanted)
        kind = found.evaluate("e => e.type ?? ''")
        if kind == "radio":
            self._step_to(found, wanted, "e => e.checked", first="Space")
        else:
            self._page.keyboard.press("Space" if kind == "checkbox" else "Enter")

    def writes(self, wanted: Target, words: Text) -> None:
        said = words if isinstance(words, str) else words.said(self.language)
        # Whoever types looks at what stands there: a page that moved meanwhile took it elsewhere.
        for _ in range(_ATTEMPTS):
            found = self._ready(wanted)
            if self._manner.keyboard:
                self._reach(found, wanted)
            elif not found.evaluate("e => e === document.activeElement"):
                self._taps += 1
                self._touch(found)
            self._page.keyboard.press("Control+A")
            self._page.keyboard.type(said)
            if found.input_value() == said:
                return
        raise JourneyFailed(f"{self.username} at {self.path}: {wanted} does not take “{said}”")

    def chooses(self, wanted: Target, option: Text) -> None:
        found = self._ready(wanted)
        self._taps += 2  # the list opens, and one of it
        label = option if isinstance(option, str) else option.said(self.language)
        if not self._manner.keyboard:
            found.select_option(label=label)
            return
        self._reach(found, wanted)
        matches = f"e => e.selectedOptions[0]?.label === {json.dumps(label)}"
        self._page.keyboard.press("Home")
        self._step_to(found, wanted, matches)

    def attaches(self, wanted: Target, file: Path) -> None:
        with self._page.expect_file_chooser() as chooser:
            self.presses(wanted)
        chooser.value.set_files(file)

    def downloads(self, wanted: Target) -> Path:
        with self._page.expect_download() as told:
            self.presses(wanted)
        path = self._folder / told.value.suggested_filename
        told.value.save_as(path)
        return path

    def network(self, there: bool) -> None:
        self._context.set_offline(not there)

    def stands_at(self, latitude: float, longitude: float) -> None:
        self._context.grant_permissions(["geolocation"])
        self._context.set_geolocation({"latitude": latitude, "longitude": longitude})

    def begins_to_decide(self) -> None:
        self._taps = 0

    @contextmanager
    def aside(self) -> Iterator[None]:
        before = self._taps
        yield
        self._taps = before

    def has_decided(self, at_most: int, what: str = "") -> None:
        self.found.counted.append(Counted(what, self._taps, at_most))

    # --- what is noticed ---

    def picture(self, path: Path) -> None:
        """The page as it is now, and its words beside it; where that can still be had."""
        with suppress(_failures(), OSError):
            self._page.screenshot(path=path, full_page=True)
            path.with_suffix(".txt").write_text(self._page.inner_text("body"), "utf-8")

    def audit(self) -> None:
        """The page as it is now, by axe-core; what it finds stands in ``found``."""
        if self._manner.axe is None:
            return
        # Evaluated and not loaded: the pages' content policy allows no script from elsewhere.
        self._page.evaluate(self._manner.axe)
        options = "{ resultTypes: ['violations'], preload: false }"
        said: dict[str, Any] = self._page.evaluate(f"axe.run(document, {options})")
        self.found.audited += 1
        where = re.sub(r"[0-9a-f-]{36}", "…", self.path)
        for one in said["violations"]:
            for node in one["nodes"]:
                line = f"{where}: {one['id']} ({one['impact']}): {node['html'][:160]}"
                self.found.violations[line] = None

    # --- how ---

    def _locate(self, target: Target) -> Locator:
        around = self._page if target.inside is None else self._locate(target.inside)

        def say(words: Text | None) -> str | None:
            return words.said(self.language) if isinstance(words, Words) else words

        found: Locator
        if target.css is not None:
            found = around.locator(target.css)
        elif target.role is not None:
            role: Any = target.role  # Playwright lists the roles there are
            found = around.get_by_role(role, name=say(target.name), exact=target.exact)
        elif target.name is not None:
            found = around.get_by_label(say(target.name) or "", exact=target.exact)
        else:
            found = around.get_by_text(say(target.text) or "", exact=target.exact)
        if target.having is not None:
            found = found.filter(has_text=say(target.having))
        return found.filter(visible=True).nth(target.which)

    def _ready(self, wanted: Target) -> Locator:
        found = self._locate(wanted)
        self._until(f"{wanted} to be ready", lambda: found.is_visible() and found.is_enabled())
        return found

    def _touch(self, found: Locator) -> None:
        if self._phone:
            found.tap()
        else:
            found.click()

    def _reach(self, found: Locator, wanted: Target) -> None:
        """With the Tab key alone."""
        for _ in range(_TABS):
            if found.evaluate(_HAS_FOCUS):
                return
            self._page.keyboard.press("Tab")
        raise JourneyFailed(f"{self.username} at {self.path}: no Tab leads to {wanted}")

    def _step_to(self, found: Locator, wanted: Target, there: str, first: str = "") -> None:
        """With the arrow keys, from one choice to the next."""
        if first and found.evaluate("e => e === document.activeElement"):
            self._page.keyboard.press(first)
        for _ in range(_TABS):
            if found.evaluate(there):
                return
            self._page.keyboard.press("ArrowDown")
        raise JourneyFailed(f"{self.username} at {self.path}: no arrow key leads to {wanted}")

    def _until(self, what: str, ready: Callable[[], bool]) -> None:
        deadline = time.monotonic() + WAIT_S
        while True:
            self._chromium.between()
            if ready():
                return
            if time.monotonic() > deadline:
                raise JourneyFailed(
                    f"{self.username} at {self.path} waited {WAIT_S:.0f} s for {what}"
                )
            self._page.wait_for_timeout(_LOOK_MS)
