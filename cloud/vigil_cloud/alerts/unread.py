"""Devices that people count on and no gateway reads any more: an alert while it is so.

A device leaves a gateway in many ways: taken out on the gateway's page, by going back to the file
or to an older revision, by an edited file, with a gateway that is thrown out, off the list of
devices. None of them is a fault that the gateway could tell of, and what the device would have
called for calls nobody. So it is looked for in what stands: a domain says whom it counts on.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, exists, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from vigil_cloud.alerts import feed
from vigil_cloud.alerts.models import AlertRow
from vigil_cloud.alerts.places import Place, place_of
from vigil_cloud.alerts.service import Audience, Occurrence, record
from vigil_cloud.devices.models import Device, GatewayRevocation, NewestReadings
from vigil_schemas.types import Domain

KIND: Final = "not_watched"
AT_ONCE: Final = 50
"""Devices of one look: everybody who changes an alert waits for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unread:
    """What one domain tells of it. Titles take ``{place}``."""

    domain: Domain
    title: str
    title_zh: str
    audience: Audience
    detail: Mapping[str, Any]
    missed: Callable[[Session, datetime], Collection[str]]
    """Devices that are counted on and that no gateway reads."""
    counts: Callable[[Session, datetime, str], bool]
    """Whether this one is counted on still."""

    def differs(self, session: Session, now: datetime) -> bool:
        """Whether there is anything to tell, or to end: a read."""
        told = set(session.scalars(select(AlertRow.device).where(*self._open())))
        return told != set(self.missed(session, now))

    def look(self, session: Session, now: datetime) -> bool:
        """One round. Whether anything changed."""
        if not self.differs(session, now):
            return False
        feed.lock(session)
        missed = set(self.missed(session, now))
        query = select(AlertRow).where(*self._open()).order_by(AlertRow.id)
        standing = session.scalars(query).all()
        fresh = sorted(missed - {row.device for row in standing})[:AT_ONCE]
        ended = [row for row in standing if row.device not in missed][:AT_ONCE]
        for device in fresh:
            reference = f"{KIND}:{device}:{now:%Y%m%dT%H%M%S%f}"
            record(session, self._told(device, place_of(session, device), reference, now), now)
        for row in ended:
            self._end(session, row, now)
        return bool(fresh or ended)

    def _open(self) -> tuple[ColumnElement[bool], ...]:
        return (AlertRow.domain == self.domain, AlertRow.kind == KIND, AlertRow.active.is_(True))

    def _end(self, session: Session, row: AlertRow, now: datetime) -> None:
        """People are told where it is read again, and not where nobody counts on it any more:
        then it was meant."""
        place, reference = place_of(session, row.device), row.key.split(":", 2)[2]
        said = self.counts(session, now, row.device)
        record(
            session, self._told(row.device, place, reference, now, over=True, end_is_told=said), now
        )

    def _told(
        self,
        device: str,
        place: Place,
        reference: str,
        now: datetime,
        *,
        over: bool = False,
        end_is_told: bool = True,
    ) -> Occurrence:
        return Occurrence(
            domain=self.domain,
            reference=reference,
            kind=KIND,
            gateway="",
            device=device,
            title=self.title.format(place=place.name)[:300],
            title_zh=self.title_zh.format(place=place.name_zh)[:300],
            severity="major",
            event_time=now,
            active=not over,
            ended=now if over else None,
            end_is_told=end_is_told,
            detail=self.detail,
            latitude=place.latitude,
            longitude=place.longitude,
            audience=self.audience,
        )


def unread(domain: Domain, listed: InstrumentedAttribute[Any], *of_domain: Any) -> Any:
    """Of a query that joins ``Device`` from the outside to the ``listed`` names: those that no
    gateway reads. One whose row is gone was the domain's where its readings, its alerts, or one of
    ``of_domain`` say so: names of other domains, or of nothing yet, are listed too."""
    thrown_out = exists().where(GatewayRevocation.gateway == Device.gateway)
    was = or_(
        exists().where(NewestReadings.device == listed, NewestReadings.domain == domain),
        exists().where(AlertRow.device == listed, AlertRow.domain == domain),
        *of_domain,
    )
    return or_(
        and_(
            Device.device.is_not(None), Device.domain == domain, or_(~Device.described, thrown_out)
        ),
        and_(Device.device.is_(None), was),
    )
