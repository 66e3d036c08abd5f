"""The time stamp (RFC 3161) of a package: whose it is, when it was given, and whether it holds for
what the package holds. Asked of the file alone, off line and years later: the certificate only has
to have been valid when the stamp was given.

A package has either neither or both of ``SHA256SUMS`` (digests of its other files) and
``SHA256SUMS.tsr`` (the authority's answer to the digest of that). Both are ordinary files of the
manifest: every byte of them is bound by the gateway's seal as well.
"""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cryptography import x509
from pydantic import BaseModel, ConfigDict

from vigil_cloud.evidence.layout import Fault
from vigil_schemas.evidence import (
    LARGEST_STAMP,
    STAMP_NAME,
    SUMS_NAME,
    EvidenceManifest,
    sums,
)
from vigil_schemas.time_stamp import in_order
from vigil_schemas.types import UtcDatetime

if TYPE_CHECKING:
    from rfc3161_client import TimeStampResponse

_GRANTED: Final = 0


class EvidenceStamp(BaseModel):
    """Since when a package's files have existed, by the word of a time stamping authority."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    time: UtcDatetime
    authority: str
    """Subject of the certificate that the stamp was signed with."""
    serial: str
    """Of the stamp, hexadecimal: the authority finds it by that."""
    trusted: bool | None
    """Whether it was signed by an authority that whoever verifies trusts; null where none was
    named."""
    from_sealed_s: float
    """From the gateway's own moment of sealing to the stamp's: what its clock may be off by."""


@dataclass(frozen=True, slots=True)
class Stamped:
    """What was found. ``stamp``: ``None`` where there is none, or none that can be read."""

    stamp: EvidenceStamp | None
    faults: Sequence[Fault]


def load_authorities(path: Path) -> list[x509.Certificate]:
    """PEM, one or several. Raises ``OSError``, ``ValueError``."""
    return x509.load_pem_x509_certificates(path.read_bytes())


def examine_stamp(
    package: Path, manifest: EvidenceManifest, authorities: Sequence[x509.Certificate] = ()
) -> Stamped:
    """Of a package of whose zip nothing is wrong. Raises ``OSError``."""
    sizes = {file.name: file.size for file in manifest.files}
    there = [name for name in (SUMS_NAME, STAMP_NAME) if name in sizes]
    if not there:
        return Stamped(None, [])
    if len(there) == 1:
        missing = STAMP_NAME if there == [SUMS_NAME] else SUMS_NAME
        return Stamped(None, [Fault(missing, f"is missing beside {there[0]}")])
    large = next((name for name in there if sizes[name] > LARGEST_STAMP), None)
    if large is not None:
        return Stamped(None, [Fault(large, f"is larger than {LARGEST_STAMP} bytes")])
    with zipfile.ZipFile(package) as archive:
        text, reply = archive.read(SUMS_NAME), archive.read(STAMP_NAME)
    wanted = {file.name: file.sha256 for file in manifest.files if file.name not in there}
    faults = []
    if text != sums(wanted):
        faults.append(Fault(SUMS_NAME, "does not list the files of the package"))
    return _read(text, reply, manifest, authorities, faults)


def _read(
    text: bytes,
    reply: bytes,
    manifest: EvidenceManifest,
    authorities: Sequence[x509.Certificate],
    faults: list[Fault],
) -> Stamped:
    from rfc3161_client import decode_timestamp_response

    try:
        response = decode_timestamp_response(in_order(reply))
        if response.status != _GRANTED:
            return Stamped(None, [*faults, Fault(STAMP_NAME, "is a refusal and no stamp")])
        told = response.tst_info
        stamp = EvidenceStamp(
            time=told.gen_time,
            authority=_signer(response),
            serial=f"{told.serial_number:x}",
            trusted=None,
            from_sealed_s=(told.gen_time - manifest.sealed).total_seconds(),
        )
    except ValueError as error:
        return Stamped(None, [*faults, Fault(STAMP_NAME, f"is no time stamp: {error}")])
    if not _is_of(response, text):
        faults.append(Fault(STAMP_NAME, f"is the stamp of something else than {SUMS_NAME}"))
        return Stamped(stamp, faults)
    if authorities:
        why = _distrusted(response, text, authorities)
        stamp.trusted = why is None
        if why is not None:
            faults.append(Fault(STAMP_NAME, f"is of no authority that is trusted: {why}"))
    return Stamped(stamp, faults)


def _is_of(response: TimeStampResponse, text: bytes) -> bool:
    """Whether the digest that was stamped is the text's, by the algorithm that it names."""
    from rfc3161_client.verify import SHA256_OID, SHA384_OID, SHA512_OID

    made = {SHA256_OID: hashlib.sha256, SHA384_OID: hashlib.sha384, SHA512_OID: hashlib.sha512}
    imprint = response.tst_info.message_imprint
    digest = made.get(imprint.hash_algorithm.dotted_string)
    return digest is not None and digest(text).digest() == imprint.message


def _distrusted(
    response: TimeStampResponse, text: bytes, authorities: Sequence[x509.Certificate]
) -> str | None:
    """Why the stamp does not hold; ``None`` where it does."""
    from rfc3161_client import VerificationError, VerifierBuilder

    try:
        VerifierBuilder(roots=list(authorities)).build().verify_message(response, text)
    except (VerificationError, ValueError) as error:
        return str(error)
    return None


def _signer(response: TimeStampResponse) -> str:
    """Subject of the certificate of whoever signed; its issuer and number where the answer does
    not bring it. Raises ``ValueError``."""
    signed = response.signed_data
    for info in signed.signer_infos:
        for content in signed.certificates:
            found = x509.load_der_x509_certificate(content)
            if (found.issuer, found.serial_number) == (info.issuer, info.serial_number):
                return found.subject.rfc4514_string()
        return f"{info.issuer.rfc4514_string()}, certificate {info.serial_number:x}"
    raise ValueError("nobody signed it")
