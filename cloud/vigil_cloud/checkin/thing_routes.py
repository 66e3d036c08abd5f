"""Things over HTTP: registered, looked for and guarded by whoever guards their owner; a stolen one
is seen by the police in its case."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator
from sqlalchemy.orm import Session

from vigil_cloud.alerts import feed
from vigil_cloud.cases import idempotency
from vigil_cloud.cases.routes import BenchDependency, CaseId, asked
from vigil_cloud.checkin import theft, things, watching
from vigil_cloud.checkin.code_tries import registering
from vigil_cloud.checkin.family_schema import NO_NUL, Name, Typed
from vigil_cloud.checkin.models import Thing
from vigil_cloud.checkin.schema import PositionEntry
from vigil_cloud.database.engine import writing
from vigil_cloud.identity import consents, looks
from vigil_cloud.identity.answered import OnceDependency
from vigil_cloud.identity.cipher import Cipher, Undecipherable
from vigil_cloud.identity.dependencies import CurrentAccount, PersonKey, ServicesDependency
from vigil_cloud.identity.reader import Reader
from vigil_cloud.parameters import Truth
from vigil_cloud.services import Services
from vigil_schemas.types import UtcDatetime

router = APIRouter(tags=["things"])
Refresh = Annotated[
    Truth, Query(description="an open page asks again by itself: its look lasts on")
]
ThingId = Annotated[str, Path(pattern=r"^[0-9a-f-]{36}$")]


class _Body(BaseModel):
    model_config = ConfigDict(
        strict=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False
    )


class NewThing(_Body):
    """A thing, and the code that is printed on its sticker."""

    kind: things.Kind
    name: Name
    """What the family calls it."""
    code: Typed


class GuardThing(_Body):
    """Where it is parked; without a point where it was seen last."""

    latitude: Annotated[float, Field(ge=-90, le=90)] | None = None
    longitude: Annotated[float, Field(ge=-180, le=180)] | None = None
    radius_m: Annotated[float, Field(ge=100, le=5_000)] = 300.0

    @model_validator(mode="after")
    def _both_or_none(self) -> GuardThing:
        if (self.latitude is None) != (self.longitude is None):
            raise ValueError("a point has a latitude and a longitude")
        return self


class ReportTheft(_Body):
    """What the owner says of it."""

    text: Annotated[str, StringConstraints(max_length=2000, pattern=NO_NUL)] = ""


class Parked(BaseModel):
    """Where a guarded thing stands."""

    latitude: float
    longitude: float
    radius_m: float


class ThingEntry(BaseModel):
    """A thing, as whoever guards its owner sees it: without its tag, which could be followed."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    id: str
    kind: things.Kind
    name: str
    added: UtcDatetime
    seen: UtcDatetime | None
    seen_at: str | None
    """The station's place."""
    seen_at_zh: str | None
    guarded: Parked | None
    moved: bool
    """It was seen away from where it was parked."""
    stolen: UtcDatetime | None
    case_id: str | None


class ThingList(BaseModel):
    """In the order in which they were registered."""

    things: list[ThingEntry]


class ThingSign(BaseModel):
    """It was at a station. WGS 84, degrees."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    arrived: UtcDatetime
    last_seen: UtcDatetime
    name: str
    name_zh: str
    latitude: float | None
    longitude: float | None
    position: PositionEntry | None = None
    """Of a station that moves; ``None``: it stands there."""


class ThingSigns(BaseModel):
    """Newest first, 500 at most."""

    kind: things.Kind
    signs: list[ThingSign]


class ThingWatch(BaseModel):
    """How far the watch list has come, on which its tag is."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    stations: int
    watching: int
    waiting: int
    unable: int
    """Of an earlier release: their visits are looked at when they come."""
    listed: bool
    """Whether it has found room on the list, where people come first."""


class StolenThing(ThingSigns):
    """Where a stolen thing was seen, and whether stations look out for it."""

    watch: ThingWatch


class TheftReported(BaseModel):
    """The case that was opened, or that it had already."""

    case_id: str
    number: str


@router.get("/people/{key}/things", operation_id="list_things")
def list_things(
    key: PersonKey,
    reader: CurrentAccount,
    services: ServicesDependency,
    refresh: Refresh = False,
) -> ThingList:
    """What the person owns, and where each was seen last (guardian). The look is written down."""
    with writing(services.sessions) as session:
        consents.require_guardian(session, reader, key)
        rows = things.of_person(session, key)
        cipher = Cipher(services.settings.secret)
        if rows:
            _note_look(session, key, "things", reader.username, services.now(), automatic=refresh)
        return ThingList(things=[_entry(session, cipher, row) for row in rows])


@router.post("/people/{key}/things", status_code=201, operation_id="add_thing")
def add_thing(
    key: PersonKey,
    body: NewThing,
    reader: CurrentAccount,
    once: OnceDependency,
) -> ThingEntry:
    """Register one under the code on its sticker (guardian)."""
    services = once.services
    cipher, now = Cipher(services.settings.secret), services.now()
    with registering(services, once.request, reader, key, body.code) as session:

        def register() -> ThingEntry:
            row = things.register(
                session, cipher, key, body.kind, body.name, body.code, by=reader.username, now=now
            )
            return _entry(session, cipher, row)

        return once.answer(session, reader, body, ThingEntry, register, person=key)


