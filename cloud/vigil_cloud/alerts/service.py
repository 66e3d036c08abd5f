"""Alerts, raised and cleared by domains; what people do to them is in ``acts``."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final, Literal

from sqlalchemy import select
from sqlalchemy.orm import Session

from vigil_cloud.alerts import coverage, feed, flood, lifecycle, outbox
from vigil_cloud.alerts.history import note
from vigil_cloud.alerts.lifecycle import State
from vigil_cloud.alerts.lookups import Asked, Lookups, noted
from vigil_cloud.alerts.models import AlertRow
from vigil_cloud.alerts.schema import Severity
from vigil_cloud.alerts.sealing import whole_of, write_detail
from vigil_cloud.alerts.visibility import only_for
from vigil_cloud.alerts.work import SEVERITIES
from vigil_cloud.domain.rights import PLATFORM
from vigil_cloud.identity.roles import Role
from vigil_cloud.identity.situation import Situation
from vigil_schemas.types import Domain, isoformat_utc

_NAMESPACE: Final = uuid.UUID("7d1c3d2b-9f5e-5f0a-8a0e-6a3c5b1f4e21")
Audience = Literal["residents", "home", "home-and-maintainers", "all"]
REPEATS: Final = "repeats"
"""Key of a ``quiet`` alert's detail: the alert that it repeats, whose people are its own."""
AUDIENCES: Final = ("residents", "home", "home-and-maintainers", "all")
"""Ever wider. ``residents``: those who live there, with the home's own channels, before its
contact persons and guardians."""


@dataclass(frozen=True, slots=True)
class Occurrence:
    """What a domain says of one alert, at its onset (``active``) or at its end."""

    domain: Domain
    reference: str
    """``exceedance_id``, ``excursion_id``, ``visit_id`` or ``alarm_id``."""
    kind: str
    gateway: str
    device: str
    title: str
    title_zh: str
    severity: Severity
    event_time: datetime
    """At the device; of the onset where it is known."""
    active: bool
    ended: datetime | None = None
    momentary: bool = False
    detail: Mapping[str, Any] = field(default_factory=dict)
    evidence_sha256: str | None = None
    supersedes: bool = False
    """What this message says replaces what earlier ones said, also while the alert is active."""
    person_key: str | None = None
    person_name: bytes | None = None
    case_id: str | None = None
    """Of what is about a person: the case that it belongs to, and that lets others know of it."""
    parameter: str | None = None
    """Which of the device's readings it is about, where it is about one."""
    latitude: float | None = None
    longitude: float | None = None
    audience: Audience = "all"
    """Who is told: everybody who may see it, the home alone or those who live there, or the home
    and the maintainers. A more severe occurrence widens it, nothing narrows it."""
    quiet: bool = False
    """Nobody is told of it by itself: it repeats what everybody whom it concerns is told of."""
    end_is_told: bool = True
    """``False``: that the device took it back is not the end; whoever leads tells that."""
    tell_again: str | None = None
    """Why everybody is told again of an alert that stands, also who acknowledged it; at most 40
    characters. The same reason twice tells once."""
    marks: Mapping[str, Any] = field(default_factory=dict)
    """What is doubtful (``Received.marks``); kept in the detail whatever comes later."""
    only_for: frozenset[Role] | None = None
    """The roles that see it, where not all of those do that see the domain's alerts."""
    district: str | None = None
    """Where it is, of what no device and no gateway tells."""
    alert_id: str | None = None
    """Where a key may come back after its alert is over. Else it follows from the key."""

    @property
    def key(self) -> str:
        """What makes two messages speak of one alert."""
        return f"{self.domain}:{self.gateway}:{self.reference}"


def record(session: Session, occurrence: Occurrence, now: datetime) -> AlertRow:
    """Raise, clear or leave alone: onset and end in any order, any number of times, end alike.

    An occurrence that is more severe than the alert, or that gives a new reason to ``tell_again``,
    renews it: it counts as not acknowledged, and everybody is told. Runs inside ingest's
    transaction; what people are to be told is a row of it (``outbox``).
    """
    feed.lock(session)
    return record_known(session, Asked(session), occurrence, now)


