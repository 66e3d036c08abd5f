"""Notifications of a browser: asked for by a press, shown by its service worker, answered there.

Chromium without a window has no push service of its own: where a browser subscribes is the tests'
service, which decrypts what the cloud sends; what it got is handed to the worker by Chromium's own
debugging protocol, as its push service would.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import CDPSession, Page, expect

from browser.conftest import PHONE, OpenWindow
from browser.test_layout import _is_accessible
from browser.town import Town
from servers import eventually
from vigil_sim.push.service import Browser, PushService

SUBSCRIBED_HERE = """([endpoint, keys]) => {
  let made = null;
  const subscription = (options) => ({
    options,
    toJSON: () => ({ endpoint, keys }),
    unsubscribe: () => ((made = null), Promise.resolve(true)),
  });
  PushManager.prototype.getSubscription = () => Promise.resolve(made);
  PushManager.prototype.subscribe = (options) => {
    if (Notification.permission !== "granted") return Promise.reject(new Error("not granted"));
    const key = options.applicationServerKey;
    made = subscription({ ...options, applicationServerKey: key.buffer });
    return Promise.resolve(made);
  };
}"""
SHOWN = """async () => {
  const registration = await navigator.serviceWorker.ready;
  const found = await registration.getNotifications();
  return found.map(({ title, body, lang, actions }) => ({ title, body, lang, actions }));
}"""
PRESS = """async ({ action }) => {
  const opened = [];
  self.clients.openWindow = (address) => (opened.push(address), Promise.resolve(null));
  const [notification] = await self.registration.getNotifications();
  let work = Promise.resolve();
  const event = new NotificationEvent("notificationclick", { notification, action });
  event.waitUntil = (promise) => (work = promise);
  self.dispatchEvent(event);
  await work;
  return opened;
}"""


@pytest.fixture(scope="module")
def service() -> Iterator[PushService]:
    made = PushService()
    yield made
    made.close()


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory, service: PushService) -> Iterator[Town]:
    folder = tmp_path_factory.mktemp("town-of-push")
    made = Town(folder, push_services=json.dumps([service.origin]))
    yield made
    made.close()


class Worker:
    """The service worker of a page, as Chromium's push service speaks to it."""

    def __init__(self, page: Page, origin: str) -> None:
        self._origin = origin
        self._page = page
        self._cdp: CDPSession = page.context.new_cdp_session(page)
        self._registration = ""
        self._cdp.on("ServiceWorker.workerRegistrationUpdated", self._registered)
        self._cdp.send("ServiceWorker.enable")
        eventually(self._there, "the service worker's registration")

    def _registered(self, said: dict[str, Any]) -> None:
        for one in said["registrations"]:
            if not one["isDeleted"] and one["scopeURL"].startswith(self._origin):
                self._registration = one["registrationId"]

    def _there(self) -> bool:
        self._page.wait_for_timeout(20)
        return bool(self._registration)

    def deliver(self, note: dict[str, Any] | str) -> None:
        data = note if isinstance(note, str) else json.dumps(note)
        self._cdp.send(
            "ServiceWorker.deliverPushMessage",
            {"origin": self._origin, "registrationId": self._registration, "data": data},
        )

    def shown(self, number: int) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []

        def enough() -> bool:
            found[:] = self._page.evaluate(SHOWN)
            return len(found) == number

        eventually(enough, f"{number} notifications")
        return found

    def press(self, action: str) -> list[str]:
        """A button of the notification, or the notification itself; what it opened."""
        (worker,) = self._page.context.service_workers
        opened: list[str] = worker.evaluate(PRESS, {"action": action})
        return opened


def test_a_home_is_told_of_its_fire_and_answers_from_the_notification(
    window: OpenWindow, town: Town, service: PushService
) -> None:
    # Given a phone of the home that nobody has asked for anything
    town.furnish()
    browser = Browser(service, "phone")
    opened = window("mei", size=PHONE, language="zh-TW")
    opened.context.grant_permissions(["notifications"], origin=town.url)
    given = json.dumps([browser.subscription["endpoint"], browser.subscription["keys"]])
    opened.context.add_init_script(f"({SUBSCRIBED_HERE})({given})")
    page = opened.go("/homes")
    bell = page.get_by_role("button", name="這台裝置的通知")
    expect(bell).to_have_attribute("aria-pressed", "false")
    assert page.evaluate("navigator.serviceWorker.getRegistrations()") == []

    # When they press, read what it means, and press again
    bell.click()
    expect(page.get_by_text("絕不顯示某個人在哪裡")).to_be_visible()
    _is_accessible(page, "notifications")
    page.get_by_role("button", name="開啟通知").click()
    expect(bell).to_have_attribute("aria-pressed", "true")

    # and their kitchen burns
    town.fire()
    eventually(lambda: bool(browser.told), "the message at the push service")
    assert service.refused == []
    told = browser.told[0].note
    assert told["lang"] == "zh-TW"
    assert "林宅廚房" in told["title"]

    # Then the worker shows it, with its buttons; that it was none is asked for on the page
    worker = Worker(page, town.url)
    worker.deliver(told)
    (shown,) = worker.shown(1)
    assert (shown["title"], shown["body"]) == (told["title"], told["body"])
    assert [one["title"] for one in shown["actions"]] == ["真的失火了", "誤報，我平安"]
    (address,) = worker.press("false-alarm")
    page.goto(f"{town.url}{address}")
    expect(page.get_by_role("button", name="誤報，我平安")).to_be_visible()

    # that it burns is said by the press
    page.goto(f"{town.url}/homes")
    worker.deliver(told)
    worker.shown(1)
    assert worker.press("burns") == []
    (done,) = worker.shown(1)
    assert done["title"] == "已送出: 真的失火了"
    expect(page.get_by_text("已回報失火").first).to_be_visible()

    # and a message that nobody can read is shown all the same
    def told_of_the_unreadable() -> bool:
        worker.deliver("not JSON")
        return any(one["title"] == "守望" for one in page.evaluate(SHOWN))

    eventually(told_of_the_unreadable, "a notification of what cannot be read")

    # Signed out, this browser is told nothing more
    page.get_by_role("button", name="登出").click()
    expect(page.get_by_label("密碼")).to_be_visible()
    heard, seen = len(town.hook.received), len(browser.told)
    town.fire()
    eventually(lambda: len(town.hook.received) > heard, "what another channel is told")
    assert len(browser.told) == seen
