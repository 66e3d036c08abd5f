"""Smoke: a critical alert while an alarm sees smoke; minor ones for what weakens it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

from pydantic import TypeAdapter
from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from vigil_cloud.alerts import feed
from vigil_cloud.alerts.audiences import widen
from vigil_cloud.alerts.flood import MANY
from vigil_cloud.alerts.models import AlertRow
from vigil_cloud.alerts.places import place_of
from vigil_cloud.alerts.service import REPEATS, Occurrence, record
from vigil_cloud.devices import clocks
from vigil_cloud.devices.clocks import put_right
from vigil_cloud.domain.aside import Aside
from vigil_cloud.domain.port import Complaint, Received
from vigil_cloud.identity.situation import situation_of
from vigil_cloud.jobs.port import Job, in_transaction
from vigil_cloud.smoke import fires, flapping
from vigil_cloud.smoke.decision import Alarm
from vigil_cloud.smoke.models import AlarmCondition
from vigil_cloud.smoke.names import row_of
from vigil_cloud.smoke.verdict import (
    FIRES,
    LONGEST_TEST,
    NEIGHBOURS,
    SECOND_ALARM,
    TITLES,
    UNFILED,
    AnyAlarm,
    Circumstances,
    Verdict,
    judged,
    outlasted,
)
from vigil_schemas.smoke import DOMAIN, SmokeAlarm, SmokeAlarmV1

CHECK_EVERY_S: Final = 5.0
ALARM: Final = TypeAdapter(Alarm)


class SmokeHandler:
    """Takes conditions. Activation and clearing may come in any order, any number of times."""

    types: frozenset[str] = frozenset({SmokeAlarm.TYPE, SmokeAlarmV1.TYPE})

    def handle(self, session: Session, message: Received) -> Complaint | None:
        """One change of one condition: its alert, then what it means for others. The alarm is
        stored and told whatever becomes of the rest."""
        event, now = message.data, message.received
        assert isinstance(event, AnyAlarm)  # noqa: S101 - ingest decodes by type
        feed.lock(session)
        aside = Aside(session)

        def slow() -> timedelta:
            return clocks.behind(session, message.gateway)

        condition_id, row = row_of(session, message.gateway, message.envelope.subject, event)
        around = aside.do(
            "circumstances",
            lambda: _circumstances(session, message, event, row),
            Circumstances(now),  # of which nothing makes a fire less
        )
        judgement = judged(event, around)
        verdict = aside.do(
            "home", lambda: _home_first(session, message, event, judgement), judgement
        )
        told = not event.active and aside.do(
            "end", lambda: not fires.is_led(session, condition_id), False
        )
        alert = self._record(session, aside, message, condition_id, row, verdict, end_is_told=told)
        rings = verdict.severity == "critical" and event.active
        if rings:
            aside.do("title", lambda: _retitle(session, alert, verdict, event), None)
        timed = not event.active or _is_fire(event, verdict) or verdict.in_test
        behind = aside.do("clock", slow, timedelta()) if timed else timedelta()
        over = put_right(event.since, behind, now)
        alarm = _alarm(condition_id, message, event, behind) if event.active and timed else None
        known = row or _new(message, condition_id, event, alert)
        _keep(known, event, verdict, now)
        _keep_rings(known, alarm, behind, now)
        if row is None and (verdict.in_test or _is_recorded(session, alert, known)):
            session.add(known)
        session.flush()
        if not event.active:
            aside.do(
                "silence", lambda: fires.alarm_falls_silent(session, condition_id, over, now), None
            )
        elif alarm is not None and _is_fire(event, verdict):
            _open_fire(session, aside, known, alert, alarm)
        if rings and known.cleared is None and around.others_test:
            aside.do("tests", lambda: self._end_tests(session, known, now), None)
        return aside.complaint

    @staticmethod
    def _record(  # noqa: PLR0913 - one event with all that was found out about it
        session: Session,
        aside: Aside,
        message: Received,
        condition_id: str,
        row: AlarmCondition | None,
        verdict: Verdict,
        *,
        end_is_told: bool,
    ) -> AlertRow:
        """Its alert: one of its own, or that of the flapping alarm which it rings on for."""
        event, now = message.data, message.received
        assert isinstance(event, AnyAlarm)  # noqa: S101 - ingest decodes by type
        reference = condition_id.partition(":")[2]
        alert = None if row is None else session.get(AlertRow, row.alert_id)
        # A flood's alert keeps which of its alarms ended: no other alarm rings on for one of them.
        if row is not None and (alert is None or alert.kind != MANY):
            reference = aside.do("alert", lambda: flapping.reference_of(session, row), reference)
            if not event.active and alert is not None and flapping.ring_on(session, row):
                return alert
        occurrence = _occurrence(
            session, message, reference, event, verdict, end_is_told=end_is_told
        )
        before = aside.do(
            "flapping",
            lambda: (
                flapping.of_before(
                    session, message.gateway, occurrence.device, event.condition, verdict, now
                )
                if row is None and event.active
                else None
            ),
            None,
        )
        if before is None:
            return record(session, occurrence, now)
        if event.condition in FIRES:
            repeats = {**occurrence.detail, REPEATS: before.id}
            alert = record(session, replace(occurrence, detail=repeats, quiet=True), now)
            flapping.count(session, before, now)
            return alert
        times = flapping.join(session, before, now)
        again = occurrence.tell_again or flapping.reason(times)
        detail = {**occurrence.detail, flapping.TIMES: times, "cleared": None}
        _prefix, _, reference = before.key.partition(f":{message.gateway}:")
        joined = replace(
            occurrence, reference=reference, detail=detail, tell_again=again, supersedes=True
        )
        return record(session, joined, now)

    @staticmethod
    def _end_tests(session: Session, rings: AlarmCondition, now: datetime) -> None:
        """Whatever else rings behind this gateway as a mere test is a fire."""
        others = select(AlarmCondition).where(
            AlarmCondition.gateway == rings.gateway,
            AlarmCondition.in_test,
            AlarmCondition.cleared.is_(None),
            AlarmCondition.id != rings.id,
        )
        for other in session.scalars(others.with_for_update()):
            same = other.device == rings.device
            call_fire(session, other, rings.condition if same else SECOND_ALARM, now)


_RINGING: Final = select(AlarmCondition).where(
    AlarmCondition.in_test, AlarmCondition.cleared.is_(None)
)
"""Believed to be a self test."""


def smoke_job() -> Job:
    """Smoke that outlasts its self test becomes a fire, also where its gateway says no more."""
    every = timedelta(seconds=CHECK_EVERY_S)
    return Job(
        "smoke-outlasts-its-test",
        every,
        in_transaction(end_outlasted_tests),
        waiting=lambda session, _now: session.scalar(_RINGING.limit(1)) is not None,
    )


def end_outlasted_tests(session: Session, now: datetime) -> bool:
    """Judged by our clock and our tables alone. Whether anything changed."""
    changed = False
    if session.scalar(_RINGING.limit(1)) is None:
        return False
    feed.lock(session)  # before the rows, as those who take events do
    for row in session.scalars(_RINGING.with_for_update()).all():
        reason = outlasted(row.heard or now, _test_over(session, row), now)
        if reason is not None:
            call_fire(session, row, reason, now)
            changed = True
    return changed


def call_fire(session: Session, row: AlarmCondition, reason: str, now: datetime) -> None:
    """What was a mere test is a fire: everybody is told, whatever fails beside that. The caller
    holds the feed's lock."""
    row.in_test = False
    alert = session.get(AlertRow, row.alert_id)  # old ones are removed (see retention)
    place = place_of(session, row.device)
    title, title_zh = TITLES[row.condition]
    told = record(
        session,
        Occurrence(
            domain=DOMAIN,
            reference=flapping.reference_of(session, row),
            kind=row.condition,
            gateway=row.gateway,
            device=row.device,
            title=title.format(place=place.name),
            title_zh=title_zh.format(place=place.name_zh),
            severity="critical",
            event_time=alert.event_time if alert is not None else row.activated or now,
            active=True,
            detail={
                "alarm_id": row.id.partition(":")[2],
                "condition": row.condition,
                "during_test": False,
                "no_test_because": reason,
            },
            supersedes=True,
            audience="all",
            tell_again=reason[:40],
            latitude=place.latitude,
            longitude=place.longitude,
        ),
        now,
    )
    _open_fire(session, Aside(session), row, told, alarm_of(row, now))


