"""Encryption of single columns, so that a stolen database names nobody.

AES-256-GCM under a key derived from the secret key (HKDF-SHA256). A stored value
is one version byte, a random nonce of 12 bytes and the sealed text; the column's
name is authenticated with it, so that a value cannot be moved to another column.
"""

from __future__ import annotations

import os
from typing import ClassVar, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from vigil_schemas.errors import VigilError

_VERSION: Final = b"\x01"
_NONCE_BYTES: Final = 12


class Undecipherable(VigilError):
    """A column was encrypted with another secret key, or changed."""

    code: ClassVar[str] = "undecipherable"


class Cipher:
    """Seals and opens short texts of one purpose."""

    def __init__(self, secret: str) -> None:
        key = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"vigil column encryption v1")
        self._aead = AESGCM(key.derive(secret.encode()))

    def seal(self, column: str, text: str) -> bytes:
        """A different value each time, also for the same text."""
        nonce = os.urandom(_NONCE_BYTES)
        return _VERSION + nonce + self._aead.encrypt(nonce, text.encode(), column.encode())

    def open(self, column: str, sealed: bytes) -> str:
        """Raises ``Undecipherable``."""
        nonce, body = sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :]
        try:
            if sealed[:1] != _VERSION:
                raise Undecipherable(f"{column}: unknown version of encryption")
            return self._aead.decrypt(nonce, body, column.encode()).decode()
        except (InvalidTag, ValueError) as error:
            raise Undecipherable(
                f"{column}: cannot be opened with this secret_key; was it changed?"
            ) from error
