"""Fires as rows: opened and moved by alarms and by people, each change with its line and its news.

Callers hold ``feed.lock``, which puts whatever happens to fires into one order. What the state
asks for outside is done afterwards (``live``), from the row alone.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from pydantic import TypeAdapter
from sqlalchemy import ColumnElement, Select, and_, bindparam, exists, func, select, update
from sqlalchemy.orm import Session

from vigil_cloud.alerts import feed
from vigil_cloud.alerts.audiences import call_on
from vigil_cloud.alerts.models import AlertRow
from vigil_cloud.alerts.places import place_of
from vigil_cloud.identity import audit
from vigil_cloud.identity.models import Account, HouseholdMember
from vigil_cloud.identity.personal_records import Leaving
from vigil_cloud.identity.reader import Relation, member_at
from vigil_cloud.identity.roles import Role
from vigil_cloud.notify.models import Channel
from vigil_cloud.smoke import decision
from vigil_cloud.smoke.decision import Alarm, CodeRefused, OutOfTurn, State
from vigil_cloud.smoke.fire_errors import CodeTakesNothingBack, FireOutOfTurn, FireUnknown
from vigil_cloud.smoke.grade import NUISANCES, Setting
from vigil_cloud.smoke.models import Fire, FireAlarm, FireStep, HomeSafety
from vigil_schemas.smoke import DOMAIN

NEWS: Final = "fire"
"""Name of the feed's kind."""
ERASED: Final = "erased"
"""Of a fire whose home was erased."""
STATE: Final = TypeAdapter(State)
KITCHEN: Final = re.compile(r"kitchen|cook|stove|廚|厨|灶", re.IGNORECASE)
"""In the name of an alarm or of its place."""
REMEMBERED: Final = timedelta(days=365)
"""So long an earlier alarm says something of a home."""
_EARLIER: Final = 20
TOLD_AT_HOME: Final = frozenset({Role.FAMILY})
"""Roles with which accounts hear of what rings in their own homes."""


# Made once: asked for every alarm and its end, and to make a statement costs more than to run it.
_OF_CONDITION: Final = (
    select(Fire)
    .join(FireAlarm, FireAlarm.fire == Fire.id)
    .where(FireAlarm.reference == bindparam("of"))
)


def _called_on(*, needed: bool) -> Select[AlertRow]:
    """Alerts of a fire of which it is not said yet whether they call on until it is ended."""
    differs: ColumnElement[bool] = AlertRow.called_on.is_(False)  # each belongs to one that waits
    if not needed:
        elsewhere = exists().where(
            FireAlarm.alert_id == AlertRow.id,
            Fire.id == FireAlarm.fire,
            Fire.phase.in_(decision.WAITS),
        )
        differs = and_(AlertRow.called_on, ~elsewhere)
    mine = AlertRow.id.in_(select(FireAlarm.alert_id).where(FireAlarm.fire == bindparam("fire")))
    return select(AlertRow).where(mine, differs).order_by(AlertRow.raised, AlertRow.id)


_CALLED_ON: Final = {needed: _called_on(needed=needed) for needed in (True, False)}


def state_of(row: Fire) -> State:
    """As it is kept."""
    return STATE.validate_python(row.state)


def load(session: Session, fire_id: str, *, lock: bool = False) -> Fire:
    """Raises ``FireUnknown``."""
    row = session.get(Fire, fire_id, with_for_update=lock, populate_existing=lock)
    if row is None:
        raise FireUnknown("There is no such fire for you.")
    return row


def of_alert(session: Session, alert_id: str) -> Fire | None:
    """The newest fire that an alert belongs to."""
    query = (
        select(Fire)
        .join(FireAlarm, FireAlarm.fire == Fire.id)
        .where(FireAlarm.alert_id == alert_id)
        .order_by(Fire.opened.desc())
        .limit(1)
    )
    return session.scalars(query).first()