def alarm_of(row: AlarmCondition, heard: datetime | None = None) -> Alarm:
    """As fires take it, from what is kept; ``heard``: then, and not when it rang last."""
    if row.rings is not None:
        kept = ALARM.validate_python(row.rings)
        return replace(kept, heard=heard or kept.heard)
    known = heard or row.heard or row.activated
    assert known is not None  # noqa: S101 - it has rung
    return Alarm(row.id, row.device, row.condition, row.activated or known, known, over=row.cleared)


def _open_fire(
    session: Session, aside: Aside, row: AlarmCondition, alert: AlertRow, alarm: Alarm
) -> None:
    """Its fire, that is its home asked and 119 called. Where that fails it is owed, and everybody
    is told at once: nobody may wait for a window that nothing counts."""

    def ring() -> bool:
        fires.alarm_rings(session, alert, row.gateway, alarm)
        return True

    owed_before = row.fire_owed
    rang = aside.do("fire", ring, False)
    # One that was owed is so until ``owed`` has joined to it what 119 was told meanwhile.
    row.fire_owed = owed_before or not rang
    if not rang:
        row.owed_times += not owed_before
        session.add(row)  # of a flood as well
        why = f"{UNFILED} #{hashlib.sha256(row.id.encode()).hexdigest()[:8]}"
        aside.do("everybody", lambda: widen(session, alert, "all", why, alarm.heard), None)
    session.flush()


