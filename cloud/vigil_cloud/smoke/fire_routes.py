"""Fires over HTTP: for whoever leads, and for those who belong to the home."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path, Query
from sqlalchemy import ColumnElement, or_, select, true
from sqlalchemy.orm import Session

from vigil_cloud.alerts import acts, feed
from vigil_cloud.cases import work
from vigil_cloud.cases.models import CaseRow
from vigil_cloud.cases.routes import BenchDependency
from vigil_cloud.cases.service import Desk
from vigil_cloud.database.engine import writing
from vigil_cloud.identity import looks
from vigil_cloud.identity.dependencies import CurrentAccount, ServicesDependency, require
from vigil_cloud.identity.errors import Forbidden
from vigil_cloud.identity.reader import Reader, Relation
from vigil_cloud.parameters import Truth, Whole
from vigil_cloud.services import Services
from vigil_cloud.smoke import codes, fires, presentation
from vigil_cloud.smoke.cases import FILED, LEADS
from vigil_cloud.smoke.fire_errors import FireUnknown
from vigil_cloud.smoke.fire_schema import CauseBody, FireCard, FireEntry, FireList, HomeCode
from vigil_cloud.smoke.models import Fire
from vigil_cloud.smoke.news import homes_of, may_see

router = APIRouter(prefix="/smoke/fires", tags=["smoke"])
Leader = Annotated[Reader, Depends(require(*sorted(LEADS)))]
FireId = Annotated[str, Path(pattern=r"^[0-9a-f-]{36}$")]
Lead = Literal["acknowledge", "call", "arrived", "stand-down", "all-clear"]


@router.get("", operation_id="list_fires")
def list_fires(
    leader: Leader,
    services: ServicesDependency,
    limit: Annotated[Whole, Query(ge=1, le=200)] = 50,
) -> FireList:
    """Of the reader's districts: those that are not over first, then the newest."""
    query = (
        select(Fire)
        .where(_in_districts(leader))
        .order_by(Fire.phase == "over", Fire.opened.desc(), Fire.id)
        .limit(limit)
    )
    with services.sessions() as session:
        return FireList(
            fires=presentation.entries(session, session.scalars(query).all(), services.now())
        )


@router.get("/mine", operation_id="list_my_fires")
def list_mine(
    reader: CurrentAccount, services: ServicesDependency, over: Truth = False
) -> FireList:
    """Of the homes that the reader belongs to, the newest first."""
    homes = sorted({home.household for home in homes_of(reader)})
    query = select(Fire).where(Fire.household.in_(homes)).order_by(Fire.opened.desc()).limit(20)
    if not over:
        query = query.where(Fire.phase != "over")
    with services.sessions() as session:
        rows = session.scalars(query).all() if homes else []
        return FireList(fires=presentation.entries(session, rows, services.now()))


@router.get("/{fire}", operation_id="get_fire")
def get_fire(
    fire: FireId, leader: Leader, services: ServicesDependency, automatic: Truth = False
) -> FireCard:
    """Address, floor, who needs help, contacts, what was done. Each look is written down.
    `automatic`: an open page asks again by itself."""
    with writing(services.sessions) as session:
        row = _found(session, leader, fire)
        looks.note(
            session,
            account=leader.username,
            action="fire.looked",
            subject=row.id,
            now=services.now(),
            automatic=automatic,
        )
        return presentation.card(session, services, row, leader)


@router.post("/{fire}/safe", operation_id="call_fire_false")
def call_false(
    fire: FireId, body: HomeCode, reader: CurrentAccount, services: ServicesDependency
) -> FireEntry:
    """I am safe, it is a false alarm: with the home's code, by who lives there. 403 for another,
    429 once it is locked, 409 where the code takes nothing back."""
    with services.sessions() as session:
        row = _found(session, reader, fire)
        resident = any(
            home.household == row.household and home.relation is Relation.RESIDENT
            for home in homes_of(reader)
        )
        if not resident or row.household is None:
            raise Forbidden("A false alarm is called by whoever lives there.")
        household, opened = row.household, row.opened
    proof = codes.check(services, household, body.code, who=reader.username, began=opened)

    def take_back(session: Session, row: Fire) -> None:
        codes.require(proof, row.household)
        fires.code_given(session, row, reader.username, services.now())

    return _changed(services, fire, take_back)


@router.post("/{fire}/burns", operation_id="say_fire_burns")
def say_burns(fire: FireId, reader: CurrentAccount, services: ServicesDependency) -> FireEntry:
    """It burns: everybody and 119 are called at once. For whoever belongs to the home, and
    whoever leads. Idempotent."""
    with services.sessions() as session:
        _found(session, reader, fire)

    def burns(session: Session, row: Fire) -> None:
        fires.burns(session, row, reader.username, services.now())

    return _changed(services, fire, burns)


@router.post("/{fire}/lead/{act}", operation_id="lead_fire")
def lead(fire: FireId, act: Lead, leader: Leader, services: ServicesDependency) -> FireEntry:
    """A step of whoever leads. Idempotent. 409 where it does not follow where the fire stands."""
    with services.sessions() as session:
        _found(session, leader, fire)

    def go_on(session: Session, row: Fire) -> None:
        fires.led(session, row, act, leader.username, services.now())
        if act == "acknowledge":
            _take_alerts(session, leader, row, services, "acknowledged")

    return _changed(services, fire, go_on)


@router.post("/{fire}/cause", operation_id="record_fire_cause")
def record_cause(
    fire: FireId, body: CauseBody, leader: Leader, bench: BenchDependency
) -> FireEntry:
    """What it was; its case is decided and closed with that. 409 before it is over."""
    services = bench.services
    with bench.writing() as desk:
        feed.lock(desk.session)
        row = _found(desk.session, leader, fire)
        row = fires.load(desk.session, row.id, lock=True)
        fires.led(desk.session, row, "cause", leader.username, services.now(), body.cause)
        _close_case(desk, row, body)
        for act in ("acknowledged", "confirmed"):
            _take_alerts(desk.session, leader, row, services, act)
        shown = presentation.entries(desk.session, [row], services.now())[0]
    services.changed.announce()
    return shown


def _close_case(desk: Desk, row: Fire, body: CauseBody) -> None:
    case = desk.session.get(CaseRow, row.case_id) if row.case_id is not None else None
    if case is None:
        return
    if case.state == "new":
        work.take(desk, case.id, case.version)
    if case.state == "in_progress":
        said = work.Decided(body.cause, None, body.note or body.cause)
        work.decide(desk, case.id, case.version, said)
    if case.state == "decided":
        work.close(desk, case.id, case.version, FILED, "")


def _take_alerts(
    session: Session, leader: Reader, row: Fire, services: Services, act: acts.Action
) -> None:
    for alert in fires.alerts_of(session, row.id):
        done = alert.acknowledged if act == "acknowledged" else alert.confirmed
        if not done:
            acts.act(session, leader, alert.id, act, now=services.now())


def _changed(services: Services, fire: str, change: Callable[[Session, Fire], None]) -> FireEntry:
    with writing(services.sessions) as session:
        feed.lock(session)
        row = fires.load(session, fire, lock=True)
        change(session, row)
        shown = presentation.entries(session, [row], services.now())[0]
    services.changed.announce()
    return shown


def _found(session: Session, reader: Reader, fire: str) -> Fire:
    row = session.get(Fire, fire)
    if row is None or not may_see(reader, row.household, row.district):
        raise FireUnknown("There is no such fire for you.")
    return row


def _in_districts(reader: Reader) -> ColumnElement[bool]:
    if not reader.districts:
        return true()
    return or_(Fire.district.in_(sorted(reader.districts)))
