"""What lies outside the city: telephones that get messages, and the emergency line (119), which is
the one of the demo: it reads CAP 1.2 and refuses what is none."""

from __future__ import annotations

import asyncio
import json
import threading
from collections import Counter, defaultdict
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from vigil_sim.emergency.line import Answered, EmergencyLine


class StandIns:
    """Two small web servers on this machine."""

    def __init__(self) -> None:
        self.told: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
        """Messages by telephone."""
        self.counts: Counter[str] = Counter()
        self.line = EmergencyLine(heard=self._called)
        asyncio.run(self.line.start())
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                outer._take(self.path, body)
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Nobody reads it: what came is counted."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        self.address = f"127.0.0.1:{self._server.server_address[1]}"

    def _take(self, path: str, body: bytes) -> None:
        self.told[path.rpartition("/")[2]].append(json.loads(body))
        self.counts["messages to telephones"] += 1

    def _called(self, answered: Answered) -> None:
        self.counts["calls to 119"] += 1
        self.counts["calls that 119 refused"] += answered.status != HTTPStatus.OK

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        asyncio.run(self.line.stop())