def record_known(
    session: Session, known: Lookups, occurrence: Occurrence, now: datetime
) -> AlertRow:
    """The same for whoever raises many and has read before what is asked. The caller has called
    ``feed.lock`` before."""
    row = known.of_key(occurrence.key)
    if row is None:
        situation = known.situation(occurrence.device, occurrence.gateway, now)
        joined = _join(session, known, occurrence, situation.household, now)
        if joined is not None:
            return joined
        row = _insert(session, known, occurrence, situation, now)
        if not occurrence.quiet:
            outbox.announce(session, row, now, "raised")
        feed.append(session, "alert", row.id, now)
        return row
    if _goes_on(session, known, row, occurrence, now):
        known.changed()
    return row


def say_end(session: Session, row: AlertRow, occurrence: Occurrence, now: datetime) -> None:
    """What ``record`` makes of an end of this alert, which nothing is written of yet: for whoever
    ends many. A counted alert takes it for one of those that it lists."""
    if row.kind == flood.MANY:
        device, reference = occurrence.device, occurrence.reference
        detail, over = flood.ended(row.detail, device, reference, occurrence.ended or now)
        occurrence = _counted(row, occurrence, detail, None, active=not over)
    _goes_on(session, Asked(session), row, occurrence, now)


def _goes_on(
    session: Session, known: Lookups, row: AlertRow, occurrence: Occurrence, now: datetime
) -> bool:
    """What an occurrence means for an alert that is there; whether anything changes."""
    changed = _merge(session, row, occurrence)
    for reason in _reasons_to_tell_again(session, known, row, occurrence, now):
        _tell_again(session, row, reason, now)
        changed = True
    if row.active and not occurrence.active:
        row.active = lifecycle.clear(state_of(row)).active
        row.cleared = occurrence.ended or now
        note(session, row, now, None, "cleared")
        if occurrence.end_is_told:
            outbox.announce(session, row, now, "all-clear", step=isoformat_utc(now))
        changed = True
    if changed:
        feed.append(session, "alert", row.id, now)
    return changed


def _join(
    session: Session,
    known: Lookups,
    occurrence: Occurrence,
    household: str | None,
    now: datetime,
) -> AlertRow | None:
    """A new alarm in a flood of its gateway's joins the counted alert, which it is returned. Each
    household has one of its own: it sees whatever it is told of, and nothing of its neighbours."""
    gateway, domain, device = occurrence.gateway, occurrence.domain, occurrence.device
    if (
        occurrence.domain == PLATFORM
        or not occurrence.gateway  # ours, and as many as we raise
        or occurrence.person_key is not None  # whereabouts have readers of their own
        or occurrence.kind == flood.MANY
    ):
        return None
    if not occurrence.active:
        row = flood.listing(session, gateway, domain, device, occurrence.reference)
        if row is None:
            return None
        ended = occurrence.ended or now
        detail, over = flood.ended(row.detail, device, occurrence.reference, ended)
        return record(session, _counted(row, occurrence, detail, None, active=not over), now)
    row = known.counted(gateway, domain, household, now)
    if row is None and not known.begins(gateway, now):
        return None
    before = row.detail if row is not None else {}
    said = flood.Said(
        occurrence.reference,
        occurrence.kind,
        occurrence.title,
        occurrence.title_zh,
        occurrence.event_time,
        fire=occurrence.severity == "critical",
    )
    detail = flood.joined(before, device, said, now)
    known.joined(gateway, now)
    each = row is not None and row.acknowledged
    why = flood.reason(detail, each=each)
    if row is None or why != flood.reason(before, each=each) or _worse(row, occurrence):
        counted = _counted(row, occurrence, detail, why, active=True)
        row = record_known(session, known, counted, now)
    else:  # nothing to be told but to the home: a flood comes by the hundred
        row.detail = detail
        if flood.is_news(before, detail):
            feed.append(session, "alert", row.id, now)
        _tell_home(session, row, before, device, now)
    row.title, row.title_zh = flood.titles(detail)
    return row


