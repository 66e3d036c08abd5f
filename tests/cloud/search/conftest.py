"""A city in which a grandmother is missing, by what people and gateways send."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from cases_office import Office
from cloud_city import TAG, City, visit
from vigil_cloud.checkin.watching import tell_stations
from vigil_cloud.database.engine import writing
from vigil_cloud.identity.models import AuditEntry
from vigil_cloud.identity.roles import Role
from vigil_schemas.checkin import CheckinSighting
from vigil_schemas.types import isoformat_utc

LOOKS = ("location.read", "case.refused", "case.access-given", "case.closed")


class Missing(Office):
    """With a guardian (``family``) and what a search asks of the API."""

    def report(self, who: str = "family", **said: Any) -> dict[str, Any]:
        answer = self.send_report(who, **said)
        assert answer.status_code == 201, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def send_report(self, who: str = "family", **said: Any) -> Any:
        body = {"person_key": "p1", **said}
        return self.city.client(who).post("/api/v1/search/reports", json=body)

    def look(self, who: str, case: str) -> Any:
        return self.city.client(who).get(f"/api/v1/search/cases/{case}/map")

    def map(self, who: str, case: str) -> dict[str, Any]:
        answer = self.look(who, case)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def access(self, who: str, case: str, reason: str = "Call 110-2231") -> dict[str, Any]:
        return self.do(who, f"/{case}/access", {"reason": reason})

    def end(self, who: str, case: str, outcome: str = "found-well") -> Any:
        version = self.see(who, case)["version"]
        body = {"version": version, "outcome": outcome, "text": "At the temple."}
        return self.city.client(who).post(f"/api/v1/search/cases/{case}/end", json=body)

    def add(self, who: str, case: str, **entry: Any) -> Any:
        body = {"at": isoformat_utc(self.city.time), **entry}
        return self.city.client(who).post(f"/api/v1/search/cases/{case}/entries", json=body)

    def tell_stations(self) -> int:
        """What the job does each second."""
        told = 0
        while True:
            with writing(self.city.services.sessions) as session:
                some = tell_stations(session, self.city.time)
            if not some:
                return told
            told += some

    def was_at(self, device: str, ago: timedelta, id: str) -> None:
        """A visit that is over."""
        began = self.city.time - ago
        self.city.send(visit(began, id=id), device)
        self.city.send(visit(began, "departed", id=id), device)


@pytest.fixture
def missing(city: City) -> Missing:
    city.guardian("family")
    city.account("stranger", Role.FAMILY)
    city.account("police-2", Role.POLICE)
    return Missing(city)


def sighting(city: City, id: str = "sighting-1", tag: str = TAG) -> CheckinSighting:
    return CheckinSighting(sighting_id=id, tag=tag, carrier="ble", seen=city.time, rssi_dbm=-71.0)


def lines(city: City, *actions: str) -> list[tuple[str, str, str]]:
    """Of the person's audit log: who did what, to which case."""
    with city.services.sessions() as session:
        query = select(AuditEntry).where(AuditEntry.person_key == "p1").order_by(AuditEntry.number)
        return [
            (one.account, one.action, one.detail.get("case", ""))
            for one in session.scalars(query)
            if one.action in actions
        ]
