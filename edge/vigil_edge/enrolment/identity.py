"""The key of a gateway and its certificate: made here, kept here, replaced whole.

Key and certificate lie in one file, so that no moment shows a new key beside an old certificate,
whatever dies meanwhile. The key never leaves the box: what is sent is a request signed by it.
"""

from __future__ import annotations

import base64
import os
from datetime import datetime
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID

FOLDER: Final = "identity"
IDENTITY: Final = "gateway.pem"
"""Key and certificate."""
FORMER: Final = ".former"
"""Suffix of the identity before, kept until the broker has let the new one in."""
AUTHORITY: Final = "ca.pem"
TOKEN: Final = "token"  # noqa: S105 - a file's name
PENDING: Final = "pending-key.pem"
"""Of a request whose answer has not come."""


def new_key() -> ec.EllipticCurvePrivateKey:
    """P-256."""
    return ec.generate_private_key(ec.SECP256R1())


def pending_key(folder: Path) -> ec.EllipticCurvePrivateKey:
    """The key of a request that may have been answered already, made where there is none: whoever
    asks again after a lost answer must be the same. Raises ``OSError``."""
    path = folder / PENDING
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except (FileNotFoundError, ValueError):
        key = new_key()
        write_secret(path, key_pem(key))
    return key if isinstance(key, ec.EllipticCurvePrivateKey) else new_key()


def request_of(key: ec.EllipticCurvePrivateKey, gateway: str) -> x509.CertificateSigningRequest:
    """A request for a certificate of this gateway."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, gateway)])
    return x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())


def request_pem(request: x509.CertificateSigningRequest) -> str:
    """As it is sent."""
    return request.public_bytes(Encoding.PEM).decode()


def vouched(key: ec.EllipticCurvePrivateKey, request: x509.CertificateSigningRequest) -> str:
    """Base64: the request signed with the key of the certificate before it."""
    signature = key.sign(request.public_bytes(Encoding.DER), ec.ECDSA(hashes.SHA256()))
    return base64.b64encode(signature).decode()


def fits(
    certificate: str, authority: str, key: ec.EllipticCurvePrivateKey, gateway: str
) -> datetime:
    """The end of a certificate that is this key's and this gateway's, signed by that authority.

    Raises ``ValueError`` where it is not.
    """
    try:
        found = x509.load_pem_x509_certificate(certificate.encode())
        signer = x509.load_pem_x509_certificate(authority.encode())
        found.verify_directly_issued_by(signer)
    except Exception as error:
        raise ValueError(f"the cloud's answer holds no certificate: {error!r}") from error
    if found.public_key() != key.public_key():
        raise ValueError("the cloud's certificate is for another key")
    names = found.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    if [name.value for name in names] != [gateway]:
        raise ValueError("the cloud's certificate is for another gateway")
    return found.not_valid_after_utc


def keep(folder: Path, key: ec.EllipticCurvePrivateKey, certificate: str, authority: str) -> None:
    """Put a new identity in the place of an older one. Raises ``OSError``.

    The authority first: it may be a new one, and the old certificate may go on with it.
    """
    write_secret(folder / AUTHORITY, authority.encode())
    write_secret(folder / IDENTITY, key_pem(key) + certificate.encode())


def kept(file: Path) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
    """Raises ``OSError``, ``ValueError``."""
    content = file.read_bytes()
    key = load_pem_private_key(content, password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ValueError(f"{file} holds a key that was not made by `vigil-edge enrol`")
    return key, x509.load_pem_x509_certificate(content)


def replace(file: Path, key: ec.EllipticCurvePrivateKey, certificate: str) -> None:
    """Put another identity in place and keep the one before beside it. Raises ``OSError``."""
    write_secret(former(file), file.read_bytes())
    write_secret(file, key_pem(key) + certificate.encode())


def former(file: Path) -> Path:
    """Where the identity before lies while the new one has opened no door yet."""
    return file.with_name(file.name + FORMER)


def go_back(file: Path, now: datetime) -> bool:
    """Put the identity before in place again; ``False`` where there is none, or it has ended.
    Raises ``OSError``, ``ValueError``."""
    before = former(file)
    if not before.exists():
        return False
    _, certificate = kept(before)
    if certificate.not_valid_after_utc <= now:
        return False
    write_secret(file, before.read_bytes())
    before.unlink()
    return True


def key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    """PKCS #8, not encrypted: a gateway starts by itself."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def write_secret(path: Path, content: bytes, *, like: Path | None = None) -> None:
    """Whole or not at all, readable by its owner alone. Raises ``OSError``.

    Written by root it belongs to whom ``like`` belongs to, by default the folder above the one
    that it lies in: an agent that is no root must read what an administrator enrolled.
    """
    folder = path.parent
    if not folder.exists():
        folder.mkdir(parents=True, mode=0o700)
        _give(folder, folder.parent if like is None else like)
    draft = path.with_name(f".{path.name}.new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        _give(file.fileno(), folder if like is None else like)
        os.fsync(file.fileno())
    draft.replace(path)
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def _give(what: Path | int, like: Path) -> None:
    """A folder, or an open file. Of a name that somebody else may have made a link meanwhile, the
    link itself is given away and not what it leads to."""
    if os.geteuid() != 0:
        return
    owner = like.stat()
    if isinstance(what, int):
        os.fchown(what, owner.st_uid, owner.st_gid)
    else:
        os.chown(what, owner.st_uid, owner.st_gid, follow_symlinks=False)
