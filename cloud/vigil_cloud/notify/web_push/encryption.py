"""Message encryption for Web Push, RFC 8291, over RFC 8188 (``aes128gcm``). Pure.

Why by hand: docs/decisions/0054-web-push.md.
"""

from __future__ import annotations

import os
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

CURVE: Final = ec.SECP256R1()
RECORD: Final = 4096
"""Bytes that every push service takes (RFC 8030, 7.2), as one record (RFC 8291, 4)."""
SALT_BYTES: Final = 16
TAG_BYTES: Final = 16
KEY_ID_BYTES: Final = 65
HEADER_BYTES: Final = SALT_BYTES + 4 + 1 + KEY_ID_BYTES
LONGEST: Final = RECORD - HEADER_BYTES - TAG_BYTES - 1
"""Bytes of a message: the record less header, tag and delimiter."""
_LAST_RECORD: Final = b"\x02"


def encrypt(
    content: bytes,
    public: bytes,
    secret: bytes,
    *,
    salt: bytes | None = None,
    private: ec.EllipticCurvePrivateKey | None = None,
) -> bytes:
    """The body of a push request.

    ``public``: the browser's key (``p256dh``), an uncompressed point of 65 bytes; ``secret``: its
    ``auth``, 16 bytes. ``salt`` and ``private`` are drawn anew for each message; they are named
    by tests alone. Raises ``ValueError`` where the key is no point of the curve or the content is
    longer than ``LONGEST``.
    """
    if len(content) > LONGEST:
        raise ValueError(f"{len(content)} bytes do not fit into one push message")
    salt = salt or os.urandom(SALT_BYTES)
    private = private or ec.generate_private_key(CURVE)
    theirs = ec.EllipticCurvePublicKey.from_encoded_point(CURVE, public)
    ours = point(private.public_key())
    shared = private.exchange(ec.ECDH(), theirs)
    key, nonce = content_keys(shared, secret, salt, browser=public, sender=ours)
    sealed = AESGCM(key).encrypt(nonce, content + _LAST_RECORD, None)
    return salt + RECORD.to_bytes(4, "big") + bytes([len(ours)]) + ours + sealed


def content_keys(
    shared: bytes, secret: bytes, salt: bytes, *, browser: bytes, sender: bytes
) -> tuple[bytes, bytes]:
    """Key and nonce of the one record (RFC 8291, 3.4; RFC 8188, 2.2 and 2.3)."""
    info = b"WebPush: info\x00" + browser + sender
    material = _derived(shared, secret, info, 32)
    key = _derived(material, salt, b"Content-Encoding: aes128gcm\x00", 16)
    nonce = _derived(material, salt, b"Content-Encoding: nonce\x00", 12)
    return key, nonce


def point(key: ec.EllipticCurvePublicKey) -> bytes:
    """A public key as its uncompressed point, 65 bytes."""
    return key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def _derived(material: bytes, salt: bytes, info: bytes, length: int) -> bytes:
    return HKDF(SHA256(), length=length, salt=salt, info=info).derive(material)