def of_condition(session: Session, reference: str) -> Fire | None:
    """The fire that one condition belongs to."""
    return session.scalars(_OF_CONDITION, {"of": reference}).first()


def asks_first(session: Session, household: str | None, now: datetime) -> bool:
    """Whether anybody lives there whom a message reaches at once. Where nobody does, or no home
    is known, everybody is told at once: nobody would hear of it while the home is asked."""
    if household is None:
        return False
    query = (
        select(Account.roles, Channel.domains, Channel.escalate_after_s)
        .join(HouseholdMember, HouseholdMember.account_id == Account.id)
        .join(Channel, Channel.account_id == Account.id)
        .where(
            HouseholdMember.household == household,
            HouseholdMember.relation == Relation.RESIDENT.value,
            member_at(now),
            Account.active,
            Channel.enabled,
        )
    )
    return any(
        row.escalate_after_s == 0
        and (not row.domains or DOMAIN in row.domains)
        and not TOLD_AT_HOME.isdisjoint(row.roles)
        for row in session.execute(query)
    )


def is_called(session: Session, household: str | None) -> bool:
    """Whether everybody is called to a fire of this home."""
    called = select(Fire.id).where(Fire.home == home_of(household), Fire.phase == "called")
    return session.scalar(called.limit(1)) is not None


def is_led(session: Session, reference: str) -> bool:
    """Whether the home is asked, or everybody is called, whatever its alarm says now: that it fell
    silent is no all-clear, as 119 is called in spite of it. Whoever ends the fire tells that."""
    row = of_condition(session, reference)
    return row is not None and state_of(row).waits


def alarm_rings(
    session: Session, alert: AlertRow, gateway: str, alarm: Alarm, household: str | None = None
) -> Fire:
    """A device tells of a fire: it opens one, or joins that of its home. ``household``: where that
    is known better than by its alert, which counts the alarms of several homes."""
    row = of_condition(session, alarm.reference)
    if row is not None and row.phase == "over":
        known = next(
            (one for one in state_of(row).alarms if one.reference == alarm.reference), alarm
        )
        if not decision.says_more(known, alarm):
            return row  # told again of what was over: it opens nothing
        session.delete(session.get_one(FireAlarm, alarm.reference))
        session.flush()
        row = None  # it is more than what was ended
    household = household or alert.household
    home = home_of(household, gateway)
    if row is None:
        row = open_at(session, home)
        if row is None:
            return _open(session, household, alert, gateway, alarm)
        session.add(FireAlarm(reference=alarm.reference, fire=row.id, alert_id=alert.id))
        step(session, row, alarm.heard, f"rings:{alarm.condition}")
    if not put(session, row, decision.rings(state_of(row), alarm), alarm.heard):
        _call_on(session, row, alarm.heard)  # ``put`` has done it where something changed
    return row


def alarm_falls_silent(session: Session, reference: str, at: datetime, now: datetime) -> None:
    """A device takes its alarm back."""
    row = of_condition(session, reference)
    if row is None or row.phase == "over":
        return
    before = state_of(row)
    after = decision.falls_silent(before, reference, at, now)
    if after != before:
        step(session, row, now, "silent")
        put(session, row, after, now)


def put(session: Session, row: Fire, after: State, now: datetime) -> bool:
    """Keep the next state, with a line for what it means; whether anything changed."""
    before = state_of(row)
    if after == before:
        return False
    for what in _meant(before, after):
        step(session, row, now, what)
    row.state = dump(after)
    row.phase, row.due = after.phase, decision.due(after)
    row.to_do = True
    session.flush()
    _call_on(session, row, now)
    feed.append(session, NEWS, row.id, now)
    return True


def relocated(session: Session, device: str, district: str | None) -> None:
    """The device, and whatever burns there, is in this district from now on."""
    session.execute(
        update(Fire)
        .where(Fire.device == device, Fire.phase != "over")
        .values(district=district)
        .execution_options(synchronize_session="fetch")
    )


