"""Certificates that end soon, and those that gateways show and nobody here knows of."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from vigil_cloud.certificates import issued
from vigil_cloud.certificates.models import CertificateRow
from vigil_cloud.jobs.trouble import Trouble
from vigil_cloud.jobs.watched import WatchedGateway

CERTIFICATE_ENDS: Final = timedelta(days=30)
CERTIFICATE_ENDS_SOON: Final = timedelta(days=7)
_SAME: Final = timedelta(seconds=2)
"""A certificate's end has whole seconds."""


def certificate(
    subject: str,
    gateway: str,
    ends: datetime | None,
    now: datetime,
    *,
    lives: bool,
    within: timedelta = CERTIFICATE_ENDS,
) -> Trouble | None:
    """One that ends within a month, or within that time."""
    if ends is None or ends - now > within:
        return None
    soon = ends - now <= CERTIFICATE_ENDS_SOON
    return Trouble(
        "certificate-ends",
        subject,
        "major" if soon or lives else "minor",
        f"The certificate of {subject} ends on {ends:%Y-%m-%d}",
        f"{subject} 的憑證將於 {ends:%Y-%m-%d} 到期",
        gateway=gateway,
        detail={"ends": ends.isoformat()},
    )


def open_sessions(session: Session, now: datetime) -> Iterator[Trouble]:
    """Gateways of which a certificate was revoked that somebody may be connected with still: the
    broker lets nobody end that session, and ingest takes what comes over it."""
    by_gateway = {row.gateway: row for row in issued.open_sessions(session, now)}
    for name, row in by_gateway.items():
        yield Trouble(
            "revoked-session-open",
            name,
            "major",
            f"A revoked certificate of {name} may have an open connection still",
            f"{name} 已撤銷的憑證可能仍有連線",
            gateway=name,
            since=row.session_open,
            detail={"serial": row.serial},
        )


class Signed:
    """When the certificates end that this cloud remembers to have signed, by gateway; those that
    have ended already let nobody in."""

    def __init__(self, session: Session, now: datetime) -> None:
        self._ends: dict[str, list[datetime]] = defaultdict(list)
        valid = select(CertificateRow.gateway, CertificateRow.ends).where(CertificateRow.ends > now)
        for row in session.execute(valid):
            self._ends[row.gateway].append(row.ends)

    def unknown(self, gateway: WatchedGateway, now: datetime) -> Iterator[Trouble]:
        """A gateway that was enrolled here shows a certificate that is none of those: of after the
        backup that was restored. It gets in until that ends, and is never renewed.

        One that never enrolled may have its certificates from another authority.
        """
        said = (gateway.health or {}).get("certificate_not_after")
        remembered = self._ends.get(gateway.gateway)
        if not isinstance(said, str) or not remembered:
            return
        ends = datetime.fromisoformat(said)
        if ends <= now or any(abs(ends - one) <= _SAME for one in remembered):
            return
        name = gateway.gateway
        yield Trouble(
            "certificate-unknown",
            name,
            "minor",
            f"Gateway {name} shows a certificate that this cloud has no record of",
            f"閘道器 {name} 使用的憑證不在本雲端的紀錄中",
            gateway=name,
            detail={"ends": ends.isoformat()},
        )
