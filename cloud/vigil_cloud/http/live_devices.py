"""Devices and readings that changed since the last look, for the event stream.

What changed is known by its announced number (``database.changes``), from whichever process it
came; the newest readings come from the rows that ingest keeps, so that a look costs the same few
statements however many devices changed and however many streams are open.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from pydantic import BaseModel
from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from vigil_cloud.database import changes
from vigil_cloud.database.changes import Position
from vigil_cloud.devices import service
from vigil_cloud.devices.models import Device, Gateway
from vigil_cloud.devices.newest import newest
from vigil_cloud.devices.schema import LatestReading
from vigil_cloud.domain.registry import series_days
from vigil_cloud.domain.rights import may
from vigil_cloud.identity import districts
from vigil_cloud.identity.reader import Reader
from vigil_cloud.identity.rights import Operation, Subject
from vigil_cloud.services import Services
from vigil_schemas.senml import microseconds

AT_ONCE: Final = 500
"""Changes of one look; the others are looked for at once after it."""


@dataclass(frozen=True, slots=True)
class DeviceNews:
    """One event about one device, ready to be sent to whoever may see it."""

    kind: str
    device: str
    domain: str
    district: str | None
    json: str

    def shown_to(self, reader: Reader) -> bool:
        """Whether this reader may see it: its state, or what it reads."""
        operation = Operation.READ if self.kind == "reading" else Operation.SEE_DEVICE
        subject = Subject(self.domain, device=self.device, district=self.district)
        return may(reader, operation, subject)


class ReadingNews(BaseModel):
    """The newest reading of each parameter of one device."""

    device: str
    values: dict[str, LatestReading]


class DeviceWatch:
    """Remembers how far it has read. The first look only learns how things stand."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._position: Position | None = None
        self._entries: dict[str, int] = {}
        """Digest of what was told of each device: most announcements change nothing shown."""

    def changed(self) -> tuple[tuple[DeviceNews, ...], bool]:
        """What is new since the last call, and whether more waits. May block on the database."""
        with self._services.sessions() as session:
            head = changes.head(session)
            if self._position is None:
                self._position = Position(head)
            if head == self._position.number and self._position.thing is None:
                return (), False
            found = changes.after(session, self._position, AT_ONCE)
            keys: dict[str, list[str]] = {"reading": [], "device": [], "gateway": []}
            for one in found:
                if one.kind in keys:
                    keys[one.kind].append(one.key)
            news = (
                *self._devices(session, keys["device"], keys["gateway"]),
                *self._readings(session, keys["reading"]),
            )
        more = len(found) == AT_ONCE
        if more:
            last = found[-1]
            self._position = Position(last.number, (last.kind, last.key))
        else:
            self._position = Position(max(head, found[-1].number if found else 0))
        return news, more

    def _devices(
        self, session: Session, devices: Collection[str], gateways: Collection[str]
    ) -> Iterator[DeviceNews]:
        if not devices and not gateways:
            return
        query = select(Device, Gateway).outerjoin(Gateway, Gateway.gateway == Device.gateway)
        which = or_(Device.device.in_(devices), Device.gateway.in_(gateways))
        rows = session.execute(query.where(which).order_by(Device.device)).all()
        where = districts.places(session, "device", (device.device for device, _ in rows))
        for device, gateway in rows:
            told = service.entry(device, gateway)
            content = hash(told.model_copy(update={"last_seen": None}).model_dump_json())
            if self._entries.get(device.device) != content:
                self._entries[device.device] = content
                yield DeviceNews(
                    "device",
                    device.device,
                    device.domain,
                    where.get(device.device),
                    told.model_dump_json(),
                )

    def _readings(self, session: Session, devices: Collection[str]) -> Iterator[DeviceNews]:
        if not devices:
            return
        kept, now = series_days(self._services.settings.retention.series_days), self._services.now()
        where = districts.places(session, "device", devices)
        for device, known in newest(session, devices).items():
            days = kept.get(known.domain, 0)
            least = microseconds(now - timedelta(days=days)) if days > 0 else 0
            values = {
                parameter: LatestReading(t=time_us / 1e6, v=value, flag=flag)
                for parameter, (time_us, value, flag) in known.readings.items()
                if time_us >= least
            }
            if values:
                reading = ReadingNews(device=device, values=values)
                json = reading.model_dump_json()
                yield DeviceNews("reading", device, known.domain, where.get(device), json)
