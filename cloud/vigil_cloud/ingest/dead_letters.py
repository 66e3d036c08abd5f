"""Refused messages: looked at, replayed once their reason has passed, or dismissed."""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import ClassVar, Final, cast

from sqlalchemy import select
from sqlalchemy.orm import Session

from vigil_cloud.alerts.platform import standing
from vigil_cloud.alerts.refused_alarms import clear_refused_alarm
from vigil_cloud.api_errors import ApiError
from vigil_cloud.database.engine import writing
from vigil_cloud.devices.removal import REVOKED, revoked
from vigil_cloud.devices.seen import UNKNOWN_GATEWAY, enrolled
from vigil_cloud.domain.port import Handler, ReadingHandler, prepared
from vigil_cloud.domain.registry import domains
from vigil_cloud.identity import audit
from vigil_cloud.identity.districts import covered, places
from vigil_cloud.identity.reader import Reader
from vigil_cloud.ingest.commit import SHAPE_DOUBTFUL, UNTOLD, Committer, Item
from vigil_cloud.ingest.decode import Decoder, Fact, Observation, Refusal, refuse
from vigil_cloud.ingest.known_devices import KnownDevices
from vigil_cloud.ingest.ownership import refuse_foreign
from vigil_cloud.ingest.queue import Arrived
from vigil_cloud.ingest.reading_states import ReadingStates, Told
from vigil_cloud.ingest.schema import DeadLetterEntry, Settlement
from vigil_cloud.ingest.times import Limits
from vigil_cloud.ingest.unwrap import readable_text
from vigil_cloud.refusals.models import DeadLetter
from vigil_cloud.services import Services
from vigil_cloud.timeseries.port import TimeSeriesRejected

WITHHELD: Final = "(withheld: it may tell where somebody was)"
UNREADABLE: Final = "(withheld: it cannot be read, and may tell where somebody was)"
_ESCAPED: Final = re.compile(r"\\u00([0-9a-fA-F]{2})")
_PACKED: Final = re.compile(r"[A-Za-z0-9+/_-]{16,}")
"""What may be base64 (CloudEvents' ``data_base64``)."""
_GARBLED: Final = 8
"""Text of which more than an eighth is no text is none."""


class DeadLetterUnknown(ApiError):
    """No such dead letter; it may have been removed for its age."""

    code: ClassVar[str] = "dead-letter-unknown"
    remedy: ClassVar[str] = "List those that there are with `vigil-cloud dead-letters list`."
    status: ClassVar[int] = 404

    def __init__(self, number: int) -> None:
        super().__init__(f"There is no dead letter {number}.")
        self.number = number


class NotReplayable(ApiError):
    """Only the beginning of the message was kept."""

    code: ClassVar[str] = "not-replayable"
    remedy: ClassVar[str] = "Have the sender send it again; here only its beginning is left."
    status: ClassVar[int] = 409

    def __init__(self, kept: int, size: int) -> None:
        super().__init__(f"Only {kept} of its {size} bytes were kept.")
        self.kept = kept
        self.size = size


class StillRefused(ApiError):
    """The message would be refused again; the reason is told."""

    code: ClassVar[str] = "still-refused"
    remedy: ClassVar[str] = "Mend the reason that is told, then replay again."
    status: ClassVar[int] = 409


def dead_letters(
    session: Session,
    *,
    gateway: str | None = None,
    waiting: bool | None = None,
    limit: int,
    reader: Reader | None = None,
) -> list[DeadLetterEntry]:
    """The newest ones, of one gateway or of all; ``waiting``: nobody did anything about them.
    Those of the reader's districts, where one asks."""
    query = select(DeadLetter).order_by(DeadLetter.last_received.desc(), DeadLetter.id.desc())
    if gateway is not None:
        query = query.where(DeadLetter.gateway == gateway)
    inside = None if reader is None else covered(reader, "gateway", DeadLetter.gateway)
    if inside is not None:
        query = query.where(inside)
    if waiting is not None:
        query = query.where(DeadLetter.settled.is_(None) == waiting)
    return [entry(row) for row in session.scalars(query.limit(limit))]


def require_covered(session: Session, reader: Reader, number: int) -> None:
    """Of a letter that somebody wants to work on. Raises ``DeadLetterUnknown``."""
    gateway = _row(session, number).gateway
    if not reader.covers(places(session, "gateway", [gateway]).get(gateway)):
        raise DeadLetterUnknown(number)


def dead_letter(session: Session, number: int) -> DeadLetterEntry:
    """Raises ``DeadLetterUnknown``."""
    return entry(_row(session, number))


def entry(row: DeadLetter) -> DeadLetterEntry:
    """A dead letter as it is listed."""
    return DeadLetterEntry(
        id=row.id,
        gateway=row.gateway,
        topic=row.topic,
        reason=row.reason,
        detail=_harmless(row.detail.encode()),
        size=row.size,
        count=row.count,
        first_received=row.first_received,
        last_received=row.last_received,
        alarm=row.alarm,
        whole=row.size == len(row.payload),
        settlement=cast(Settlement | None, row.settlement),
        settled=row.settled,
        settled_by=row.settled_by,
        payload=_harmless(row.payload),
    )


