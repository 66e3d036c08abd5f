"""Ends of many alerts at once: a bridge that is back ends what was said of hundreds of devices.

Each end means what ``service.record`` makes of it alone; what differs is that all are looked up
together, and that nothing is written before the last one is said.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from vigil_cloud.alerts import flood
from vigil_cloud.alerts.models import AlertHistory, AlertRow, OutboxEntry
from vigil_cloud.alerts.service import Occurrence
from vigil_cloud.database.bulk import insert_pending, update_changed
from vigil_cloud.identity.models import HouseholdDevice
from vigil_cloud.identity.reader import device_at
from vigil_schemas.types import Domain


def find(session: Session, occurrences: Sequence[Occurrence], now: datetime) -> dict[int, AlertRow]:
    """The alerts that these ends of one domain are of, by their places: each one's own, or the
    counted alert of its home that waits for it by name. Whatever is less plain is left out, and
    ``record`` finds it. The caller has called ``feed.lock`` before."""
    keys = [occurrence.key for occurrence in occurrences]
    rows = {row.key: row for row in session.scalars(select(AlertRow).where(AlertRow.key.in_(keys)))}
    own = {place: rows[key] for place, key in enumerate(keys) if key in rows}
    rest = {place: occurrence for place, occurrence in enumerate(occurrences) if place not in own}
    return own | _listed(session, rest, now)


def write(session: Session, rows: Iterable[AlertRow]) -> None:
    """Write what ``service.say_end`` has said of these."""
    with session.no_autoflush:
        update_changed(session, rows)
        insert_pending(session, AlertHistory)
        insert_pending(session, OutboxEntry)


def _listed(
    session: Session, occurrences: Mapping[int, Occurrence], now: datetime
) -> dict[int, AlertRow]:
    if not occurrences:
        return {}
    devices = {one.device for one in occurrences.values()}
    (domain,) = {one.domain for one in occurrences.values()}
    gateways = {one.gateway for one in occurrences.values()}
    found: dict[int, AlertRow] = {}
    for row in _standing(session, domain, gateways, devices, now):
        for place, one in occurrences.items():
            if row.gateway == one.gateway and flood.waits_for(
                row.detail, one.device, one.reference
            ):
                found[place] = row
    return found


def _standing(
    session: Session, domain: Domain, gateways: set[str], devices: set[str], now: datetime
) -> Sequence[AlertRow]:
    """Counted alerts of the homes in which these devices stand, and of all that stand in none."""
    homes = (
        select(HouseholdDevice.household)
        .where(HouseholdDevice.device.in_(sorted(devices)), device_at(now))
        .distinct()
    )
    here = or_(AlertRow.household.is_(None), AlertRow.household.in_(session.scalars(homes).all()))
    query = select(AlertRow).where(
        AlertRow.gateway.in_(sorted(gateways)),
        AlertRow.domain == domain,
        AlertRow.kind == flood.MANY,
        AlertRow.active,
        here,
    )
    return session.scalars(query.order_by(AlertRow.raised, AlertRow.id)).all()
