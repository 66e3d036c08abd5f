"""A push service, and phones that subscribe at it: RFC 8030, 8291 and 8292 from the other side.

It shares no code with the sender: what it cannot read or does not trust it refuses, as the services
of the browsers' makers do.
"""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

CURVE: Final = ec.SECP256R1()
MOST_BYTES: Final = 4096
"""Of one message, RFC 8030, 7.2."""


class NotTrusted(Exception):
    """What a message lacks."""


def _require(right: bool, what: str) -> None:
    if not right:
        raise NotTrusted(what)


def decoded(text: str) -> bytes:
    """Of base64url without its padding."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def encoded(content: bytes) -> str:
    """The reverse."""
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def _hmac(key: bytes, content: bytes) -> bytes:
    made = hmac.HMAC(key, hashes.SHA256())
    made.update(content)
    return made.finalize()


def decrypt(body: bytes, private: ec.EllipticCurvePrivateKey, secret: bytes) -> bytes:
    """As RFC 8291, 3.4 writes the steps down, with HMAC alone. Raises ``NotTrusted``,
    ``InvalidTag``, ``ValueError``."""
    _require(21 <= len(body) <= MOST_BYTES, "it is too short or too long")
    salt, size, length = body[:16], int.from_bytes(body[16:20], "big"), body[20]
    sender, sealed = body[21 : 21 + length], body[21 + length :]
    _require(len(sealed) <= size, "it has more than one record")
    ours = _point(private)
    theirs = ec.EllipticCurvePublicKey.from_encoded_point(CURVE, sender)
    shared = private.exchange(ec.ECDH(), theirs)
    material = _hmac(_hmac(secret, shared), b"WebPush: info\x00" + ours + sender + b"\x01")
    pseudo = _hmac(salt, material)
    key = _hmac(pseudo, b"Content-Encoding: aes128gcm\x00\x01")[:16]
    nonce = _hmac(pseudo, b"Content-Encoding: nonce\x00\x01")[:12]
    padded = AESGCM(key).decrypt(nonce, sealed, None)
    content, delimiter, rest = padded.rpartition(b"\x02")
    _require(delimiter == b"\x02" and set(rest) <= {0}, "its padding is none")
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
    """One phone's subscription, with its keys."""

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
        """What it has shown so far."""
        return [one for one in self.service.told if one.path == self.path]


class PushService:
    """Answers as it is told; what it takes is decrypted as the browser would. ``heard`` is called
    in a thread of its own for each message that was shown."""

    def __init__(self, heard: Callable[[Told], None] = lambda _: None) -> None:
        self._heard = heard
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
                length = min(int(self.headers.get("content-length") or 0), MOST_BYTES + 1)
                body = self.rfile.read(length)
                headers = {name.lower(): value for name, value in self.headers.items()}
                status = own._take(self.path, headers, body)
                self.send_response(status)
                for name, value in own.headers.items():
                    self.send_header(name, value)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """``heard`` tells it."""

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
        except (NotTrusted, KeyError, ValueError, InvalidSignature, InvalidTag) as error:
            self.refused.append(f"{type(error).__name__}: {error}")
            return 403
        told = Told(path, headers, note)
        self.told.append(told)
        self._heard(told)
        return 201

    def _check(self, headers: Mapping[str, str]) -> None:
        """RFC 8292, 2 and 3; RFC 8030, 5."""
        _require(headers["content-encoding"] == "aes128gcm", "its encoding is another")
        _require(int(headers["ttl"]) > 0, "it has no time to live")
        urgent = headers["urgency"] in {"very-low", "low", "normal", "high"}
        _require(urgent and len(headers.get("topic", "")) <= 32, "its urgency or topic is none")
        scheme, _, rest = headers["authorization"].partition(" ")
        said = dict(part.strip().split("=", 1) for part in rest.split(","))
        _require(scheme == "vapid", "nobody signs it")
        head, claims, signature = said["t"].split(".")
        _require(json.loads(decoded(head)) == {"typ": "JWT", "alg": "ES256"}, "its head is another")
        asked = json.loads(decoded(claims))
        _require(asked["aud"] == self.origin, "it is for another service")
        _require(time.time() < asked["exp"] <= time.time() + 86400, "its time is over or too long")
        _require(asked["sub"].startswith(("mailto:", "https:")), "nobody can be asked about it")
        raw = decoded(signature)
        _require(len(raw) == 64, "its signature has another length")
        pair = encode_dss_signature(
            int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big")
        )
        key = ec.EllipticCurvePublicKey.from_encoded_point(CURVE, decoded(said["k"]))
        key.verify(pair, f"{head}.{claims}".encode(), ec.ECDSA(hashes.SHA256()))
        self.key = self.key or said["k"]
        _require(self.key == said["k"], "its key is not the one of before")

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
