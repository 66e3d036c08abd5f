"""What a guardian wants to be told of one person. A visit alone is no alert.

Each person has at most one rule of a kind, set by a guardian within bounds, with hours of quiet.
Rules that follow a visit are asked as it comes, and only while it says something of now: what is
told late, or of before, raises nothing; what began in the quiet hours is raised with the first
sign after them that it still holds. Rules that follow silence are asked by a job (``rule_watch``),
which raises after the quiet hours what still holds, sign or none.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, model_validator
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from vigil_cloud.alerts import feed
from vigil_cloud.alerts.places import Place, place_of
from vigil_cloud.alerts.schema import Severity
from vigil_cloud.alerts.service import Occurrence, record
from vigil_cloud.checkin.models import PersonRule, Visit
from vigil_cloud.city_time import CITY_ZONE
from vigil_cloud.geodesy import distance_m
from vigil_cloud.identity import audit, persons
from vigil_schemas.checkin import DOMAIN
from vigil_schemas.types import isoformat_utc

KIND: Final = "person-rule"
FRESH: Final = timedelta(minutes=30)
"""A sign older than this says nothing of where somebody is now."""
DAY_MINUTES: Final = 1440
_HABIT: Final = timedelta(days=60)
_HABIT_VISITS: Final = 20
"""So many visits of the last two months, before a place can be unusual."""
DOUBTFUL: Final = (" (doubtful: perhaps a copy of the amulet)", "（可疑，可能是複製的平安符）")
"""Behind every title of a visit that may not be theirs."""
Minute = Annotated[int, Field(ge=0, lt=DAY_MINUTES)]


class _Settings(BaseModel):
    model_config = ConfigDict(
        strict=True, extra="forbid", frozen=True, use_attribute_docstrings=True, allow_inf_nan=False
    )


class _Zone(_Settings):
    latitude: Annotated[float, Field(ge=-90, le=90)]
    longitude: Annotated[float, Field(ge=-180, le=180)]
    radius_m: Annotated[float, Field(ge=100, le=20_000)]


class Seen(_Settings):
    """Each stay at a station."""

    kind: Literal["seen"] = "seen"


class Unseen(_Settings):
    """No station has seen them for so many hours."""

    kind: Literal["unseen"] = "unseen"
    hours: Annotated[int, Field(ge=1, le=168)]


class LeftZone(_Zone):
    """Seen outside of the area in which they are safe."""

    kind: Literal["left-zone"] = "left-zone"


class AtNight(_Zone):
    """Seen outside of their home's surroundings at night, by the city's clock."""

    kind: Literal["at-night"] = "at-night"
    night_from: Minute = 22 * 60
    night_until: Minute = 5 * 60
    """Minutes after midnight."""


class Unusual(_Settings):
    """Seen at a station where they were not for two months."""

    kind: Literal["unusual"] = "unusual"


class AmuletSilent(_Settings):
    """The amulet was not heard for so many hours: is it lost, or its battery empty?"""

    kind: Literal["amulet-silent"] = "amulet-silent"
    hours: Annotated[int, Field(ge=12, le=720)]


class BatteryLow(_Settings):
    """The amulet's battery is below this."""

    kind: Literal["battery-low"] = "battery-low"
    below_mv: Annotated[int, Field(ge=1800, le=3600)] = 2400


class NotWorn(_Settings):
    """The amulet has not moved for so many hours: it lies somewhere."""

    kind: Literal["not-worn"] = "not-worn"
    hours: Annotated[int, Field(ge=10, le=168)]


Rule = Annotated[
    Seen | Unseen | LeftZone | AtNight | Unusual | AmuletSilent | BatteryLow | NotWorn,
    Field(discriminator="kind"),
]
RULE: Final[TypeAdapter[Rule]] = TypeAdapter(Rule)
KINDS: Final = (
    "seen",
    "unseen",
    "left-zone",
    "at-night",
    "unusual",
    "amulet-silent",
    "battery-low",
    "not-worn",
)
_SEVERITIES: Final[Mapping[str, Severity]] = {
    "unseen": "major",
    "left-zone": "major",
    "at-night": "major",
    "unusual": "minor",
    "amulet-silent": "minor",
    "battery-low": "info",
    "not-worn": "minor",
}


class RuleBody(BaseModel):
    """One rule, and when nobody wants to hear of it."""

    model_config = ConfigDict(strict=True, extra="forbid", use_attribute_docstrings=True)

    rule: Rule
    quiet_from: Minute | None = None
    quiet_until: Minute | None = None
    """Minutes of the city's day, over midnight where the end is before the begin."""

    @model_validator(mode="after")
    def _both_or_none(self) -> RuleBody:
        if (self.quiet_from is None) != (self.quiet_until is None):
            raise ValueError("give both ends of the quiet hours, or none")
        return self


