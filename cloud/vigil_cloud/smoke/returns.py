"""Alarms that are back, many at once: ends of conditions that call nobody out of the house.

When the power of a district or a bridge comes back, every alarm says that its link is there again.
One by one each is thirty statements (``service``); here all of a batch are looked up and written
together. Taken are those of which one plain condition and one plain alert are known; a fire, a
test, an onset, an alarm whose gateway uses one name for several things, go one by one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Final, NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from vigil_cloud.alerts import ends, feed
from vigil_cloud.alerts.flood import MANY
from vigil_cloud.alerts.models import AlertRow
from vigil_cloud.alerts.places import places_of
from vigil_cloud.alerts.service import Occurrence, say_end
from vigil_cloud.domain.port import Group, Received
from vigil_cloud.smoke.conditions import keep
from vigil_cloud.smoke.models import AlarmCondition
from vigil_cloud.smoke.names import further_stem, stem_of
from vigil_cloud.smoke.occurrences import occurrence_at
from vigil_cloud.smoke.verdict import Circumstances, Verdict, judged
from vigil_schemas.smoke import DOMAIN, SmokeAlarm

UPKEEP: Final = frozenset(
    {"link_lost", "battery_alert", "hardware_fault", "tamper", "end_of_service"}
)
"""Conditions that weaken an alarm."""
_FURTHER: Final = f"%:{'_' * 32}.%"
"""Ids of conditions whose ``alarm_id`` had been used before (``names``)."""


class _End(NamedTuple):
    message: Received
    event: SmokeAlarm
    verdict: Verdict
    row: AlarmCondition | None
    """``None``: of a flood nothing is kept but its counted alert."""
    occurrence: Occurrence


def fits(message: Received) -> bool:
    """An end of what weakens an alarm."""
    event = message.data
    return isinstance(event, SmokeAlarm) and not event.active and event.condition in UPKEEP


def group(session: Session, messages: Sequence[Received]) -> Group:
    """Those of ``messages``, each of another device or of another condition, that are plain."""
    feed.lock(session)
    found = _ends(session, messages)
    places = list(found)
    if not places:
        return Group([], lambda _session, _places: None)
    now = messages[places[0]].received
    alerts = ends.find(session, [found[place].occurrence for place in places], now)
    plain = {
        place: alerts[number]
        for number, place in enumerate(places)
        if number in alerts and _is_plain(found[place], alerts[number])
    }

    def write(session: Session, accepted: Collection[int]) -> None:
        for place in accepted:
            end = found[place]
            say_end(session, plain[place], end.occurrence, end.message.received)
            if end.row is not None:
                keep(end.row, end.event, end.verdict, end.message.received)
        ends.write(session, {alert.id: alert for alert in plain.values()}.values())

    return Group(list(plain), write)


def _is_plain(end: _End, alert: AlertRow) -> bool:
    """Its condition's own alert; of a flood the counted one."""
    return alert.kind == MANY if end.row is None else alert.id == end.row.alert_id


def _ends(session: Session, messages: Sequence[Received]) -> dict[int, _End]:
    ids = [f"{one.gateway}:{_event(one).alarm_id}" for one in messages]
    query = select(AlarmCondition).where(AlarmCondition.id.in_(ids))
    rows = {row.id: row for row in session.scalars(query)}
    alerts = _alerts(session, rows.values())
    doubtful = _further(session, messages, rows) | _rings_on(session, rows)
    several = {one for one, count in Counter(ids).items() if count > 1}
    places = places_of(session, {one.envelope.subject for one in messages})
    found = {}
    for place, (name, message) in enumerate(zip(ids, messages, strict=True)):
        row, event = rows.get(name), _event(message)
        reference: str | None = event.alarm_id
        if row is not None:
            alert = alerts.get(row.alert_id)
            reference = _reference(row, alert, message) if alert is not None else None
        if reference is None or name in doubtful or name in several:
            continue
        verdict = judged(event, Circumstances(message.received))
        where = places[message.envelope.subject]
        occurrence = occurrence_at(where, message, reference, event, verdict, end_is_told=True)
        found[place] = _End(message, event, verdict, row, occurrence)
    return found


def _event(message: Received) -> SmokeAlarm:
    assert isinstance(message.data, SmokeAlarm)  # noqa: S101 - ``fits`` has looked
    return message.data


def _reference(row: AlarmCondition, alert: AlertRow, message: Received) -> str | None:
    """Of its alert: its own or that of the alarm which it rang on for (``flapping``); ``None``
    where the condition is not the one that has begun and not ended."""
    event, prefix = _event(message), f"{DOMAIN}:{row.gateway}:"
    lasts = (
        (row.device, row.condition) == (message.envelope.subject, event.condition)
        and row.cleared is None
        and row.activated is not None
        and row.activated <= event.since
        and row.rings is None
    )
    if not lasts or alert.kind == MANY or not alert.key.startswith(prefix):
        return None
    return alert.key.removeprefix(prefix)


def _alerts(session: Session, rows: Collection[AlarmCondition]) -> dict[str, AlertRow]:
    if not rows:
        return {}
    query = select(AlertRow).where(AlertRow.id.in_({row.alert_id for row in rows}))
    return {alert.id: alert for alert in session.scalars(query)}


def _further(
    session: Session, messages: Sequence[Received], rows: Mapping[str, AlarmCondition]
) -> set[str]:
    """Conditions whose name their gateway has used for others as well."""
    if not rows:
        return set()
    query = select(AlarmCondition.id).where(
        AlarmCondition.device.in_({one.envelope.subject for one in messages}),
        AlarmCondition.id.like(_FURTHER),
    )
    stems = {further_stem(one) for one in session.scalars(query)}
    return {
        f"{one.gateway}:{_event(one).alarm_id}"
        for one in messages
        if stem_of(one.gateway, one.envelope.subject, _event(one)) in stems
    }


def _rings_on(session: Session, rows: Mapping[str, AlarmCondition]) -> set[str]:
    """Those beside which another condition of the same alert lasts (``flapping.ring_on``)."""
    if not rows:
        return set()
    query = select(AlarmCondition.id, AlarmCondition.alert_id).where(
        AlarmCondition.device.in_({row.device for row in rows.values()}),
        AlarmCondition.alert_id.in_({row.alert_id for row in rows.values()}),
        AlarmCondition.cleared.is_(None),
    )
    lasting = Counter(row.alert_id for row in session.execute(query))
    return {row.id for row in rows.values() if lasting[row.alert_id] > 1}
