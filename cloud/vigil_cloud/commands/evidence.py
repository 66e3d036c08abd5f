"""``vigil-cloud evidence``: is a package what its gateway sealed, or a case's file what left the
house? Asked of the file alone."""

from __future__ import annotations

import argparse
import hashlib
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from vigil_cloud.commands.opening import Commands, add_command, add_subject
from vigil_cloud.config import ConfigurationError
from vigil_schemas.evidence import LARGEST_PACKAGE
from vigil_schemas.types import isoformat_utc

if TYPE_CHECKING:
    from cryptography import x509

_HEX: Final = re.compile(r"[0-9a-fA-F]{64}")
_LARGEST_KEY_FILE: Final = 10_000


def add(commands: Commands, _common: argparse.ArgumentParser) -> None:
    """verify; it needs no settings, no database and no network."""
    actions = add_subject(commands, "evidence", "sealed packages")
    verify = add_command(
        actions,
        "verify",
        _verify,
        "0: as its gateway sealed it, with a summary; 1: one line for each thing that is wrong;"
        " 2: no such file or key",
    )
    verify.add_argument("file", type=Path, metavar="FILE.zip")
    verify.add_argument(
        "--key",
        metavar="HEX|FILE",
        help="the gateway's public key (`vigil-edge evidence public-key`), or a file with it;"
        " a case's file (dossier.zip) brings one, which is only as good as the way it came",
    )
    verify.add_argument(
        "--timestamp-ca",
        type=Path,
        metavar="FILE",
        help="authorities whose time stamps are trusted, PEM; without it a stamp's authority is"
        " told and not verified",
    )


def _verify(options: argparse.Namespace) -> int:
    from vigil_cloud.cases.bundle_check import is_bundle
    from vigil_cloud.evidence.layout import PACKAGE, Fault
    from vigil_cloud.evidence.stamp import Stamped, examine_stamp
    from vigil_cloud.evidence.verification import examine
    from vigil_schemas.evidence import EvidenceManifest

    key = None if options.key is None else _public_key(options.key)
    authorities = [] if options.timestamp_ca is None else _authorities(options.timestamp_ca)
    if options.file.exists() and not options.file.is_file():
        raise ConfigurationError(f"{options.file}: is no file")
    if is_bundle(options.file):
        return _verify_bundle(options.file, key, authorities)
    if key is None:
        raise ConfigurationError("--key: a package by itself needs its gateway's public key")
    found = examine(options.file, public_key=key)
    sha256 = _digest(options.file)
    named = _HEX.fullmatch(options.file.stem)
    if named and sha256 and options.file.stem.lower() != sha256:
        found.faults.append(Fault(PACKAGE, f"is named by another SHA-256 than its own, {sha256}"))
    stamped = Stamped(None, [])
    if not found.faults and isinstance(found.manifest, EvidenceManifest):
        stamped = examine_stamp(options.file, found.manifest, authorities)
        found.faults += stamped.faults
    if found.faults or found.manifest is None:
        for fault in found.faults:
            print(fault)
        return 1
    manifest = found.manifest
    print(
        json.dumps(
            {
                "verified": True,
                "sha256": sha256,
                "key": key.hex(),
                **manifest.model_dump(mode="json", include=_SUMMARY, exclude_none=True),
                "timestamp": stamped.stamp and stamped.stamp.model_dump(mode="json"),
                "files": [{"name": file.name, "size": file.size} for file in manifest.files],
            },
            ensure_ascii=False,
        )
    )
    return 0


def _digest(path: Path) -> str | None:
    """``None`` for one that is larger than any package: it need not be read to its end."""
    if path.stat().st_size > LARGEST_PACKAGE:
        return None
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _verify_bundle(path: Path, key: bytes | None, authorities: list[x509.Certificate]) -> int:
    from vigil_cloud.cases.bundle_check import examine_bundle

    found = examine_bundle(path, key, authorities)
    if found.faults or found.dossier is None:
        for fault in found.faults:
            print(fault)
        return 1
    dossier = found.dossier
    summary = {
        "verified": True,
        "case": dossier.number,
        "sha256": dossier.sha256,
        "paper": found.paper,
        "pages": found.pages,
        "made": isoformat_utc(dossier.made),
        "evidence": found.packages,
        "records": found.records,
        "timestamps": {
            sha256: stamp.model_dump(mode="json") for sha256, stamp in found.stamps.items()
        },
        "key": "given" if found.key_given else "from the file itself",
    }
    print(json.dumps(summary, ensure_ascii=False))
    return 0


_SUMMARY: Final = {
    *("version", "evidence_id", "gateway", "device", "sealed", "started", "ended"),
    *("chain", "software", "configuration_sha256", "clock"),
}


def _authorities(path: Path) -> list[x509.Certificate]:
    """Raises ``ConfigurationError``."""
    from vigil_cloud.evidence.stamp import load_authorities

    try:
        return load_authorities(path)
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"--timestamp-ca {path}: {error}") from error


def _public_key(given: str) -> bytes:
    """32 bytes of Ed25519, from 64 hexadecimal digits or a file: the digits, PEM, or raw bytes.

    Raises ``ConfigurationError``.
    """
    if _HEX.fullmatch(given):
        return bytes.fromhex(given)
    path = Path(given)
    if not path.is_file():
        raise ConfigurationError(f"--key {given!r} is neither 64 hexadecimal digits nor a file")
    with path.open("rb") as file:
        content = file.read(_LARGEST_KEY_FILE)
    text = content.decode("ascii", errors="replace").strip()
    if _HEX.fullmatch(text):
        return bytes.fromhex(text)
    if "-----BEGIN PUBLIC KEY-----" in text:
        return _from_pem(path, content)
    if len(content) == 32:
        return content
    raise ConfigurationError(f"--key {given}: holds no public key (64 hexadecimal digits or PEM)")


def _from_pem(path: Path, content: bytes) -> bytes:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        key = load_pem_public_key(content)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ConfigurationError(f"--key {path}: {error}") from error
    if not isinstance(key, Ed25519PublicKey):
        raise ConfigurationError(f"--key {path}: is not an Ed25519 key")
    return key.public_bytes_raw()
