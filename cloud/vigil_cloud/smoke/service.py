"""Smoke: a critical alert while an alarm sees smoke; minor ones for what weakens it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from vigil_cloud.alerts import feed
from vigil_cloud.alerts.flood import MANY
from vigil_cloud.alerts.models import AlertRow
from vigil_cloud.alerts.service import REPEATS, record
from vigil_cloud.devices import clocks
from vigil_cloud.devices.clocks import put_right
from vigil_cloud.domain.aside import Aside, handled_in_parts
from vigil_cloud.domain.port import Complaint, Group, Received
from vigil_cloud.identity.situation import situation_of
from vigil_cloud.smoke import fires, flapping, losses, returns
from vigil_cloud.smoke.circumstances import circumstances_of
from vigil_cloud.smoke.conditions import keep, keep_rings, new_condition
from vigil_cloud.smoke.decision import Alarm
from vigil_cloud.smoke.fire_opening import open_fire
from vigil_cloud.smoke.models import AlarmCondition
from vigil_cloud.smoke.names import row_of
from vigil_cloud.smoke.occurrences import occurrence_of, retitle
from vigil_cloud.smoke.self_tests import call_fire
from vigil_cloud.smoke.verdict import (
    FIRES,
    SECOND_ALARM,
    AnyAlarm,
    Circumstances,
    Verdict,
    judged,
)
from vigil_schemas.smoke import SmokeAlarm, SmokeAlarmV1


class SmokeHandler:
    """Takes conditions. Activation and clearing may come in any order, any number of times."""

    types: frozenset[str] = frozenset({SmokeAlarm.TYPE, SmokeAlarmV1.TYPE})

    ends_alerts: Final = True

    def fits(self, message: Received) -> bool:
        """What weakens an alarm, and its end: of a bridge that is lost, and back, they come by the
        hundred."""
        return returns.fits(message) or losses.fits(message)

    def group(self, session: Session, messages: Sequence[Received]) -> Group:
        """Those that are plain. Of a gateway that says both, in any order, nothing: what ends and
        what begins may meet in one counted alert."""
        kinds: dict[str, set[bool]] = defaultdict(set)
        for one in messages:
            kinds[one.gateway].add(losses.fits(one))
        parts = []
        for begins, take in ((False, returns.group), (True, losses.group)):
            places = [at for at, one in enumerate(messages) if kinds[one.gateway] == {begins}]
            if places:
                parts.append((places, take(session, [messages[place] for place in places])))

        def write(session: Session, accepted: Collection[int]) -> None:
            for places, group in parts:
                group.write(session, [at for at in group.messages if places[at] in accepted])

        return Group([places[at] for places, group in parts for at in group.messages], write)

    def handle(self, session: Session, message: Received) -> Complaint | None:
        """One change of one condition: its alert, then what it means for others. The alarm is
        stored and told whatever becomes of the rest."""
        feed.lock(session)
        return handled_in_parts(session, lambda aside: self._handle(session, message, aside))

    def _handle(self, session: Session, message: Received, aside: Aside) -> None:
        event, now = message.data, message.received
        assert isinstance(event, AnyAlarm)  # noqa: S101 - ingest decodes by type

        def slow() -> timedelta:
            return clocks.behind(session, message.gateway)

        condition_id, row = row_of(session, message.gateway, message.envelope.subject, event)
        around = aside.do(
            "circumstances",
            lambda: circumstances_of(session, message, event, row),
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
            aside.do("title", lambda: retitle(session, alert, verdict, event), None)
        timed = not event.active or _is_fire(event, verdict) or verdict.in_test
        behind = aside.do("clock", slow, timedelta()) if timed else timedelta()
        over = put_right(event.since, behind, now)
        alarm = _alarm(condition_id, message, event, behind) if event.active and timed else None
        known = row or new_condition(message, condition_id, event, alert)
        keep(known, event, verdict, now)
        keep_rings(known, alarm, behind, now)
        if row is None and (verdict.in_test or _is_recorded(session, alert, known)):
            session.add(known)
        session.flush()
        if not event.active:
            aside.do(
                "silence", lambda: fires.alarm_falls_silent(session, condition_id, over, now), None
            )
        elif alarm is not None and _is_fire(event, verdict):
            open_fire(session, aside, known, alert, alarm)
        if rings and known.cleared is None and around.others_test:
            aside.do("tests", lambda: self._end_tests(session, known, now), None)

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
        occurrence = occurrence_of(
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
        density=event.smoke_density if isinstance(event, SmokeAlarm) else None,
        rises=(event.rises or 0) if isinstance(event, SmokeAlarm) else 0,
    )
