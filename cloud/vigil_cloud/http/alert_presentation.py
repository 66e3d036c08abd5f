"""From rows to what the API shows, for one reader."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final, NamedTuple, cast

from sqlalchemy import Row, select
from sqlalchemy.orm import Session

from vigil_cloud.alerts import coverage
from vigil_cloud.alerts.again import why_again
from vigil_cloud.alerts.history import MOVED
from vigil_cloud.alerts.lifecycle import State
from vigil_cloud.alerts.listing import DOUBTS
from vigil_cloud.alerts.models import AlertHistory, AlertRow
from vigil_cloud.alerts.schema import (
    AlertAction,
    AlertEvidence,
    AlertState,
    AlertSubject,
    AlertSummary,
    Doubt,
    EvidenceFileEntry,
    OpenAlerts,
    OpenCounts,
    OpenDevice,
    Severity,
    Work,
)
from vigil_cloud.alerts.sealing import open_text, shown_detail
from vigil_cloud.alerts.titles import titles
from vigil_cloud.alerts.visibility import may_act, may_see, may_see_personal
from vigil_cloud.alerts.work import HEAVIEST, severity_of, work_of, worse
from vigil_cloud.domain.detail import AlertDetail
from vigil_cloud.evidence.coarse import has_picture
from vigil_cloud.evidence.models import EvidenceRow
from vigil_cloud.http.alert_schema import Alert, AlertAnswer, AlertDelivery
from vigil_cloud.identity import person_keys
from vigil_cloud.identity.cipher import Cipher
from vigil_cloud.identity.reader import Reader
from vigil_cloud.identity.rights import Operation
from vigil_cloud.notify.escalation.presentation import AlertEscalation, escalations
from vigil_cloud.notify.models import Channel, Delivery, EscalationAnswer
from vigil_cloud.notify.reply_links import at_home_of, may_call_false, may_say_burns

_SAME: Final = (
    "id",
    "version",
    "domain",
    "kind",
    "gateway",
    "device",
    "severity",
    "raised",
    "event_time",
    "cleared",
    "acknowledged_by",
    "acknowledged_at",
    "latitude",
    "longitude",
)
"""Fields of ``AlertCommon`` that are said as the row has them."""


def present(
    session: Session, cipher: Cipher, reader: Reader, rows: Sequence[AlertRow], now: datetime
) -> list[Alert]:
    """Rows that the reader may see (the caller has asked ``visibility``), in the same order.

    Nine queries at most, however many rows.
    """
    person_keys.load(session, (row.person_key for row in rows if row.person_key is not None))
    ids = [row.id for row in rows]
    history = _history(session, ids)
    since = _own_since(reader, rows, history)
    deliveries = _deliveries(session, reader, rows, since)
    answers = _answers(session, reader, rows, since)
    escalated = escalations(session, reader, rows, now)
    evidence = _evidence(session, [row.evidence_sha256 for row in rows if row.evidence_sha256])
    return [
        _alert(
            cipher,
            row,
            _Beside(
                shown_detail(cipher, row, personal=may_see_personal(reader, row)),
                [_action(cipher, row, line) for line in _since(history[row.id], since, row)],
                deliveries[row.id],
                escalated.get(row.id),
                _link(row, evidence),
                _pictured(row, evidence),
                answers[row.id],
                may_act(reader, Operation.ACKNOWLEDGE, row).allowed,
                may_call_false(reader, row),
                may_say_burns(reader, row),
                _needs_code(session, reader, row),
            ),
            now,
        )
        for row in rows
    ]


def summaries(
    session: Session, cipher: Cipher, rows: Sequence[Row[Any]], now: datetime
) -> list[AlertSummary]:
    """Rows of ``listing`` that the reader may see, in the same order. Two queries."""
    named = [row.evidence_sha256 for row in rows if row.evidence_sha256]
    query = select(EvidenceRow.sha256, EvidenceRow.gateway, has_picture()).where(
        EvidenceRow.sha256.in_(named)
    )
    found = session.execute(query).all() if named else []
    stored = {(sha256, gateway): pictured for sha256, gateway, pictured in found}
    person_keys.load(session, (row.person_key for row in rows if row.person_key is not None))
    return [_summary(session, cipher, row, stored, now) for row in rows]


def _summary(
    session: Session,
    cipher: Cipher,
    row: Row[Any],
    stored: Mapping[tuple[str, str], bool],
    now: datetime,
) -> AlertSummary:
    """``stored``: packages that have come, and whether each has a picture."""
    title, title_zh, _ = titles(cipher, row, session)
    pictured = stored.get((row.evidence_sha256, row.gateway))
    if row.evidence_sha256 is not None:
        evidence = "waiting" if pictured is None else "stored"
    else:
        evidence = "waiting" if row.phase == "measured" else "none"
    doubts = [doubt for doubt in DOUBTS if getattr(row, doubt)]
    same = _common(row, (title, title_zh), doubts, now)
    return AlertSummary(**same, evidence=evidence, thumbnail=bool(pictured))


def _common(
    row: AlertRow | Row[Any], titled: tuple[str, str], doubts: list[Doubt], now: datetime
) -> dict[str, Any]:
    """The fields of ``AlertCommon``."""
    same = {name: getattr(row, name) for name in _SAME}
    title, title_zh = titled
    return same | {
        "title": title,
        "title_zh": title_zh,
        "state": _state(row, now),
        "work": _work(row),
        "doubts": doubts,
    }


def counted(rows: Sequence[Row[Any]]) -> OpenAlerts:
    """What ``listing.open_counts`` found, added up."""
    total, domains, devices = OpenCounts(), dict[str, OpenCounts](), dict[str, OpenDevice]()
    for row in rows:
        for counts in (total, domains.setdefault(row.domain, OpenCounts())):
            if row.priority > HEAVIEST:
                counts.new += row.number
            else:
                counts.in_progress += row.number
                counts.mine += row.mine
        severity: Severity = severity_of(row.priority)
        found = devices.get(row.device)
        if found is None:
            devices[row.device] = OpenDevice(
                device=row.device,
                domain=row.domain,
                count=row.number,
                severity=severity,
                latitude=row.latitude,
                longitude=row.longitude,
            )
        else:
            found.count += row.number
            found.severity = worse(found.severity, severity)
    return OpenAlerts(total=total, domains=domains, devices=list(devices.values()))


def _state(row: AlertRow | Row[Any], now: datetime) -> AlertState:
    shelved = row.shelved_until is not None and row.shelved_until > now
    aside = coverage.is_covered(row, now)
    work = State(
        out_of_service=row.out_of_service,
        out_of_service_until=row.out_of_service_until,
        needs_end=coverage.needs_end(row),
    ).in_work(now)
    return AlertState(
        active=row.active,
        acknowledged=row.acknowledged,
        confirmed=row.confirmed,
        shelved_until=row.shelved_until if shelved else None,
        out_of_service=work,
        out_of_service_until=row.out_of_service_until if work else None,
        device_shelf=row.device_shelf if aside else None,
        device_shelf_until=coverage.shown_end(row) if aside else None,
    )


def _work(row: AlertRow | Row[Any]) -> Work:
    return work_of(
        cast(Severity, row.severity),
        stands=row.active or row.called_on,
        acknowledged=row.acknowledged,
        confirmed=row.confirmed,
    )


class _Beside(NamedTuple):
    """What an alert's own page says beyond its row, as far as the reader may see it."""

    detail: AlertDetail
    history: list[AlertAction]
    deliveries: list[AlertDelivery]
    escalation: AlertEscalation | None
    evidence: AlertEvidence
    thumbnail: bool
    answers: list[AlertAnswer]
    may_answer: bool
    may_call_false: bool
    may_say_burns: bool
    needs_code: bool


