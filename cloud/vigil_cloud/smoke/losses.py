"""Alarms that are lost, many at once: onsets of conditions that call nobody out of the house.

When a bridge is lost, or the power of a district, hundreds of links are within a second. One by
one each is thirty statements (``service``); here all of a batch are looked up and written together.
Of a gateway either everything is taken or nothing, so that its floods begin and are joined in the
order of its messages. Nothing is taken of a gateway of which one condition is known already, begins
anew within minutes (``flapping``), has an alert, or whose device is put aside; a fire and a test
are never taken.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from vigil_cloud.alerts import feed, onsets
from vigil_cloud.alerts.flood import MANY
from vigil_cloud.alerts.onsets import Batch, Onset
from vigil_cloud.alerts.places import places_of
from vigil_cloud.alerts.service import record_known
from vigil_cloud.domain.port import Group, Received
from vigil_cloud.smoke import flapping
from vigil_cloud.smoke.conditions import keep, new_condition
from vigil_cloud.smoke.models import AlarmCondition
from vigil_cloud.smoke.occurrences import occurrence_at
from vigil_cloud.smoke.returns import UPKEEP
from vigil_cloud.smoke.verdict import Circumstances, judged
from vigil_schemas.smoke import SmokeAlarm


def fits(message: Received) -> bool:
    """An onset of what weakens an alarm."""
    event = message.data
    return isinstance(event, SmokeAlarm) and event.active and event.condition in UPKEEP


def group(session: Session, messages: Sequence[Received]) -> Group:
    """Those of ``messages``, each of another device or of another condition, whose gateway says
    nothing that is less plain."""
    feed.lock(session)
    times = [one.received for one in messages]
    if max(times) - min(times) > onsets.LONGEST:
        return Group([], lambda _session, _places: None)
    said = _onsets(session, messages)
    batch = onsets.read(session, said)
    left = _known(session, messages) | {
        message.gateway
        for message, onset in zip(messages, said, strict=True)
        if not batch.is_plain(onset)
    }
    places = [place for place, one in enumerate(messages) if one.gateway not in left]

    def write(session: Session, accepted: Collection[int]) -> None:
        with session.no_autoflush:
            _write(session, batch, {place: (messages[place], said[place]) for place in accepted})

    return Group(places, write)


def _write(session: Session, batch: Batch, accepted: Mapping[int, tuple[Received, Onset]]) -> None:
    for _, (message, onset) in sorted(accepted.items()):
        alert = record_known(session, batch, *onset)
        if alert.kind == MANY:
            continue  # which says what has ended; of a flood no condition but a fire is kept
        event = _event(message)
        row = new_condition(message, _name(message), event, alert)
        keep(row, event, judged(event, Circumstances(message.received)), message.received)
        session.add(row)
    batch.write()


def _onsets(session: Session, messages: Sequence[Received]) -> list[Onset]:
    places = places_of(session, {one.envelope.subject for one in messages})
    found = []
    for message in messages:
        event = _event(message)
        verdict = judged(event, Circumstances(message.received))
        where = places[message.envelope.subject]
        reference = event.alarm_id
        said = occurrence_at(where, message, reference, event, verdict, end_is_told=True)
        found.append(Onset(said, message.received))
    return found


def _known(session: Session, messages: Sequence[Received]) -> set[str]:
    """Gateways of conditions that are known by their names, or that began a short while ago."""
    names = [_name(one) for one in messages]
    several = {name for name, count in Counter(names).items() if count > 1}
    ids = select(AlarmCondition.id).where(AlarmCondition.id.in_(names))
    doubtful = several | set(session.scalars(ids))
    recently = min(one.received for one in messages) - flapping.WINDOW
    query = select(AlarmCondition.gateway, AlarmCondition.device, AlarmCondition.condition).where(
        AlarmCondition.device.in_({one.envelope.subject for one in messages}),
        AlarmCondition.heard > recently,
    )
    lately = {tuple(row) for row in session.execute(query)}
    return {
        one.gateway
        for one, name in zip(messages, names, strict=True)
        if name in doubtful or (one.gateway, one.envelope.subject, _event(one).condition) in lately
    }


def _name(message: Received) -> str:
    return f"{message.gateway}:{_event(message).alarm_id}"


def _event(message: Received) -> SmokeAlarm:
    assert isinstance(message.data, SmokeAlarm)  # noqa: S101 - ``fits`` has looked
    return message.data
