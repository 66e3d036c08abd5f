"""The city's own amulets, and how a family registers one by itself.

What a beacon sends can be heard by anybody, so its id proves nothing. An amulet carries a printed
code that it does not send; the stock keeps a keyed hash of it. Only what is in the stock, is free
and fits its code can be registered: nobody can follow a stranger's key ring by its id. An amulet
without a code (of an older batch) is registered by the id that is printed on it.

Whatever does not fit is refused with one message, whether the code is nobody's, somebody carries
the amulet, it was lost, or it sticks on a thing.
"""

from __future__ import annotations

import re
import secrets
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Final, Literal

from pydantic import TypeAdapter, ValidationError
from sqlalchemy import ColumnElement, and_, func, select, update
from sqlalchemy.orm import Session

from vigil_cloud import typed_codes
from vigil_cloud.api_errors import ApiError, NotFound
from vigil_cloud.checkin import rotating
from vigil_cloud.checkin.enrolment import take_tag
from vigil_cloud.checkin.models import Amulet, Tag, Visit
from vigil_cloud.checkin.service import give_tag
from vigil_cloud.checkin.tags import is_on_a_thing
from vigil_cloud.domain.registry import tag_owner
from vigil_cloud.identity import audit, kept_keys, persons
from vigil_cloud.identity.cipher import Cipher
from vigil_cloud.identity.persons import BadEnrolment
from vigil_cloud.typed_codes import LETTERS
from vigil_schemas.checkin import DOMAIN, CarriedId

End = Literal["lost", "returned"]
BEACONS: Final = ("ibeacon:", "eddystone-uid:", "altbeacon:")
"""What a person wears; a sticker is on a thing."""
CODE_CHARACTERS: Final = 10
"""50 random bits: with a handful of tries in five minutes nobody guesses one."""
LONGEST: Final = 300
MOST_REPRINTED: Final = 500
"""Codes of one sheet."""
MOST_CARRIED: Final = 5
"""Amulets of one person that their family registers."""
_TAG: Final[TypeAdapter[str]] = TypeAdapter(CarriedId)
_CODE: Final = "amulet code v1"
_HANDLE: Final = "amulet handle v1"


class BadAmulet(ApiError):
    """What was scanned or typed is no amulet's code: too short, or something else entirely."""

    code: ClassVar[str] = "bad-amulet"
    remedy: ClassVar[str] = (
        f"Scan the code on the amulet, or type the {CODE_CHARACTERS} characters printed below it."
    )
    status: ClassVar[int] = 422

    def __init__(self) -> None:
        super().__init__("This is not the code of an amulet.")


class AmuletRefused(ApiError):
    """No free amulet of the city has this code. Why not is not told."""

    code: ClassVar[str] = "amulet-refused"
    remedy: ClassVar[str] = (
        "Compare the code with the one on the amulet; if it is the same, bring the amulet to the"
        " health bureau."
    )
    status: ClassVar[int] = 409

    def __init__(self) -> None:
        super().__init__("This amulet cannot be registered.")


@dataclass(frozen=True, slots=True)
class Carried:
    """An amulet as the person's guardian sees it: without its id, which could be followed."""

    handle: str
    last_heard: datetime | None
    battery_mv: int | None


def new_code() -> str:
    """As it is printed: two groups of five."""
    return _printed("".join(secrets.choice(LETTERS) for _ in range(CODE_CHARACTERS)))


def read(typed: str) -> str:
    """The code, or the id, in what was scanned or typed; an address that holds it is taken too.
    Raises ``BadAmulet``."""
    if len(typed) > LONGEST:
        raise BadAmulet
    text = unicodedata.normalize("NFKC", typed).strip()
    as_id = text.lower()
    if as_id.startswith("ibeacon:"):
        as_id = as_id.replace("-", "")
    if as_id.startswith(BEACONS):
        try:
            return _TAG.validate_python(as_id)
        except ValidationError as error:
            raise BadAmulet from error
    last = re.split(r"[#/=]", text)[-1]
    code = typed_codes.plain(last)
    if len(code) != CODE_CHARACTERS or not set(code) <= set(LETTERS):
        raise BadAmulet
    return code