def _new(message: Received, condition_id: str, event: AnyAlarm, alert: AlertRow) -> AlarmCondition:
    return AlarmCondition(
        id=condition_id,
        gateway=message.gateway,
        device=message.envelope.subject,
        condition=event.condition,
        alert_id=alert.id,
        in_test=False,
        fire_owed=False,
        owed_times=0,
    )


def _is_recorded(session: Session, alert: AlertRow, known: AlarmCondition) -> bool:
    """Of a flood, whose counted alert says how often and what has ended, each device's fire once: a
    contact that chatters makes no rows without end."""
    if alert.kind != MANY:
        return True
    if known.condition not in FIRES:
        return False
    same = select(AlarmCondition.id).where(
        AlarmCondition.device == known.device,
        AlarmCondition.gateway == known.gateway,
        AlarmCondition.condition == known.condition,
        AlarmCondition.alert_id == alert.id,
    )
    return session.scalar(same.limit(1)) is None


def _is_fire(event: AnyAlarm, verdict: Verdict) -> bool:
    return event.condition in FIRES and verdict.severity == "critical"


def _home_first(session: Session, message: Received, event: AnyAlarm, verdict: Verdict) -> Verdict:
    """Of a fire those who live there are told first, unless everybody is called to it already."""
    if not event.active or not _is_fire(event, verdict):
        return verdict
    now, device = message.received, message.envelope.subject
    household = situation_of(session, device, message.gateway, now).household
    if fires.asks_first(session, household, now) and not fires.is_called(session, household):
        return verdict._replace(audience="residents")
    return verdict


def _alarm(condition_id: str, message: Received, event: AnyAlarm, slow: timedelta) -> Alarm:
    """``slow``: how far its gateway's clock is behind; what rings now is no late report."""
    late = event.unconfirmed_since if isinstance(event, SmokeAlarm) else None
    signs = event.signs if isinstance(event, SmokeAlarm) else []
    return Alarm(
        reference=condition_id,
        device=message.envelope.subject,
        condition=event.condition,
        began=put_right(late or event.since, slow, message.received),
        heard=message.received,
        signs=tuple(signs),
    )


def _circumstances(
    session: Session, message: Received, event: AnyAlarm, row: AlarmCondition | None
) -> Circumstances:
    now, device = message.received, message.envelope.subject
    if not event.active or event.condition not in FIRES:
        return Circumstances(now)
    lasting = select(AlarmCondition).where(
        AlarmCondition.gateway == message.gateway,
        AlarmCondition.cleared.is_(None),
        or_(AlarmCondition.heard > now - NEIGHBOURS, AlarmCondition.in_test),
    )
    lasts = session.scalars(lasting).all()
    found = [one for one in lasts if one.heard is not None and one.heard > now - NEIGHBOURS]
    return Circumstances(
        now,
        testing=any(
            one.device == device and one.condition == "test" and now - _heard(one) <= LONGEST_TEST
            for one in found
        ),
        neighbour=any(
            one.device != device
            and one.condition in FIRES
            and not one.in_test  # two alarms that are tested at once are two tests
            and not _is_unconfirmed(session, one)
            for one in found
        ),
        # A report that comes late takes nothing away of what was told without any doubt.
        fire_before=row is not None
        and row.activated is not None
        and not row.in_test
        and not _is_unconfirmed(session, row),
        unconfirmed_before=row is not None and _is_unconfirmed(session, row),
        others_test=any(one.in_test and one is not row for one in lasts),
    )