def _call_on(session: Session, row: Fire, now: datetime) -> None:
    """That an alarm falls silent ends no fire: its alerts call on until the fire is ended. One
    alert may belong to several fires. Only what changes is loaded: a home whose alarms ring on
    and on has alerts without end, and each new one passes here."""
    session.flush()
    needed = row.phase in decision.WAITS
    for alert in session.scalars(_CALLED_ON[needed], {"fire": row.id}).all():
        call_on(session, alert, now, needed=needed)


def burns(session: Session, row: Fire, who: str, now: datetime) -> None:
    """Somebody who belongs to the home says that it burns. Idempotent."""
    before = state_of(row)
    if before.burns is None and before.phase != "over":
        _by_person(session, row, who, "burns", now)
    put(session, row, decision.burns(before, now), now)


def code_given(session: Session, row: Fire, who: str, now: datetime) -> None:
    """The home's code, found right (``codes.check``). Raises ``CodeTakesNothingBack``."""
    try:
        after = decision.code_given(state_of(row))
    except CodeRefused as refused:
        _by_person(session, row, who, f"code-refused:{refused.why}", now)
        raise CodeTakesNothingBack(refused.why) from None
    if after.phase != row.phase:
        _by_person(session, row, who, "code", now)
    put(session, row, after, now)


def led(session: Session, row: Fire, what: str, who: str, now: datetime, cause: str = "") -> None:
    """A step of whoever leads: ``acknowledge``, ``call``, ``arrived``, ``stand-down``,
    ``all-clear``, ``cause``. Idempotent. Raises ``FireOutOfTurn``."""
    before = state_of(row)
    try:
        after = _led(before, what, now, cause)
    except OutOfTurn as refused:
        raise FireOutOfTurn(row.phase, str(refused)) from None
    if after == before:
        return
    if row.leader is None:
        row.leader = who
    _by_person(session, row, who, what if not cause else f"{what}:{cause}", now)
    put(session, row, after, now)


def left(session: Session, row: Fire, leaving: Leaving) -> None:
    """Whoever led it may no longer: anybody who may takes it up with their next step."""
    row.leader = None
    step(session, row, leaving.now, f"leader-left:{leaving.why}", leaving.username)
    session.flush()
    audit.append(
        session,
        at=leaving.now,
        account=leaving.by,
        action="fire.leader-left",
        subject=row.id,
        detail={"leader": leaving.username, "why": leaving.why},
    )
    feed.append(session, NEWS, row.id, leaving.now)


def dump(state: State) -> dict[str, Any]:
    """As it is kept."""
    found: dict[str, Any] = STATE.dump_python(state, mode="json")
    return found


def step(session: Session, row: Fire, now: datetime, what: str, who: str | None = None) -> None:
    """One line of what happened."""
    session.add(FireStep(fire=row.id, at=now, what=what[:40], who=who and who[:120]))


def steps(session: Session, fire_id: str) -> Sequence[FireStep]:
    """In order."""
    query = select(FireStep).where(FireStep.fire == fire_id).order_by(FireStep.id)
    return session.scalars(query).all()


def alerts_of(session: Session, fire_id: str) -> Sequence[AlertRow]:
    """The alerts of its alarms that are still kept, in the order in which they were raised."""
    ids = select(FireAlarm.alert_id).where(FireAlarm.fire == fire_id)
    query = select(AlertRow).where(AlertRow.id.in_(ids)).order_by(AlertRow.raised, AlertRow.id)
    return session.scalars(query).all()


def told_of(session: Session, fire_id: str) -> Sequence[AlertRow]:
    """Those of them that people are told of: not what repeats another one."""
    found = alerts_of(session, fire_id)
    known = {alert.id for alert in found}
    return [alert for alert in found if alert.detail.get("repeats") not in known]


