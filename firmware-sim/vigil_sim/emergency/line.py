"""The line itself: an HTTP server that takes messages, answers them, and fails when told to."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from vigil_sim.emergency.cap import Message, NotCap, read
from vigil_sim.scenario_model import LineFault

PATH: Final = "/cap"
MEDIA_TYPE: Final = "application/cap+xml"
MOST_BYTES: Final = 256 * 1024
_LONGEST_HANG_S: Final = 600.0


@dataclass(frozen=True, slots=True)
class Answered:
    """One request and what became of it."""

    status: int | None
    """``None``: nothing was answered."""
    message: Message | None = None
    mistakes: tuple[str, ...] = ()

    def told(self) -> dict[str, Any]:
        """For whoever follows the play."""
        answer = "no answer" if self.status is None else str(self.status)
        if self.message is None:
            return {"answer": answer, "mistakes": list(self.mistakes)}
        one = self.message
        return {
            "answer": answer,
            "identifier": one.identifier,
            "msg_type": one.msg_type,
            "status": one.status,
            "headline": one.headline,
            "description": one.description,
            "place": one.place,
        }


@dataclass
class _Known:
    messages: dict[str, Message] = field(default_factory=dict)
    """By identifier, those that were taken."""
    lock: threading.Lock = field(default_factory=threading.Lock)


class EmergencyLine:
    """Listens from ``start`` to ``stop``. ``fault``: which one is in force now. ``token``: of the
    ``Authorization`` header; empty: none is asked for. ``heard`` is called in a thread of its
    own for each request."""

    def __init__(
        self,
        port: int = 0,
        *,
        fault: Callable[[], LineFault | None] = lambda: None,
        heard: Callable[[Answered], None] = lambda _: None,
        token: str = "",
    ) -> None:
        self._wanted = port
        self._fault = fault
        self._heard = heard
        self._token = token
        self._known = _Known()
        self._ending = threading.Event()
        self._server: ThreadingHTTPServer | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """Where messages are posted to."""
        assert self._server is not None  # noqa: S101 - after ``start``
        return f"http://127.0.0.1:{self._server.server_address[1]}{PATH}"

    @property
    def messages(self) -> list[Message]:
        """Those that were taken, in order, each once."""
        with self._known.lock:
            return list(self._known.messages.values())

    async def start(self) -> None:
        """Raises ``OSError`` where the port is taken."""
        self._server = ThreadingHTTPServer(("127.0.0.1", self._wanted), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(
            target=self._server.serve_forever, name="emergency-line", daemon=True
        )
        self._thread.start()

    async def stop(self) -> None:
        """Whoever hangs on the line is let go."""
        self._ending.set()
        if self._server is not None and self._thread is not None:
            self._server.shutdown()
            self._thread.join()
            self._server.server_close()

    def take(self, path: str, media_type: str, authorization: str, body: bytes) -> Answered:
        """What is answered to one request."""
        if path != PATH:
            return Answered(HTTPStatus.NOT_FOUND, mistakes=(f"{path} is not {PATH}",))
        if self._token and authorization != f"Bearer {self._token}":
            return Answered(HTTPStatus.UNAUTHORIZED, mistakes=("no token, or another one",))
        if media_type.split(";")[0].strip() != MEDIA_TYPE:
            return Answered(
                HTTPStatus.UNSUPPORTED_MEDIA_TYPE, mistakes=(f"{media_type!r} is no {MEDIA_TYPE}",)
            )
        try:
            message = read(body)
        except NotCap as wrong:
            return Answered(HTTPStatus.UNPROCESSABLE_ENTITY, mistakes=wrong.mistakes)
        fault = self._fault()
        if fault is not None:
            return Answered(fault.status if fault.style == "refuse" else None, message)
        with self._known.lock:
            if message.msg_type == "Cancel" and not any(
                one in self._known.messages for one in message.references
            ):
                return Answered(HTTPStatus.NOT_FOUND, message)
            self._known.messages.setdefault(message.identifier, message)
        return Answered(HTTPStatus.OK, message)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        line = self

        class Handler(BaseHTTPRequestHandler):
            timeout = 30.0

            def do_POST(self) -> None:
                length = self.headers.get("Content-Length", "")
                if not length.isdecimal() or int(length) > MOST_BYTES:
                    self._answer(Answered(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, mistakes=("size",)))
                    return
                answered = line.take(
                    self.path,
                    self.headers.get("Content-Type", ""),
                    self.headers.get("Authorization", ""),
                    self.rfile.read(int(length)),
                )
                self._answer(answered)

            def _answer(self, answered: Answered) -> None:
                line._heard(answered)
                if answered.status is None:
                    self.close_connection = True
                    line._ending.wait(_LONGEST_HANG_S)
                    return
                body = json.dumps(answered.told(), ensure_ascii=False).encode()
                self.send_response(answered.status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                """``heard`` tells it."""

        return Handler
