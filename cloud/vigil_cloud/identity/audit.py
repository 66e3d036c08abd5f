"""The audit log: a chain of hashes, so that no line can be changed or taken out unseen.

``hash = SHA-256(previous hash, canonical JSON of the line)``. Cutting off the
chain's end is only seen by whoever noted a later number: export the head's hash
where the database's owner cannot reach it.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import bindparam, delete, or_, select, update
from sqlalchemy.orm import Session

from vigil_cloud.database.upsert import insert, table_of
from vigil_cloud.identity.errors import AuditBroken
from vigil_cloud.identity.models import AuditEntry, AuditHead
from vigil_schemas.types import isoformat_utc

LOOK_CLOSED: Final = "look.closed"
"""Puts under the chain's hash how a look went on; it is shown with the look itself."""
REDACTED: Final = "redacted"
"""In the detail of a line: the lines that it blanked, with their hashes."""
PRUNED: Final = "audit.pruned"
GENESIS: Final = "0" * 64
_PAGE: Final = 1000

# Nearly every transaction of a person writes a line: its statements are made once, and the tables
# are written without the ORM, which would look each of them up anew.
_LOG: Final = table_of(AuditEntry)
_HEAD: Final = table_of(AuditHead)
_BY: Final = "by"
_ADVANCE: Final = (
    update(_HEAD)
    .where(_HEAD.c.id == 1)
    .values(number=_HEAD.c.number + bindparam(_BY))
    .returning(_HEAD.c.number, _HEAD.c.hash)
)
_LINKED: Final = update(_HEAD).where(_HEAD.c.id == 1)
_LINE: Final = _LOG.insert()


def append(  # noqa: PLR0913 - columns of one line of the log, all by name
    session: Session,
    *,
    at: datetime,
    account: str,
    action: str,
    subject: str,
    person_key: str | None = None,
    detail: Mapping[str, Any] | None = None,
) -> int:
    """Write one line inside the caller's transaction; its number. ``account`` is who did it."""
    session.flush()
    number, previous = _advance(session, 1)
    line = {
        "number": number,
        "at": at,
        "account": account,
        "action": action,
        "person_key": person_key,
        "subject": subject,
        "detail": dict(detail or {}),
        "redacted": False,
        "previous_hash": previous,
    }
    line["hash"] = link(AuditEntry(**line))
    connection = session.connection()
    connection.execute(_LINE, line)
    connection.execute(_LINKED, {"hash": line["hash"]})
    return number


def lock(session: Session) -> None:
    """Hold the chain's end until this transaction is over."""
    _advance(session, 0)


def link(entry: AuditEntry) -> str:
    """The hash that an entry must carry."""
    content = json.dumps(
        {
            "number": entry.number,
            "at": isoformat_utc(entry.at),
            "account": entry.account,
            "action": entry.action,
            "person_key": entry.person_key,
            "subject": entry.subject,
            "detail": entry.detail,
        },
        sort_keys=True,
        separators=(",", ":"),
        ensure_ascii=False,
    )
    return hashlib.sha256(f"{entry.previous_hash}\n{content}".encode()).hexdigest()


def verify(session: Session) -> tuple[int, str]:
    """Walk the whole chain; returns its length and last hash. Raises ``AuditBroken``."""
    first = session.scalar(select(AuditEntry).order_by(AuditEntry.number).limit(1))
    # Older lines may have been removed when their time was over: a later line says up to which.
    number, previous = (first.number - 1, first.previous_hash) if first else (0, GENESIS)
    removed_to, vouched = (number, previous), {(0, GENESIS)}
    blanked: dict[int, str] = {}
    for entry in _entries(session):
        number += 1
        if _is_blanked(entry, number, previous):
            blanked[number] = entry.hash
        if entry.action == PRUNED:
            vouched.add((entry.detail["to"], entry.detail["hash"]))
        for said, its_hash in entry.detail.get(REDACTED, {}).items():
            if blanked.get(int(said)) == its_hash:
                del blanked[int(said)]
        previous = entry.hash
    if blanked:
        raise AuditBroken(min(blanked), "was blanked and nobody was erased")
    if removed_to not in vouched:
        raise AuditBroken(removed_to[0] + 1, "is the first: those before it are missing")
    head = session.get(AuditHead, 1, populate_existing=True)
    if (head.number, head.hash) != (number, previous) if head else number != 0:
        raise AuditBroken(number, "is the last, which is not where the log was left")
    return number, previous


