"""From a code and a request to a gateway that may send; renewal; what a gateway has. Knows no HTTP.

Everything that one call changes is one transaction: a box that never got its answer asks again
with the same key and gets the same certificate, and nothing is half done in between.
"""

from __future__ import annotations

import base64
import binascii
import platform
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlsplit

import structlog
from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy.orm import Session

from vigil_cloud.certificates import issued
from vigil_cloud.certificates.authority import checked_request, key_digest, signed_by
from vigil_cloud.certificates.issued import Term
from vigil_cloud.certificates.models import CertificateRow
from vigil_cloud.config import Settings, host_and_port
from vigil_cloud.devices import removal
from vigil_cloud.devices.seen import lock_gateways
from vigil_cloud.enrolment import codes
from vigil_cloud.enrolment.errors import (
    BrokerAddressUnknown,
    EnrolmentCodeExpired,
    EnrolmentCodeUsed,
    RenewalRefused,
)
from vigil_cloud.enrolment.models import EnrolmentCode
from vigil_cloud.identity import audit
from vigil_cloud.identity.cipher import Cipher

LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})
LATE: Final = timedelta(days=365)
"""So long after its end a certificate still vouches for a renewal: a box that lay in a cupboard
comes back by itself. One that was revoked never does."""
MOST_RENEWALS: Final = 8
"""Of one gateway within ``RENEWALS_WITHIN``. It needs one in half of a certificate's time; each is
a row for good and a list that every broker reads anew."""
RENEWALS_WITHIN: Final = timedelta(days=1)
LIST_PATH: Final = "/api/v1/gateways.crl"
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Enrolled:
    """What a box is given."""

    gateway: str
    certificate: str
    authority: str
    """PEM of who signed the broker's certificate and the gateway's."""
    ends: datetime
    token: str
    broker: str
    name: str
    latitude: float | None
    longitude: float | None


def broker_url(settings: Settings) -> str:
    """Where gateways reach the broker. Raises ``BrokerAddressUnknown``.

    Without ``gateway_broker_url``: a broker that we start, under the public address' host, or one
    that listens on loopback, for a gateway on this machine.
    """
    if settings.gateway_broker_url:
        return settings.gateway_broker_url
    ours = {
        "embedded": ("mqtt", settings.broker_listen),
        "mosquitto": ("mqtts", settings.gateways_listen),
    }
    if settings.broker_url in ours:
        scheme, listen = ours[settings.broker_url]
        host, port = host_and_port(listen)
        public = urlsplit(settings.public_url).hostname
        if host in LOOPBACK:
            return f"{scheme}://{'[::1]' if host == '::1' else host}:{port}"
        if scheme == "mqtts" and public:
            return f"{scheme}://{f'[{public}]' if ':' in public else public}:{port}"
    raise BrokerAddressUnknown


def broker_names(settings: Settings) -> list[str]:
    """What the certificate of a broker that we start must say."""
    found = [urlsplit(settings.gateway_broker_url).hostname, urlsplit(settings.public_url).hostname]
    named = [name for name in found if name]
    return [*named, platform.node() or "localhost", "localhost", "127.0.0.1", "::1"]


def term(settings: Settings) -> Term:
    """As the settings have it. Only an address that brokers reach too goes into certificates."""
    public = settings.public_url.rstrip("/")
    url = f"{public}{LIST_PATH}" if urlsplit(public).hostname else ""
    return Term(timedelta(days=settings.gateway_certificate_days), url)


def offered(session: Session, cipher: Cipher, typed: str, now: datetime) -> EnrolmentCode:
    """What a code is for, before a request is made for it. A code that was used is offered to
    whoever asks until its time is over: it may be the same box. Raises what ``codes.find`` raises,
    and ``EnrolmentCodeExpired``."""
    row = codes.find(session, cipher, typed)
    if row.expires <= now:
        raise EnrolmentCodeExpired(row.gateway, row.expires)
    if row.used is None:
        codes.refuse_outlived(session, row)
    return row