def add(
    session: Session,
    cipher: Cipher,
    tag: str,
    *,
    by: str,
    now: datetime,
    code: str | None = None,
) -> None:
    """Into the stock, free to be registered, under another code than before. ``code``: what is
    printed on it; ``None``: its id is. Raises ``BadEnrolment`` for what is no beacon, is worn, or
    whose code another one has."""
    if not tag.startswith(rotating.OWN):
        try:
            _TAG.validate_python(tag)
        except ValidationError as error:
            raise BadEnrolment(f"amulet {tag!r}: not as a station names it") from error
        if code is None and not tag.startswith(BEACONS):
            raise BadEnrolment(f"sticker {tag!r}: anybody can read its id, so it needs a code")
    if is_on_a_thing(session, tag):
        raise BadEnrolment(f"amulet {tag!r} is on a thing: remove that first")
    if session.get(Tag, tag) is not None or tag_owner(session, tag, beside=DOMAIN) is not None:
        raise BadEnrolment(f"amulet {tag!r} is worn: take it back first")
    hashed = None if code is None else _code_hash(session, cipher, read(code))
    holder = session.scalar(select(Amulet.tag).where(Amulet.code_hash == hashed))
    if hashed is not None and holder not in {None, tag}:
        raise BadEnrolment(f"amulet {tag!r}: another one has this code")
    number = kept_keys.number_of(session, _CODE)
    session.merge(Amulet(tag=tag, code_hash=hashed, code_number=number, state="free", changed=now))
    session.flush()
    audit.append(session, at=now, account=by, action="amulet.added", subject=tag)


def stock(session: Session) -> Sequence[Amulet]:
    """All there are, by id."""
    return session.scalars(select(Amulet).order_by(Amulet.tag)).all()


def counts(session: Session) -> dict[str, int]:
    """How many of each state."""
    found = session.execute(select(Amulet.state, func.count()).group_by(Amulet.state)).all()
    return {"free": 0, "carried": 0, "lost": 0, "returned": 0} | {row[0]: row[1] for row in found}


def void(session: Session) -> Sequence[Amulet]:
    """Free ones whose printed code fits no more, by id: its key was given up. Nobody can register
    one before it has another code."""
    return session.scalars(select(Amulet).where(_is_void(session)).order_by(Amulet.tag)).all()


def count_void(session: Session) -> int:
    """How many those are."""
    return session.scalar(select(func.count()).select_from(Amulet).where(_is_void(session))) or 0


def reprint(session: Session, cipher: Cipher, *, by: str, now: datetime) -> dict[str, str]:
    """Another code for each of those, up to ``MOST_REPRINTED``: what is to be printed, by id."""
    codes = {one.tag: new_code() for one in void(session)[:MOST_REPRINTED]}
    for tag, code in codes.items():
        add(session, cipher, tag, by=by, now=now, code=code)
    return codes


def _is_void(session: Session) -> ColumnElement[bool]:
    earlier = Amulet.code_number < kept_keys.number_of(session, _CODE)
    return and_(Amulet.code_hash.is_not(None), Amulet.state == "free", earlier)


def register(  # noqa: PLR0913 - what, for whom and by whom, all by name
    session: Session,
    cipher: Cipher,
    typed: str,
    person_key: str,
    *,
    by: str,
    now: datetime,
    replaces: str | None = None,
) -> None:
    """The amulet is this person's from now on, and the one that it ``replaces`` (a handle) is
    lost. The same again changes nothing. Raises ``BadAmulet``, ``AmuletRefused``, ``NotFound``."""
    tag = _free_or_own(session, cipher, read(typed), person_key)
    own = _tags(session, person_key)
    if tag in own:
        return
    if replaces is not None:
        end(session, cipher, person_key, replaces, "lost", by=by, now=now)
    elif len(own) >= MOST_CARRIED:
        raise AmuletRefused
    give_tag(session, tag, person_key, by=by, now=now)


