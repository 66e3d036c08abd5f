"""What a guardian wants to be told of one person. A visit alone is no alert.

Each person has at most one rule of a kind, set by a guardian within bounds, with hours of quiet.
Whoever is enrolled begins with a few (``rule_kinds.PRESET``), which the guardian is asked about.

Rules that follow a visit are asked as it comes, and only while it says something of now: what is
told late, or of before, raises nothing. What comes to hold in the quiet hours is held back and
raised at their end (``rule_watch``), sign or none, unless something has ended it meanwhile; whoever
is out at night is told of at once. Rules that follow silence are asked by a job, which raises after
the quiet hours what still holds.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import Any, Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from vigil_cloud.alerts import feed
from vigil_cloud.alerts.places import NOWHERE, Place
from vigil_cloud.alerts.service import Occurrence, record
from vigil_cloud.checkin.models import PersonRule, Visit
from vigil_cloud.checkin.positions import place_of_visit
from vigil_cloud.checkin.rule_kinds import (
    NIGHT,
    PRESET,
    RULE,
    SEVERITIES,
    AmuletSilent,
    AtNight,
    BatteryLow,
    LeftZone,
    NotWorn,
    Rule,
    RuleBody,
    Unseen,
    Unusual,
    Zone,
)
from vigil_cloud.checkin.rule_titles import titles_of
from vigil_cloud.city_time import CITY_ZONE
from vigil_cloud.geodesy import distance_m
from vigil_cloud.identity import audit, persons
from vigil_cloud.identity.models import AuditEntry
from vigil_schemas.checkin import DOMAIN
from vigil_schemas.types import isoformat_utc

KIND: Final = "person-rule"
FRESH: Final = timedelta(minutes=30)
"""A sign older than this says nothing of where somebody is now."""
_HABIT: Final = timedelta(days=60)
_HABIT_VISITS: Final = 20
"""So many visits of the last two months, before a place can be unusual."""


def put_rule(session: Session, person_key: str, body: RuleBody, *, by: str, now: datetime) -> None:
    """Set a rule in place of an earlier one of its kind; what stood by that is over. The same
    again changes nothing, but that it is chosen now. The caller has asked the right to it."""
    feed.lock(session)
    kind = body.rule.kind
    settings = body.rule.model_dump(mode="json", exclude={"kind"})
    row = session.get(PersonRule, (person_key, kind))
    if row is None:
        row = PersonRule(person_key=person_key, kind=kind)
        session.add(row)
    elif (row.settings, row.quiet_from, row.quiet_until) == (
        settings,
        body.quiet_from,
        body.quiet_until,
    ):
        if row.preset:  # kept as it was: what it has counted so far goes on
            row.preset = False
            session.flush()
            _note_set(session, person_key, kind, by, now)
        return
    elif row.settings != settings:
        end_for(session, row, now, now)
    row.settings = settings
    row.quiet_from, row.quiet_until, row.changed = body.quiet_from, body.quiet_until, now
    row.preset = False
    session.flush()
    _note_set(session, person_key, kind, by, now)


def _note_set(session: Session, person_key: str, kind: str, by: str, now: datetime) -> None:
    audit.append(
        session, at=now, account=by, action="rule.set", subject=kind, person_key=person_key
    )


def begin(session: Session, person_key: str, *, by: str, now: datetime) -> None:
    """Whoever is given their first amulet has the rules that one begins with, unless a guardian
    has set or ended any: nobody goes unheard because nobody has chosen yet."""
    if session.scalar(select(PersonRule.kind).where(PersonRule.person_key == person_key).limit(1)):
        return
    chosen = select(AuditEntry.number).where(
        AuditEntry.person_key == person_key, AuditEntry.action.in_(("rule.set", "rule.removed"))
    )
    if session.scalar(chosen.limit(1)) is not None:
        return
    for body in PRESET:
        session.add(
            PersonRule(
                person_key=person_key,
                kind=body.rule.kind,
                settings=body.rule.model_dump(mode="json", exclude={"kind"}),
                quiet_from=body.quiet_from,
                quiet_until=body.quiet_until,
                changed=now,
                preset=True,
            )
        )
    session.flush()
    kinds = [body.rule.kind for body in PRESET]
    audit.append(
        session, at=now, account=by, action="rule.preset", subject="", person_key=person_key,
        detail={"kinds": kinds},
    )  # fmt: skip


def read(row: PersonRule) -> Rule:
    """As it is kept."""
    return RULE.validate_python({**row.settings, "kind": row.kind})


def within(moment: datetime, begin: int, end: int) -> bool:
    """Whether the city's clock stands between two minutes of the day, over midnight as well. The
    same minute twice is never."""
    local = moment.astimezone(CITY_ZONE)
    minute = local.hour * 60 + local.minute
    return begin <= minute < end if begin <= end else minute >= begin or minute < end


def quiet(row: PersonRule, now: datetime) -> bool:
    """Whether the guardian wants to hear nothing of this now."""
    if row.quiet_from is None or row.quiet_until is None:
        return False
    return within(now, row.quiet_from, row.quiet_until)


def tell_of_visit(
    session: Session,
    visit: Visit,
    rows: Sequence[PersonRule],
    now: datetime,
    marks: Mapping[str, Any] | None = None,
) -> None:
    """Raise, hold back or end what the person's rules say of this visit, but "each stay"
    (``relatives.tell_relatives``). The caller holds ``feed.lock``."""

    @cache
    def says_now() -> bool:
        if visit.late or now - visit.last_seen > FRESH:
            return False
        return not _overtaken(session, visit)

    for row in rows:
        rule = read(row)
        if isinstance(rule, Unseen | AmuletSilent):
            # A copy of the amulet must not end it.
            if not visit.doubt and now - visit.last_seen < timedelta(hours=rule.hours):
                end_for(session, row, visit.last_seen, now)
            continue
        if isinstance(rule, BatteryLow | NotWorn):  # costs no question, and says nothing mostly
            holds = _holds(session, rule, visit)
            if holds is None or (not holds and row.reference is None and row.held is None):
                continue
        if says_now() and (holds := _holds(session, rule, visit)) is not None:
            _act_on(session, row, rule, visit, now, marks, holds=holds)


def _act_on(  # noqa: PLR0913 - a rule, a visit, and what the one says of the other
    session: Session,
    row: PersonRule,
    rule: Rule,
    visit: Visit,
    now: datetime,
    marks: Mapping[str, Any] | None,
    *,
    holds: bool,
) -> None:
    if not holds:
        if not visit.doubt:
            end_for(session, row, visit.last_seen, now)
    elif not quiet(row, now) or presses(rule, visit.last_seen):
        raise_for(session, row, rule, visit, since_of(rule, visit), now, marks)
    elif row.reference is None:
        row.held = visit.id


def since_of(rule: Rule, visit: Visit) -> datetime:
    """Since when what a visit tells by this rule is so."""
    if isinstance(rule, NotWorn) and visit.still_since is not None:
        return visit.still_since
    return visit.arrived


def presses(rule: Rule, moment: datetime) -> bool:
    """Whether it cannot wait then for the end of the quiet hours: whoever is out at night is in
    danger by morning, and whoever sleeps would not be looking for them."""
    return isinstance(rule, AtNight | LeftZone) and within(moment, *NIGHT)


def _holds(session: Session, rule: Rule, visit: Visit) -> bool | None:
    """Whether it is to be told; ``False`` ends what stands, ``None`` leaves it alone."""
    match rule:
        case BatteryLow():
            return None if visit.battery_mv is None else visit.battery_mv < rule.below_mv
        case NotWorn():
            since = visit.still_since
            return since is not None and visit.last_seen - since >= timedelta(hours=rule.hours)
        case Unusual():
            return visit.departed is None and _unusual(session, visit)
        case LeftZone():
            return _outside(rule, place_of_visit(session, visit))
        case AtNight():
            away = _outside(rule, place_of_visit(session, visit))
            night = within(visit.last_seen, rule.night_from, rule.night_until)
            return away and night if away is not None else None
        case _:
            return None


def _overtaken(session: Session, visit: Visit) -> bool:
    """Whether they were heard elsewhere since. A station says minutes later that somebody left it:
    that says nothing of where they are by then."""
    later = select(Visit.id).where(
        Visit.person_key == visit.person_key,
        Visit.last_seen > visit.last_seen,
        Visit.device != visit.device,
        Visit.doubt.is_(None),
    )
    return session.scalar(later.limit(1)) is not None


def _outside(zone: Zone, place: Place) -> bool | None:
    if place.latitude is None or place.longitude is None:
        return None
    here = (place.latitude, place.longitude)
    return distance_m((zone.latitude, zone.longitude), here) > zone.radius_m


def _unusual(session: Session, visit: Visit) -> bool:
    """Asked once for each visit: what is usual does not change while it goes on. Of a station that
    moves nothing is usual, and nothing unusual."""
    if visit.position_state is not None:
        return False
    lately = (
        Visit.person_key == visit.person_key,
        Visit.arrived >= visit.arrived - _HABIT,
        Visit.arrived < visit.arrived,
        Visit.doubt.is_(None),
    )
    here = select(Visit.id).where(*lately, Visit.device == visit.device).limit(1)
    if session.scalar(here) is not None:
        return False
    known = session.scalar(select(func.count()).select_from(Visit).where(*lately)) or 0
    return known >= _HABIT_VISITS


def raise_for(  # noqa: PLR0913 - what is told of one rule
    session: Session,
    row: PersonRule,
    rule: Rule,
    visit: Visit | None,
    since: datetime,
    now: datetime,
    marks: Mapping[str, Any] | None = None,
) -> None:
    """Tell the person's people. What stands by this rule stands on. ``visit``: the sign that it
    rests on; ``None``: no station has ever heard them."""
    row.held = None
    if row.reference is not None:
        return
    place = NOWHERE if visit is None else place_of_visit(session, visit)
    row.reference = _reference(row, now)
    of_place = not isinstance(rule, Unseen | AmuletSilent | BatteryLow | NotWorn)
    stale = of_place and visit is not None and now - visit.last_seen > FRESH
    title, title_zh = titles_of(rule, visit, place, now, stale=stale)
    occurrence = Occurrence(
        domain=DOMAIN,
        reference=row.reference,
        kind=KIND,
        gateway="",
        device="" if visit is None else visit.device,
        title=title,
        title_zh=title_zh,
        severity=SEVERITIES[row.kind],
        event_time=since,
        active=True,
        detail=_detail(rule, visit),
        marks=marks or {},
        person_key=row.person_key,
        person_name=persons.sealed_name(session, row.person_key),
        latitude=place.latitude,
        longitude=place.longitude,
    )
    record(session, occurrence, now)
    session.flush()


def _detail(rule: Rule, visit: Visit | None) -> dict[str, Any]:
    if visit is None:
        return {"rule": rule.kind, "hours": getattr(rule, "hours", None)}
    said: dict[str, Any] = {
        "rule": rule.kind,
        "last_seen": isoformat_utc(visit.last_seen),
        "hours": getattr(rule, "hours", None),
        "battery_mv": visit.battery_mv if isinstance(rule, BatteryLow) else None,
        "doubt": visit.doubt,
    }
    return {key: value for key, value in said.items() if value is not None}


def end_for(session: Session, row: PersonRule, ended: datetime, now: datetime) -> None:
    """What stood by this rule, or was held back, is over. Idempotent."""
    row.held = None
    if row.reference is None:
        return
    occurrence = Occurrence(
        domain=DOMAIN,
        reference=row.reference,
        kind=KIND,
        gateway="",
        device="",
        title="",
        title_zh="",
        severity="info",
        event_time=ended,
        active=False,
        ended=now,
        person_key=row.person_key,
    )
    record(session, occurrence, now)
    row.reference = None
    session.flush()


def _reference(row: PersonRule, now: datetime) -> str:
    said = f"{row.person_key} {row.kind} {now.isoformat()}"
    return f"rule:{hashlib.sha256(said.encode()).hexdigest()[:32]}"
