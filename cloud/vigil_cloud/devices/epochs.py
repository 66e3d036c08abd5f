"""What the cloud knows of a gateway's outbox openings (epochs), keys, and downlink versions.

Everything is in the order in which the cloud met it: a gateway's clock may be an hour ahead
or at 1970, and decides nothing here. Callers hold the lock of the gateway's row.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from vigil_cloud.database.upsert import insert_missing
from vigil_cloud.devices.models import Gateway, GatewayEpoch, GatewayKey

EPOCHS_KEPT: Final = 1000
"""Per gateway. A gateway draws one at each start, and one that crashes draws many."""
KEYS_KEPT: Final = 64
"""Per gateway; a box makes one in its life, unless its disk is replaced or torn."""


def met(session: Session, gateway: str, epoch: str, now: datetime) -> GatewayEpoch:
    """The row of an epoch; one that was never met is the newest."""
    found = session.get(GatewayEpoch, (gateway, epoch), populate_existing=True)
    if found is not None:
        return found
    newest = session.scalar(
        select(func.max(GatewayEpoch.ordinal)).where(GatewayEpoch.gateway == gateway)
    )
    made = GatewayEpoch(gateway=gateway, epoch=epoch, ordinal=(newest or 0) + 1, first_met=now)
    session.add(made)
    session.flush()
    session.execute(
        delete(GatewayEpoch).where(
            GatewayEpoch.gateway == gateway, GatewayEpoch.ordinal <= made.ordinal - EPOCHS_KEPT
        )
    )
    return made


def supersedes(session: Session, gateway: str, epoch: str, other: str, now: datetime) -> int:
    """Above 0 where ``epoch`` is newer than ``other``, 0 where they are one, else below."""
    if epoch == other:
        return 0
    older = met(session, gateway, other, now)
    return met(session, gateway, epoch, now).ordinal - older.ordinal


def remember_key(session: Session, gateway: str, public_key: str, now: datetime) -> None:
    """A key that a birth announced."""
    row = {"gateway": gateway, "public_key": public_key, "first_met": now}
    insert_missing(session, GatewayKey, [row])
    kept = (
        select(GatewayKey.public_key)
        .where(GatewayKey.gateway == gateway)
        .order_by(GatewayKey.first_met.desc(), GatewayKey.public_key)
    )
    surplus = session.scalars(kept.offset(KEYS_KEPT)).all()
    if surplus:
        session.execute(
            delete(GatewayKey).where(
                GatewayKey.gateway == gateway, GatewayKey.public_key.in_(surplus)
            )
        )


def public_keys(session: Session, gateway: str) -> list[bytes]:
    """Every key that this gateway has announced, the newest first; Ed25519, 32 bytes each."""
    found = session.scalars(
        select(GatewayKey.public_key)
        .where(GatewayKey.gateway == gateway)
        .order_by(GatewayKey.first_met.desc(), GatewayKey.public_key)
    )
    return [bytes.fromhex(key) for key in found]


def accepted_types(session: Session, gateways: Iterable[str]) -> dict[str, frozenset[str]]:
    """Downlink event types beyond version 1 by gateway; a gateway unknown is not in it."""
    rows = session.execute(
        select(Gateway.gateway, Gateway.accepts).where(Gateway.gateway.in_(sorted(set(gateways))))
    )
    return {gateway: frozenset(accepts) for gateway, accepts in rows}
