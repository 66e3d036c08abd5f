"""Who is enrolled, as a file: persons, what they carry and who decides for them, and the stock.

One line for each tag, with the columns ``person``, ``name``, ``tag``, ``guardians`` (user names,
``;`` between them) and ``code``, or ``代號``, ``姓名``, ``標籤``, ``監護人``, ``條碼``. A line
without a person puts an amulet into the stock. Files are read as ``spreadsheets`` does.

A file only adds. It is taken whole, in one transaction, or not at all: each mistake is told with
its line. What would take something from somebody (a tag that another one carries, a name that is
not the enrolled one) is a mistake.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar, Final

from sqlalchemy.orm import Session

from vigil_cloud.api_errors import ApiError
from vigil_cloud.checkin import amulets, enrolment
from vigil_cloud.checkin.models import Amulet, Tag
from vigil_cloud.identity import audit, consents, persons
from vigil_cloud.identity.cipher import Cipher
from vigil_cloud.identity.errors import UnknownAccount
from vigil_cloud.identity.guardian_consents import NotCalled, make_guardian, not_called
from vigil_cloud.identity.persons import BadEnrolment
from vigil_cloud.identity.roles import Role
from vigil_cloud.identity.service import account_named
from vigil_cloud.identity.whereabouts import Scope
from vigil_cloud.spreadsheets import NoTable, column_name, harmless, lines_of, plain, spoilt
from vigil_schemas.errors import VigilError

LARGEST: Final = 1024 * 1024
MOST_ROWS: Final = 500
"""Written in one transaction: whatever else is written waits for a second or two."""
MOST_MISTAKES: Final = 100
COLUMNS: Final = ("person", "name", "tag", "guardians", "code")
_CHINESE: Final = {
    "代號": "person",
    "姓名": "name",
    "標籤": "tag",
    "監護人": "guardians",
    "條碼": "code",
}
_BETWEEN: Final = str.maketrans({"；": ";", "、": ";"})


class BadEnrolmentFile(ApiError):
    """A file that is no table of the columns that are known."""

    code: ClassVar[str] = "bad-enrolment-file"
    remedy: ClassVar[str] = (
        "Use a CSV file in UTF-8, UTF-16 or Big5 with the columns of docs/checkin.md,"
        " of 500 lines at most."
    )
    status: ClassVar[int] = 422


@dataclass(frozen=True, slots=True)
class Mistake:
    """What is wrong with one line; the header is line 1."""

    line: int
    text: str


@dataclass(slots=True)
class Done:
    """What a file does, or would do."""

    persons: int = 0
    tags: int = 0
    guardians: int = 0
    stock: int = 0
    not_called: list[NotCalled] = field(default_factory=list)
    """Guardians of its persons who hear no alert, also those whom it does not make."""
    mistakes: list[Mistake] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Row:
    """One line as it was written."""

    line: int
    person: str
    name: str
    tag: str
    guardians: tuple[str, ...]
    code: str


def read(content: bytes) -> list[Row]:
    """The lines of a file. Raises ``BadEnrolmentFile``."""
    try:
        filled = lines_of(content)
    except NoTable as error:
        raise BadEnrolmentFile(str(error)) from error
    names = [_CHINESE.get(name, name) for name in map(column_name, filled[0][1])]
    unknown = [name for name in names if name not in COLUMNS]
    if unknown or len(set(names)) < len(names) or not {"person", "tag"} & set(names):
        columns = ", ".join(COLUMNS)
        raise BadEnrolmentFile(f"The first line has to name columns, of {columns}; each once.")
    if len(filled) - 1 > MOST_ROWS:
        raise BadEnrolmentFile(f"More than {MOST_ROWS} lines: make several files of it.")
    return [_row(line, names, cells) for line, cells in filled[1:]]


def apply(
    session: Session,
    cipher: Cipher,
    rows: Sequence[Row],
    *,
    by: str,
    now: datetime,
    guardians_may: Collection[Scope] = (),
) -> Done:
    """Everything that the lines ask for. Where there is a mistake, the caller rolls back.
    ``guardians_may``: what guardians whom it makes see and are told of."""
    done = Done()
    for row in rows:
        try:
            with session.begin_nested():
                _apply_row(session, cipher, row, done, by=by, now=now, may=guardians_may)
        except VigilError as error:
            if len(done.mistakes) < MOST_MISTAKES:
                done.mistakes.append(Mistake(row.line, str(error)))
    done.not_called = not_called(session, now, [row.person for row in rows])
    return done


def written(session: Session, cipher: Cipher, *, by: str, now: datetime) -> str:
    """Everybody who is enrolled and the free stock, as ``read`` takes it; codes are nobody's to
    read. That it was taken out is noted for each person."""
    text = io.StringIO()
    table = csv.writer(text)
    table.writerow(COLUMNS[:4])
    for one in enrolment.people(session, cipher, now):
        guardians = ";".join(one.guardians)
        for tag in one.carries or [""]:
            table.writerow([harmless(cell) for cell in (one.key, one.name, tag, guardians)])
        audit.append(
            session, at=now, account=by, action="person.exported", subject="", person_key=one.key
        )
    for amulet in amulets.stock(session):
        if amulet.state == "free":
            table.writerow(["", "", amulet.tag, ""])
    return text.getvalue()


def _row(line: int, names: Sequence[str], cells: Sequence[str]) -> Row:
    if any(cell.strip() for cell in cells[len(names) :]):
        raise BadEnrolmentFile(f"Line {line} has more cells than the first line has columns.")
    found = dict.fromkeys(COLUMNS, "") | {
        name: plain(cell) for name, cell in zip(names, cells, strict=False)
    }
    guardians = found["guardians"].translate(_BETWEEN).split(";")
    return Row(
        line,
        found["person"],
        found["name"],
        found["tag"],
        tuple(one.strip() for one in guardians if one.strip()),
        found["code"],
    )


def _apply_row(  # noqa: PLR0913 - a line, and how it is taken, all by name
    session: Session,
    cipher: Cipher,
    row: Row,
    done: Done,
    *,
    by: str,
    now: datetime,
    may: Collection[Scope],
) -> None:
    for cell in (row.person, row.name, row.tag, row.code):
        if wrong := spoilt(cell):
            raise BadEnrolment(wrong)
    if not row.person:
        _into_stock(session, cipher, row, by=by, now=now)
        done.stock += 1
        return
    if row.code:
        raise BadEnrolment("a code is of an amulet in the stock: leave the person out")
    new = not persons.enrolled(session, row.person)
    if new:
        persons.enrol(session, cipher, key=row.person, name=row.name, now=now)
    elif row.name and row.name != persons.name_of(session, cipher, row.person):
        raise BadEnrolment(f"person {row.person!r} is enrolled under another name")
    given = _give(session, row, by=by, now=now)
    decides = [
        _guardian(session, row.person, name, by=by, now=now, may=may) for name in row.guardians
    ]
    done.persons += new
    done.tags += given
    done.guardians += sum(decides)


def _into_stock(session: Session, cipher: Cipher, row: Row, *, by: str, now: datetime) -> None:
    if not row.tag:
        raise BadEnrolment("a line needs a person or a tag")
    if row.name or row.guardians:
        raise BadEnrolment("a name or guardians without a person's key")
    known = session.get(Amulet, row.tag)
    if known is not None and known.state == "free" and not row.code:
        return  # it keeps the code that is printed on it
    amulets.add(session, cipher, row.tag, by=by, now=now, code=row.code or None)


def _give(session: Session, row: Row, *, by: str, now: datetime) -> bool:
    if not row.tag:
        return False
    holder = session.get(Tag, row.tag)
    if holder is not None and holder.person_key == row.person:
        return False
    if holder is not None:
        raise BadEnrolment(f"tag {row.tag!r}: somebody else carries it; take it back first")
    enrolment.give_typed_tag(session, row.tag, row.person, by=by, now=now)
    return True


def _guardian(
    session: Session, person: str, username: str, *, by: str, now: datetime, may: Collection[Scope]
) -> bool:
    if username in consents.guardians_of(session, person):
        return False
    try:
        account = account_named(session, username)
    except UnknownAccount as error:
        raise BadEnrolment(f"guardian {username!r}: there is no such account") from error
    if Role.FAMILY.value not in account.roles:
        raise BadEnrolment(f"guardian {username!r}: the account has not the role family")
    return make_guardian(session, person_key=person, account=account, by=by, now=now, scopes=may)
