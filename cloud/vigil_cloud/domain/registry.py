"""Which domains there are in this process: the shipped ones, and what else was registered."""

from __future__ import annotations

import importlib
import re
import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import ClassVar, Final

from sqlalchemy.orm import Session

from vigil_cloud.domain.alarms import AlarmReading
from vigil_cloud.domain.descriptor import Described, LifeSafety
from vigil_cloud.domain.detail import is_personal
from vigil_cloud.domain.presence import PersonSeen, TagSeen
from vigil_cloud.shipped import SHIPPED
from vigil_schemas import contract
from vigil_schemas.errors import VigilError
from vigil_schemas.types import Domain

_FEED: Final = frozenset({"alert", "rights", "device", "reading", "heartbeat", "resync", "ended"})
"""Events of the stream that are the platform's own."""

_PATH: Final = re.compile(r"[MmLlHhVvCcSsQqTtAaZz0-9 .,-]{1,1000}")
_COLOUR: Final = re.compile(r"#[0-9a-f]{6}")

_domains: Final[dict[Domain, Described]] = {}
_loading: Final = threading.RLock()
_loaded: Final = threading.Event()


class BadDomain(VigilError):
    """A domain's description contradicts itself or another one."""

    code: ClassVar[str] = "bad-domain"
    remedy: ClassVar[str] = (
        "This is a mistake in the program: correct the description that the message names."
    )


def domains() -> tuple[Described, ...]:
    """Every registered domain; the shipped ones first, in their order."""
    _load()
    return tuple(_domains.values())


def described(name: Domain) -> Described | None:
    """The description of this domain; ``None``: nobody described it, so it is closed."""
    _load()
    return _domains.get(name)


def lives_lost(names: Collection[Domain]) -> Sequence[LifeSafety]:
    """What is lost where devices of these domains are not heard; empty: no life hangs on it."""
    found = [one for one in domains() if one.name in names]
    return [one.life_safety for one in found if one.life_safety is not None]


def alarm_readings() -> dict[Domain, AlarmReading]:
    """How the alarms of each domain that has any are read where they are damaged."""
    _load()
    return dict(_readings())


def alarm_reading(event_type: str) -> AlarmReading | None:
    """The same of an alarm's event type; ``None``: it is no alarm."""
    name = contract.ALARM_TYPES.get(event_type)
    domain = None if name is None else described(name)
    return None if domain is None else domain.alarm_reading


def series_days(decided: Mapping[Domain, float]) -> dict[Domain, float]:
    """How many days the readings of which domains are kept: as the operator has decided, else as
    the domain says. Of one that is not in it, and where it is 0: for good."""
    own = {one.name: one.series_days for one in domains() if one.series_days is not None}
    return own | dict(decided)


def tell_person_seen(session: Session, seen: PersonSeen) -> None:
    """Tell every domain that follows persons. The caller holds ``feed.lock``."""
    for one in domains():
        if one.person_seen is not None:
            one.person_seen(session, seen)


def tell_tag_seen(session: Session, seen: TagSeen) -> None:
    """The same of a tag that no person carries: those that follow things know what it is on."""
    for one in domains():
        if one.tag_seen is not None:
            one.tag_seen(session, seen)


def tag_owner(session: Session, tag: str, *, beside: Domain) -> Domain | None:
    """The domain, other than ``beside``, to whose persons or things this tag was given."""
    for one in domains():
        if one.name != beside and one.owns_tag is not None and one.owns_tag(session, tag):
            return one.name
    return None


def register(domain: Described) -> None:
    """Add a domain, at the start of a process. Raises ``BadDomain``, ``BadContract``."""
    _load()
    _register(domain)


@contextmanager
def registered(domain: Described) -> Iterator[None]:
    """Registered for as long as the block lasts."""
    register(domain)
    try:
        yield
    finally:
        del _domains[domain.name]
        contract.forget(domain.contract)


def _load() -> None:
    """The shipped ones, when they are first asked for: whoever decides about rights must not
    depend on who was imported before."""
    if _loaded.is_set():
        return
    with _loading:
        if _loaded.is_set():
            return
        for name in SHIPPED:
            module = importlib.import_module(f"vigil_cloud.{name}.domain")
            _register(module.DOMAIN)
        _loaded.set()


def _register(domain: Described) -> None:
    if domain.name in _domains:
        raise BadDomain(f"domain {domain.name!r} is registered already")
    kinds = [kind.name for kind in domain.feed_kinds]
    taken = _FEED | {kind.name for one in _domains.values() for kind in one.feed_kinds}
    if len(set(kinds)) < len(kinds) or not taken.isdisjoint(kinds):
        raise BadDomain(f"domain {domain.name!r}: a feed kind of {kinds} is another's")
    unknown = {
        name
        for handler in domain.handlers
        for name in handler.types
        if not name.startswith(f"city.vigil.{domain.name}.")
    }
    if unknown:
        raise BadDomain(f"domain {domain.name!r} takes what is another's: {sorted(unknown)}")
    _check_details(domain)
    _check_look(domain)
    contract.register(domain.contract)
    try:
        _check_alarms(domain)
    except BadDomain:
        contract.forget(domain.contract)
        raise
    _domains[domain.name] = domain


def _check_look(domain: Described) -> None:
    """It is put into pages: a path and two colours, and nothing else."""
    if (look := domain.look) is None:
        return
    if not _PATH.fullmatch(look.icon):
        raise BadDomain(f"domain {domain.name!r}: the icon is no SVG path")
    if not (_COLOUR.fullmatch(look.colour) and _COLOUR.fullmatch(look.colour_dark)):
        raise BadDomain(f"domain {domain.name!r}: a colour is written #rrggbb")


def _check_details(domain: Described) -> None:
    """Readers tell details apart by their type, and the API's description by their names."""
    others = [model for one in _domains.values() for model in one.details]
    for model in domain.details:
        word = model.type_word()
        if not word.startswith(f"{domain.name}-"):
            raise BadDomain(f"domain {domain.name!r}: the detail type {word!r} does not begin so")
        if any(field.is_required() for field in model.model_fields.values() if is_personal(field)):
            raise BadDomain(f"domain {domain.name!r}: {word!r} needs what may not be shown")
        if any(model.__name__ == other.__name__ for other in others):
            raise BadDomain(f"domain {domain.name!r}: {model.__name__} is another's name")
    words = [model.type_word() for model in domain.details]
    if len(set(words)) < len(words):
        raise BadDomain(f"domain {domain.name!r}: two details have one type")


def _check_alarms(domain: Described) -> None:
    """Nothing true is refused of an alarm: whoever has any says how a damaged one is read."""
    reading = domain.alarm_reading
    if reading is None:
        if domain.contract.alarms:
            raise BadDomain(f"domain {domain.name!r} does not say how its alarms are read")
        return
    fields = {name for model in domain.contract.alarms for name in model.model_fields}
    if unknown := {*reading.names, *reading.says, *reading.further} - fields:
        raise BadDomain(f"domain {domain.name!r}: its alarms have no {sorted(unknown)}")
    others = [name for name, one in _readings() if one.anything]
    if reading.anything and others:
        raise BadDomain(f"domain {domain.name!r}: {others[0]} takes what nobody explains already")


def _readings() -> Iterator[tuple[Domain, AlarmReading]]:
    for name, one in _domains.items():
        if one.alarm_reading is not None:
            yield name, one.alarm_reading
