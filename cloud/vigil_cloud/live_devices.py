"""Devices that changed and readings that arrived since the last look, for the event stream."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from pydantic import BaseModel
from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from vigil_cloud.devices import service
from vigil_cloud.devices.models import Device, Gateway
from vigil_cloud.devices.schema import LatestReading
from vigil_cloud.services import Services

OVERLAP: Final = timedelta(seconds=5)
"""Looked at twice: rows become visible in the order of commits, not of their time stamps."""
MOST_READINGS: Final = 50
"""Devices whose newest readings are fetched at one look; the others wait for the next."""


@dataclass(frozen=True, slots=True)
class DeviceNews:
    """One event about one device, ready to be sent to whoever may see its domain."""

    kind: str
    domain: str
    json: str


class ReadingNews(BaseModel):
    """The newest reading of each parameter of one device."""

    device: str
    values: dict[str, LatestReading]


class DeviceWatch:
    """Remembers what it has told. The first look only learns how things stand."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._since: datetime | None = None
        self._entries: dict[str, str] = {}
        self._seen: dict[str, datetime] = {}
        self._waiting: dict[str, str] = {}
        """Device → domain, of those with readings not yet told, oldest first."""

    def changed(self) -> tuple[DeviceNews, ...]:
        """What is new since the last call. May block on the stores."""
        first = self._since is None
        with self._services.sessions() as session:
            rows = self._rows(session)
        news: list[DeviceNews] = []
        for device, gateway in rows:
            told = service.entry(device, gateway)
            content = told.model_copy(update={"last_seen": None}).model_dump_json()
            if self._entries.get(device.device) != content:
                self._entries[device.device] = content
                news.append(DeviceNews("device", device.domain, told.model_dump_json()))
            if device.last_seen is not None and self._seen.get(device.device) != device.last_seen:
                self._seen[device.device] = device.last_seen
                self._waiting.setdefault(device.device, device.domain)
        if first:
            self._waiting.clear()
            return ()
        return (*news, *self._readings())

    def _rows(self, session: Session) -> list[tuple[Device, Gateway | None]]:
        query = select(Device, Gateway).outerjoin(Gateway, Gateway.gateway == Device.gateway)
        if self._since is not None:
            since = self._since - OVERLAP
            moments = (Device.updated, Device.last_seen, Gateway.updated)
            query = query.where(or_(*(moment > since for moment in moments)))
        rows: list[tuple[Device, Gateway | None]] = []
        now = self._services.now()
        newest = self._since or now
        for device, gateway in session.execute(query):
            rows.append((device, gateway))
            newest = max(newest, device.updated, device.last_seen or device.updated)
            if gateway is not None:
                newest = max(newest, gateway.updated)
        # A clock that was ahead and is set back must not hide what happens until it is there again.
        self._since = min(newest, now)
        return rows

    def _readings(self) -> list[DeviceNews]:
        news: list[DeviceNews] = []
        for device in list(self._waiting)[:MOST_READINGS]:
            values = service.latest(self._services, device)
            domain = self._waiting.pop(device)
            if values:
                reading = ReadingNews(device=device, values=values)
                news.append(DeviceNews("reading", domain, reading.model_dump_json()))
        return news