def enrol(
    session: Session, settings: Settings, cipher: Cipher, typed: str, request: str, now: datetime
) -> Enrolled:
    """Sign the request of the box that has the code.

    Raises ``EnrolmentCodeUnknown``, ``EnrolmentCodeExpired``, ``EnrolmentCodeUsed``,
    ``RequestInvalid``, ``RequestForAnother``, ``BrokerAddressUnknown``; then nothing was changed.
    """
    broker = broker_url(settings)
    row = codes.find(session, cipher, typed, lock=True)
    if row.expires <= now:
        raise EnrolmentCodeExpired(row.gateway, row.expires)
    lock_gateways(session, [row.gateway])  # as who throws out does: one after the other
    if row.used is None:
        codes.refuse_outlived(session, row)
    checked = checked_request(request, row.gateway)
    digest = key_digest(checked.public_key())  # type: ignore[arg-type]  # checked: of a kind we take
    signer = issued.authority(session, cipher, now)
    if row.used is not None:
        given = _given_before(session, row, digest)
    else:
        by = f"{row.account} (code)"[:96]
        made = issued.sign(
            session, signer, checked, row.gateway, by=by, now=now, term=term(settings)
        )
        row.used, row.serial, row.key_sha256 = now, made.serial, made.key_sha256
        gone = issued.revoke(session, row.gateway, now, "replaced", keep=made.serial)
        _log.info("gateway-enrolled", gateway=row.gateway, serial=made.serial, revoked=gone)
        given = made.pem, made.ends
    action = "gateway.replaced" if row.replaces else "gateway.enrolled"
    token = removal.admit(session, row.gateway, action=action, by=row.account, now=now)
    return Enrolled(
        row.gateway,
        given[0],
        signer.pem,
        given[1],
        token,
        broker,
        row.name,
        row.latitude,
        row.longitude,
    )


def _given_before(session: Session, row: EnrolmentCode, digest: str) -> tuple[str, datetime]:
    certificate = session.get(CertificateRow, row.serial) if row.serial else None
    if certificate is None or row.used is None:
        raise EnrolmentCodeUsed(row.gateway, row.used or row.created)
    if row.key_sha256 != digest or certificate.revoked is not None:
        raise EnrolmentCodeUsed(row.gateway, row.used)
    return certificate.certificate, certificate.ends


def renew(  # noqa: PLR0913 - who asks, with what, signed how
    session: Session,
    settings: Settings,
    cipher: Cipher,
    gateway: str,
    *,
    request: str,
    serial: str,
    signature: str,
    now: datetime,
) -> tuple[str, str, datetime]:
    """Another certificate for the holder of an earlier one: certificate, authority, end.

    ``signature``: base64, over the request in DER, made with the earlier certificate's key: a
    stolen token alone gets no certificate. The earlier one stays valid until it ends or the one
    after this is made, since the answer may be lost. Raises ``RenewalRefused``,
    ``RequestInvalid``, ``RequestForAnother``.
    """
    checked = checked_request(request, gateway)
    lock_gateways(session, [gateway])  # one that is thrown out meanwhile gets none that is valid
    before = session.get(CertificateRow, serial)
    if before is None or before.gateway != gateway:
        raise RenewalRefused(f"No certificate {serial} was given to {gateway}.")
    if before.revoked is not None:
        raise RenewalRefused(f"The certificate {serial} of {gateway} was revoked.")
    if before.ends + LATE <= now:
        raise RenewalRefused(
            f"The certificate {serial} of {gateway} ended on {before.ends:%Y-%m-%d}, too long ago."
        )
    try:
        signed = base64.b64decode(signature, validate=True)
    except (binascii.Error, ValueError):
        signed = b""
    if not signed_by(before.certificate, signed, checked.public_bytes(Encoding.DER)):
        raise RenewalRefused("The request is not signed with the key of the certificate.")
    by = f"gateway {gateway}"
    if issued.signed_since(session, gateway, now - RENEWALS_WITHIN, by=by) >= MOST_RENEWALS:
        _log.warning("gateway-renews-too-often", gateway=gateway, most=MOST_RENEWALS)
        raise RenewalRefused(
            f"{gateway} has renewed its certificate {MOST_RENEWALS} times within a day; the last"
            " one serves."
        )
    signer = issued.authority(session, cipher, now)
    made = issued.sign(session, signer, checked, gateway, by=by, now=now, term=term(settings))
    others = {row.serial for row in issued.valid(session, gateway, now)} - {made.serial, serial}
    issued.revoke(session, gateway, now, "renewed", only=others)
    audit.append(
        session,
        at=now,
        account=by,
        action="gateway.certificate-renewed",
        subject=gateway,
        detail={"serial": made.serial, "before": serial, "ends": made.ends.isoformat()},
    )
    return made.pem, signer.pem, made.ends


def revoke_one(session: Session, gateway: str, serial: str, *, by: str, now: datetime) -> bool:
    """Revoke one certificate and leave the gateway in; ``False`` where it is none of its own."""
    gone = issued.revoke(session, gateway, now, "by-hand", only={serial})
    if gone:
        audit.append(
            session,
            at=now,
            account=by,
            action="gateway.certificate-revoked",
            subject=gateway,
            detail={"serial": serial},
        )
    row = session.get(CertificateRow, serial)
    return row is not None and row.gateway == gateway
