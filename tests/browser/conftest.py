"""A town and a real Chromium for all tests of the pages; a browser window of its own for each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
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
from browser.town import PASSWORD, Town

DESKTOP: Final = (1440, 900)
PHONE: Final = (390, 844)
FLAGS: Final = (
    "--no-sandbox",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--ignore-gpu-blocklist",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
WAIT_MS: Final = 60_000
STATIC: Final = Path(__file__).parents[2] / "cloud" / "vigil_cloud" / "static"


@pytest.fixture(scope="package")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    if not (STATIC / "index.html").is_file():
        servers.missing("the built web pages", "make setup")
    made = Town(tmp_path_factory.mktemp("town"))
    yield made
    made.close()


@pytest.fixture(scope="module")  # Playwright's event loop must be gone before other tests
def chromium() -> Iterator[Browser]:
    program = servers.need("chromium", "apt-get install chromium")
    expect.set_options(timeout=WAIT_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(program), args=list(FLAGS))
        yield browser
        browser.close()


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
        harmless = ("status of 40", "status of 422", "GPU stall", *SERVER_STOPPED)
        if message.type == "error" and not any(word in message.text for word in harmless):
            self.complaints.append(message.text)


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
    is given; at the test's end nothing may have gone wrong in it."""
    opened: list[Window] = []

    def open_window(
        username: str | None = None,
        *,
        size: tuple[int, int] = DESKTOP,
        language: Literal["zh-TW", "en"] = "en",
        scheme: Literal["light", "dark"] = "light",
        at: Town | None = None,
    ) -> Window:
        place = at or town
        context = chromium.new_context(
            viewport={"width": size[0], "height": size[1]},
            locale=language,
            color_scheme=scheme,
            has_touch=size == PHONE,
            # A clock elsewhere: times must be Taipei's all the same.
            timezone_id="America/New_York",
        )
        context.set_default_timeout(WAIT_MS)
        if username is not None:
            answer = context.request.post(
                f"{place.url}/api/v1/session", data={"username": username, "password": PASSWORD}
            )
            assert answer.ok, answer.text()
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