def _alert(cipher: Cipher, row: AlertRow, beside: _Beside, now: datetime) -> Alert:
    title, title_zh, name = titles(cipher, row)
    subject = None
    if name is not None and row.person_key is not None:
        subject = AlertSubject(person_key=row.person_key, person_name=name)
    doubts = [doubt for doubt in DOUBTS if row.detail.get(doubt) is not None]
    return Alert(
        **_common(row, (title, title_zh), doubts, now),
        confirmed_by=row.confirmed_by,
        confirmed_at=row.confirmed_at,
        subject=subject,
        **beside._asdict(),
    )


def _needs_code(session: Session, reader: Reader, row: AlertRow) -> bool:
    """Of whoever decides none is asked."""
    at_home = at_home_of(row)
    if at_home is None or not row.active or not may_call_false(reader, row):
        return False
    decides = may_act(reader, Operation.DECIDE, row).allowed
    return not decides and at_home.code_counts(session, row.id)


def _action(cipher: Cipher, row: AlertRow, line: AlertHistory) -> AlertAction:
    comment = open_text(cipher, row, line)
    again = line.action == "told-again"
    reason, reason_zh = why_again(row.domain, comment) if again else (None, None)
    said = {
        "at": line.at,
        "account": line.account,
        "action": line.action,
        "comment": comment,
        "reason": reason,
        "reason_zh": reason_zh,
    }
    return AlertAction.model_validate(said)