@router.delete("/people/{key}/things/{thing}", status_code=204, operation_id="remove_thing")
def remove_thing(
    key: PersonKey, thing: ThingId, reader: CurrentAccount, services: ServicesDependency
) -> None:
    """It is followed no more (guardian)."""
    with _changing(services, reader, key, thing) as (session, row):
        things.remove(session, row, by=reader.username, now=services.now())


@router.get("/people/{key}/things/{thing}/signs", operation_id="get_thing_signs")
def get_thing_signs(
    key: PersonKey, thing: ThingId, reader: CurrentAccount, services: ServicesDependency
) -> ThingSigns:
    """Where stations have seen it (guardian). The look is written down."""
    with writing(services.sessions) as session:
        consents.require_guardian(session, reader, key)
        row = things.find(session, key, thing)
        _note_look(session, key, row.id, reader.username, services.now())
        return _signs(session, row, None)


@router.put("/people/{key}/things/{thing}/guard", status_code=204, operation_id="guard_thing")
def guard_thing(
    key: PersonKey,
    thing: ThingId,
    body: GuardThing,
    reader: CurrentAccount,
    services: ServicesDependency,
) -> None:
    """Its people are told when it is seen away from where it is parked (guardian)."""
    where = things.Guard(body.latitude, body.longitude, body.radius_m)
    with _changing(services, reader, key, thing) as (session, row):
        things.guard(session, row, where, by=reader.username, now=services.now())


@router.delete("/people/{key}/things/{thing}/guard", status_code=204, operation_id="release_thing")
def release_thing(
    key: PersonKey, thing: ThingId, reader: CurrentAccount, services: ServicesDependency
) -> None:
    """It may move again (guardian). Idempotent."""
    with _changing(services, reader, key, thing) as (session, row):
        things.leave(session, row, by=reader.username, now=services.now())


@router.post("/things/{thing}/theft", status_code=201, operation_id="report_theft")
def report_theft(
    thing: ThingId, body: ReportTheft, request: Request, bench: BenchDependency
) -> TheftReported:
    """It was stolen (guardian): a case in which the police see where stations see it."""
    with bench.writing() as desk:
        feed.lock(desk.session)
        row = idempotency.once(
            desk, bench.key, asked(request, body), lambda: theft.report(desk, thing, body.text)
        )
        answer = TheftReported(case_id=row.id, number=row.number)
    bench.services.changed.announce()
    return answer


@router.get("/things/cases/{case_id}", operation_id="get_stolen_thing")
def get_stolen_thing(
    case_id: CaseId, bench: BenchDependency, refresh: Refresh = False
) -> StolenThing:
    """Where a stolen thing was seen since a day before it was reported, for whoever sees its case.
    The look is written down."""
    with bench.writing() as desk:
        case, thing = theft.of_case(desk, case_id)
        assert thing.stolen is not None  # noqa: S101 - as it was found
        looks.note(
            desk.session,
            account=desk.reader.username,
            action="location.read",
            subject=case.id,
            thing="thing",
            person_key=thing.person_key,
            now=desk.now,
            detail={"case": case.number, "what": "thing"},
            automatic=refresh,
        )
        signs = _signs(desk.session, thing, thing.stolen - things.BEFORE_THEFT)
        now = watching.coverage_of(desk.session, {thing.tag}, desk.now)
    return StolenThing(
        kind=signs.kind,
        signs=signs.signs,
        watch=ThingWatch(
            stations=now.stations,
            watching=now.watching,
            waiting=now.waiting,
            unable=now.unable,
            listed=not now.left_out,
        ),
    )


@contextmanager
def _changing(
    services: Services, reader: Reader, key: str, thing: str
) -> Iterator[tuple[Session, Thing]]:
    """A transaction of the owner's guardian with the thing, locked. Raises ``NoConsent``,
    ``NotFound``."""
    with writing(services.sessions) as session:
        feed.lock(session)
        consents.require_guardian(session, reader, key)
        yield session, things.find(session, key, thing)
    services.changed.announce()


def _note_look(
    session: Session, key: str, thing: str, by: str, now: datetime, *, automatic: bool = False
) -> None:
    looks.note(
        session,
        account=by,
        action="location.read",
        subject="things",
        thing=thing,
        person_key=key,
        now=now,
        automatic=automatic,
    )


def _signs(session: Session, row: Thing, since: datetime | None) -> ThingSigns:
    return ThingSigns(
        kind=things.kind_of(row),
        signs=[
            ThingSign(
                arrived=one.arrived,
                last_seen=one.last_seen,
                name=one.place.name,
                name_zh=one.place.name_zh,
                latitude=one.place.latitude,
                longitude=one.place.longitude,
                position=one.position,
            )
            for one in things.signs(session, row, since)
        ],
    )


def _entry(session: Session, cipher: Cipher, row: Thing) -> ThingEntry:
    place = things.last_place(session, row)
    guarded = None
    if row.guard_latitude is not None and row.guard_longitude is not None:
        guarded = Parked(
            latitude=row.guard_latitude,
            longitude=row.guard_longitude,
            radius_m=row.guard_radius_m or 0.0,
        )
    try:
        name = cipher.open(things.NAME, row.name)
    except Undecipherable:  # of a secret key that was given up
        name = "?"
    return ThingEntry(
        id=row.id,
        kind=things.kind_of(row),
        name=name,
        added=row.added,
        seen=row.seen,
        seen_at=None if place is None else place.name,
        seen_at_zh=None if place is None else place.name_zh,
        guarded=guarded,
        moved=row.reference is not None,
        stolen=row.stolen,
        case_id=row.case_id,
    )
