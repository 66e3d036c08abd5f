"""Figures of the programme: how far it has come, whether its alarms work, what they were for."""

from __future__ import annotations

import statistics as numbers
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from vigil_cloud.devices.models import Device
from vigil_cloud.identity.reader import Reader
from vigil_cloud.smoke import fires
from vigil_cloud.smoke.models import AlarmCondition, Fire
from vigil_cloud.smoke.programme import home_rows
from vigil_cloud.smoke.programme.progress import OVER, RENEWED_BEFORE, WAITING, Fitted, State
from vigil_cloud.smoke.programme.schema import MonthEntry, Statistics, VillageEntry
from vigil_cloud.smoke.programme_models import (
    ProgrammeHome,
    ProgrammeSignature,
    ProgrammeVillage,
)
from vigil_schemas.smoke import DOMAIN

TESTED_WITHIN: Final = timedelta(days=31)
SEEN_WITHIN: Final = timedelta(days=400)
"""Of an alarm that no gateway hears: somebody stood below it so lately."""
_BROKEN: Final = ("link_lost", "hardware_fault", "end_of_service")


@dataclass(slots=True)
class _Village:
    applied: int = 0
    served: int = 0
    alarms: int = 0
    working: int = 0
    fires: int = 0
    nuisances: int = 0


@dataclass(slots=True)
class _Found:
    """What is counted of all homes."""

    villages: dict[str, _Village] = field(default_factory=lambda: defaultdict(_Village))
    causes: Counter[str] = field(default_factory=Counter)
    heard: int = 0
    expiring: int = 0
    tested: int = 0


def figures(session: Session, reader: Reader, now: datetime) -> Statistics:
    """Of the homes in the reader's districts. The same few statements however many."""
    rows = session.scalars(select(ProgrammeHome).where(home_rows.inside(reader))).all()
    states = {row.id: home_rows.STATE.validate_python(row.state) for row in rows}
    devices = {
        one.device for state in states.values() for one in state.hanging if one.device is not None
    }
    failed, tested = _failed(session, devices), _tested(session, devices, now)
    causes = _causes(session, {row.household for row in rows if row.household is not None})
    found = _Found()
    for row in rows:
        _count(found, row, states[row.id], failed, tested, causes, home_rows.today(now))
    villages = _villages(session, reader)
    total = sum(one.households for one in villages.values()) or None
    served = sum(one.served for one in found.villages.values())
    return Statistics(
        applied=sum(row.phase in WAITING for row in rows),
        served=served,
        households=total,
        coverage=None if total is None else round(min(served / total, 1.0), 4),
        alarms=sum(one.alarms for one in found.villages.values()),
        heard=found.heard,
        working=sum(one.working for one in found.villages.values()),
        fires_caught=found.causes["fire"],
        false_alarms={cause: n for cause, n in found.causes.items() if cause != "fire"},
        expiring=found.expiring,
        tested=found.tested,
        days_to_fit_median=_days_to_fit(session, rows),
        villages=_shown(found.villages, villages),
        months=_months(session, rows),
    )


def _count(  # noqa: PLR0913 - one home with all that is known of it
    found: _Found,
    row: ProgrammeHome,
    state: State,
    failed: set[str],
    tested: set[str],
    causes: Mapping[str, Sequence[str]],
    today: date,
) -> None:
    village = found.villages[row.village]
    hanging = [] if state.phase in OVER else state.hanging
    heard = [one.device for one in hanging if one.device is not None]
    village.applied += 1
    village.served += bool(hanging)
    village.alarms += len(hanging)
    village.working += sum(_works(one, state, failed, today) for one in hanging)
    found.heard += len(heard)
    found.tested += bool(heard) and set(heard) <= tested
    found.expiring += any(one.expires - RENEWED_BEFORE <= today for one in hanging)
    of_home = causes.get(row.household or "", ())
    found.causes.update(of_home)
    village.fires += of_home.count("fire")
    village.nuisances += len(of_home) - of_home.count("fire")


