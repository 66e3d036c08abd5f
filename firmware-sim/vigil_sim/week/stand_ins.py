"""What lies outside the city: telephones that get messages, and the emergency line (119)."""

from __future__ import annotations

import json
import threading
from collections import Counter, defaultdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

CAP: str = "/119"


class StandIns:
    """One small web server on this machine. Everything is taken and answered."""

    def __init__(self) -> None:
        self.told: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
        """Messages by telephone."""
        self.emergency: list[str] = []
        """CAP documents, as they came."""
        self.counts: Counter[str] = Counter()
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
        if path == CAP:
            self.emergency.append(body.decode("utf-8", "replace"))
            self.counts["calls to 119"] += 1
        else:
            self.told[path.rpartition("/")[2]].append(json.loads(body))
            self.counts["messages to telephones"] += 1

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
