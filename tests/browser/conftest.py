"""A town and a real Chromium for all tests of the pages; a browser window of its own for each."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    expect,
    sync_playwright,
)

import servers
from browser.town import Town
from browser.town_seed import PASSWORD

DESKTOP: Final = (1440, 900)
PHONE: Final = (390, 844)
FLAGS: Final = (
    "--no-sandbox",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--ignore-gpu-blocklist",
    # Without a graphics card these two draw every page through the one that stands in for it.
    "--disable-gpu-compositing",
    "--disable-gpu-rasterization",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
WAIT_MS: Final = 60_000
WITHOUT_WEBGL: Final = """
  const own = HTMLCanvasElement.prototype.getContext;
  HTMLCanvasElement.prototype.getContext = function (kind, ...rest) {
    return kind.startsWith("webgl") ? null : own.call(this, kind, ...rest);
  };
"""
STATIC: Final = Path(__file__).parents[2] / "cloud" / "vigil_cloud" / "static"


@pytest.fixture(scope="package")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    if not (STATIC / "index.html").is_file():
        servers.missing("the built web pages", "make setup")
    made = Town(tmp_path_factory.mktemp("town"))
    yield made
    made.close()


class Driver:
    """One Chromium for all modules of a process: to start it anew costs more than most tests.

    Between two calls, Playwright's synchronous interface leaves its event loop marked as the one
    that runs, and no other loop starts beside it. While none of our modules is at work, the mark
    is taken away: the tests of other folders have loops of their own.
    """

    def __init__(self, program: Path) -> None:
        self._playwright = sync_playwright().start()
        self._loop = asyncio.get_running_loop()
        launch = self._playwright.chromium.launch
        self._browser = launch(executable_path=str(program), args=list(FLAGS))
        asyncio._set_running_loop(None)

    @contextmanager
    def at_work(self) -> Iterator[Browser]:
        asyncio._set_running_loop(self._loop)
        try:
            yield self._browser
        finally:
            asyncio._set_running_loop(None)

    def close(self) -> None:
        asyncio._set_running_loop(self._loop)
        try:
            self._browser.close()
            self._playwright.stop()
        finally:
            asyncio._set_running_loop(None)


@pytest.fixture(scope="session")
def driver() -> Iterator[Driver]:
    program = servers.need("chromium", "apt-get install chromium")
    expect.set_options(timeout=WAIT_MS)
    made = Driver(program)
    yield made
    made.close()


@pytest.fixture(scope="module")
def chromium(driver: Driver) -> Iterator[Browser]:
    with driver.at_work() as browser:
        yield browser


@dataclass
class Window:
    """A page, and what its browser complained of. Nothing may be asked of other servers."""

    page: Page
    context: BrowserContext
    town: Town
    complaints: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)

    def go(self, path: str) -> Page:
        self.page.goto(self.town.url + path)
        return self.page

    def watch(self) -> None:
        self.page.on("console", self._said)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on(
            "request",
            lambda request: (
                None
                if request.url.startswith((self.town.url, "data:", "blob:"))
                else self.foreign.append(request.url)
            ),
        )

    def _said(self, message: ConsoleMessage) -> None:
        # Asking who is signed in, and a wrong password, are answered with 401; the browser
        # mentions that and a stopped server as errors of its own.
        # So is what a page refuses because a test sends something wrong.
        harmless = ("status of 40", "status of 422", "GPU stall", *NO_WEBGL, *SERVER_STOPPED)
        if message.type == "error" and not any(word in message.text for word in harmless):
            self.complaints.append(message.text)


def _sign_in(context: BrowserContext, town: Town, username: str) -> None:
    """With the session of an earlier window while that lasts: to look at a password takes long on
    purpose."""
    address = f"{town.url}/api/v1/session"
    if username in town.sessions:
        context.add_cookies(town.sessions[username])
        if context.request.get(address).ok:
            return
        context.clear_cookies()
    answer = context.request.post(address, data={"username": username, "password": PASSWORD})
    assert answer.ok, answer.text()
    town.sessions[username] = context.cookies()


NO_WEBGL = ("Failed to initialize WebGL", "webglcontextcreationerror")
"""What the map's library says loudly where it cannot draw."""
SERVER_STOPPED = (
    "ERR_CONNECTION_REFUSED",
    "ERR_CONNECTION_RESET",
    "ERR_SOCKET_NOT_CONNECTED",
    "ERR_EMPTY_RESPONSE",
    "ERR_INCOMPLETE",
)
"""What Chromium calls it, by the moment at which the server went away."""
OpenWindow = Callable[..., Window]


@pytest.fixture
def window(town: Town, chromium: Browser) -> Iterator[OpenWindow]:
    """``window("mei", size=PHONE, language="en")`` is a browser window, signed in unless no name
    is given; at the test's end nothing may have gone wrong in it.

    Maps are drawn only with ``maps=True``: a processor takes five seconds for each, and most pages
    have one. Otherwise the page says, as in a browser without WebGL, that it cannot draw it.
    """
    opened: list[Window] = []

    def open_window(
        username: str | None = None,
        *,
        size: tuple[int, int] = DESKTOP,
        language: Literal["zh-TW", "en"] = "en",
        scheme: Literal["light", "dark"] = "light",
        maps: bool = False,
        at: Town | None = None,
    ) -> Window:
        place = at or town
        context = chromium.new_context(
            viewport={"width": size[0], "height": size[1]},
            locale=language,
            color_scheme=scheme,
            # Nothing moves by itself: without a graphics card each frame is drawn by a processor.
            reduced_motion="reduce",
            has_touch=size == PHONE,
            # A clock elsewhere: times must be Taipei's all the same.
            timezone_id="America/New_York",
        )
        context.set_default_timeout(WAIT_MS)
        if not maps:
            context.add_init_script(WITHOUT_WEBGL)
        if username is not None:
            _sign_in(context, place, username)
            # What the account prefers is a suggestion; this window's reader has chosen.
            context.add_init_script(
                f"localStorage.getItem('vigil.language')"
                f" ?? localStorage.setItem('vigil.language', '{language}')"
            )
        made = Window(context.new_page(), context, place)
        made.watch()
        opened.append(made)
        return made

    yield open_window
    for one in opened:
        one.context.close()
    assert [text for one in opened for text in one.complaints] == []
    assert [url for one in opened for url in one.foreign] == []