def _tell_home(
    session: Session, row: AlertRow, before: Mapping[str, Any], device: str, now: datetime
) -> None:
    """Of its own device: where it is named for the first time, or burns anew."""
    news = "device"
    if device in before["devices"]:
        number = flood.fire_of(row.detail, device)
        if number is None or number == flood.fire_of(before, device):
            return
        news = f"fire {number}"
    digest = hashlib.sha256(device.encode()).hexdigest()[:16]
    step = f"{news} {device[:30]} {digest}"
    outbox.announce(session, row, now, "again", step=step, home_of=device)


def _counted(
    row: AlertRow | None,
    occurrence: Occurrence,
    detail: Mapping[str, Any],
    tell_again: str | None,
    *,
    active: bool,
) -> Occurrence:
    """The counted alert as an occurrence: a new one's where there is none yet."""
    reference = row.key.split(":", 2)[2] if row is not None else f"many:{uuid.uuid4()}"
    title, title_zh = flood.titles(detail)
    return replace(
        occurrence,
        reference=reference,
        kind=flood.MANY,
        title=title,
        title_zh=title_zh,
        active=active,
        momentary=False,
        detail=detail,
        supersedes=True,
        evidence_sha256=None,
        tell_again=tell_again,
        latitude=None,
        longitude=None,
    )


def _insert(
    session: Session,
    known: Lookups,
    occurrence: Occurrence,
    situation: Situation,
    now: datetime,
) -> AlertRow:
    row = AlertRow(
        id=occurrence.alert_id or str(uuid.uuid5(_NAMESPACE, occurrence.key)),
        key=occurrence.key,
        domain=occurrence.domain,
        kind=occurrence.kind,
        gateway=occurrence.gateway,
        device=occurrence.device,
        parameter=occurrence.parameter,
        title=occurrence.title,
        title_zh=occurrence.title_zh,
        severity=occurrence.severity,
        momentary=occurrence.momentary,
        audience=occurrence.audience,
        active=occurrence.active,
        called_on=False,
        acknowledged=False,
        confirmed=False,
        out_of_service=False,
        raised=now,
        event_time=occurrence.event_time,
        cleared=None if occurrence.active else (occurrence.ended or now),
        detail={},
        evidence_sha256=occurrence.evidence_sha256,
        person_key=occurrence.person_key,
        person_name=occurrence.person_name,
        case_id=occurrence.case_id,
        household=situation.household,
        district=occurrence.district or situation.district,
        only_roles=None if occurrence.only_for is None else only_for(occurrence.only_for),
        latitude=occurrence.latitude,
        longitude=occurrence.longitude,
    )
    write_detail(session, row, {**occurrence.detail, **occurrence.marks})
    known.added(row)
    note(session, row, now, None, "raised")
    # Nothing is put aside after it was asked for: that waits for ``feed.lock``. And a flood is
    # more than what somebody put aside.
    if situation.asked and occurrence.kind != flood.MANY:
        coverage.cover_new(session, row, now)
    if occurrence.tell_again:  # told with the alert itself: the same reason later is no news
        note(session, row, now, None, "told-again", occurrence.tell_again)
    if not occurrence.active:
        note(session, row, now, None, "cleared")
    return row


def _merge(session: Session, row: AlertRow, occurrence: Occurrence) -> bool:
    """Details of onset and end together, the end's winning, whichever came first."""
    new, old = dict(occurrence.detail), whole_of(session, row)
    old_wins = occurrence.active and not occurrence.supersedes
    detail = {**new, **old} if old_wins else {**old, **new}
    detail |= occurrence.marks
    event_time = min(row.event_time, occurrence.event_time)
    evidence = row.evidence_sha256 or occurrence.evidence_sha256
    changed = write_detail(session, row, detail)
    if (event_time, evidence) != (row.event_time, row.evidence_sha256):
        row.event_time, row.evidence_sha256 = event_time, evidence
        changed = True
    return changed


