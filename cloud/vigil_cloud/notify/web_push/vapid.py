"""Who sends, signed for one push service: VAPID, RFC 8292. Pure."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from vigil_cloud.notify.web_push.encryption import CURVE, point

VALID: Final = timedelta(hours=12)
"""A service refuses what is valid for more than a day (RFC 8292, 2)."""
_KEY_BYTES: Final = 32
_NOBODY: Final = "mailto:vigil@localhost"


def new_key() -> bytes:
    """A private key of P-256 as its number, 32 bytes."""
    number = ec.generate_private_key(CURVE).private_numbers().private_value
    return number.to_bytes(_KEY_BYTES, "big")


def public_key(private: bytes) -> str:
    """What a browser subscribes with (``applicationServerKey``), base64url."""
    return base64url(point(_loaded(private).public_key()))


def headers(private: bytes, endpoint: str, contact: str, now: datetime) -> Mapping[str, str]:
    """``Authorization`` for a request to this endpoint. ``contact``: an ``https:`` or ``mailto:``
    address under which its sender is reached; empty: none is known."""
    parts = urlsplit(endpoint)
    claims = {
        "aud": f"{parts.scheme}://{parts.netloc}",
        "exp": int((now + VALID).timestamp()),
        "sub": contact or _NOBODY,
    }
    head = base64url(json.dumps({"typ": "JWT", "alg": "ES256"}).encode())
    content = f"{head}.{base64url(json.dumps(claims).encode())}"
    key = _loaded(private)
    r, s = decode_dss_signature(key.sign(content.encode(), ec.ECDSA(SHA256())))
    # RFC 7518, 3.4: both numbers at their full length, one after the other.
    signature = r.to_bytes(_KEY_BYTES, "big") + s.to_bytes(_KEY_BYTES, "big")
    token = f"{content}.{base64url(signature)}"
    return {"Authorization": f"vapid t={token}, k={base64url(point(key.public_key()))}"}


def base64url(content: bytes) -> str:
    """Without padding."""
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def _loaded(private: bytes) -> ec.EllipticCurvePrivateKey:
    return ec.derive_private_key(int.from_bytes(private, "big"), CURVE)
