"""Fires as the API shows them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from vigil_cloud.alerts.places import places_of
from vigil_cloud.emergency.models import EmergencyCall
from vigil_cloud.emergency.service import calls_named, calls_of
from vigil_cloud.geodesy import distance_m
from vigil_cloud.identity import households
from vigil_cloud.identity.cipher import Cipher
from vigil_cloud.identity.reader import Reader, Relation
from vigil_cloud.services import Services
from vigil_cloud.smoke import fires, neighbours
from vigil_cloud.smoke.fire_schema import (
    EmergencyCallEntry,
    FireAlarmEntry,
    FireCard,
    FireEntry,
    FireStepEntry,
    HydrantEntry,
    NeighbourEntry,
)
from vigil_cloud.smoke.grade import graded
from vigil_cloud.smoke.live import DONE, home_of
from vigil_cloud.smoke.models import Fire, HomeSafety


def entries(session: Session, rows: Sequence[Fire], now: datetime) -> list[FireEntry]:
    """Two statements, however many."""
    states = {row.id: fires.state_of(row) for row in rows}
    devices = {alarm.device for state in states.values() for alarm in state.alarms}
    places = places_of(session, devices)
    codes = _codes(session, {row.household for row in rows if row.household is not None})
    return [FireEntry.model_validate(_common(row, places, codes, now)) for row in rows]


def card(session: Session, services: Services, row: Fire, reader: Reader) -> FireCard:
    """Everything that whoever leads has to know, while the fire is not closed."""
    state = fires.state_of(row)
    home = home_of(session, services, row)
    open_ = not state.closed
    places = places_of(session, {alarm.device for alarm in state.alarms})
    codes = _codes(session, {row.household} - {None})
    station, here = services.settings.station, (home.latitude, home.longitude)
    away = None
    if station is not None and here[0] is not None and here[1] is not None:
        away = round(distance_m(station, (here[0], here[1])))
    return FireCard.model_validate(
        {
            **_common(row, places, codes, services.now()),
            "case": row.case_id,
            "leader": row.leader,
            "home_name": home.name if open_ else "",
            "address": home.address if open_ else "",
            "floor": home.known.floor if open_ else "",
            "needs_help": home.known.needs_help if open_ else [],
            "residents": _residents(session, services, row) if open_ else [],
            "contacts": home.known.contacts if open_ else [],
            "keys": home.known.keys if open_ else "",
            "latitude": home.latitude if open_ else None,
            "longitude": home.longitude if open_ else None,
            "station_m": away,
            "neighbours": _neighbours(session, services, row, reader, here) if open_ else [],
            "hydrants": [HydrantEntry(**asdict(one)) for one in home.water] if open_ else [],
            "calls": [_call(one) for one in _calls(session, row)],
            "steps": [
                FireStepEntry(at=one.at, what=one.what, who=one.who)
                for one in fires.steps(session, row.id)
            ],
        }
    )


def _neighbours(
    session: Session,
    services: Services,
    row: Fire,
    reader: Reader,
    here: tuple[float | None, float | None],
) -> list[NeighbourEntry]:
    latitude, longitude = here
    if latitude is None or longitude is None:
        return []
    own = {alarm.device for alarm in fires.state_of(row).alarms}
    at = (latitude, longitude)
    found = neighbours.near(session, reader, at, row.household, own, services.now())
    return [NeighbourEntry(**asdict(one)) for one in found]


def _calls(session: Session, row: Fire) -> list[EmergencyCall]:
    """To 119, those of its alarms before there was a fire included."""
    owed = DONE.validate_python(row.done).owed
    found = [one for key in owed for one in calls_named(session, key)]
    return [*found, *calls_of(session, f"smoke:{row.id}:")]


def _common(row: Fire, places: Any, codes: dict[str, HomeSafety], now: datetime) -> dict[str, Any]:
    state = fires.state_of(row)
    grade = graded(state, now)
    safety = codes.get(row.household or "")
    counts = (
        safety is not None
        and safety.code_hash is not None
        and safety.code_set is not None
        and safety.code_set < row.opened
    )
    return {
        "fire": row.id,
        "alert": row.alert_id,
        "phase": state.phase,
        "reason": state.reason,
        "confirmed": state.confirmed,
        "probability": grade.probability,
        "grounds": list(grade.grounds),
        "place": row.place,
        "place_zh": row.place_zh,
        "opened": row.opened,
        "asked": state.opened,
        "window_ends": state.window_ends,
        "called": state.called,
        "acknowledged": state.acknowledged,
        "arrived": state.arrived,
        "burns": state.burns,
        "ended_by": state.ended_by,
        "cause": state.cause,
        "household": row.household,
        "needs_code": counts and state.phase != "over",
        "alarms": [
            FireAlarmEntry(
                device=one.device,
                name=places[one.device].name,
                name_zh=places[one.device].name_zh,
                condition=one.condition,
                began=one.began,
                over=one.over,
                signs=list(one.signs),
            )
            for one in state.alarms
        ],
    }


def _codes(session: Session, keys: Collection[str | None]) -> dict[str, HomeSafety]:
    if not keys:
        return {}
    query = select(HomeSafety).where(HomeSafety.household.in_(sorted(filter(None, keys))))
    return {row.household: row for row in session.scalars(query)}


def _residents(session: Session, services: Services, row: Fire) -> list[str]:
    if row.household is None:
        return []
    cipher = Cipher(services.settings.secret)
    known = households.shown_members(session, cipher, {row.household}, services.now())
    members = known.get(row.household, [])
    return [name for name, relation in members if relation is Relation.RESIDENT]


def _call(one: EmergencyCall) -> EmergencyCallEntry:
    return EmergencyCallEntry(
        kind="alert" if one.takes_back is None else "cancel",
        asked=one.asked,
        tries=one.tries,
        answered=one.answered,
        again=one.again,
        withdrawn=one.withdrawn,
        error=one.error if one.answered is None else "",
    )
