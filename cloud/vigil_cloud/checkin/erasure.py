"""Erasing a person: nothing in the stores names them or their tags any more.

What stays is the audit chain with their pseudonym. Its lines that named a tag are blanked,
and the line that tells of the erasure carries their hashes, so that the chain still
verifies. Done again it finishes what a crash cut short: the time series is not in the
database's transaction.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Final

from sqlalchemy import delete, func, or_, select
from sqlalchemy.orm import Session

from vigil_cloud.alerts import feed
from vigil_cloud.alerts.models import AlertRow, FeedEntry
from vigil_cloud.alerts.presentation import PERSON_NAME_COLUMN
from vigil_cloud.api_errors import ApiError
from vigil_cloud.checkin.models import Person, Tag, Visit
from vigil_cloud.database.engine import forget_deleted, writing
from vigil_cloud.devices import newest
from vigil_cloud.identity import audit, person_keys
from vigil_cloud.identity.cipher import Cipher, Undecipherable
from vigil_cloud.identity.models import Consent, Guardian, Look, PersonKey
from vigil_cloud.ingest.models import DeadLetter
from vigil_cloud.services import Services

COMPACT_UP_TO: Final = 256 * 1024 * 1024
"""A SQLite file of so many bytes is written anew after an erasure."""
_PAGE: Final = 200


class UnknownPerson(ApiError):
    """Nobody of this key is enrolled."""

    code: ClassVar[str] = "person-unknown"
    status: ClassVar[int] = 404


class GivenMeanwhile(ApiError):
    """The person's tags changed while they were being erased; nothing but readings is gone."""

    code: ClassVar[str] = "given-meanwhile"
    status: ClassVar[int] = 409


@dataclass(slots=True)
class Erasure:
    """How much was removed. ``complete``: also from the file's free pages and its log."""

    removed: dict[str, int] = field(default_factory=dict)
    complete: bool = True


def erase(services: Services, person_key: str, *, by: str) -> Erasure:
    """Raises ``UnknownPerson``, ``GivenMeanwhile`` and ``TimeSeriesUnavailable`` (do it again)."""
    now = services.now()
    cipher = Cipher(services.settings.secret)
    done = Erasure()
    # What takes long comes first, in no transaction of ours: an alarm would wait for it. The rows
    # that name the tags go last, so that a crash in between leaves them.
    with services.sessions() as session:
        tags, words = _known(session, cipher, person_key)
    for tag in tags:
        services.timeseries.delete(tag)
    with services.sessions() as session:
        letters, last = _dead_letters(session, words, 0)
    with writing(services.sessions) as session:
        feed.lock(session)
        now_worn, words = _known(session, cipher, person_key)
        if set(now_worn) - set(tags):
            raise GivenMeanwhile("Another tag was given to this person just now; do it again.")
        _remove_rows(session, person_key, tags, done)
        letters += _dead_letters(session, words, last)[0]
        done.removed["dead_letters"] = _remove_letters(session, letters)
        person_keys.destroy(session, person_key, now)
        audit.redact(
            session,
            words,
            person_key=person_key,
            action="person.erased",
            by=by,
            now=now,
            detail=dict(done.removed),
        )
        feed.append(session, "rights", person_key, now)
    services.changed.announce()
    done.complete = forget_deleted(services.engine, compact_up_to=COMPACT_UP_TO)
    return done


def _known(session: Session, cipher: Cipher, person_key: str) -> tuple[list[str], list[str]]:
    """The person's tags; every word that names them. Raises ``UnknownPerson``."""
    known = session.get(PersonKey, person_key)
    if session.get(Person, person_key) is None and known is None:
        raise UnknownPerson(f"There is no person {person_key!r}.")
    tags = _tags(session, person_key)
    return tags, [*tags, *_name(session, cipher, person_key)]


def _tags(session: Session, person_key: str) -> list[str]:
    carried = select(Tag.tag).where(Tag.person_key == person_key)
    worn = select(Visit.tag).where(Visit.person_key == person_key)
    return sorted(session.scalars(carried.union(worn)))


def _name(session: Session, cipher: Cipher, person_key: str) -> list[str]:
    person = session.get(Person, person_key)
    if person is None:
        return []
    try:
        return [person_keys.of(session, cipher, person_key).open(PERSON_NAME_COLUMN, person.name)]
    except Undecipherable:
        return []


def _remove_rows(session: Session, person_key: str, tags: Collection[str], done: Erasure) -> None:
    own = select(Tag.tag).where(Tag.person_key == person_key)
    # Where a tag was before anybody had enrolled it is its carrier's as well.
    visits = or_(Visit.person_key == person_key, Visit.person_key.is_(None) & Visit.tag.in_(own))
    alerts = AlertRow.person_key == person_key
    for name, ids in (
        ("visits", select(Visit.id).where(visits)),
        ("alerts", select(AlertRow.id).where(alerts)),
    ):
        keys = session.scalars(ids).all()
        for page in _pages(keys):
            session.execute(delete(FeedEntry).where(FeedEntry.key.in_(page)))
        done.removed[name] = len(keys)
    session.execute(delete(FeedEntry).where(FeedEntry.key == person_key))
    session.execute(delete(Visit).where(visits).execution_options(synchronize_session=False))
    session.execute(delete(AlertRow).where(alerts).execution_options(synchronize_session=False))
    newest.forget(session, tags)
    for model, column in (
        (Tag, Tag.person_key),
        (Consent, Consent.person_key),
        (Guardian, Guardian.person_key),
        (Look, Look.person_key),
        (Person, Person.key),
    ):
        number = session.scalar(select(func.count()).where(column == person_key)) or 0
        statement = delete(model).where(column == person_key)
        session.execute(statement.execution_options(synchronize_session=False))
        done.removed[model.__tablename__] = number
    done.removed["tags"] = len(tags)


def _pages(keys: Sequence[str]) -> Iterable[Sequence[str]]:
    return (keys[first : first + _PAGE] for first in range(0, len(keys), _PAGE))


def _dead_letters(session: Session, words: Sequence[str], last: int) -> tuple[list[int], int]:
    """Refused messages above number ``last`` that name the person or a tag: they hold what a
    gateway sent. Also the last number that was looked at."""
    named = [word.encode() for word in words]
    found: list[int] = []
    while True:
        page = session.execute(
            select(DeadLetter.id, DeadLetter.payload, DeadLetter.detail)
            .where(DeadLetter.id > last)
            .order_by(DeadLetter.id)
            .limit(_PAGE)
        ).all()
        for number, payload, detail in page:
            if any(word in payload or word in detail.encode() for word in named):
                found.append(number)
        last = page[-1][0] if page else last
        if len(page) < _PAGE:
            return found, last


def _remove_letters(session: Session, numbers: Sequence[int]) -> int:
    for first in range(0, len(numbers), _PAGE):
        some = DeadLetter.id.in_(numbers[first : first + _PAGE])
        session.execute(delete(DeadLetter).where(some))
    return len(numbers)
