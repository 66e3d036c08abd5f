"""What the authority has signed, kept in the database: signing, revoking, the revocation list.

Knows no HTTP and no gateways' table: who may have a certificate is decided above (``enrolment``).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from cryptography import x509
from sqlalchemy import Connection, delete, func, select, update
from sqlalchemy.orm import Session

from vigil_cloud.certificates.authority import BACKDATED, Authority, Signed, new_authority
from vigil_cloud.certificates.models import AuthorityRow, CertificateRow
from vigil_cloud.database.upsert import insert_missing
from vigil_cloud.identity.cipher import Cipher

NAME: Final = "Vigil gateways"
AFTER_A_RESTORE: Final = 10_000
"""More revocations than between a backup and what was lost after it."""
CLOCKS_APART: Final = timedelta(hours=6)
"""By which a broker's clock may be behind ours."""
_KEY: Final = "authority.key"
Reason = Literal["thrown-out", "replaced", "renewed", "by-hand"]


@dataclass(frozen=True, slots=True)
class Term:
    """For how long gateways' certificates are signed, and where the revocation list is."""

    lasts: timedelta
    list_url: str = ""


def authority(session: Session, cipher: Cipher, now: datetime) -> Authority:
    """The city's one, made at first use. Raises ``Undecipherable``, ``ClockImplausible``."""
    row = session.get(AuthorityRow, 1)
    if row is not None and row.created - BACKDATED > now and _has_signed_nothing(session):
        # Made while the clock was ahead, and nobody has anything of it yet.
        session.expunge(row)
        session.execute(
            delete(AuthorityRow).where(AuthorityRow.created == row.created),
            execution_options={"synchronize_session": False},
        )
        row = None
    if row is None:
        certificate, key = new_authority(NAME, now)
        values = {
            "id": 1,
            "certificate": certificate,
            "key": cipher.seal_bytes(_KEY, key),
            "created": now,
            "list_number": 0,
        }
        insert_missing(session, AuthorityRow, [values])  # another process may be first
        row = session.get_one(AuthorityRow, 1)
    return Authority(row.certificate, cipher.open_bytes(_KEY, row.key))


def _has_signed_nothing(session: Session) -> bool:
    return session.scalar(select(CertificateRow.serial).limit(1)) is None


def advance_list(session: Session | Connection, now: datetime) -> None:
    """Let the revocation lists of a restored city be later than those of the city before: a broker
    that runs heeds the latest that it was given. Never ahead of the clock: a list of the future
    would shut everybody out."""
    row = session.execute(select(AuthorityRow.list_number, AuthorityRow.created)).first()
    if row is None:
        return
    age_s = int((now - (row.created - BACKDATED) - CLOCKS_APART).total_seconds())
    number = max(row.list_number + 1, min(row.list_number + AFTER_A_RESTORE, age_s))
    session.execute(update(AuthorityRow).values(list_number=number))


def sign(  # noqa: PLR0913 - what is signed, for whom, by whose leave
    session: Session,
    signer: Authority,
    request: x509.CertificateSigningRequest,
    gateway: str,
    *,
    by: str,
    now: datetime,
    term: Term,
) -> Signed:
    """Sign a checked request and keep what was signed."""
    made = signer.gateway(request, gateway, now, term.lasts, term.list_url)
    session.add(
        CertificateRow(
            serial=made.serial,
            gateway=gateway,
            key_sha256=made.key_sha256,
            certificate=made.pem,
            issued=now,
            ends=made.ends,
            account=by,
        )
    )
    session.flush()
    return made


def signed_since(session: Session, gateway: str, since: datetime, *, by: str) -> int:
    """How many were signed for it later than ``since`` by this account's leave."""
    query = select(func.count()).where(
        CertificateRow.gateway == gateway,
        CertificateRow.issued > since,
        CertificateRow.account == by,
    )
    return session.scalar(query) or 0


def of_gateway(session: Session, gateway: str) -> list[CertificateRow]:
    """All that were signed for it, the newest first."""
    query = select(CertificateRow).where(CertificateRow.gateway == gateway)
    newest = (CertificateRow.issued.desc(), CertificateRow.serial)
    return list(session.scalars(query.order_by(*newest)))


def valid(session: Session, gateway: str, now: datetime) -> list[CertificateRow]:
    """Those that a broker lets in."""
    return [row for row in of_gateway(session, gateway) if row.revoked is None and row.ends > now]


def revoke(
    session: Session,
    gateway: str,
    now: datetime,
    reason: Reason,
    *,
    only: Collection[str] | None = None,
    keep: str = "",
) -> list[str]:
    """Revoke a gateway's certificates: all, those of these serial numbers (``only``), or all but
    one (``keep``). Returns the serial numbers of those that were not revoked before."""
    serials = [
        row.serial
        for row in of_gateway(session, gateway)
        if row.revoked is None and row.serial != keep and (only is None or row.serial in only)
    ]
    if serials:
        which = CertificateRow.serial.in_(serials)
        session.execute(update(CertificateRow).where(which).values(revoked=now, reason=reason))
        rises = {AuthorityRow.list_number: AuthorityRow.list_number + 1}
        session.execute(update(AuthorityRow).values(rises))
    return serials


def to_be_ended(session: Session) -> list[CertificateRow]:
    """Certificates that were revoked and whose session nobody has ended so far: whoever is
    connected with one must go. Not those that their own box renewed: it connects anew by itself.

    Of a gateway that was thrown out ingest refuses every message, but not any more once another
    box has enrolled in its place: the session must have ended by then.
    """
    query = select(CertificateRow).where(
        CertificateRow.revoked.is_not(None),
        CertificateRow.session_over.is_(False),
        CertificateRow.reason != "renewed",
    )
    return list(session.scalars(query.order_by(CertificateRow.serial)))


def session_ended(session: Session, serials: Collection[str]) -> None:
    """Whoever was connected with these is out."""
    which = CertificateRow.serial.in_(serials)
    over = {"session_open": None, "session_over": True}
    session.execute(update(CertificateRow).where(which).values(over))


def all_sessions_ended(session: Session) -> None:
    """A broker that is about to start knows of no session of before."""
    session_ended(session, [row.serial for row in to_be_ended(session)])


def session_stays(session: Session, serials: Collection[str], now: datetime) -> None:
    """A broker lets nobody end the sessions of these; the maintainer is told of it."""
    which = CertificateRow.serial.in_(serials) & CertificateRow.session_open.is_(None)
    session.execute(update(CertificateRow).where(which).values(session_open=now))


def open_sessions(session: Session, now: datetime) -> list[CertificateRow]:
    """Revoked ones with which somebody may be connected still."""
    query = select(CertificateRow).where(
        CertificateRow.session_open.is_not(None), CertificateRow.ends > now
    )
    return list(session.scalars(query.order_by(CertificateRow.serial)))


def list_number(session: Session) -> int | None:
    """Rises with each revocation; ``None`` before the first certificate."""
    return session.scalar(select(AuthorityRow.list_number))


def revocation_list(
    session: Session, signer: Authority, now: datetime
) -> x509.CertificateRevocationList:
    """Of every certificate that was revoked and has not ended by itself."""
    number = list_number(session) or 0  # first: a list may say more than its number, never less
    rows = session.execute(
        select(CertificateRow.serial, CertificateRow.revoked)
        .where(CertificateRow.revoked.is_not(None), CertificateRow.ends > now)
        .order_by(CertificateRow.serial)
    )
    revoked = [(row.serial, row.revoked) for row in rows]
    return signer.revocation_list(revoked, number)
