"""A web hook that people's channels lead to, and the channels of a test's city."""

from __future__ import annotations

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from cloud_city import City
from vigil_cloud.database.engine import writing
from vigil_cloud.identity.service import account_named
from vigil_cloud.notify.channels import put_channel
from vigil_cloud.notify.notification_sender import NotificationSender


class Hook:
    """A web hook that keeps what it is told and answers as it is told."""

    def __init__(self) -> None:
        self.received: list[dict[str, Any]] = []
        """What it took: answered with 200, or would have if somebody had waited for it."""
        self.raw: list[tuple[dict[str, str], bytes]] = []
        """Headers (in lower case) and body of each."""
        self.requests = 0
        self.status = 200
        self.headers: dict[str, str] = {}
        self.body = b""
        """What it answers with."""
        self.slow_s = 0.0
        """So late it answers, having kept what came."""
        self.never_answers = False
        """It keeps what comes and says nothing, until ``close``."""
        self.hangs_up = False
        """It takes the request and closes the connection."""
        self.open = threading.Event()
        """Cleared: what comes is held, and not answered."""
        self.open.set()
        self.closed = threading.Event()
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                hook.raw.append((headers, body))
                hook.requests += 1
                hook.open.wait(60)
                if hook.status == 200:
                    hook.received.append(json.loads(body))
                if hook.never_answers:
                    hook.closed.wait(60)
                if hook.hangs_up:
                    self.close_connection = True
                    return
                time.sleep(hook.slow_s)
                try:
                    self.send_response(hook.status)
                    for name, value in hook.headers.items():
                        self.send_header(name, value)
                    self.end_headers()
                    self.wfile.write(hook.body)
                except OSError:  # nobody waits for the answer any more
                    self.close_connection = True

            def do_GET(self) -> None:
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        self.port = self._server.server_address[1]
        self.url = f"json://127.0.0.1:{self.port}/secret-path"

    @property
    def titles(self) -> list[str]:
        return [told["title"] for told in self.received]

    def close(self) -> None:
        self.open.set()
        self.closed.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def channel(city: City, url: str, name: str = "hook", **options: Any) -> None:
    with writing(city.services.sessions) as session:
        username = options.pop("username", None)
        account = account_named(session, username) if username else None
        options.setdefault("language", "en")
        put_channel(session, city.cipher, name=name, url=url, account=account, **options)


def plan(city: City) -> None:
    """What follows for channels from what alerts announced, as the sender does it first."""
    NotificationSender(city.services).plan_all()


def deliveries(city: City, username: str) -> list[tuple[str, str, int]]:
    plan(city)
    (alert,) = city.alerts(username)
    return [(each["channel"], each["state"], each["attempts"]) for each in alert["deliveries"]]