def _harmless(content: bytes) -> str:
    """Refused messages too tell where somebody was, which no role opens; also where they are
    written in another way: UTF-16, escaped, or packed."""
    plain = readable_text(content)
    if plain.count("\ufffd") * _GARBLED > len(plain):
        return UNREADABLE  # in some encoding that hides what it says
    read = _ESCAPED.sub(lambda found: chr(int(found[1], 16)), plain)
    packed = [_unpacked(found[0]) for found in _PACKED.finditer(read)]
    private = {re.escape(word) for domain in domains() for word in domain.private}
    whereabouts = re.compile("|".join(sorted(private)) or r"(?!)", re.IGNORECASE)
    told = any(whereabouts.search(one) for one in (read, read.replace("\0", ""), *packed))
    return WITHHELD if told else content.decode(errors="replace")


def _unpacked(said: str) -> str:
    whole = said[: len(said) // 4 * 4]
    return readable_text(base64.b64decode(whole.replace("-", "+").replace("_", "/")))


def replay(
    services: Services,
    handlers: Sequence[Handler],
    number: int,
    account: str,
    reading_handlers: Sequence[ReadingHandler] = (),
) -> DeadLetterEntry:
    """Take a message after all, as one that came when it came first: a reading's time is judged
    by that moment. Does no harm to one that was taken already, and moves no mark of its source.

    Raises ``DeadLetterUnknown``, ``NotReplayable``, ``StillRefused``.
    """
    now = services.now()
    with services.sessions() as session:
        row = _row(session, number)
        if row.size != len(row.payload):
            raise NotReplayable(len(row.payload), row.size)
        arrived = Arrived(row.topic, row.payload, row.first_received, 0.0, None)
    item = _checked(services, arrived)
    states = ReadingStates(reading_handlers)
    told: list[Told] = []
    if isinstance(item.decoded, Observation):
        told.append(Told(item.decoded.points, arrived.received))
        try:
            services.timeseries.write(item.decoded.points)
        except TimeSeriesRejected as error:
            raise StillRefused(f"{error.code}: {error}") from error
    with services.sessions() as session:
        known = states.known(session, told)
    steps = states.prepare(told, known)

    def taken() -> DeadLetterEntry:
        with writing(services.sessions) as session:
            refusal = Committer(handlers).replay(session, item, now)
            if refusal is not None:
                raise _still(refusal)
            states.write(session, steps, now)
            return _settle(session, number, "replayed", account, now)

    settled = prepared(services.sessions, taken)
    services.changed.announce()
    return settled


def _checked(services: Services, arrived: Arrived) -> Item:
    """The message with everything that ingest looks at. Raises ``StillRefused``."""
    settings = services.settings
    limits = Limits(
        timedelta(days=settings.stale_after_days), timedelta(seconds=settings.future_after_s)
    )
    decoder = Decoder(limits, KnownDevices(services.sessions).domain_of)
    decoded = decoder.decode(arrived.topic, arrived.payload, arrived.received)
    item = Item(arrived, decoded)
    if not isinstance(decoded, Refusal):
        with services.sessions() as session:
            gone = revoked(session, [decoded.gateway])
            known = settings.enrolment_open or enrolled(session, [decoded.gateway])
        if gone:
            detail = f"gateway {decoded.gateway!r} was revoked"
            item = Item(arrived, refuse(arrived.topic, arrived.payload, REVOKED, detail))
        elif not known:
            detail = f"gateway {decoded.gateway!r} was never added"
            item = Item(arrived, refuse(arrived.topic, arrived.payload, UNKNOWN_GATEWAY, detail))
    with services.sessions() as session:
        (item,) = refuse_foreign(session, [item])
    decoded = item.decoded
    if isinstance(decoded, Refusal):
        raise _still(decoded)
    if isinstance(decoded, Fact) and (doubts := decoded.marks.get("shape_doubtful")):
        raise StillRefused(f"{SHAPE_DOUBTFUL}: {'; '.join(doubts)}. Its alert stands already.")
    return item


def _still(refusal: Refusal) -> StillRefused:
    return StillRefused(f"{refusal.reason}: {_harmless(refusal.detail.encode())}")


def dismiss(session: Session, number: int, account: str, now: datetime) -> DeadLetterEntry:
    """Somebody has looked at it and nothing follows. Raises ``DeadLetterUnknown``."""
    return _settle(session, number, "dismissed", account, now)


def _settle(
    session: Session, number: int, settlement: Settlement, account: str, now: datetime
) -> DeadLetterEntry:
    row = _row(session, number)
    row.settlement, row.settled, row.settled_by = settlement, now, account
    session.flush()
    clear_settled(session, [row.gateway], now)  # the feed's lock comes before the audit log's
    audit.append(
        session,
        at=now,
        account=account,
        action=f"dead-letter.{settlement}",
        subject=str(number),
        detail={"gateway": row.gateway, "reason": row.reason},
    )
    return entry(row)


def clear_settled(session: Session, gateways: Sequence[str], now: datetime) -> None:
    """End the alert of each gateway of which no refused alarm waits any more."""
    for gateway in gateways:
        waits = select(DeadLetter.id).where(
            DeadLetter.gateway == gateway,
            DeadLetter.alarm,
            DeadLetter.settled.is_(None),
            DeadLetter.reason.not_in(UNTOLD),
        )
        if session.scalar(waits.limit(1)) is None:
            clear_refused_alarm(session, gateway, now)


def clear_forgotten(session: Session, now: datetime) -> None:
    """The same for letters that were removed for their age."""
    clear_settled(session, [row.gateway for row in standing(session, "alarm-refused")], now)


def _row(session: Session, number: int) -> DeadLetter:
    row = session.get(DeadLetter, number)
    if row is None:
        raise DeadLetterUnknown(number)
    return row
