"""A small certificate authority: what it signs and what it refuses. Pure: no store, no clock.

Two kinds of leaf are signed, and neither can stand for the other: a gateway's is for clients
only, a broker's for servers only (extended key usage, which OpenSSL checks on both sides).
"""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import ClassVar, Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from vigil_cloud.api_errors import ApiError

LASTS: Final = timedelta(days=365 * 25)
"""Of the authority: longer than the boxes that trust it."""
BROKER_LASTS: Final = timedelta(days=397)
BACKDATED: Final = timedelta(days=1)
"""What a box or a broker checks must have begun also where its clock is somewhat behind."""
EARLIEST: Final = datetime(2026, 1, 1, tzinfo=UTC)
"""Before this nobody had this program."""
PLAUSIBLE: Final = timedelta(days=365 * 30)
LEAST_RSA_BITS: Final = 2048
LARGEST_REQUEST: Final = 8192
"""Characters of a request in PEM; one of P-256 has some 500."""
_CURVES: Final = (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1)
PublicKey = ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey | rsa.RSAPublicKey


class RequestInvalid(ApiError):
    """A certificate request that cannot be signed."""

    code: ClassVar[str] = "csr-invalid"
    remedy: ClassVar[str] = (
        "Let `vigil-edge enrol` make the request, or send one in PEM (PKCS #10) that is signed by"
        " its own key: P-256, Ed25519, or RSA of 2048 bits or more."
    )
    status: ClassVar[int] = 422


class RequestForAnother(ApiError):
    """A certificate request whose common name is not the gateway that the code is for."""

    code: ClassVar[str] = "csr-other-name"
    remedy: ClassVar[str] = (
        "Use the code of this gateway, or make a request whose common name is the gateway's id."
    )
    status: ClassVar[int] = 422

    def __init__(self, asked: str, gateway: str) -> None:
        super().__init__(f"The request is for {asked!r}, this is {gateway!r}.")
        self.asked = asked
        self.gateway = gateway


class ClockImplausible(ApiError):
    """This machine's clock cannot be right: what was signed by it would never be valid, or never
    end."""

    code: ClassVar[str] = "clock-implausible"
    remedy: ClassVar[str] = (
        "Set the clock of the machine that the cloud runs on (`timedatectl`, or chrony), and ask"
        " again. Nothing was signed."
    )
    status: ClassVar[int] = 503

    def __init__(self, now: datetime, why: str) -> None:
        super().__init__(f"The cloud's clock says {now:%Y-%m-%d %H:%M} UTC, {why}.")
        self.now = now


@dataclass(frozen=True, slots=True)
class Signed:
    """A certificate that was just made."""

    serial: str
    key_sha256: str
    pem: str
    ends: datetime


