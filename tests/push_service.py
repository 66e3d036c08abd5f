"""A push service, and browsers that subscribe at it: RFC 8030, 8291 and 8292 from the other side.

It shares no code with the sender: what it cannot read or does not trust it refuses, as the services
of the browsers' makers do.
"""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

CURVE = ec.SECP256R1()


def decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def _hmac(key: bytes, content: bytes) -> bytes:
    made = hmac.HMAC(key, hashes.SHA256())
    made.update(content)
    return made.finalize()


def decrypt(body: bytes, private: ec.EllipticCurvePrivateKey, secret: bytes) -> bytes:
    """As RFC 8291, 3.4 writes the steps down, with HMAC alone."""
    salt, size, length = body[:16], int.from_bytes(body[16:20], "big"), body[20]
    sender, sealed = body[21 : 21 + length], body[21 + length :]
    assert len(body) <= 4096
    assert len(sealed) <= size, "one record"
    ours = _point(private)
    theirs = ec.EllipticCurvePublicKey.from_encoded_point(CURVE, sender)
    shared = private.exchange(ec.ECDH(), theirs)
    material = _hmac(_hmac(secret, shared), b"WebPush: info\x00" + ours + sender + b"\x01")
    pseudo = _hmac(salt, material)
    key = _hmac(pseudo, b"Content-Encoding: aes128gcm\x00\x01")[:16]
    nonce = _hmac(pseudo, b"Content-Encoding: nonce\x00\x01")[:12]
    padded = AESGCM(key).decrypt(nonce, sealed, None)
    content, delimiter, rest = padded.rpartition(b"\x02")
    assert delimiter == b"\x02"
    assert set(rest) <= {0}
    return content


def _point(private: ec.EllipticCurvePrivateKey) -> bytes:
    numbers = private.public_key().public_numbers()
    return b"\x04" + numbers.x.to_bytes(32, "big") + numbers.y.to_bytes(32, "big")


@dataclass
class Told:
    """One message that reached a browser."""

    path: str
    headers: Mapping[str, str]
    note: dict[str, Any]


class Browser:
    """Keys of one subscription."""

    def __init__(self, service: PushService, name: str) -> None:
        self.private = ec.generate_private_key(CURVE)
        self.secret = bytes(range(16))
        self.path = f"/push/{name}"
        self.service = service
        service.browsers[self.path] = self

    @property
    def subscription(self) -> dict[str, Any]:
        """As ``PushSubscription.toJSON`` gives it, less its ``expirationTime``."""
        keys = {"p256dh": encoded(_point(self.private)), "auth": encoded(self.secret)}
        return {"endpoint": f"{self.service.origin}{self.path}", "keys": keys}

    @property
    def told(self) -> list[Told]:
        return [one for one in self.service.told if one.path == self.path]


class PushService:
    """Answers as it is told; what it takes is decrypted as the browser would."""

    def __init__(self) -> None:
        self.browsers: dict[str, Browser] = {}
        self.told: list[Told] = []
        self.refused: list[str] = []
        self.status = 201
        self.headers: dict[str, str] = {}
        self.key = ""
        """The one that browsers subscribed with, once the first message named it."""
        own = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                status = own._take(self.path, headers, body)
                self.send_response(status)
                for name, value in own.headers.items():
                    self.send_header(name, value)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        self.origin = f"http://127.0.0.1:{self._server.server_address[1]}"

    def _take(self, path: str, headers: Mapping[str, str], body: bytes) -> int:
        browser = self.browsers.get(path)
        if browser is None:
            return 404
        if self.status != 201:
            return self.status
        try:
            self._check(headers)
            note = json.loads(decrypt(body, browser.private, browser.secret))
        except (AssertionError, KeyError, ValueError, InvalidSignature) as error:
            self.refused.append(f"{type(error).__name__}: {error}")
            return 403
        self.told.append(Told(path, headers, note))
        return 201

    def _check(self, headers: Mapping[str, str]) -> None:
        """RFC 8292, 2 and 3; RFC 8030, 5."""
        assert headers["content-encoding"] == "aes128gcm"
        assert int(headers["ttl"]) > 0
        assert headers["urgency"] in {"very-low", "low", "normal", "high"}
        assert len(headers.get("topic", "")) <= 32
        scheme, _, rest = headers["authorization"].partition(" ")
        said = dict(part.strip().split("=", 1) for part in rest.split(","))
        assert scheme == "vapid"
        head, claims, signature = said["t"].split(".")
        assert json.loads(decoded(head)) == {"typ": "JWT", "alg": "ES256"}
        asked = json.loads(decoded(claims))
        assert asked["aud"] == self.origin
        assert time.time() < asked["exp"] <= time.time() + 86400
        assert asked["sub"].startswith(("mailto:", "https:"))
        raw = decoded(signature)
        assert len(raw) == 64
        pair = encode_dss_signature(
            int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big")
        )
        key = ec.EllipticCurvePublicKey.from_encoded_point(CURVE, decoded(said["k"]))
        key.verify(pair, f"{head}.{claims}".encode(), ec.ECDSA(hashes.SHA256()))
        self.key = self.key or said["k"]
        assert self.key == said["k"], "one key for all messages"

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
