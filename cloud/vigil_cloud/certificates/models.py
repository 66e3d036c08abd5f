"""Tables of the authority and of what it has signed."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, Integer, String, Text, false
from sqlalchemy.orm import Mapped, mapped_column

from vigil_cloud.database.base import Base, Sealed


class AuthorityRow(Base):
    """The authority that signs gateways' certificates and the broker's; one row.

    In the database and not in a file: every process signs with the same one, a backup holds it,
    and a change of the secret key seals its key anew with everything else.
    """

    __tablename__ = "certificate_authority"

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    certificate: Mapped[str] = mapped_column(Text)
    """PEM."""
    key: Mapped[bytes] = mapped_column(Sealed("authority.key"))
    """PKCS #8, DER."""
    created: Mapped[datetime]
    list_number: Mapped[int] = mapped_column(BigInteger, default=0)
    """Of the revocation list; rises with each revocation, so that a broker's files follow it."""


class CertificateRow(Base):
    """One certificate that was signed for a gateway, for as long as the gateway is known: a
    revocation list must name it until it has ended, and who had which when is a record."""

    __tablename__ = "gateway_certificates"

    serial: Mapped[str] = mapped_column(String(40), primary_key=True)
    """Hexadecimal, lower case."""
    gateway: Mapped[str] = mapped_column(String(63), index=True)
    key_sha256: Mapped[str] = mapped_column(String(64))
    """Of its public key (SubjectPublicKeyInfo, DER)."""
    certificate: Mapped[str] = mapped_column(Text)
    """PEM."""
    issued: Mapped[datetime]
    ends: Mapped[datetime]
    revoked: Mapped[datetime | None]
    reason: Mapped[str | None] = mapped_column(String(24))
    """Why it was revoked: ``thrown-out``, ``replaced``, ``renewed`` or ``by-hand``."""
    session_open: Mapped[datetime | None]
    """Since when a broker lets nobody end the session of whoever has this revoked one."""
    session_over: Mapped[bool] = mapped_column(default=False, server_default=false())
    """Whether whoever was connected with this revoked one is out for good: whoever holds the
    gateway's session now has another one, and is left in peace."""
    account: Mapped[str] = mapped_column(String(96))
    """Who let it be signed: whose code it was, or the gateway itself at a renewal."""
