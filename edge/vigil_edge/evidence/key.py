"""The gateway's sealing key: Ed25519, made at the first start, kept in the data folder."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar, Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from vigil_schemas.errors import VigilError

KEY_NAME: Final = "evidence-key.pem"
"""The sealing key's file in the gateway's data folder."""


class EvidenceKeyMissing(VigilError):
    """There is no sealing key that could be read."""

    code: ClassVar[str] = "evidence-key-missing"
    remedy: ClassVar[str] = (
        "Restore the key from a backup of `data_dir`, or delete the rest of it so that a new "
        "one is made."
    )


def public_key_of(folder: Path) -> str:
    """The public half of the key in a data folder, hexadecimal; makes none.

    Raises ``EvidenceKeyMissing``, ``OSError``.
    """
    path = folder / KEY_NAME
    if not path.exists():
        raise EvidenceKeyMissing(f"{path}: no key yet; the agent makes it at its first start")
    key = _read_key(path)
    if key is None:
        raise EvidenceKeyMissing(f"{path}: this is no key; the agent replaces it at its next start")
    return public_hex(key)


def load_key(path: Path, put_aside: Callable[[Path], None]) -> Ed25519PrivateKey:
    """This gateway's sealing key; made at the first start, readable by its owner alone.

    One that cannot be read any more is renamed, told of through ``put_aside``, and replaced:
    a gateway without evidence is better than none. Raises ``OSError`` for the disk.
    """
    if path.exists():
        key = _read_key(path)
        if key is not None:
            return key
        aside = path.with_name(f"{path.name}.damaged")
        path.rename(aside)
        put_aside(aside)
    return _new_key(path)


def _read_key(path: Path) -> Ed25519PrivateKey | None:
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return None
    return key if isinstance(key, Ed25519PrivateKey) else None


def _new_key(path: Path) -> Ed25519PrivateKey:
    key = Ed25519PrivateKey.generate()
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    draft = path.with_name(path.name + ".new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(pem)
        file.flush()
        os.fsync(file.fileno())
    draft.rename(path)
    folder_to_disk(path.parent)
    return key


def public_hex(key: Ed25519PrivateKey) -> str:
    """Raw public key, as a birth message carries it."""
    return key.public_key().public_bytes_raw().hex()


def folder_to_disk(folder: Path) -> None:
    """So that a name that was made in it survives a power failure. Raises ``OSError``."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
