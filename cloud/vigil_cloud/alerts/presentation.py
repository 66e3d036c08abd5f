"""From rows to what the API shows, for one reader: the only place that opens sealed names."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session, object_session

from vigil_cloud.alerts.domains import AlertDomain
from vigil_cloud.alerts.models import AlertHistory, AlertRow
from vigil_cloud.alerts.schema import (
    Alert,
    AlertAction,
    AlertDelivery,
    AlertEvidence,
    AlertState,
    AlertSubject,
    EvidenceFileEntry,
)
from vigil_cloud.alerts.service import state_of
from vigil_cloud.evidence.models import EvidenceRow
from vigil_cloud.identity import looks, person_keys
from vigil_cloud.identity.cipher import Cipher
from vigil_cloud.identity.reader import Reader
from vigil_cloud.notify.models import Channel, Delivery

PERSON_NAME_COLUMN = "person.name"
"""What a person's name is sealed under, in ``alerts`` as in ``persons``."""


def present(
    session: Session, cipher: Cipher, reader: Reader, rows: Sequence[AlertRow], now: datetime
) -> list[Alert]:
    """Rows that the reader may see (the caller has asked ``visibility``), in the same order.

    Five queries, however many rows.
    """
    person_keys.load(session, (row.person_key for row in rows if row.person_key is not None))
    ids = [row.id for row in rows]
    history = _history(session, ids)
    deliveries = _deliveries(session, reader, rows)
    evidence = _evidence(session, [row.evidence_sha256 for row in rows if row.evidence_sha256])
    return [
        _alert(cipher, row, history[row.id], deliveries[row.id], _link(row, evidence), now)
        for row in rows
    ]


def note_reading(
    session: Session,
    reader: Reader,
    rows: Iterable[AlertRow],
    way: str,
    now: datetime,
    *,
    automatic: bool = False,
) -> None:
    """Write down whose whereabouts the reader was shown: one look per person.

    ``automatic``: nobody asked; an open page is told by the stream.
    """
    for person_key in sorted({row.person_key for row in rows if row.person_key is not None}):
        looks.note(
            session,
            account=reader.username,
            action="location.read",
            subject=way,
            person_key=person_key,
            now=now,
            automatic=automatic,
        )


def titles(cipher: Cipher, row: AlertRow) -> tuple[str, str, str | None]:
    """English title, Chinese title, and the person's name, with the name put in.

    The row belongs to a session: its person's key is asked there. Raises ``Undecipherable``.
    """
    if row.person_name is None or row.person_key is None:
        return row.title, row.title_zh, None
    session = object_session(row)
    assert session is not None  # noqa: S101 - rows are shown in the transaction that read them
    keys = person_keys.of(session, cipher, row.person_key)
    name = keys.open(PERSON_NAME_COLUMN, row.person_name)
    return row.title.replace("{person}", name), row.title_zh.replace("{person}", name), name


def _alert(
    cipher: Cipher,
    row: AlertRow,
    history: list[AlertAction],
    deliveries: list[AlertDelivery],
    evidence: AlertEvidence,
    now: datetime,
) -> Alert:
    title, title_zh, name = titles(cipher, row)
    subject = None
    if name is not None and row.person_key is not None:
        subject = AlertSubject(person_key=row.person_key, person_name=name)
    return Alert(
        id=row.id,
        version=row.version,
        domain=AlertDomain(row.domain),
        kind=row.kind,
        gateway=row.gateway,
        device=row.device,
        title=title,
        title_zh=title_zh,
        severity=row.severity,
        state=AlertState(
            active=row.active,
            acknowledged=row.acknowledged,
            confirmed=row.confirmed,
            shelved_until=row.shelved_until if state_of(row).shelved(now) else None,
            out_of_service=row.out_of_service,
        ),
        raised=row.raised,
        event_time=row.event_time,
        cleared=row.cleared,
        acknowledged_by=row.acknowledged_by,
        acknowledged_at=row.acknowledged_at,
        confirmed_by=row.confirmed_by,
        confirmed_at=row.confirmed_at,
        detail=row.detail,
        evidence=evidence,
        subject=subject,
        deliveries=deliveries,
        latitude=row.latitude,
        longitude=row.longitude,
        history=history,
    )


def _history(session: Session, ids: list[str]) -> dict[str, list[AlertAction]]:
    found: dict[str, list[AlertAction]] = defaultdict(list)
    query = select(AlertHistory).where(AlertHistory.alert_id.in_(ids)).order_by(AlertHistory.id)
    for entry in session.scalars(query) if ids else ():
        found[entry.alert_id].append(
            AlertAction.model_validate(
                {
                    "at": entry.at,
                    "account": entry.account,
                    "action": entry.action,
                    "comment": entry.comment,
                }
            )
        )
    return found


def _deliveries(
    session: Session, reader: Reader, rows: Sequence[AlertRow]
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
        found[delivery.alert_id].append(
            AlertDelivery(
                channel=channel,
                round=delivery.round,
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


def _evidence(session: Session, digests: list[str]) -> dict[str, EvidenceRow]:
    if not digests:
        return {}
    query = select(EvidenceRow).where(EvidenceRow.sha256.in_(digests))
    return {row.sha256: row for row in session.scalars(query)}


def _link(row: AlertRow, stored: dict[str, EvidenceRow]) -> AlertEvidence:
    if row.evidence_sha256 is None:
        coming = row.detail.get("phase") == "measured"
        return AlertEvidence(state="waiting" if coming else "none", sha256=None, files=[])
    evidence = stored.get(row.evidence_sha256)
    if evidence is None or evidence.gateway != row.gateway:
        return AlertEvidence(state="waiting", sha256=row.evidence_sha256, files=[])
    files = [EvidenceFileEntry.model_validate(file) for file in evidence.manifest["files"]]
    return AlertEvidence(state="stored", sha256=row.evidence_sha256, files=files)
