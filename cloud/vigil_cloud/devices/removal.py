"""Gateways thrown out and let in again, devices taken off the list. Knows no HTTP.

The documented remedy for a stolen gateway: its messages are refused from the next batch on,
its token, key and certificates are void, and its devices are free for the one that replaces it.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import ClassVar, Final

from sqlalchemy import bindparam, delete, select
from sqlalchemy.orm import Session

from vigil_cloud.api_errors import ApiError
from vigil_cloud.certificates import issued
from vigil_cloud.devices import service, shelves
from vigil_cloud.devices.downlink_errors import UnknownGateway
from vigil_cloud.devices.models import Device, Downlink, Gateway, GatewayRevocation
from vigil_cloud.devices.seen import enrol
from vigil_cloud.devices.service import UnknownDevice
from vigil_cloud.identity import audit
from vigil_cloud.identity.models import GatewayToken
from vigil_cloud.identity.service import set_gateway_token

REVOKED: Final = "revoked-gateway"
"""Reason of the dead letter."""


_FOR_GOOD: Final = datetime(9999, 1, 1, tzinfo=UTC)


class GatewayExists(ApiError):
    """It has a token already, which another would silently end."""

    code: ClassVar[str] = "gateway-exists"
    remedy: ClassVar[str] = "Use `vigil-cloud gateway rotate-token` to exchange its token."
    status: ClassVar[int] = 409

    def __init__(self, gateway: str) -> None:
        super().__init__(
            f"Gateway {gateway!r} is there and has its token; `vigil-cloud gateway rotate-token"
            f" {gateway}` gives another, with which the old one ends."
        )
        self.gateway = gateway


class GatewayRevoked(ApiError):
    """It was thrown out."""

    code: ClassVar[str] = "gateway-revoked"
    remedy: ClassVar[str] = "Enrol it again with `vigil-cloud gateway readmit` if that is meant."
    status: ClassVar[int] = 409

    def __init__(self, gateway: str, at: datetime, account: str) -> None:
        super().__init__(
            f"Gateway {gateway!r} was revoked on {at:%Y-%m-%d} by {account};"
            f" `vigil-cloud gateway readmit {gateway}` lets it in again."
        )
        self.gateway = gateway
        self.at = at
        self.account = account


# Made once: ingest asks for every batch, and to make a statement costs more than to run it.
_REVOKED: Final = select(GatewayRevocation.gateway).where(
    GatewayRevocation.gateway.in_(bindparam("names", expanding=True))
)


def revoked(session: Session, gateways: Iterable[str]) -> set[str]:
    """Those of the gateways that were thrown out."""
    names = sorted(set(gateways))
    return set(session.scalars(_REVOKED, {"names": names})) if names else set()


def add(session: Session, gateway: str, *, by: str, now: datetime) -> str:
    """Let a new gateway in; its token. Raises ``GatewayExists``, ``GatewayRevoked``."""
    _refuse_revoked(session, gateway)
    if session.get(GatewayToken, gateway) is not None:
        raise GatewayExists(gateway)
    enrol(session, gateway, now)
    return _token(session, gateway, "gateway.added", by, now)


def rotate_token(session: Session, gateway: str, *, by: str, now: datetime) -> str:
    """Another token in place of the old. Raises ``UnknownGateway``, ``GatewayRevoked``."""
    _refuse_revoked(session, gateway)
    _known(session, gateway)
    return _token(session, gateway, "gateway.token-rotated", by, now)


def readmit(session: Session, gateway: str, *, by: str, now: datetime) -> str:
    """Let one in again that was thrown out; a new token. Raises ``UnknownGateway``."""
    row = session.get(GatewayRevocation, gateway)
    if row is None:
        raise UnknownGateway(gateway, "was not revoked")
    session.delete(row)
    enrol(session, gateway, now)
    _known(session, gateway).out_of_service_until = None
    return _token(session, gateway, "gateway.readmitted", by, now)


def admit(session: Session, gateway: str, *, action: str, by: str, now: datetime) -> str:
    """Let a box in under this name, whether the name is new, known or was thrown out; its token,
    with which an older one ends. Its devices and what they measured stay the gateway's."""
    row = session.get(GatewayRevocation, gateway)
    if row is not None:
        session.delete(row)
    enrol(session, gateway, now)
    known = _known(session, gateway)
    if row is not None:
        known.out_of_service_until = None
    return _token(session, gateway, action, by, now)


def revoke(
    session: Session, gateway: str, *, by: str, now: datetime, retire: bool = False
) -> list[str]:
    """Throw a gateway out; its devices, which are released or, with ``retire``, removed.

    Again does nothing. Raises ``UnknownGateway``.
    """
    row = _known(session, gateway)
    if session.get(GatewayRevocation, gateway) is not None:
        return []
    session.add(GatewayRevocation(gateway=gateway, at=now, account=by, public_key=row.public_key))
    session.execute(delete(GatewayToken).where(GatewayToken.gateway == gateway))
    issued.revoke(session, gateway, now, "thrown-out")
    session.execute(delete(Downlink).where(Downlink.gateway == gateway, Downlink.sent.is_(None)))
    row.public_key = None
    row.out_of_service_until = _FOR_GOOD  # its silence is meant: no platform alert tells of it
    row.connected, row.offline, row.updated = False, True, now
    row.conflicts = []
    names = session.scalars(
        select(Device.device).where(Device.gateway == gateway).order_by(Device.device)
    ).all()
    for name in names:
        service.release(session, name, by, now)
        if retire:
            remove_device(session, name, by=by, now=now)
    audit.append(
        session,
        at=now,
        account=by,
        action="gateway.revoked",
        subject=gateway,
        detail={"devices": len(names), "retired": retire},
    )
    return list(names)


def remove_device(session: Session, name: str, *, by: str, now: datetime) -> None:
    """Take a device off the list; readings and alerts stay as what happened. It comes back
    with the next birth that describes it. Raises ``UnknownDevice``."""
    row = session.get(Device, name, with_for_update=True, populate_existing=True)
    if row is None:
        raise UnknownDevice(name)
    shelves.end_all(session, name, by=by, now=now)
    session.delete(row)
    session.flush()
    audit.append(
        session,
        at=now,
        account=by,
        action="device.removed",
        subject=name,
        detail={"gateway": row.gateway},
    )


def _known(session: Session, gateway: str) -> Gateway:
    row = session.get(Gateway, gateway, with_for_update=True, populate_existing=True)
    if row is None:
        raise UnknownGateway(gateway)
    return row


def _refuse_revoked(session: Session, gateway: str) -> None:
    row = session.get(GatewayRevocation, gateway)
    if row is not None:
        raise GatewayRevoked(gateway, row.at, row.account)


def _token(session: Session, gateway: str, action: str, by: str, now: datetime) -> str:
    token = secrets.token_urlsafe(32)
    set_gateway_token(session, gateway, token, now)
    audit.append(session, at=now, account=by, action=action, subject=gateway)
    return token