def _is_blanked(entry: AuditEntry, number: int, previous: str) -> bool:
    """Whether the line was emptied for somebody's erasure. Raises ``AuditBroken``."""
    if entry.number != number:
        raise AuditBroken(number, "is missing")
    if entry.previous_hash != previous:
        raise AuditBroken(number, "was changed")
    if entry.redacted and not entry.subject and not entry.detail:
        return True
    if entry.hash != link(entry):
        raise AuditBroken(number, "was changed")
    return False


def redact(  # noqa: PLR0913 - what goes, and the line that says so, by name
    session: Session,
    words: Sequence[str],
    *,
    person_key: str,
    action: str,
    by: str,
    now: datetime,
    detail: Mapping[str, Any],
) -> None:
    """Blank every line about a person that holds one of the words (a tag, a name), and say so
    in a line of its own that vouches for them: their hashes stay where they are in the chain."""
    lines = session.scalars(
        select(AuditEntry).where(
            AuditEntry.person_key == person_key, AuditEntry.redacted.is_(False)
        )
    )
    hashes: dict[str, str] = {}
    for entry in lines:
        said = entry.subject + json.dumps(entry.detail, ensure_ascii=False)
        if any(word in said for word in words):
            entry.redacted, entry.subject, entry.detail = True, "", {}
            hashes[str(entry.number)] = entry.hash
    session.flush()
    append(
        session,
        at=now,
        account=by,
        action=action,
        subject=person_key,
        person_key=person_key,
        detail={**detail, REDACTED: hashes},
    )


def prune(session: Session, before: datetime, *, by: str, now: datetime, limit: int) -> int:
    """Remove the oldest lines, as far as they are older than ``before``, at most so many; how
    many. A new line says up to which, so that the rest of the chain still verifies."""
    lock(session)
    old = session.scalars(select(AuditEntry).order_by(AuditEntry.number).limit(limit)).all()
    gone = list(itertools.takewhile(lambda entry: entry.at < before, old))
    if not gone:
        return 0
    last = gone[-1]
    session.execute(
        delete(AuditEntry)
        .where(AuditEntry.number <= last.number)
        .execution_options(synchronize_session=False)
    )
    append(
        session,
        at=now,
        account=by,
        action=PRUNED,
        subject=f"to line {last.number}",
        detail={"to": last.number, "hash": last.hash, "lines": len(gone)},
    )
    return len(gone)


def lines_about(
    session: Session,
    person_key: str,
    *,
    case_id: str | None = None,
    before: int | None = None,
    limit: int = 100,
) -> list[AuditEntry]:
    """What was done about one person, in one case if it is named, newest first."""
    query = select(AuditEntry).where(
        AuditEntry.person_key == person_key, AuditEntry.action != LOOK_CLOSED
    )
    if case_id is not None:
        of_case = AuditEntry.detail["case_id"].as_string() == case_id
        query = query.where(or_(AuditEntry.subject == case_id, of_case))
    if before is not None:
        query = query.where(AuditEntry.number < before)
    return list(session.scalars(query.order_by(AuditEntry.number.desc()).limit(limit)))


def _entries(session: Session) -> Iterator[AuditEntry]:
    number = 0
    while True:
        query = select(AuditEntry).where(AuditEntry.number > number)
        page = session.scalars(query.order_by(AuditEntry.number).limit(_PAGE)).all()
        yield from page
        if len(page) < _PAGE:
            return
        number = page[-1].number
        session.expunge_all()


def _advance(session: Session, by: int) -> tuple[int, str]:
    """The last line's number, counted on by so many, and the hash of the line before."""
    # The update comes before the read: it locks the row on PostgreSQL and waits for whoever
    # holds it, so that two writers never link to the same line.
    connection = session.connection()
    if (head := connection.execute(_ADVANCE, {_BY: by}).one_or_none()) is None:
        connection.execute(
            insert(session, AuditHead).values(id=1, number=0, hash=GENESIS).on_conflict_do_nothing()
        )
        head = connection.execute(_ADVANCE, {_BY: by}).one()
    return head.number, head.hash
