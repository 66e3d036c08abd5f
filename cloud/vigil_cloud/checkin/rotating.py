"""The city's beacons whose id rotates: their keys, whose an id is, and what they send next.

Keys never leave the cloud, and an id that is nobody's is kept nowhere. A replay of an id outside
of its window is known as one and marked; within its window nothing tells it from the beacon, but
the checks of ``doubts``.
"""

from __future__ import annotations

import csv
import threading
from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Final, NamedTuple
from weakref import WeakKeyDictionary

import structlog
from sqlalchemy import Engine, delete, func, select
from sqlalchemy.orm import Session, sessionmaker

from vigil_cloud.alerts.sealing import CIPHER
from vigil_cloud.checkin.doubts import Doubt
from vigil_cloud.checkin.eid import (
    BLOCK_S,
    KEPT_BLOCKS,
    LEAST_EXPONENT,
    MOST_EXPONENT,
    SLACK_S,
    Key,
    Match,
    Offset,
    ids,
    judged,
)
from vigil_cloud.checkin.models import RotatingBeacon
from vigil_cloud.domain.port import Unprepared
from vigil_cloud.identity.cipher import Cipher, Undecipherable
from vigil_schemas.errors import VigilError

if TYPE_CHECKING:
    from vigil_cloud.checkin.eid_table import Table

SENT: Final = "eddystone-eid:"
OWN: Final = "rotating:"
"""A beacon's own name, which no radio ever hears."""
KEY: Final = "beacon.key"
_NAME: Final = "rotating beacon v1"
_TOLD_AHEAD: Final = 6
"""Ids that a watch list holds of one beacon, from the last one on."""
_STEP: Final = 2
"""A watch list changes with every second window, so that stations are told half as often."""
_LEARNT_S: Final = 1.0
"""What narrows the clock's offset by less is not written down."""
_log = structlog.get_logger(__name__)


class _Made(NamedTuple):
    """A table, and of which state of the beacons."""

    state: tuple[int, datetime | None]
    tags: list[str]
    table: Table


_Kept = WeakKeyDictionary[Engine, _Made]
LATE: Final = "late rotating ids"
"""In the ``info`` of a session that resolves what is days old: with a table of its own, so that
those of the moment stay."""
_tables: Final[_Kept] = WeakKeyDictionary()
_late_tables: Final[_Kept] = WeakKeyDictionary()
_building = threading.Lock()
"""Held by whoever makes one; nobody waits for it with anything else locked."""


class BadBeaconFile(VigilError):
    """A line of a file of rotating beacons cannot be taken; nothing of the file was."""

    code: ClassVar[str] = "bad-beacon-file"
    remedy: ClassVar[str] = (
        f"Each line: 32 hex digits of the key, the exponent ({LEAST_EXPONENT} to {MOST_EXPONENT}),"
        " the beacon's counter in seconds now."
    )


class Known(NamedTuple):
    """Whose a rotating id is."""

    tag: str
    """The beacon's own name."""
    doubt: Doubt | None


class NewBeacon(NamedTuple):
    """What is known of a beacon as it is taken into the stock."""

    secret: bytes
    exponent: int
    counter_s: int
    """What it counts now."""


def add(
    session: Session,
    beacon: NewBeacon,
    now: datetime,
    *,
    accuracy_s: float = 30.0,
    known: Mapping[bytes, str] | None = None,
) -> str:
    """Keep a beacon's key; its own name. ``accuracy_s``: how well its counter is known. The same
    key again is the same beacon, with its counter set anew; ``known``: as ``names`` says, for
    whoever adds many."""
    cipher: Cipher = session.info[CIPHER]
    tag = (names(session) if known is None else known).get(beacon.secret)
    tag = tag or f"{OWN}{cipher.keyed_hash(_NAME, beacon.secret).hex()[:16]}"
    session.merge(
        RotatingBeacon(
            tag=tag,
            key=cipher.seal_bytes(KEY, beacon.secret),
            exponent=beacon.exponent,
            zero=now - timedelta(seconds=beacon.counter_s),
            offset_low_s=-accuracy_s,
            offset_high_s=accuracy_s,
            offset_at=now,
            changed=now,
        )
    )
    session.flush()
    return tag


