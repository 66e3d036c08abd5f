"""What a page still shows of a person, and somebody who takes a consent back meanwhile."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

from playwright.sync_api import APIRequestContext, BrowserContext, Page

from servers import DEADLINE_S

PLACES: Final = ("Nanmen Market", "Chiayi Park gate", "南門市場", "嘉義公園大門")
LOOK_EVERY_MS: Final = 20

LEFT: Final = """(words) => {
  const all = document.documentElement;
  const texts = [document.title, all.innerHTML];
  for (const one of document.querySelectorAll("input, textarea")) texts.push(one.value);
  return words.filter((word) => texts.some((text) => text.includes(word)));
}"""


class Guardian:
    """Somebody else's browser, in which the consent is given and taken back."""

    def __init__(self, context: BrowserContext, url: str) -> None:
        self._http: APIRequestContext = context.request
        self._url = url
        self._csrf = self._http.get(f"{self._url}/api/v1/session").json()["csrf"]

    def give(self, username: str) -> int:
        scopes = ["last_place", "footprint", "live", "alerts"]
        expires = (datetime.now(UTC) + timedelta(days=2)).isoformat()
        answer = self._http.post(
            f"{self._url}/api/v1/people/grandmother/consents",
            data={"account": username, "expires": expires, "scopes": scopes},
            headers={"X-CSRF-Token": self._csrf},
        )
        assert answer.ok, answer.text()
        return int(answer.json()["id"])

    def take_back(self, consent: int) -> None:
        answer = self._http.delete(
            f"{self._url}/api/v1/people/grandmother/consents/{consent}",
            headers={"X-CSRF-Token": self._csrf},
        )
        assert answer.ok, answer.text()

    def take_back_from(self, username: str) -> None:
        listed = self._http.get(f"{self._url}/api/v1/people/grandmother/consents").json()
        for consent in listed["consents"]:
            if consent["account"] == username and consent["revoked"] is None:
                self.take_back(consent["id"])


def live(page: Page) -> None:
    page.locator(".live.live i").first.wait_for()


def gone_after(page: Page, words: tuple[str, ...], act: Callable[[], None]) -> float:
    """Acts, and looks until nothing of the words is left anywhere in the document; seconds."""
    assert page.evaluate(LEFT, list(words)) != [], "there was nothing to forget"
    act()
    began = time.monotonic()
    while left := page.evaluate(LEFT, list(words)):
        waited = time.monotonic() - began
        assert waited < DEADLINE_S, f"{left} still stand after {waited:.0f} s"
        page.wait_for_timeout(LOOK_EVERY_MS)
    return time.monotonic() - began
