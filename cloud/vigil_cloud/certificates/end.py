"""When a certificate of ours ends."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from cryptography import x509


def certificate_end(path: Path | None) -> datetime | None:
    """``notAfter`` of the first certificate of a PEM file; ``None`` where there is none that can
    be read: whoever connects with it says so."""
    if path is None:
        return None
    try:
        return x509.load_pem_x509_certificate(path.read_bytes()).not_valid_after_utc
    except (OSError, ValueError):
        return None
