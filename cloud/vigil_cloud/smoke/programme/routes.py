"""The programme over HTTP for the city's office and whoever refers: homes, decisions, figures."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Query

from vigil_cloud.database.engine import writing
from vigil_cloud.identity import audit
from vigil_cloud.identity.answered import OnceDependency
from vigil_cloud.identity.cipher import Cipher
from vigil_cloud.identity.dependencies import ServicesDependency
from vigil_cloud.identity.errors import Forbidden
from vigil_cloud.parameters import Whole
from vigil_cloud.smoke.programme import (
    applications,
    home_rows,
    presentation,
    progress,
    statistics,
)
from vigil_cloud.smoke.programme.access import HomeId, Office, Referrer, Staff
from vigil_cloud.smoke.programme.applications import Application
from vigil_cloud.smoke.programme.errors import in_turn
from vigil_cloud.smoke.programme.progress import Phase
from vigil_cloud.smoke.programme.schema import (
    AppliedHome,
    AppointmentBody,
    ClosingBody,
    DecisionBody,
    HomeDetail,
    ProgrammeHomeEntry,
    ProgrammeHomeList,
    ReferralBody,
    Statistics,
)

router = APIRouter(prefix="/smoke/programme", tags=["smoke"])


@router.get("/homes", operation_id="list_programme_homes")
def list_homes(
    staff: Staff,
    services: ServicesDependency,
    phase: Phase | None = None,
    village: Annotated[str | None, Query(max_length=40)] = None,
    due_by: date | None = None,
    limit: Annotated[Whole, Query(ge=1, le=500)] = 100,
) -> ProgrammeHomeList:
    """Homes in the reader's districts, without anybody's name."""
    with services.sessions() as session:
        query = home_rows.listed(staff, phase, village, due_by).limit(limit + 1)
        rows = session.scalars(query).all()
        homes = [presentation.entry(session, row) for row in rows[:limit]]
    return ProgrammeHomeList(homes=homes, more=len(rows) > limit)


@router.post("/homes", status_code=201, operation_id="refer_programme_home")
def refer(body: ReferralBody, referrer: Referrer, once: OnceDependency) -> AppliedHome:
    """An application for somebody else, who agreed. Whether the home is eligible is answered; it
    is decided by the office all the same."""
    if not referrer.covers(body.district):
        raise Forbidden("This is for homes of your districts.")
    wanted = Application(
        particulars=body.particulars,
        risks=tuple(body.risks),
        source="referral",
        district=body.district,
        village=body.village,
        agreed=body.agreed,
    )
    cipher, now = Cipher(once.services.settings.secret), once.services.now()
    with writing(once.services.sessions) as session:

        def apply() -> AppliedHome:
            row = applications.apply(session, cipher, wanted, by=referrer.username, now=now)
            return presentation.applied(session, row, now)

        return once.answer(session, referrer, body, AppliedHome, apply)


@router.get("/homes/{home}", operation_id="get_programme_home")
def get_home(home: HomeId, staff: Staff, services: ServicesDependency) -> HomeDetail:
    """With names and address: each look is in the audit log."""
    with writing(services.sessions) as session:
        row = home_rows.load(session, home, staff)
        audit.append(
            session,
            at=services.now(),
            account=staff.username,
            action="programme.seen",
            subject=home,
        )
        cipher = Cipher(services.settings.secret)
        return presentation.detail(session, cipher, row, services.now())


@router.post("/homes/{home}/decision", operation_id="decide_programme_home")
def decide(
    home: HomeId, body: DecisionBody, office: Office, services: ServicesDependency
) -> ProgrammeHomeEntry:
    """Accept the application, or refuse it."""
    now, by = services.now(), office.username
    with writing(services.sessions) as session:
        row = home_rows.load(session, home, office)
        if body.refused is None:
            cipher, lives_there = Cipher(services.settings.secret), body.lives_there
            applications.accept(session, cipher, row, by=by, now=now, lives_there=lives_there)
        else:
            with in_turn(row):
                after = progress.refused(home_rows.state_of(session, row), body.refused)
            home_rows.keep(session, row, after, f"refused:{body.refused}", by, now)
        return presentation.entry(session, row)


@router.post("/homes/{home}/appointment", operation_id="appoint_programme_home")
def appoint(
    home: HomeId, body: AppointmentBody, staff: Staff, services: ServicesDependency
) -> ProgrammeHomeEntry:
    """When somebody comes, another time, or that nobody was at home."""
    now = services.now()
    with writing(services.sessions) as session:
        row = home_rows.load(session, home, staff)
        state = home_rows.state_of(session, row)
        with in_turn(row):
            if body.at is None:
                after, what = progress.missed(state), "missed"
            else:
                after, what = progress.scheduled(state, body.at, now), "scheduled"
        home_rows.keep(session, row, after, what, staff.username, now)
        return presentation.entry(session, row)


@router.post("/homes/{home}/renewal", operation_id="renew_programme_home")
def renew(home: HomeId, office: Office, services: ServicesDependency) -> ProgrammeHomeEntry:
    """A further round: its alarms expire soon, or have."""
    now = services.now()
    with writing(services.sessions) as session:
        row = home_rows.load(session, home, office)
        with in_turn(row):
            after = progress.renewed(home_rows.state_of(session, row), home_rows.today(now))
        row.applied = now
        home_rows.keep(session, row, after, "renewed", office.username, now)
        return presentation.entry(session, row)


@router.post("/homes/{home}/closing", operation_id="close_programme_home")
def close(
    home: HomeId, body: ClosingBody, office: Office, services: ServicesDependency
) -> ProgrammeHomeEntry:
    """The home leaves the programme; an application that is not wanted any more is withdrawn."""
    now = services.now()
    with writing(services.sessions) as session:
        row = home_rows.load(session, home, office)
        state = home_rows.state_of(session, row)
        with in_turn(row):
            open_ = state.phase in {"applied", "accepted", "scheduled"}
            if body.reason == "not-wanted" and open_:
                after = progress.withdrawn(state)
            else:
                after = progress.closed(state, body.reason, home_rows.today(now))
        home_rows.keep(session, row, after, f"closed:{body.reason}", office.username, now)
        return presentation.entry(session, row)


@router.get("/statistics", operation_id="get_programme_statistics")
def get_statistics(staff: Staff, services: ServicesDependency) -> Statistics:
    """Of the reader's districts."""
    with services.sessions() as session:
        return statistics.figures(session, staff, services.now())
