"""Encryption of single columns, so that a stolen database names nobody.

AES-256-GCM. A stored value is one version byte, a random nonce of 12 bytes and the
sealed text; the column's purpose is authenticated with it, so that a value cannot be
moved to another column. Version 1 is sealed under a key derived from the secret key
(HKDF-SHA256), version 2 under a person's own random key, which is itself stored sealed:
whoever destroys it has made unreadable whatever was sealed with it, wherever a copy lies.
"""

from __future__ import annotations

import os
from typing import ClassVar, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from vigil_schemas.errors import VigilError

BY_SECRET_KEY: Final = b"\x01"
BY_PERSONS_KEY: Final = b"\x02"
_NONCE_BYTES: Final = 12
_KEY_BYTES: Final = 32


class Undecipherable(VigilError):
    """A column was encrypted with another secret key, or changed."""

    code: ClassVar[str] = "undecipherable"
    remedy: ClassVar[str] = (
        "Start with the key that the database was sealed with, or restore a backup."
    )


class _Sealer:
    """AES-256-GCM under one key; values carry ``version``."""

    def __init__(self, version: bytes, key: bytes) -> None:
        self._version = version
        self._aead = AESGCM(key)

    def seal(self, purpose: str, content: bytes) -> bytes:
        nonce = os.urandom(_NONCE_BYTES)
        return self._version + nonce + self._aead.encrypt(nonce, content, purpose.encode())

    def open(self, purpose: str, sealed: bytes) -> bytes:
        nonce, body = sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :]
        try:
            if sealed[:1] != self._version:
                raise Undecipherable(f"{purpose}: sealed in another way than expected")
            return self._aead.decrypt(nonce, body, purpose.encode())
        except (InvalidTag, ValueError) as error:
            raise Undecipherable(
                f"{purpose}: cannot be opened with this secret_key; was it changed?"
            ) from error


class Cipher:
    """Seals and opens under the secret key."""

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()
        self._sealer = _Sealer(BY_SECRET_KEY, self._derived(b"vigil column encryption v1"))

    def seal(self, column: str, text: str) -> bytes:
        """A different value each time, also for the same text."""
        return self._sealer.seal(column, text.encode())

    def open(self, column: str, sealed: bytes) -> str:
        """Raises ``Undecipherable``."""
        return self._sealer.open(column, sealed).decode()

    def seal_bytes(self, column: str, content: bytes) -> bytes:
        """As ``seal``, for what is no text."""
        return self._sealer.seal(column, content)

    def open_bytes(self, column: str, sealed: bytes) -> bytes:
        """Raises ``Undecipherable``."""
        return self._sealer.open(column, sealed)

    def fingerprint(self) -> str:
        """Tells whether two secret keys are the same and nothing else of them: a keyed hash."""
        return self.keyed_hash("secret key fingerprint v1", b"vigil").hex()

    def keyed_hash(self, purpose: str, content: bytes) -> bytes:
        """32 bytes that nobody can make without the secret key; of no use for another purpose."""
        return hash_under(self.hash_key(purpose), content)

    def hash_key(self, purpose: str) -> bytes:
        """The key of ``keyed_hash``."""
        return self._derived(f"vigil {purpose}".encode())

    def _derived(self, purpose: bytes) -> bytes:
        return HKDF(algorithm=SHA256(), length=_KEY_BYTES, salt=None, info=purpose).derive(
            self._secret
        )


def hash_under(key: bytes, content: bytes) -> bytes:
    """HMAC-SHA256, 32 bytes."""
    digest = HMAC(key, SHA256())
    digest.update(content)
    return digest.finalize()


class PersonCipher:
    """Seals under a person's own key; opens that, and what older versions sealed for them
    under the secret key. Without a key of their own nothing can be sealed."""

    def __init__(self, cipher: Cipher, key: bytes | None) -> None:
        self._cipher = cipher
        self._own = None if key is None else _Sealer(BY_PERSONS_KEY, key)

    @staticmethod
    def new_key() -> bytes:
        """256 random bits."""
        return os.urandom(_KEY_BYTES)

    def seal(self, column: str, text: str) -> bytes:
        """Raises ``Undecipherable`` where the person's key was destroyed."""
        if self._own is None:
            raise Undecipherable(f"{column}: this person's key was destroyed")
        return self._own.seal(column, text.encode())

    def open(self, column: str, sealed: bytes) -> str:
        """Raises ``Undecipherable``."""
        if sealed[:1] == BY_SECRET_KEY:
            return self._cipher.open(column, sealed)
        if self._own is None:
            raise Undecipherable(f"{column}: this person's key was destroyed")
        return self._own.open(column, sealed).decode()