def put_rule(session: Session, person_key: str, body: RuleBody, *, by: str, now: datetime) -> None:
    """Set a rule in place of an earlier one of its kind; what stood by that is over. The same
    again changes nothing. The caller has asked the right to it."""
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
        return
    else:
        end_for(session, row, now, now)
    row.settings = settings
    row.quiet_from, row.quiet_until, row.changed = body.quiet_from, body.quiet_until, now
    session.flush()
    audit.append(
        session, at=now, account=by, action="rule.set", subject=kind, person_key=person_key
    )


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
    """Raise or end what the person's rules say of this visit, but "each stay"
    (``relatives.tell_relatives``). The caller holds ``feed.lock``."""
    place = place_of(session, visit.device)
    says_now = not visit.late and now - visit.last_seen <= FRESH
    says_now = says_now and not _overtaken(session, visit)
    for row in rows:
        rule = read(row)
        if isinstance(rule, Unseen | AmuletSilent):
            # A copy of the amulet must not end it.
            if not visit.doubt and now - visit.last_seen < timedelta(hours=rule.hours):
                end_for(session, row, visit.last_seen, now)
            continue
        holds = _holds(session, rule, visit, place) if says_now else None
        if holds and not quiet(row, now):
            since = visit.arrived
            if isinstance(rule, NotWorn) and visit.still_since is not None:
                since = visit.still_since
            raise_for(session, row, rule, visit, since, now, marks)
        elif holds is False and not visit.doubt:  # None: nothing can be said
            end_for(session, row, visit.last_seen, now)


def _holds(session: Session, rule: Rule, visit: Visit, place: Place) -> bool | None:
    """Whether it is to be told; ``False`` ends what stands, ``None`` leaves it alone."""
    match rule:
        case LeftZone():
            return _outside(rule, place)
        case AtNight():
            away = _outside(rule, place)
            night = within(visit.last_seen, rule.night_from, rule.night_until)
            return away and night if away is not None else None
        case Unusual():
            return visit.departed is None and _unusual(session, visit)
        case BatteryLow():
            return None if visit.battery_mv is None else visit.battery_mv < rule.below_mv
        case NotWorn():
            since = visit.still_since
            return since is not None and visit.last_seen - since >= timedelta(hours=rule.hours)
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


def _outside(zone: _Zone, place: Place) -> bool | None:
    if place.latitude is None or place.longitude is None:
        return None
    here = (place.latitude, place.longitude)
    return distance_m((zone.latitude, zone.longitude), here) > zone.radius_m


def _unusual(session: Session, visit: Visit) -> bool:
    """Asked once for each visit: what is usual does not change while it goes on."""
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
    visit: Visit,
    since: datetime,
    now: datetime,
    marks: Mapping[str, Any] | None = None,
) -> None:
    """Tell the person's people. What stands by this rule stands on."""
    if row.reference is not None:
        return
    place = place_of(session, visit.device)
    row.reference = _reference(row, now)
    title, title_zh = _titles(rule, place)
    if visit.doubt is not None:
        title, title_zh = title + DOUBTFUL[0], title_zh + DOUBTFUL[1]
    occurrence = Occurrence(
        domain=DOMAIN,
        reference=row.reference,
        kind=KIND,
        gateway="",
        device=visit.device,
        title=title,
        title_zh=title_zh,
        severity=_SEVERITIES[row.kind],
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


def _detail(rule: Rule, visit: Visit) -> dict[str, Any]:
    said: dict[str, Any] = {
        "rule": rule.kind,
        "last_seen": isoformat_utc(visit.last_seen),
        "hours": getattr(rule, "hours", None),
        "battery_mv": visit.battery_mv if isinstance(rule, BatteryLow) else None,
        "doubt": visit.doubt,
    }
    return {key: value for key, value in said.items() if value is not None}


def end_for(session: Session, row: PersonRule, ended: datetime, now: datetime) -> None:
    """What stood by this rule is over. Idempotent."""
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


def _titles(rule: Rule, place: Place) -> tuple[str, str]:
    here, here_zh = place.name, place.name_zh
    match rule:
        case Unseen():
            return (
                f"{{person}} was not seen for {rule.hours} hours, last at {here}",
                f"{{person}} 已 {rule.hours} 小時未出現，最後在 {here_zh}",
            )
        case LeftZone():
            return (
                f"{{person}} is outside of the safe area, at {here}",
                f"{{person}} 離開安全範圍，在 {here_zh}",
            )
        case AtNight():
            return (f"{{person}} is out at night, at {here}", f"{{person}} 深夜外出，在 {here_zh}")
        case Unusual():
            return (
                f"{{person}} is at an unusual place: {here}",
                f"{{person}} 在平常不去的地點：{here_zh}",
            )
        case AmuletSilent():
            return (
                f"The amulet of {{person}} was not heard for {rule.hours} hours",
                f"{{person}} 的平安符已 {rule.hours} 小時無訊號",
            )
        case BatteryLow():
            return (
                "The battery of {person}'s amulet is low",
                "{person} 的平安符電量低",
            )
        case _:
            return (
                "The amulet of {person} does not move: is it worn?",
                "{person} 的平安符一直沒有移動，是否戴在身上？",
            )
