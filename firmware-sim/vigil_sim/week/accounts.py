"""Simulated people at the cloud's real HTTP API, each signed in from an address of their own."""

from __future__ import annotations

import time
import zlib
from collections import Counter
from collections.abc import Mapping
from typing import Any, ClassVar, Final

import httpx

from vigil_schemas.errors import VigilError
from vigil_sim.demo.accounts import PASSWORD

_COOKIE: Final = "vigil_session"
_PATIENCE_S: Final = 30.0


class Refused(VigilError):
    """The cloud refused what a simulated person may do. ``status``: of the answer."""

    code: ClassVar[str] = "week-refused"
    remedy: ClassVar[str] = "This is a mistake in the simulated week: report it with the message."

    def __init__(self, what: str, status: int, text: str) -> None:
        super().__init__(f"{what}: {status} {text[:400]}")
        self.status = status


class People:
    """Sessions of any number of accounts over one client."""

    def __init__(self, url: str) -> None:
        self._http = httpx.Client(base_url=f"{url}/api/v1", timeout=120, trust_env=False)
        self._sessions: dict[str, tuple[str, str]] = {}
        self.requests: Counter[str] = Counter()
        """By method."""

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def get(self, who: str, path: str) -> Any:
        """One resource as JSON. Raises ``Refused``."""
        return self._asked(who, "GET", path, None)

    def post(self, who: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """One change; what was answered. Raises ``Refused``."""
        return self._asked(who, "POST", path, body)

    def put(self, who: str, path: str, body: Mapping[str, Any]) -> Any:
        """As ``post``."""
        return self._asked(who, "PUT", path, body)

    def upload(self, path: str, content: bytes, token: str) -> None:
        """A gateway puts its evidence. Raises ``Refused``."""
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/zip"}
        answer = self._http.put(path, content=content, headers=headers)
        self.requests["evidence"] += 1
        if not answer.is_success:
            raise Refused(f"PUT {path}", answer.status_code, answer.text)

    def _asked(self, who: str, method: str, path: str, body: Mapping[str, Any] | None) -> Any:
        for attempt in (1, 2):
            cookie, csrf = self._sessions.get(who) or self._sign_in(who)
            headers = {"Cookie": f"{_COOKIE}={cookie}", "X-CSRF-Token": csrf, **_from(who)}
            answer = self._http.request(method, path, json=body, headers=headers)
            self._http.cookies.clear()
            self.requests[method] += 1
            if answer.status_code != 401 or attempt == 2:
                break
            del self._sessions[who]  # hours have passed since
        if not answer.is_success:
            raise Refused(f"{who}: {method} {path}", answer.status_code, answer.text)
        return answer.json() if answer.content else None

    def _sign_in(self, who: str) -> tuple[str, str]:
        until = time.monotonic() + _PATIENCE_S
        while True:
            answer = self._http.post(
                "/session", json={"username": who, "password": PASSWORD}, headers=_from(who)
            )
            if answer.status_code != 503 or time.monotonic() > until:
                break
            time.sleep(0.2)
        self.requests["sign-in"] += 1
        if not answer.is_success:
            raise Refused(f"{who}: signing in", answer.status_code, answer.text)
        self._sessions[who] = answer.cookies[_COOKIE], answer.json()["csrf"]
        self._http.cookies.clear()
        return self._sessions[who]


def _from(who: str) -> dict[str, str]:
    """An address of their own: the cloud counts attempts to sign in by network."""
    number = zlib.crc32(who.encode())
    return {"X-Forwarded-For": f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"}
