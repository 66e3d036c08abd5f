"""TLS towards the cloud: whom we trust, and how we show who we are."""

from __future__ import annotations

import ssl
from datetime import datetime
from pathlib import Path

from cryptography import x509


def context(
    ca_file: Path | None, certificate_file: Path | None, key_file: Path | None
) -> ssl.SSLContext:
    """Verifies the other side; shows our certificate where one is configured.

    Raises ``OSError`` (``ssl.SSLError`` is one) or ``ValueError`` where a file does not serve.
    """
    made = ssl.create_default_context(cafile=ca_file)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    if certificate_file and key_file:
        made.load_cert_chain(certificate_file, key_file, password=_no_password)
    return made


def certificate_end(path: Path | None) -> datetime | None:
    """``notAfter`` of the certificate that we show; ``None`` where none can be read (connecting
    with it says why)."""
    if path is None:
        return None
    try:
        return x509.load_pem_x509_certificate(path.read_bytes()).not_valid_after_utc
    except (OSError, ValueError):
        return None


def _no_password() -> str:
    # Without this, OpenSSL asks at the terminal, and a service waits there for ever.
    raise ValueError("the key is encrypted; a gateway that starts by itself needs one that is not")
