"""Alerts of many things that begin at once: a bridge that is lost, or the power of a district.

Each means what ``service.record`` makes of it alone, in the same order: floods begin and are
joined, and count, exactly so. What differs is that everything it asks for has been read together
(``Batch``), and that nothing is written before the last one is said.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, NamedTuple

from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import Session

from vigil_cloud.alerts import flood
from vigil_cloud.alerts.lookups import JOINED
from vigil_cloud.alerts.models import AlertHistory, AlertRow, OutboxEntry
from vigil_cloud.alerts.service import Occurrence
from vigil_cloud.capacity.dropped import count_all_dropped
from vigil_cloud.database.bulk import insert_pending, update_changed
from vigil_cloud.devices.models import DeviceShelf
from vigil_cloud.identity.models import HouseholdDevice, Location
from vigil_cloud.identity.situation import Situation

LONGEST: Final = flood.WINDOW / 2
"""What was received further apart is not taken together: whether a flood goes on hangs on it."""


class Onset(NamedTuple):
    """What begins, and when that was received."""

    occurrence: Occurrence
    received: datetime


class _Stay(NamedTuple):
    """Of a device in a home."""

    household: str
    since: datetime
    until: datetime | None


@dataclass(slots=True)
class Batch:
    """The ``Lookups`` of onsets of one domain, none of which is urgent. ``read`` makes it; the
    caller has called ``feed.lock`` before, and holds back the session's own flushes from the first
    ``record_known`` to the end of ``write``."""

    session: Session
    _keys: set[str]
    """Of those that are no onset: their alert is there."""
    _stays: dict[str, list[_Stay]]
    _districts: dict[str, str]
    _aside: set[str]
    """Devices of which anything is put aside."""
    _standing: Sequence[AlertRow]
    """Counted alerts of their homes, and of all that stand in none."""
    _told: set[tuple[str, str]]
    """Alerts with the reasons for which people were told again."""
    _raised: Counter[str]
    """How many alerts of each gateway were raised within a minute of all of them."""
    _edges: dict[str, list[datetime]]
    """When others were, that are within a minute of some."""
    _counted: dict[tuple[str, str | None], AlertRow] = field(default_factory=dict)
    """The latest by gateway and home."""
    _rows: dict[str, AlertRow] = field(default_factory=dict)
    _joined: dict[str, tuple[int, datetime]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for row in self._standing:
            self._counted[row.gateway, row.household] = row
            self._rows[row.key] = row

    def is_plain(self, onset: Onset) -> bool:
        """Whether what was read is enough to say what becomes of it."""
        one, now = onset
        homes = self._homes(one.device, now)
        if not one.device or one.key in self._keys or one.device in self._aside or len(homes) > 1:
            return False
        row = self._counted.get((one.gateway, next(iter(homes), None)))
        return row is None or not (row.pressing or row.private)

    def of_key(self, key: str) -> AlertRow | None:
        """A counted alert, or one of this batch."""
        return self._rows.get(key)

    def situation(self, device: str, gateway: str, now: datetime) -> Situation:
        """Nothing of a plain one is put aside."""
        del gateway
        household = next(iter(self._homes(device, now)), None)
        return Situation(household, self._districts.get(device))

    def counted(
        self, gateway: str, domain: str, household: str | None, now: datetime
    ) -> AlertRow | None:
        """That of this batch, too."""
        del domain
        latest = self._counted.get((gateway, household))
        return latest if latest is not None and flood.goes_on(latest, now) else None

    def begins(self, gateway: str, now: datetime) -> bool:
        """Those of this batch count."""
        near = [at for at in self._edges.get(gateway, ()) if abs(now - at) < flood.WINDOW]
        return self._raised[gateway] + len(near) >= flood.most(self.session)

    def is_told(self, row: AlertRow, reason: str) -> bool:
        """The first who asks tells people."""
        told = (row.id, reason)
        if told in self._told:
            return True
        self._told.add(told)
        return False

    def joined(self, gateway: str, now: datetime) -> None:
        """Written with the others."""
        count, _ = self._joined.get(gateway, (0, now))
        self._joined[gateway] = count + 1, now

    def added(self, row: AlertRow) -> None:
        """Written with the others."""
        self.session.add(row)
        self._rows[row.key] = row
        self._raised[row.gateway] += 1
        if row.kind == flood.MANY:
            self._counted[row.gateway, row.household] = row

    def changed(self) -> None:
        """Written with the others."""

    def write(self) -> None:
        """What ``record_known`` has said. The rows that are new leave the session."""
        update_changed(self.session, self._standing)
        insert_pending(self.session, AlertRow, ordered=False)
        insert_pending(self.session, AlertHistory)
        insert_pending(self.session, OutboxEntry)
        count_all_dropped(self.session, JOINED, self._joined)

    def _homes(self, device: str, now: datetime) -> set[str]:
        return {
            stay.household
            for stay in self._stays.get(device, ())
            if stay.since <= now and (stay.until is None or stay.until > now)
        }


def read(session: Session, onsets: Sequence[Onset]) -> Batch:
    """With a number of statements that does not grow with them."""
    said = [one.occurrence for one in onsets]
    (domain,) = {one.domain for one in said}
    gateways, devices = {one.gateway for one in said}, {one.device for one in said}
    first, last = min(one.received for one in onsets), max(one.received for one in onsets)
    stays = _stays(session, devices, first, last)
    homes = {stay.household for some in stays.values() for stay in some}
    standing = _standing(session, domain, gateways, homes)
    return Batch(
        session,
        _keys=set(
            session.scalars(select(AlertRow.key).where(AlertRow.key.in_([o.key for o in said])))
        ),
        _stays=stays,
        _districts=_districts(session, devices),
        _aside=set(
            session.scalars(
                select(DeviceShelf.device).where(
                    DeviceShelf.device.in_(sorted(devices)), DeviceShelf.ended.is_(None)
                )
            )
        ),
        _standing=standing,
        _told=_told(session, standing),
        _raised=_raised(session, gateways, first, last),
        _edges=_edges(session, gateways, first, last) if first != last else {},
    )


def _stays(
    session: Session, devices: Collection[str], first: datetime, last: datetime
) -> dict[str, list[_Stay]]:
    stay = HouseholdDevice
    query = select(stay.device, stay.household, stay.since, stay.until).where(
        stay.device.in_(sorted(devices)),
        stay.since <= last,
        or_(stay.until.is_(None), stay.until > first),
    )
    found: dict[str, list[_Stay]] = defaultdict(list)
    for device, household, since, until in session.execute(query):
        found[device].append(_Stay(household, since, until))
    return found


def _districts(session: Session, devices: Collection[str]) -> dict[str, str]:
    query = select(Location.thing, Location.district).where(
        Location.kind == "device", Location.thing.in_(sorted(devices))
    )
    return {row.thing: row.district for row in session.execute(query)}


def _standing(
    session: Session, domain: str, gateways: Collection[str], homes: Collection[str]
) -> Sequence[AlertRow]:
    query = select(AlertRow).where(
        AlertRow.gateway.in_(sorted(gateways)),
        AlertRow.domain == domain,
        AlertRow.kind == flood.MANY,
        AlertRow.active,
        or_(AlertRow.household.is_(None), AlertRow.household.in_(sorted(homes))),
    )
    return session.scalars(query.order_by(AlertRow.raised, AlertRow.id)).all()


def _told(session: Session, rows: Iterable[AlertRow]) -> set[tuple[str, str]]:
    query = select(AlertHistory.alert_id, AlertHistory.comment).where(
        AlertHistory.alert_id.in_([row.id for row in rows]), AlertHistory.action == "told-again"
    )
    return {(alert, comment) for alert, comment in session.execute(query)}


def _raised(
    session: Session, gateways: Collection[str], first: datetime, last: datetime
) -> Counter[str]:
    query = (
        select(AlertRow.gateway, func.count())
        .where(
            AlertRow.gateway.in_(sorted(gateways)),
            AlertRow.raised > last - flood.WINDOW,
            AlertRow.raised < first + flood.WINDOW,
        )
        .group_by(AlertRow.gateway)
    )
    return Counter({row[0]: row[1] for row in session.execute(query)})


def _edges(
    session: Session, gateways: Collection[str], first: datetime, last: datetime
) -> dict[str, list[datetime]]:
    before = and_(AlertRow.raised > first - flood.WINDOW, AlertRow.raised <= last - flood.WINDOW)
    behind = and_(AlertRow.raised >= first + flood.WINDOW, AlertRow.raised < last + flood.WINDOW)
    query = select(AlertRow.gateway, AlertRow.raised).where(
        AlertRow.gateway.in_(sorted(gateways)), or_(before, behind)
    )
    found: dict[str, list[datetime]] = defaultdict(list)
    for gateway, at in session.execute(query):
        found[gateway].append(at)
    return found
