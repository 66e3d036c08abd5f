"""A device that changes its home while it is in a fire: the fire, its calls and its alert go along.

Who moves a device on the list puts a mistake right, or makes one. So both homes are told, and no
call to 119 is taken back by it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from vigil_cloud.alerts import feed
from vigil_cloud.alerts.audiences import widen
from vigil_cloud.alerts.flood import MANY
from vigil_cloud.alerts.models import AlertRow
from vigil_cloud.alerts.personal import move_home
from vigil_cloud.alerts.service import AUDIENCES, Occurrence, record
from vigil_cloud.smoke import decision, fires
from vigil_cloud.smoke.models import Fire, FireAlarm
from vigil_schemas.smoke import DOMAIN

HOME_KNOWN: Final = "home-known"
"""Why people are told again: it became known whose home it is."""
MOVED: Final = "home-moved"
"""A fire's step: a device that rings was listed in another home."""
KIND: Final = "moved"
"""Kind of the alert that tells the home where it was listed before."""


def given_home(session: Session, device: str, household: str, now: datetime) -> None:
    """A device that rings stands in this home from now on, whatever home it was in or taken from
    before: so does its fire. Those who live there are told, 119 hears the address as a further
    call, and where another device of the home rings already, the two confirm each other. Where
    others ring in the home that it came from, that fire goes on there, and this one is a fire of
    its own here. No call is taken back: that a list was wrong is no word of nobody burning."""
    feed.lock(session)
    home = fires.home_of(household)
    query = select(Fire).where(Fire.home.not_in([home, fires.ERASED]), Fire.phase != "over")
    for row in session.scalars(query.order_by(Fire.id).with_for_update()).all():
        devices = {one.device for one in fires.state_of(row).alarms}
        if device not in devices:
            continue
        before = row.household
        if before is None or devices == {device}:
            _move(session, row, device, household, now)
        else:
            _part(session, row, device, household, now)
        if before is not None:
            _tell_before(session, row, before, now)


def _move(session: Session, row: Fire, device: str, household: str, now: datetime) -> None:
    """The whole fire is this home's."""
    home = fires.home_of(household)
    other = fires.open_at(session, home)
    fires.step(session, row, now, "home-known" if row.household is None else MOVED)
    row.household, row.home = household, home
    after = decision.located(fires.state_of(row), now)
    if other is not None:
        after = decision.seconded(after, now)
        fires.put(session, other, decision.seconded(fires.state_of(other), now), now)
    called_anew = after.calls > fires.state_of(row).calls  # then they are told of that
    fires.put(session, row, after, now)
    _tell_there(session, fires.alerts_of(session, row.id), device, household, now, but=called_anew)


def _part(session: Session, row: Fire, device: str, household: str, now: datetime) -> None:
    """Others ring where it was: its alarms leave that fire, and ring here. Of a fire that everybody
    was called to already everybody is called here as well."""
    state = fires.state_of(row)
    belong = select(FireAlarm).where(FireAlarm.fire == row.id)
    known = {one.reference: one.alert_id for one in session.scalars(belong)}
    left = [one for one in state.alarms if one.device == device]
    fires.step(session, row, now, MOVED)
    fires.put(session, row, decision.without(state, device, now), now)
    for alarm in left:
        session.delete(session.get_one(FireAlarm, alarm.reference))
    session.flush()
    for alarm in left:
        alert = session.get(AlertRow, known[alarm.reference])
        if alert is None:  # removed for its age
            continue
        if row.alert_id == alert.id and (stay := fires.alerts_of(session, row.id)):
            row.alert_id, row.device = stay[0].id, stay[0].device
        if alert.kind != MANY:
            move_home(session, alert, household, now)
        here = fires.alarm_rings(session, alert, row.gateway, replace(alarm, heard=now), household)
        if state.phase == "called":
            fires.put(session, here, decision.unasked(fires.state_of(here), now), now)
        _tell_there(session, [alert], device, household, now)


def _tell_there(
    session: Session,
    alerts: Sequence[AlertRow],
    device: str,
    household: str,
    now: datetime,
    *,
    but: bool = False,
) -> None:
    """Those whose home it turned out to be; as widely as it was told before, and everybody where
    nobody there is reached at once. ``but``: they are told of a call anyway."""
    asks = fires.asks_first(session, household, now)
    for alert in alerts:
        if alert.device == device and alert.kind != MANY:
            move_home(session, alert, household, now)
        if not but:
            wide = alert.audience if asks else "all"
            why = f"{HOME_KNOWN} #{int(now.timestamp()):x}"
            widen(session, alert, next(one for one in AUDIENCES if one == wide), why, now)


def _tell_before(session: Session, row: Fire, household: str, now: datetime) -> None:
    """Those who were told of a fire at their own home hear that its alarm is listed in another one
    now. Nobody is told that there is no fire: whoever smells smoke calls 119."""
    told = record(
        session,
        Occurrence(
            domain=DOMAIN,
            reference=f"moved:{row.id}:{household}:{now.timestamp():.6f}",
            kind=KIND,
            gateway="",
            device="",
            title="The smoke alarm that rang is listed in another home now. If you see or smell"
            " smoke, get out and call 119",
            title_zh="作響的火災警報器現登錄於其他住家。若見煙霧或聞到焦味，請立即離開並撥打 119",
            severity="major",
            event_time=now,
            active=True,
            momentary=True,
            detail={"type": "smoke-moved", "fire": row.id},
            audience="home",
        ),
        now,
    )
    told.household, told.district = household, row.district
    session.flush()