def _is_unconfirmed(session: Session, row: AlarmCondition) -> bool:
    alert = session.get(AlertRow, row.alert_id)
    return alert is not None and "unconfirmed_since" in alert.detail


def _heard(row: AlarmCondition) -> datetime:
    assert row.heard is not None  # noqa: S101 - the query asks for such alone
    return row.heard


def _test_over(session: Session, row: AlarmCondition) -> datetime | None:
    """When the self test that it came with was heard to end; ``None`` while it runs, or where
    none was heard of."""
    if row.heard is None:
        return None
    test = session.scalar(
        select(AlarmCondition)
        .where(
            AlarmCondition.gateway == row.gateway,
            AlarmCondition.device == row.device,
            AlarmCondition.condition == "test",
            AlarmCondition.heard > row.heard - LONGEST_TEST,
        )
        .order_by(AlarmCondition.heard.desc())
        .limit(1)
    )
    return test.over_heard if test is not None else None


def _occurrence(
    session: Session,
    message: Received,
    reference: str,
    event: AnyAlarm,
    verdict: Verdict,
    *,
    end_is_told: bool,
) -> Occurrence:
    device = message.envelope.subject
    place = place_of(session, device)
    title, title_zh = _titles(verdict, event, place.name, place.name_zh)
    return Occurrence(
        domain=DOMAIN,
        reference=reference,
        kind=verdict.kind,
        gateway=message.gateway,
        device=device,
        title=title,
        title_zh=title_zh,
        severity=verdict.severity,
        event_time=event.since,
        active=event.active,
        ended=None if event.active else event.since,
        detail=_detail(event, verdict),
        marks=message.marks,
        supersedes=event.active and verdict.severity == "critical",
        audience=verdict.audience,
        end_is_told=event.active or end_is_told,
        tell_again=verdict.tell_again,
        latitude=place.latitude,
        longitude=place.longitude,
    )


def _titles(verdict: Verdict, event: AnyAlarm, place: str, place_zh: str) -> tuple[str, str]:
    day = getattr(event, "unconfirmed_since", None) or event.since
    return (
        verdict.titles[0].format(place=place, day=f"{day.day} {day:%b}"),
        verdict.titles[1].format(place=place_zh, day_zh=f"{day.month} 月 {day.day} 日"),
    )


def _retitle(session: Session, alert: AlertRow, verdict: Verdict, event: AnyAlarm) -> None:
    """A possible fire that is one: the alert itself says so, whatever its severity was."""
    if "unconfirmed_since" not in alert.detail or verdict.titles != TITLES[event.condition]:
        return
    place = place_of(session, alert.device)
    alert.title, alert.title_zh = _titles(verdict, event, place.name, place.name_zh)
    alert.kind = verdict.kind
    alert.detail = {k: v for k, v in alert.detail.items() if k != "unconfirmed_since"}
    session.flush()


def _detail(event: AnyAlarm, verdict: Verdict) -> Mapping[str, Any]:
    """A clearing adds to what the activation said and takes nothing of it away."""
    if not event.active:
        told = event.model_dump(mode="json", include={"alarm_id", "condition", "since"})
        return {
            "alarm_id": told["alarm_id"],
            "condition": told["condition"],
            "cleared": told["since"],
        }
    detail = event.model_dump(mode="json", exclude_none=True)
    if event.condition in FIRES:
        detail["during_test"] = verdict.in_test
    return detail


def _keep_rings(row: AlarmCondition, alarm: Alarm | None, behind: timedelta, now: datetime) -> None:
    """``alarm``: as it rings now; ``None``: it has fallen silent."""
    if alarm is None:
        if row.rings is None:
            return
        alarm = ALARM.validate_python(row.rings)
    over = put_right(row.cleared, behind, now) if row.cleared is not None else None
    row.rings = ALARM.dump_python(replace(alarm, over=alarm.over or over), mode="json")


def _keep(row: AlarmCondition, event: AnyAlarm, verdict: Verdict, now: datetime) -> None:
    if event.active:
        if row.activated is None:
            row.activated, row.heard = event.since, now
            row.in_test = verdict.in_test
        row.in_test = row.in_test and verdict.in_test
    else:
        row.cleared = row.cleared or event.since
        row.over_heard = row.over_heard or now
    if event.battery_percent is not None:
        row.battery_percent = event.battery_percent
