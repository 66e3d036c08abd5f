"""Visits after an outage, of stations whose radio failed, and what is stored of clocks."""

from __future__ import annotations

import random
from datetime import timedelta

from sqlalchemy import select

from cloud_city import GATEWAY, NOON, City, visit
from vigil_cloud.alerts.models import AlertRow
from vigil_cloud.checkin.models import Visit
from vigil_cloud.checkin.silence import follow_stations
from vigil_cloud.database.engine import writing
from vigil_cloud.devices.models import Device, Gateway


def test_a_day_without_the_cloud_loses_and_doubles_nothing_and_all_is_told_late(
    city: City,
) -> None:
    """What a gateway kept for 24 hours, told in any order, a part of it twice."""
    draw, told = random.Random(1), []
    begins = [NOON + timedelta(minutes=20 * n) for n in range(60)]
    for number, begin in enumerate(begins):
        told += [visit(begin, phase, f"visit-{number:04}") for phase in ("arrived", "departed")]
    told += draw.sample(told, 40)
    draw.shuffle(told)
    city.later(hours=24)
    for one in told:
        city.send(one, "station-1")
    with city.services.sessions() as session:
        stored = session.scalars(select(Visit).order_by(Visit.arrived)).all()
        assert [one.arrived for one in stored] == begins
        assert all(one.late and one.departed is not None for one in stored)
        assert {one.clock_quality for one in stored} == {"synchronised"}
        alerts = session.scalars(select(AlertRow)).all()
        assert not any(alert.active for alert in alerts)
        assert all("told late" in alert.title for alert in alerts)


def test_a_visit_that_is_told_as_it_ends_is_not_late(city: City) -> None:
    city.later(minutes=9)
    city.send(visit(NOON, "departed"), "station-1")
    with city.services.sessions() as session:
        assert session.scalars(select(Visit.late)).one() is False


def test_a_visit_under_a_stalled_radio_ends_with_its_last_sign(city: City) -> None:
    """The box is heard and its radio is not."""
    city.send(visit(city.time), "station-1")
    failed = city.later(minutes=2)
    city.later(minutes=4)
    with writing(city.services.sessions) as session:
        session.get_one(Gateway, GATEWAY).last_seen = city.time
        device = session.get_one(Device, "station-1")
        device.state, device.code, device.since = "degraded", "ble-stalled", failed
    with writing(city.services.sessions) as session:
        assert follow_stations(timedelta(minutes=3), session, city.time)
        assert session.scalars(select(Visit.silent_since)).one() == failed
        device = session.get_one(Device, "station-1")
        device.state, device.code = "ok", None
    with writing(city.services.sessions) as session:
        assert follow_stations(timedelta(minutes=3), session, city.time)
        assert session.scalars(select(Visit.silent_since)).one() is None


def test_the_offset_that_births_taught_corrects_a_visit(city: City) -> None:
    with writing(city.services.sessions) as session:
        gateway = session.get_one(Gateway, GATEWAY)
        gateway.health, gateway.clock_offset_s = {}, -300.0
    city.later(minutes=10)
    city.send(visit(NOON), "station-1")
    with city.services.sessions() as session:
        stored = session.scalars(select(Visit)).one()
        assert (stored.arrived, stored.clock_offset_s) == (NOON + timedelta(minutes=5), -300.0)