def _led(state: State, what: str, now: datetime, cause: str) -> State:
    match what:
        case "acknowledge":
            return decision.acknowledged(state, now)
        case "call":
            return decision.called_by_leader(state, now)
        case "arrived":
            return decision.arrived(state, now)
        case "stand-down":
            return decision.stood_down(state)
        case "all-clear":
            return decision.all_clear(state)
        case _:
            return decision.caused_by(state, next(c for c in decision.CAUSES if c == cause))


def _by_person(session: Session, row: Fire, who: str, what: str, now: datetime) -> None:
    step(session, row, now, what, who)
    audit.append(session, at=now, account=who[:64], action=f"fire.{what}"[:40], subject=row.id)


def _meant(before: State, after: State) -> list[str]:
    """What a change means, for the list of what happened."""
    found = []
    if after.calls > before.calls:
        found.append(f"called:{after.reason}")
    if after.confirmed and not before.confirmed and after.calls == before.calls:
        found.append("confirmed")
    if after.asked > before.asked:
        found.append("asked-again")
    if after.phase == "past" and before.phase != "past":
        found.append("past")
    if after.phase == "over" and before.phase == "false-alarm" and after.ended_by != "all-clear":
        found.append("over")
    return found


def home_of(household: str | None, gateway: str = "") -> str:
    """``Fire.home``."""
    return f"household:{household}" if household is not None else f"gateway:{gateway}"


def open_at(session: Session, home: str) -> Fire | None:
    """The fire there that a further alarm belongs to."""
    query = (
        select(Fire)
        .where(Fire.home == home, Fire.phase != "over")
        .order_by(Fire.opened.desc(), Fire.id)
        .with_for_update()
    )
    return next((row for row in session.scalars(query) if decision.takes_in(state_of(row))), None)


def _open(
    session: Session, household: str | None, alert: AlertRow, gateway: str, alarm: Alarm
) -> Fire:
    safety = session.get(HomeSafety, household) if household is not None else None
    window = timedelta(seconds=safety.window_s) if safety is not None else decision.WINDOW
    place = place_of(session, alarm.device)
    kitchen = KITCHEN.search(f"{place.name} {place.name_zh} {alarm.device}") is not None
    state = decision.opened(alarm, window, _setting(session, household, kitchen, alarm.heard))
    row = Fire(
        id=str(uuid.uuid4()),
        home=home_of(household, gateway),
        household=household,
        district=alert.district,
        gateway=gateway,
        device=alarm.device,
        alert_id=alert.id,
        place=place.name[:300],
        place_zh=place.name_zh[:300],
        latitude=place.latitude,
        longitude=place.longitude,
        opened=alarm.heard,
        phase=state.phase,
        due=decision.due(state),
        to_do=True,
        state=dump(state),
        done={},
    )
    session.add(row)
    session.flush()
    session.add(FireAlarm(reference=alarm.reference, fire=row.id, alert_id=alert.id))
    step(session, row, alarm.heard, f"rings:{alarm.condition}")
    session.flush()
    _call_on(session, row, alarm.heard)
    feed.append(session, NEWS, row.id, alarm.heard)
    return row


def _setting(session: Session, household: str | None, kitchen: bool, now: datetime) -> Setting:
    """What this home's earlier alarms were, as whoever led them said. Behind a gateway of nobody's
    home may be many homes."""
    if household is None:
        return Setting(kitchen)
    query = select(Fire).where(
        Fire.household == household, Fire.phase == "over", Fire.opened >= now - REMEMBERED
    )
    rows = session.scalars(query.order_by(Fire.opened.desc()).limit(_EARLIER)).all()
    causes = [state_of(row).cause for row in rows]
    return Setting(
        kitchen=kitchen,
        nuisances=sum(cause in NUISANCES for cause in causes),
        fires=causes.count("fire"),
    )


def standing(session: Session) -> int:
    """How many are not over."""
    return session.scalar(select(func.count()).select_from(Fire).where(Fire.phase != "over")) or 0
