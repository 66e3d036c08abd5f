"""Toxiproxy: a network that is slow, cut or lossy on demand."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .ports import free_port, listening
from .process import Server
from .programs import need


@dataclass
class Toxiproxy(Server):
    port: int = 0

    def _call(self, method: str, path: str, body: Any = None) -> None:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}",
            None if body is None else json.dumps(body).encode(),
            {"Content-Type": "application/json"},
            method=method,
        )
        with urllib.request.urlopen(request, timeout=60) as response:
            response.read()

    def proxy(self, name: str, upstream_port: int) -> int:
        """A port that forwards to ``upstream_port``."""
        port = free_port()
        self._call(
            "POST",
            "/proxies",
            {
                "name": name,
                "listen": f"127.0.0.1:{port}",
                "upstream": f"127.0.0.1:{upstream_port}",
                "enabled": True,
            },
        )
        return port

    def enable(self, name: str, enabled: bool) -> None:
        """Cut or restore a proxy; cutting drops its connections."""
        self._call("POST", f"/proxies/{name}", {"enabled": enabled})

    def toxic(self, name: str, kind: str, attributes: Mapping[str, Any], stream: str) -> None:
        """Add ``latency``, ``bandwidth``, ``timeout``, ``reset_peer``, ``slicer`` …"""
        body = {
            "name": f"{kind}_{stream}",
            "type": kind,
            "stream": stream,
            "attributes": attributes,
        }
        self._call("POST", f"/proxies/{name}/toxics", body)

    def heal(self, name: str, kind: str, stream: str) -> None:
        """Remove a toxic."""
        self._call("DELETE", f"/proxies/{name}/toxics/{kind}_{stream}")


def toxiproxy(folder: Path) -> Toxiproxy:
    """A started Toxiproxy without proxies."""
    program = need("toxiproxy-server", "install Toxiproxy (https://github.com/Shopify/toxiproxy)")
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    server = Toxiproxy(
        "toxiproxy",
        [str(program), "-host", "127.0.0.1", "-port", str(port)],
        lambda: listening(port),
        folder / "toxiproxy.log",
        port=port,
    )
    server.start()
    return server