def names(session: Session) -> dict[bytes, str]:
    """Each beacon's own name, by its key. A name is made of the key under the secret key of then,
    and stays when that is changed: what a person carries is called by it."""
    rows = session.execute(select(RotatingBeacon.tag, RotatingBeacon.key)).all()
    found = {tag: _opened(session, tag, key) for tag, key in rows}
    return {secret: tag for tag, secret in found.items() if secret is not None}


def unreadable(session: Session) -> list[str]:
    """Beacons whose key cannot be opened: the secret key that sealed it was given up
    (``secret-key adopt``). Nobody knows their ids any more; they are to be added anew."""
    rows = session.execute(select(RotatingBeacon.tag, RotatingBeacon.key)).all()
    return sorted(tag for tag, key in rows if _opened(session, tag, key) is None)


def _opened(session: Session, tag: str, sealed: bytes) -> bytes | None:
    cipher: Cipher = session.info[CIPHER]
    try:
        return cipher.open_bytes(KEY, sealed)
    except Undecipherable:  # the others' ids are known all the same
        _log.warning("beacon-key-unreadable", beacon=tag)
        return None


def forget(session: Session, tags: Collection[str]) -> None:
    """Destroy the keys of these beacons."""
    of_them = delete(RotatingBeacon).where(RotatingBeacon.tag.in_(tags))
    session.execute(of_them.execution_options(synchronize_session=False))


def resolve(
    session: Session,
    said: str,
    first: datetime,
    last: datetime,
    received: datetime,
    *,
    learn: bool = True,
) -> Known | None:
    """Whose the id is that was heard from ``first`` to ``last``; ``None``: nobody's. Raises
    ``Unprepared`` where the table has to be made first: whoever asks holds locks. ``learn``: what
    it says of the beacon's clock is kept; not of whom anybody can be."""
    late = bool(session.info.get(LATE))
    kept = _late_tables if late else _tables
    begin, end = first.timestamp(), last.timestamp()
    now = end if late else received.timestamp()
    made = kept.get(session.get_bind().engine)
    if made is None or made.state != _state(session) or made.table.missing(end, now):
        raise Unprepared(partial(_prepare, kept, end, now))
    names, table = made.tags, made.table
    found = table.find(bytes.fromhex(said.removeprefix(SENT)), end, now)
    known: Known | None = None
    for match in found:
        row = session.get(RotatingBeacon, names[match.beacon])
        if row is None:
            continue
        if _can_be(row, table.key(match.beacon), match, begin, end, learn=learn):
            return Known(row.tag, None)
        known = Known(row.tag, "replayed")
    return known


def forget_late(sessions: sessionmaker[Session]) -> None:
    """Nothing old waits any more: its table is not kept."""
    with sessions() as session:
        _late_tables.pop(session.get_bind().engine, None)


