"""The cloud's end of the evidence upload, as little as a gateway needs."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Cloud(ThreadingHTTPServer):
    """Answers uploads by script: statuses in turn, then 201."""

    daemon_threads = True

    def __init__(self, port: int = 0) -> None:
        self.script: list[int] = []
        self.by_name: dict[str, int] = {}
        self.bodies: dict[str, bytes] = {}
        self.asked: list[tuple[str, int]] = []
        self.tokens: set[str | None] = set()
        self.retry_after: dict[int, Callable[[], str]] = {}
        """By status, what ``Retry-After`` says at that moment."""
        self.moments: list[float] = []
        """When each was asked, monotonic."""
        self.accepted: str | None = None
        """The one Authorization that is let in, where not every one is."""
        super().__init__(("127.0.0.1", port), Handler)


class Handler(BaseHTTPRequestHandler):
    server: Cloud
    protocol_version = "HTTP/1.1"

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        name = self.path.rsplit("/", 1)[-1]
        cloud = self.server
        cloud.moments.append(time.monotonic())
        cloud.tokens.add(self.headers["Authorization"])
        assert self.path == f"/api/v1/gateways/gw-1/evidence/{name}"
        status = cloud.by_name.get(name) or (cloud.script.pop(0) if cloud.script else 201)
        if cloud.accepted not in (None, self.headers["Authorization"]):
            status = 401
        cloud.asked.append((name, status))
        if status == 201:
            status = 200 if name in cloud.bodies else 201
            cloud.bodies[name] = body
        self.send_response(status)
        if status in cloud.retry_after:
            self.send_header("Retry-After", cloud.retry_after[status]())
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def evidence_cloud(port: int = 0) -> Iterator[Cloud]:
    server = Cloud(port)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