def _history(session: Session, ids: list[str]) -> dict[str, list[AlertHistory]]:
    found: dict[str, list[AlertHistory]] = defaultdict(list)
    query = select(AlertHistory).where(AlertHistory.alert_id.in_(ids)).order_by(AlertHistory.id)
    for line in session.scalars(query) if ids else ():
        found[line.alert_id].append(line)
    return found


def _own_since(
    reader: Reader, rows: Sequence[AlertRow], history: Mapping[str, Sequence[AlertHistory]]
) -> dict[str, datetime]:
    """Since when an alert is the reader's, where only its home opens it to them and it was another
    home's before: what was said there and who was told is not for them."""
    found = {}
    stranger = replace(reader, homes=frozenset())
    for row in rows:
        moved = [line.at for line in history[row.id] if line.action == MOVED]
        if moved and not may_see(stranger, row):
            found[row.id] = moved[-1]
    return found


def _since(
    lines: Sequence[AlertHistory], since: Mapping[str, datetime], row: AlertRow
) -> Sequence[AlertHistory]:
    """From the line of its move on."""
    if row.id not in since:
        return lines
    last = max(number for number, line in enumerate(lines) if line.action == MOVED)
    return lines[last:]


def _deliveries(
    session: Session, reader: Reader, rows: Sequence[AlertRow], since: Mapping[str, datetime]
) -> dict[str, list[AlertDelivery]]:
    """Of alerts about a person only the reader's own: others' channels name other relatives."""
    found: dict[str, list[AlertDelivery]] = defaultdict(list)
    personal = {row.id for row in rows if row.person_key is not None}
    query = (
        select(Delivery, Channel.name, Channel.account_id)
        .join(Channel, Channel.id == Delivery.channel_id)
        .where(Delivery.alert_id.in_([row.id for row in rows]))
        .order_by(Delivery.id)
    )
    for delivery, channel, account_id in session.execute(query) if rows else ():
        if delivery.alert_id in personal and account_id != reader.account_id:
            continue
        moved = since.get(delivery.alert_id)
        if moved is not None and (delivery.queued is None or delivery.queued < moved):
            continue
        found[delivery.alert_id].append(
            AlertDelivery(
                channel=channel,
                purpose=delivery.purpose,
                step=delivery.step,
                state=delivery.state,
                attempts=delivery.attempts,
                at=delivery.at,
                due=delivery.due,
                reason=delivery.reason,
                perhaps_told=delivery.perhaps_told,
                error=delivery.error,
            )
        )
    return found


def _answers(
    session: Session, reader: Reader, rows: Sequence[AlertRow], since: Mapping[str, datetime]
) -> dict[str, list[AlertAnswer]]:
    """Of alerts about a person only the reader's own, as with deliveries."""
    found: dict[str, list[AlertAnswer]] = defaultdict(list)
    personal = {row.id for row in rows if row.person_key is not None}
    query = (
        select(EscalationAnswer)
        .where(EscalationAnswer.alert_id.in_([row.id for row in rows]))
        .order_by(EscalationAnswer.id)
    )
    for answer in session.scalars(query) if rows else ():
        if answer.alert_id in since and answer.at < since[answer.alert_id]:
            continue
        if answer.alert_id not in personal or answer.who == reader.username:
            said = {"who": answer.who, "answer": answer.answer, "at": answer.at, "via": answer.via}
            found[answer.alert_id].append(AlertAnswer.model_validate(said))
    return found


class _Stored(NamedTuple):
    """A package that has come, and whether there is a coarse picture of it."""

    package: EvidenceRow
    pictured: bool


def _evidence(session: Session, digests: list[str]) -> dict[str, _Stored]:
    if not digests:
        return {}
    query = select(EvidenceRow, has_picture()).where(EvidenceRow.sha256.in_(digests))
    found = session.execute(query)
    return {package.sha256: _Stored(package, pictured) for package, pictured in found}


def _pictured(row: AlertRow, stored: Mapping[str, _Stored]) -> bool:
    found = stored.get(row.evidence_sha256 or "")
    return found is not None and found.package.gateway == row.gateway and found.pictured


def _link(row: AlertRow, stored: Mapping[str, _Stored]) -> AlertEvidence:
    if row.evidence_sha256 is None:
        coming = row.detail.get("phase") == "measured"
        return AlertEvidence(state="waiting" if coming else "none", sha256=None, files=[])
    found = stored.get(row.evidence_sha256)
    if found is None or found.package.gateway != row.gateway:
        return AlertEvidence(state="waiting", sha256=row.evidence_sha256, files=[])
    files = [EvidenceFileEntry.model_validate(file) for file in found.package.manifest["files"]]
    return AlertEvidence(state="stored", sha256=row.evidence_sha256, files=files)
