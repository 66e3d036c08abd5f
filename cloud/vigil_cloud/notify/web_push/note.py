"""What a browser is told: the message that its service worker shows (cloud/web/public). Pure."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Literal

from vigil_cloud.notify.web_push.encryption import LONGEST
from vigil_cloud.notify.web_push.vapid import base64url

Urgency = Literal["high", "normal", "low"]
TOPIC_CHARACTERS: Final = 32
KEPT_URGENT: Final = timedelta(hours=4)
KEPT: Final = timedelta(hours=12)
"""So long the service keeps it for a browser that is away: as long as others are tried."""


@dataclass(frozen=True, slots=True)
class Action:
    """A button of a notification."""

    action: str
    title: str
    url: str
    """Path of the page."""
    act: bool = False
    """Pressed, it posts to the page instead of opening it."""


@dataclass(frozen=True, slots=True)
class Note:
    """One notification. Everything in it may be read on a locked screen."""

    title: str
    body: str
    url: str
    """Path of the page that it opens."""
    language: str
    urgency: Urgency = "normal"
    about: str = ""
    """What it is about: a newer one about the same takes its place, at the service and on the
    screen. Empty: it stands for itself."""
    actions: tuple[Action, ...] = ()
    at_ms: int = 0
    """When what it tells happened, milliseconds since 1970; 0: not told."""

    @property
    def topic(self) -> str:
        """RFC 8030, 5.4: at most 32 characters of base64url that tell the service nothing."""
        if not self.about:
            return ""
        return base64url(hashlib.sha256(self.about.encode()).digest())[:TOPIC_CHARACTERS]

    @property
    def ttl(self) -> timedelta:
        """For how long the service keeps it."""
        return KEPT_URGENT if self.urgency == "high" else KEPT

    def content(self) -> bytes:
        """JSON that fits into one message; of a longer text the beginning."""
        body = self.body
        while len(content := self._json(body)) > LONGEST and body:
            body = body[: len(body) * 3 // 4]
        return content

    def _json(self, body: str) -> bytes:
        said = {
            "title": self.title,
            "body": body,
            "url": self.url,
            "lang": self.language,
            "tag": self.topic,
            "urgent": self.urgency == "high",
            "at": self.at_ms,
            "actions": [
                {"action": one.action, "title": one.title, "url": one.url, "act": one.act}
                for one in self.actions
            ],
        }
        return json.dumps(said, ensure_ascii=False).encode()