def _works(one: Fitted, state: State, failed: set[str], today: date) -> bool:
    if one.expires <= today:
        return False
    if one.device is not None:
        return one.device not in failed
    visited = state.next_visit  # a year after somebody was there
    seen = one.fitted if visited is None else max(one.fitted, visited - timedelta(days=365))
    return today - seen <= SEEN_WITHIN


def _failed(session: Session, devices: set[str]) -> set[str]:
    """Those that cannot be relied on: lost, broken, at their end, or as their gateway says."""
    query = select(AlarmCondition.device).where(
        AlarmCondition.condition.in_(_BROKEN),
        AlarmCondition.activated.is_not(None),
        AlarmCondition.cleared.is_(None),
    )
    found = devices & set(session.scalars(query.distinct()))
    states = select(Device.device, Device.state).where(Device.domain == DOMAIN)
    known = {row.device: row.state for row in session.execute(states)}
    return found | {
        one for one in devices if known.get(one) in (None, "failed", "starting", "unknown")
    }


def _tested(session: Session, devices: set[str], now: datetime) -> set[str]:
    query = select(AlarmCondition.device).where(
        AlarmCondition.condition == "test", AlarmCondition.heard > now - TESTED_WITHIN
    )
    return devices & set(session.scalars(query.distinct()))


def _causes(session: Session, homes: set[str]) -> dict[str, list[str]]:
    """By household: what its fires were, as whoever led them said."""
    found: dict[str, list[str]] = defaultdict(list)
    query = select(Fire).where(Fire.household.is_not(None), Fire.phase == "over")
    for row in session.scalars(query):
        cause = fires.state_of(row).cause
        if row.household in homes and cause is not None:
            found[row.household].append(cause)
    return found


def _villages(session: Session, reader: Reader) -> dict[str, ProgrammeVillage]:
    rows = session.scalars(select(ProgrammeVillage).order_by(ProgrammeVillage.code)).all()
    return {row.code: row for row in rows if reader.covers(row.district)}


def _shown(
    found: Mapping[str, _Village], known: Mapping[str, ProgrammeVillage]
) -> list[VillageEntry]:
    entries = []
    for code in sorted({*found, *known}):
        counted, row = found.get(code, _Village()), known.get(code)
        entries.append(
            VillageEntry(
                village=code,
                name=row.name if row is not None else code,
                name_zh=row.name_zh if row is not None else code,
                district=row.district if row is not None else None,
                latitude=row.latitude if row is not None else None,
                longitude=row.longitude if row is not None else None,
                households=row.households if row is not None else None,
                applied=counted.applied,
                served=counted.served,
                alarms=counted.alarms,
                working=counted.working,
                fires=counted.fires,
                nuisances=counted.nuisances,
            )
        )
    return entries


def _last_signed(session: Session, rows: Sequence[ProgrammeHome]) -> dict[str, datetime]:
    """When the third party signed, of homes that are in service."""
    query = select(ProgrammeSignature.home, func.max(ProgrammeSignature.at)).group_by(
        ProgrammeSignature.home
    )
    serving = {row.id for row in rows if row.phase == "in-service"}
    return {home: at for home, at in session.execute(query) if home in serving}


def _days_to_fit(session: Session, rows: Sequence[ProgrammeHome]) -> float | None:
    signed = _last_signed(session, rows)
    days = [(signed[row.id] - row.applied) / timedelta(days=1) for row in rows if row.id in signed]
    return round(numbers.median(days), 1) if days else None


def _months(session: Session, rows: Sequence[ProgrammeHome]) -> list[MonthEntry]:
    months = Counter(f"{home_rows.today(at):%Y-%m}" for at in _last_signed(session, rows).values())
    return [MonthEntry(month=month, served=months[month]) for month in sorted(months)]
