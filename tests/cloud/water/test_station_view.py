"""What lasted at a station, as its page shades it behind the curves."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from cloud_city import GATEWAY, NOON, City, excursion
from vigil_cloud.database.engine import writing
from vigil_cloud.devices.models import Gateway
from vigil_cloud.water.models import AnomalyRow

HOUR = timedelta(hours=1)


def spans(city: City, start: datetime, stop: datetime, who: str = "inspector") -> Any:
    query = {"start": start.isoformat(), "stop": stop.isoformat()}
    return city.client(who).get("/api/v1/water/probes/sonde-1/spans", params=query)


def shown(city: City, start: datetime, stop: datetime) -> list[tuple[str, str, str, bool]]:
    answer = spans(city, start, stop)
    assert answer.is_success, answer.text
    return [
        (one["kind"], one["parameter"], one["what"], one["end"] is None)
        for one in answer.json()["spans"]
    ]


def found(kind: str, reason: str, at: datetime, ended: datetime | None) -> AnomalyRow:
    return AnomalyRow(
        id=f"{kind}-{at.isoformat()}",
        device="sonde-1",
        parameter="pH",
        type=kind,
        reason=reason,
        started=at,
        found=at,
        last=ended or at,
        ended=ended,
        score=2.0,
    )


def test_excursions_findings_and_visits_are_told_in_order(city: City) -> None:
    city.send(excursion(city.time), "sonde-1")
    maintained = f"{(NOON - 3 * HOUR).isoformat()}/{(NOON - 2 * HOUR).isoformat()} nonsense"
    with writing(city.services.sessions) as session:
        session.add(found("sensor", "stuck", NOON - HOUR, NOON - HOUR / 2))
        session.add(found("water", "excursion", NOON + HOUR / 2, None))
        gateway = session.get_one(Gateway, GATEWAY)
        gateway.configuration = {"settings": {"sonde-1": {"maintenance": maintained}}}
    assert shown(city, NOON - 4 * HOUR, NOON + HOUR) == [
        ("maintenance", "", "maintenance", False),
        ("sensor", "pH", "stuck", False),
        ("excursion", "specific_conductance", "above", True),
        ("water", "pH", "excursion", True),
    ]
    assert shown(city, NOON + HOUR, NOON + 2 * HOUR) == [
        ("excursion", "specific_conductance", "above", True),
        ("water", "pH", "excursion", True),
    ]


def test_who_was_out_of_service_is_told(city: City) -> None:
    city.send(excursion(city.time), "sonde-1")
    body = {"kind": "out-of-service", "parameter": "", "reason": "a new probe", "until": None}
    body["until"] = (city.time + HOUR).isoformat()
    answer = city.client("inspector").post("/api/v1/devices/sonde-1/shelves", json=body)
    assert answer.is_success, answer.text
    kinds = {one[0] for one in shown(city, NOON - HOUR, NOON + HOUR)}
    assert kinds == {"excursion", "out-of-service"}


def test_only_who_sees_alerts_of_the_water_is_told(city: City) -> None:
    city.send(excursion(city.time), "sonde-1")
    assert spans(city, NOON, NOON + HOUR, "family").status_code == 403
