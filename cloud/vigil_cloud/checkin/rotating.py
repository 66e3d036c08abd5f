"""The city's beacons whose id rotates: their keys, whose an id is, and what they send next.

Keys never leave the cloud, and an id that is nobody's is kept nowhere. A replay of an id outside
of its window is known as one and marked; within its window nothing tells it from the beacon, but
the checks of ``doubts``.
"""

from __future__ import annotations

import csv
import threading
from collections.abc import Collection, Iterable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, ClassVar, Final, NamedTuple
from weakref import WeakKeyDictionary

from sqlalchemy import Engine, delete, func, select
from sqlalchemy.orm import Session

from vigil_cloud.alerts.sealing import CIPHER
from vigil_cloud.checkin.doubts import Doubt
from vigil_cloud.checkin.eid import (
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
from vigil_cloud.identity.cipher import Cipher
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
_tables: WeakKeyDictionary[Engine, tuple[tuple[int, datetime | None], list[str], Table]] = (
    WeakKeyDictionary()
)
_building = threading.Lock()


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


def add(session: Session, beacon: NewBeacon, now: datetime, *, accuracy_s: float = 30.0) -> str:
    """Keep a beacon's key; its own name. ``accuracy_s``: how well its counter is known. The same
    key again is the same beacon, with its counter set anew."""
    cipher: Cipher = session.info[CIPHER]
    tag = f"{OWN}{cipher.keyed_hash(_NAME, beacon.secret).hex()[:16]}"
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


def forget(session: Session, tags: Collection[str]) -> None:
    """Destroy the keys of these beacons."""
    of_them = delete(RotatingBeacon).where(RotatingBeacon.tag.in_(tags))
    session.execute(of_them.execution_options(synchronize_session=False))


def resolve(
    session: Session, said: str, first: datetime, last: datetime, received: datetime
) -> Known | None:
    """Whose the id is that was heard from ``first`` to ``last``; ``None``: nobody's."""
    names, table = _table(session)
    begin, end = first.timestamp(), last.timestamp()
    found = table.find(bytes.fromhex(said.removeprefix(SENT)), end, received.timestamp())
    known: Known | None = None
    for match in found:
        row = session.get(RotatingBeacon, names[match.beacon])
        if row is None:
            continue
        if _learn(row, table.key(match.beacon), match, begin, end):
            return Known(row.tag, None)
        known = Known(row.tag, "replayed")
    return known


def _learn(row: RotatingBeacon, key: Key, match: Match, first: float, last: float) -> bool:
    """Whether the beacon can have sent it then; what that says of its clock is kept."""
    before = Offset(row.offset_low_s, row.offset_high_s, row.offset_at.timestamp())
    after = judged(key, match.window, before, first, last)
    if after is None:
        return False
    grown = before.grown(after.at)
    if grown.high - grown.low - (after.high - after.low) >= _LEARNT_S:
        row.offset_low_s, row.offset_high_s = after.low, after.high
        row.offset_at = datetime.fromtimestamp(after.at, UTC)
    return True


def sent_soon(
    session: Session, tags: Collection[str], now: datetime
) -> dict[str, list[tuple[str, datetime]]]:
    """What each of these beacons sends now and next, with the end of each: for watch lists. The
    same answer for two windows, so that a list does not change more often."""
    cipher: Cipher = session.info[CIPHER]
    found: dict[str, list[tuple[str, datetime]]] = {}
    for row in session.scalars(select(RotatingBeacon).where(RotatingBeacon.tag.in_(tags))):
        key = Key(cipher.open_bytes(KEY, row.key), row.exponent, row.zero.timestamp())
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


def _table(session: Session) -> tuple[list[str], Table]:
    """Of all beacons; made anew where one was added, changed or forgotten by any process."""
    now_known = session.execute(
        select(func.count(), func.max(RotatingBeacon.changed)).select_from(RotatingBeacon)
    ).one()
    state = (int(now_known[0]), now_known[1])
    engine = session.get_bind().engine
    with _building:
        kept = _tables.get(engine)
        if kept is None or kept[0] != state:
            kept = _tables[engine] = (state, *_made(session))
    return kept[1], kept[2]


def _made(session: Session) -> tuple[list[str], Table]:
    # Not at the top: numpy is for whoever resolves, not for every process and command.
    from vigil_cloud.checkin.eid_table import Table

    cipher: Cipher = session.info[CIPHER]
    columns = select(
        RotatingBeacon.tag, RotatingBeacon.key, RotatingBeacon.exponent, RotatingBeacon.zero
    ).order_by(RotatingBeacon.tag)
    rows = session.execute(columns).all()
    keys = [Key(cipher.open_bytes(KEY, key), many, zero.timestamp()) for _, key, many, zero in rows]
    return [row[0] for row in rows], Table(keys)


def read_file(lines: Iterable[str]) -> list[NewBeacon]:
    """Beacons of a CSV file without a head. Raises ``BadBeaconFile``."""
    found: list[NewBeacon] = []
    for number, row in enumerate(csv.reader(lines), start=1):
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