def free(session: Session, cipher: Cipher, typed: str) -> str:
    """The tag of one that nobody has, for a thing. Raises ``BadAmulet``, ``AmuletRefused``."""
    return _free_or_own(session, cipher, read(typed), None)


def wears(session: Session, cipher: Cipher, typed: str, person_key: str) -> bool:
    """Whether it is this person's already. Raises ``BadAmulet``."""
    try:
        return _free_or_own(session, cipher, read(typed), person_key) in _tags(session, person_key)
    except AmuletRefused:
        return False


def end(  # noqa: PLR0913 - which, how and by whom, all by name
    session: Session,
    cipher: Cipher,
    person_key: str,
    handle: str,
    how: End,
    *,
    by: str,
    now: datetime,
) -> None:
    """Lost, or handed back: it is nobody's, and free again once the city has it back and gave it
    a new code. Raises ``NotFound``."""
    tag = next((one for one in _tags(session, person_key) if handle_of(cipher, one) == handle), "")
    if not tag:
        raise NotFound("This person carries no such amulet.")
    take_tag(session, tag, by=by, now=now)
    session.execute(update(Amulet).where(Amulet.tag == tag).values(state=how, changed=now))
    audit.append(
        session, at=now, account=by, action=f"amulet.{how}", subject=tag, person_key=person_key
    )


def carried(session: Session, cipher: Cipher, person_key: str) -> list[Carried]:
    """What the person wears; when each was heard last. The caller has asked the right to it: a
    guardian is told that an amulet works, and not where."""
    persons.require_enrolled(session, person_key)
    found = []
    for tag in _tags(session, person_key):
        newest = (
            select(Visit.last_seen, Visit.battery_mv)
            .where(Visit.person_key == person_key, Visit.tag == tag)
            .order_by(Visit.last_seen.desc())
            .limit(1)
        )
        row = session.execute(newest).one_or_none()
        last, battery = (None, None) if row is None else (row[0], row[1])
        found.append(Carried(handle_of(cipher, tag), last, battery))
    return found


def note_refusal(session: Session, by: str, person_key: str | None, now: datetime) -> None:
    """Write down that somebody tried to register what could not be; not what that was."""
    audit.append(
        session, at=now, account=by, action="amulet.refused", subject="", person_key=person_key
    )


def handle_of(cipher: Cipher, tag: str) -> str:
    """What stands for an amulet where its id is not told."""
    return cipher.keyed_hash(_HANDLE, tag.encode()).hex()[:16]


def _free_or_own(session: Session, cipher: Cipher, said: str, person_key: str | None) -> str:
    """The amulet's tag; ``None``: for a thing. As many questions whatever is the matter. Raises
    ``AmuletRefused``."""
    if said.startswith(BEACONS):
        which: ColumnElement[bool] = and_(Amulet.tag == said, Amulet.code_hash.is_(None))
    else:
        which = Amulet.code_hash == _code_hash(session, cipher, said)
    row = session.scalar(select(Amulet).where(which).with_for_update())
    tag = said if row is None else row.tag
    holder = session.scalar(select(Tag.person_key).where(Tag.tag == tag))
    on_thing = is_on_a_thing(session, tag)
    thing = tag_owner(session, tag, beside=DOMAIN) or (DOMAIN if on_thing else None)
    if person_key is not None and not tag.startswith((*BEACONS, rotating.OWN)):
        raise AmuletRefused  # a sticker is on a thing, and on nobody's coat
    own = row is not None and person_key is not None and holder == person_key
    if own or (row is not None and row.state == "free" and holder is None and thing is None):
        return tag
    raise AmuletRefused


def _tags(session: Session, person_key: str) -> list[str]:
    query = select(Tag.tag).where(Tag.person_key == person_key).order_by(Tag.tag)
    return list(session.scalars(query))


def _code_hash(session: Session, cipher: Cipher, code: str) -> str:
    """What is printed outlives the secret key."""
    return kept_keys.kept_hash(session, cipher, _CODE, code.encode()).hex()


def _printed(code: str) -> str:
    half = CODE_CHARACTERS // 2
    return f"{code[:half]}-{code[half:]}"