def block_of_moment(moment: datetime) -> int:
    """Of the tables of ids: those of one block are made at once."""
    return int(moment.timestamp() // BLOCK_S)


def is_late(last: datetime, received: datetime) -> bool:
    """Whether an id that was heard until ``last`` is in none of the blocks that are kept of the two
    days before its receipt: others would have to be made for it alone."""
    return block_of_moment(last) - 1 < block_of_moment(received) - KEPT_BLOCKS


def _can_be(
    row: RotatingBeacon, key: Key, match: Match, first: float, last: float, *, learn: bool
) -> bool:
    """Whether the beacon can have sent it then. ``learn``: what that says of its clock is kept."""
    before = Offset(row.offset_low_s, row.offset_high_s, row.offset_at.timestamp())
    after = judged(key, match.window, before, first, last)
    if after is None:
        return False
    grown = before.grown(after.at)
    if learn and grown.high - grown.low - (after.high - after.low) >= _LEARNT_S:
        row.offset_low_s, row.offset_high_s = after.low, after.high
        row.offset_at = datetime.fromtimestamp(after.at, UTC)
    return True


def sent_soon(
    session: Session, tags: Collection[str], now: datetime
) -> dict[str, list[tuple[str, datetime]]]:
    """What each of these beacons sends now and next, with the end of each: for watch lists. The
    same answer for two windows, so that a list does not change more often."""
    found: dict[str, list[tuple[str, datetime]]] = {}
    for row in session.scalars(select(RotatingBeacon).where(RotatingBeacon.tag.in_(tags))):
        secret = _opened(session, row.tag, row.key)
        if secret is None:
            continue  # the list's coverage counts it as left out
        key = Key(secret, row.exponent, row.zero.timestamp())
        counter = now.timestamp() - key.zero_s - (row.offset_low_s + row.offset_high_s) / 2
        window = int(counter // key.window_s)
        begin = max(window - window % _STEP - 1, 0)
        late = key.zero_s + row.offset_high_s + SLACK_S
        found[row.tag] = [
            (
                f"{SENT}{sent.hex()}",
                datetime.fromtimestamp(int(late + (begin + n + 2) * key.window_s), UTC),
            )
            for n, sent in enumerate(ids(key, begin, _TOLD_AHEAD + _STEP))
        ]
    return found


def _state(session: Session) -> tuple[int, datetime | None]:
    """Changes whenever any process has added, changed or forgotten a beacon."""
    many, newest = session.execute(
        select(func.count(), func.max(RotatingBeacon.changed)).select_from(RotatingBeacon)
    ).one()
    return int(many), newest


def _prepare(kept: _Kept, heard: float, now: float, sessions: sessionmaker[Session]) -> None:
    """Make the table of all beacons, and of it what an id of this time is looked for in."""
    # Not at the top: numpy is for whoever resolves, not for every process and command.
    from vigil_cloud.checkin.eid_table import Table

    with _building:
        with sessions() as session:
            engine = session.get_bind().engine
            state, made = _state(session), kept.get(engine)
            rows = [] if made is not None and made.state == state else _keys(session)
        if made is None or made.state != state:
            made = _Made(state, [tag for tag, _ in rows], Table([key for _, key in rows]))
        made.table.make(made.table.missing(heard, now))
        kept[engine] = made


def _keys(session: Session) -> list[tuple[str, Key]]:
    columns = select(
        RotatingBeacon.tag, RotatingBeacon.key, RotatingBeacon.exponent, RotatingBeacon.zero
    ).order_by(RotatingBeacon.tag)
    found: list[tuple[str, Key]] = []
    for tag, sealed, exponent, zero in session.execute(columns):
        secret = _opened(session, tag, sealed)
        if secret is not None:
            found.append((tag, Key(secret, exponent, zero.timestamp())))
    return found


def read_file(lines: Iterable[str]) -> list[NewBeacon]:
    """Beacons of a CSV file without a head. Raises ``BadBeaconFile``."""
    reader = csv.reader(lines)
    try:
        return _beacons(reader)
    except csv.Error as error:  # a cell without an end, for one
        raise BadBeaconFile(f"line {reader.line_num}: {error}") from error


def _beacons(rows: Iterable[list[str]]) -> list[NewBeacon]:
    found: list[NewBeacon] = []
    for number, row in enumerate(rows, start=1):
        if not row:
            continue
        try:
            secret, exponent, counter = row
            beacon = NewBeacon(bytes.fromhex(secret.strip()), int(exponent), int(counter))
        except ValueError as error:
            raise BadBeaconFile(f"line {number}: not three fields as wanted") from error
        if len(beacon.secret) != 16 or not LEAST_EXPONENT <= beacon.exponent <= MOST_EXPONENT:
            raise BadBeaconFile(f"line {number}: key or exponent out of bounds")
        if not 0 <= beacon.counter_s < 1 << 32:
            raise BadBeaconFile(f"line {number}: the counter has 32 bits")
        found.append(beacon)
    return found