def _reasons_to_tell_again(
    session: Session, known: Lookups, row: AlertRow, occurrence: Occurrence, now: datetime
) -> list[str]:
    """At most one round: a worsening is a reason of its own, and takes the other one with it."""
    given = occurrence.tell_again
    if given is not None and known.is_told(row, given):
        given = None
    if not occurrence.active:
        return []  # an end is told by the page, not by another call
    if _worse(row, occurrence):
        note(session, row, now, None, "worsened", f"{row.severity} → {occurrence.severity}")
        row.severity, row.kind = occurrence.severity, occurrence.kind
        put_back_where_vital(row)
        row.title, row.title_zh = occurrence.title, occurrence.title_zh
        row.audience = max(row.audience, occurrence.audience, key=AUDIENCES.index)
        return [given or f"severity {occurrence.severity}"]
    return [given] if given is not None and row.active else []


def _worse(row: AlertRow, occurrence: Occurrence) -> bool:
    return SEVERITIES.index(occurrence.severity) > SEVERITIES.index(row.severity)


def tell_again(session: Session, row: AlertRow, reason: str, now: datetime) -> None:
    """Tell everybody again of an alert that is there, over or not, once for each ``reason`` (at
    most 40 characters). The caller has called ``feed.lock`` before."""
    if not noted(session, row, "told-again", reason):
        _tell_again(session, row, reason, now)
        session.flush()
        feed.append(session, "alert", row.id, now)


def _tell_again(session: Session, row: AlertRow, reason: str, now: datetime) -> None:
    count_as_new(row)
    note(session, row, now, None, "told-again", reason)
    outbox.announce(session, row, now, "again", step=reason)


def count_as_new(row: AlertRow) -> None:
    """It is more than what somebody acknowledged, confirmed or shelved."""
    state = lifecycle.renew(state_of(row))
    row.acknowledged, row.confirmed = state.acknowledged, state.confirmed
    row.shelved_until = state.shelved_until
    row.acknowledged_by = row.acknowledged_at = row.confirmed_by = row.confirmed_at = None


def put_back_where_vital(row: AlertRow) -> None:
    """It became more severe: that somebody had taken what it was before out of service, perhaps
    for a year, does not silence it where lives hang on it now."""
    if coverage.needs_end(row):
        row.out_of_service, row.out_of_service_until = False, None


def reopen(session: Session, row: AlertRow, now: datetime) -> None:
    """What was over is there again, and the same trouble: who was told of it is not told again.
    The caller has called ``feed.lock`` before."""
    row.active, row.cleared = True, None
    note(session, row, now, None, "raised")
    coverage.cover_new(session, row, now)
    outbox.announce(session, row, now, "reopened")
    session.flush()
    feed.append(session, "alert", row.id, now)


def state_of(row: AlertRow) -> State:
    """The row's place in the life cycle."""
    return State(
        row.active,
        row.acknowledged,
        row.confirmed,
        row.shelved_until,
        row.out_of_service,
        row.momentary,
        coverage.held_until(row),
        row.out_of_service_until,
        coverage.needs_end(row),
        row.called_on,
    )


def evidence_stored(session: Session, gateway: str, sha256: str, now: datetime) -> None:
    """Tell the alerts that wait for this evidence. The caller has called ``feed.lock`` before."""
    rows = session.scalars(
        select(AlertRow).where(AlertRow.evidence_sha256 == sha256, AlertRow.gateway == gateway)
    )
    for row in rows:
        note(session, row, now, None, "evidence-stored")
        feed.append(session, "alert", row.id, now)
