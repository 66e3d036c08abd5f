"""A browser that is killed while it keeps what was written on site: nothing is lost or doubled."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from playwright.sync_api import Browser, Page, expect

import servers
from browser.conftest import FLAGS, PHONE, WAIT_MS, OpenWindow, _sign_in
from browser.test_water import write_on_site
from browser.town import Town
from browser.town_seed import PASSWORD
from cases_office import picture
from servers import eventually, free_port


class Killable:
    """A Chromium with a profile that stays; ``kill`` ends all its processes at once (SIGKILL)."""

    def __init__(self, profile: Path, chromium: Browser, town: Town) -> None:
        port = free_port()
        program = servers.need("chromium", "apt-get install chromium")
        arguments = [
            *FLAGS,
            "--headless=new",
            "--no-first-run",
            "--lang=zh-TW",
            f"--user-data-dir={profile}",
            f"--remote-debugging-port={port}",
            "about:blank",
        ]
        self._process = subprocess.Popen(
            [str(program), *arguments],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        eventually(
            lambda: servers.http_ok(f"http://127.0.0.1:{port}/json/version"), "Chromium's start"
        )
        self._browser = chromium.browser_type.connect_over_cdp(f"http://127.0.0.1:{port}")
        (self.context,) = self._browser.contexts
        self.context.set_default_timeout(WAIT_MS)
        self.page: Page = self.context.pages[0]
        self.page.set_viewport_size({"width": PHONE[0], "height": PHONE[1]})
        self.page.add_init_script("localStorage.setItem('vigil.language', 'zh-TW')")
        self._town = town

    def signed_in(self) -> Page:
        _sign_in(self.context, self._town, "inspector")
        return self.page

    def kill(self) -> None:
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


@contextmanager
def chromium_at(profile: Path, chromium: Browser, town: Town) -> Iterator[Killable]:
    made = Killable(profile, chromium, town)
    try:
        yield made
    finally:
        if made._process.poll() is None:
            made.kill()


def _written(town: Town, case: str) -> tuple[int, list[str], int]:
    """What of the visit stands in the case: lines from the site, texts, and photographs."""
    with httpx.Client(base_url=f"{town.url}/api/v1", timeout=60, trust_env=False) as http:
        http.post("/session", json={"username": "inspector", "password": PASSWORD})
        found = http.get(f"/cases/{case}").raise_for_status().json()
    noted = [str(one) for one in found["history"] if one["action"] == "noted"]
    words = [word for word in ("牆後有水管", "W-17") if word in str(noted)]
    return len(noted), words, len(found["photographs"])


def test_what_was_kept_without_a_network_survives_kill_9_and_is_sent_once(
    window: OpenWindow, chromium: Browser, town: Town, tmp_path: Path
) -> None:
    # Given an inspection on a phone without a network: a visit, a sample and a photograph are kept
    profile, photograph = tmp_path / "profile", tmp_path / "pipe.jpg"
    photograph.write_bytes(picture((320, 240)))
    opener = window("inspector").context.request
    csrf = opener.get(f"{town.url}/api/v1/session").json()["csrf"]
    opened = opener.post(
        f"{town.url}/api/v1/cases",
        data={"kind": "water-inspection"},
        headers={"X-CSRF-Token": csrf, "Idempotency-Key": "killed-1"},
    )
    assert opened.ok, opened.text()
    case = opened.json()["id"]
    with chromium_at(profile, chromium, town) as first:
        page = first.signed_in()
        page.goto(f"{town.url}/site/{case}")
        expect(page.get_by_text("之後沒有網路也能使用。")).to_be_visible()
        town.stop_server()
        try:
            write_on_site(page, photograph)
            expect(page.get_by_text("3 筆等待送出").first).to_be_visible()
            # When the browser is killed
            first.kill()
        finally:
            town.start_server()
    assert _written(town, case) == (0, [], 0)

    # and killed again as the server has taken the first of it, before the page knows
    with chromium_at(profile, chromium, town) as second:
        page = second.signed_in()
        taken: list[str] = []
        page.on("response", lambda said: taken.append(said.request.method))
        page.goto(f"{town.url}/site/{case}", wait_until="commit")

        def one() -> bool:
            page.wait_for_timeout(5)
            return "POST" in taken

        eventually(one, "something to be taken by the server")
        second.kill()

    # Then, opened once more, everything is there, and once
    with chromium_at(profile, chromium, town) as third:
        page = third.signed_in()
        page.goto(f"{town.url}/site/{case}")
        expect(page.get_by_text("已全部送出。").first).to_be_visible()
    assert _written(town, case) == (2, ["牆後有水管", "W-17"], 1)