def new_authority(name: str, now: datetime) -> tuple[str, bytes]:
    """Certificate in PEM and key (PKCS #8, DER) of a new authority.

    Raises ``ClockImplausible``: a board without a battery begins in 1970, and an authority of
    that year, or of one that is to come, cannot be mended later: every box would have to be
    enrolled anew.
    """
    if not EARLIEST <= now < EARLIEST + PLAUSIBLE:
        raise ClockImplausible(now, "which no running city can have")
    key = ec.generate_private_key(ec.SECP256R1())
    subject = _named(name)
    certificate = (
        _begun(subject, subject, key.public_key(), now - BACKDATED, now + LASTS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    der = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    return _pem(certificate), der


def checked_request(pem: str, gateway: str) -> x509.CertificateSigningRequest:
    """A request of this gateway's. Raises ``RequestInvalid``, ``RequestForAnother``."""
    if len(pem) > LARGEST_REQUEST:
        raise RequestInvalid("The certificate request is too long to be one.")
    try:
        request = x509.load_pem_x509_csr(pem.encode())
        key = request.public_key()
        whole = request.is_signature_valid
    except (ValueError, UnsupportedAlgorithm, InvalidSignature) as error:
        raise RequestInvalid("This is no certificate request in PEM.") from error
    if not whole:
        raise RequestInvalid("The certificate request is not signed by its own key.")
    _refuse_weak(key)
    names = request.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    asked = str(names[0].value) if len(names) == 1 else ""
    if asked != gateway or len(request.subject) != 1:
        raise RequestForAnother(asked or request.subject.rfc4514_string()[:80], gateway)
    return request


def _refuse_weak(key: object) -> None:
    strong = (
        isinstance(key, ed25519.Ed25519PublicKey)
        or (isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, _CURVES))
        or (isinstance(key, rsa.RSAPublicKey) and key.key_size >= LEAST_RSA_BITS)
    )
    if not strong:
        raise RequestInvalid("The request's key is of a kind that is not taken.")


def key_digest(key: PublicKey) -> str:
    """SHA-256 of a public key, hexadecimal."""
    der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(der).hexdigest()


def signed_by(certificate_pem: str, signature: bytes, content: bytes) -> bool:
    """Whether a certificate's key made this signature (ECDSA with SHA-256, or Ed25519)."""
    key = x509.load_pem_x509_certificate(certificate_pem.encode()).public_key()
    try:
        if isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(signature, content, ec.ECDSA(hashes.SHA256()))
        elif isinstance(key, ed25519.Ed25519PublicKey):
            key.verify(signature, content)
        else:
            return False  # `vigil-edge` makes P-256; whoever brought another key renews by hand
    except InvalidSignature:
        return False
    return True


class Authority:
    """Signs with a key in memory."""

    def __init__(self, certificate_pem: str, key_der: bytes) -> None:
        key = load_der_private_key(key_der, password=None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise TypeError("the authority's key is no elliptic curve's")
        self._key = key
        self.pem = certificate_pem
        self._certificate = x509.load_pem_x509_certificate(certificate_pem.encode())

    def gateway(
        self,
        request: x509.CertificateSigningRequest,
        gateway: str,
        now: datetime,
        lasts: timedelta,
        list_url: str,
    ) -> Signed:
        """A client's certificate for a checked request. Nothing that the request asks for is
        taken over but its key. ``list_url``: where a broker may fetch the revocation list.

        Raises ``ClockImplausible`` before the authority's own beginning and after its end."""
        certificate = self._certificate
        if not certificate.not_valid_before_utc <= now < certificate.not_valid_after_utc:
            began = f"{certificate.not_valid_before_utc:%Y-%m-%d}"
            raise ClockImplausible(now, f"and the authority is of {began}")
        key = request.public_key()
        builder = self._leaf(_named(gateway), key, now - BACKDATED, now + lasts)
        builder = builder.add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=True
        )
        if list_url:
            point = x509.DistributionPoint(
                [x509.UniformResourceIdentifier(list_url)], None, None, None
            )
            builder = builder.add_extension(x509.CRLDistributionPoints([point]), critical=False)
        certificate = builder.sign(self._key, hashes.SHA256())
        return Signed(
            f"{certificate.serial_number:x}",
            key_digest(key),  # type: ignore[arg-type]  # checked_request let no other kind through
            _pem(certificate),
            certificate.not_valid_after_utc,
        )

    def broker(self, names: Sequence[str], now: datetime) -> tuple[str, str]:
        """Certificate and key in PEM of a broker that is reached under these names."""
        key = ec.generate_private_key(ec.SECP256R1())
        builder = self._leaf(
            _named("Vigil broker"), key.public_key(), now - BACKDATED, now + BROKER_LASTS
        )
        certificate = (
            builder.add_extension(
                x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=True
            )
            .add_extension(
                x509.SubjectAlternativeName([_general(name) for name in names]), critical=False
            )
            .sign(self._key, hashes.SHA256())
        )
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
        return _pem(certificate), pem

    def revocation_list(
        self, revoked: Iterable[tuple[str, datetime]], number: int
    ) -> x509.CertificateRevocationList:
        """It never runs out before the authority does: a broker with a list that ran out refuses
        every gateway, and an alarm with it. What is new reaches brokers because it is written
        there at once, not because they ask when it is due.

        Its ``lastUpdate`` counts seconds by the number and follows no clock. Where a broker adds
        what it reads to the lists before, OpenSSL goes by the one whose ``lastUpdate`` is the
        latest, and refuses everybody by one that is ahead of its clock: two of one second, or a
        clock that was set, must neither leave a revoked certificate valid nor shut the door."""
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self._certificate.subject)
            .last_update(self._certificate.not_valid_before_utc + timedelta(seconds=number))
            .next_update(self._certificate.not_valid_after_utc)
            .add_extension(x509.CRLNumber(number), critical=False)
            .add_extension(self._issuer(), critical=False)
        )
        for serial, at in revoked:
            entry = x509.RevokedCertificateBuilder().serial_number(int(serial, 16))
            builder = builder.add_revoked_certificate(entry.revocation_date(at).build())
        return builder.sign(self._key, hashes.SHA256())

    def _leaf(
        self, subject: x509.Name, key: object, begins: datetime, ends: datetime
    ) -> x509.CertificateBuilder:
        ends = min(ends, self._certificate.not_valid_after_utc)
        builder = _begun(subject, self._certificate.subject, key, begins, ends)
        return (
            builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs_certificates=False), critical=True)
            .add_extension(self._issuer(), critical=False)
        )

    def _issuer(self) -> x509.AuthorityKeyIdentifier:
        return x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())


def _begun(
    subject: x509.Name, issuer: x509.Name, key: object, begins: datetime, ends: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)  # type: ignore[arg-type]  # every kind that a request may bring
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(ends)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def host_name(name: str) -> str:
    """An address as it is, a name in the letters that certificates have (IDNA).

    Raises ``ValueError`` where it can be neither.
    """
    try:
        return str(ipaddress.ip_address(name))
    except ValueError:
        return name.encode("idna").decode("ascii")


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(host_name(name))


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(Encoding.PEM).decode()
