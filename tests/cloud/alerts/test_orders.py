"""Onset and end in every order, any number of times: always the same alert and domain rows."""

from __future__ import annotations

import itertools
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from cloud_city import NOON, City, alarm, exceedance, excursion, visit
from vigil_cloud.alerts.models import AlertRow
from vigil_cloud.checkin.models import Visit
from vigil_cloud.noise.models import Exceedance
from vigil_cloud.smoke.models import AlarmCondition
from vigil_cloud.water.models import Excursion
from vigil_schemas.evidence import EvidenceReference
from vigil_schemas.types import Model

EVIDENCE = EvidenceReference(sha256="e" * 64, size=1000)
MEASURED = exceedance(NOON).model_copy(update={"phase": "measured"})
OVER = alarm(NOON + timedelta(minutes=5), active=False)
PAIRS: dict[str, tuple[str, Model, Model, type[Any]]] = {
    "noise": ("mic-1", MEASURED, exceedance(NOON, evidence=EVIDENCE), Exceedance),
    "water": ("sonde-1", excursion(NOON), excursion(NOON, "end"), Excursion),
    "checkin": ("station-1", visit(NOON), visit(NOON, "departed"), Visit),
    "smoke": ("alarm-1", alarm(NOON), OVER, AlarmCondition),
}


def standing(city: City, table: type[Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The one alert and the one domain row."""
    with city.services.sessions() as session:
        (alert,) = session.scalars(select(AlertRow)).all()
        (row,) = session.scalars(select(table)).all()
        left_out = {"_sa_instance_state", "version"}
        return (
            {name: value for name, value in vars(alert).items() if name not in left_out},
            {name: value for name, value in vars(row).items() if name not in left_out},
        )


@pytest.mark.parametrize("domain", PAIRS)
def test_every_order_ends_alike(either_city: City, domain: str) -> None:
    from sqlalchemy import delete

    from vigil_cloud.alerts.models import AlertHistory

    device, onset, end, table = PAIRS[domain]
    found = []
    for order in itertools.product((onset, end), repeat=3):
        if len({id(event) for event in order}) < 2:
            continue
        for event in order:
            either_city.send(event, device)
        found.append(standing(either_city, table))
        with either_city.services.sessions() as session, session.begin():
            for each in (AlertHistory, AlertRow, table):
                session.execute(delete(each))

    assert all(standing == found[0] for standing in found)
    alert, _ = found[0]
    assert alert["active"] is (domain == "noise")


def test_gateways_cannot_touch_each_others_alerts(city: City) -> None:
    city.send(alarm(city.time), "alarm-1")

    city.send(alarm(city.time, active=False), "alarm-1", gateway="gw-west")

    with city.services.sessions() as session:
        active = session.scalars(select(AlertRow.active).where(AlertRow.gateway == "gw-east")).one()
        assert active is True
