"""Volunteers over HTTP: their own standing and calls; certificates for administrators."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Path
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from vigil_cloud.aed import calls, debriefs, on_call, volunteers
from vigil_cloud.aed.debriefs import Debrief
from vigil_cloud.aed.models import AedCallout, AedCallRow, AedSite, AedVolunteer
from vigil_cloud.aed.schema import (
    AedPlace,
    AnswerBody,
    CallId,
    CertificateBody,
    ConsentBody,
    FixedPlace,
    FixedPlaceBody,
    HoursBody,
    MyCall,
    MyCalls,
    NamedVolunteer,
    OnCallBody,
    OwnCohort,
    VolunteerEntry,
    VolunteerList,
)
from vigil_cloud.aed.voice import help_is_coming
from vigil_cloud.database.engine import writing
from vigil_cloud.identity import looks
from vigil_cloud.identity.cipher import Cipher
from vigil_cloud.identity.dependencies import ServicesDependency, require
from vigil_cloud.identity.models import Account
from vigil_cloud.identity.reader import Reader
from vigil_cloud.identity.roles import Role
from vigil_cloud.services import Services

router = APIRouter(prefix="/aed", tags=["aed"])
Volunteer = Annotated[Reader, Depends(require(Role.VOLUNTEER))]
Administrator = Annotated[Reader, Depends(require(Role.ADMINISTRATOR))]
SHOWN: Final = timedelta(days=1)
_PRIVATE: Final[dict[str, Any]] = {
    **{"located": None, "located_until": None, "fixed_place": None, "hours": ""}
}
"""What says where and when somebody is: for nobody else."""


def entry(session: Session, row: AedVolunteer | None, services: Services) -> VolunteerEntry:
    """A volunteer's standing, for themselves."""
    cohort = volunteers.cohort_of(session, row)
    return VolunteerEntry(
        consented=None if row is None else row.consented,
        certificate_until=None if row is None else row.certificate_until,
        on_call=row is not None and row.on_call,
        located=None if row is None else row.located,
        located_until=(None if row is None or row.located is None else row.located + on_call.FRESH),
        ending_told="" if row is None else row.ending_told,
        fixed_place=None if row is None else _fixed(row, services),
        hours="" if row is None else row.hours,
        cohort=None if cohort is None else OwnCohort.model_validate(cohort),
        bars=volunteers.bars(row, cohort, services.now()),
    )


def named(
    session: Session, account: Account, row: AedVolunteer | None, services: Services
) -> NamedVolunteer:
    """The same for an administrator; never where they are, nor when they are somewhere."""
    return NamedVolunteer(
        username=account.username,
        display_name=account.display_name,
        **entry(session, row, services).model_dump(exclude=set(_PRIVATE)),
        **_PRIVATE,
    )


def _fixed(row: AedVolunteer, services: Services) -> FixedPlace | None:
    at = volunteers.fixed_place(Cipher(services.settings.secret), row)
    if at is None or row.fixed_consented is None:
        return None
    return FixedPlace(
        longitude=at[0],
        latitude=at[1],
        hours=row.fixed_hours,
        consented=row.fixed_consented,
        counts_now=volunteers.fixed_counts(row, services.now()),
    )


@router.get("/volunteer", operation_id="my_volunteering")
def my_volunteering(reader: Volunteer, services: ServicesDependency) -> VolunteerEntry:
    """One's own standing."""
    with services.sessions() as session:
        return entry(session, session.get(AedVolunteer, reader.account_id), services)


@router.put("/volunteer/consent", operation_id="consent_to_be_called")
def consent(body: ConsentBody, reader: Volunteer, services: ServicesDependency) -> VolunteerEntry:
    """Given, or withdrawn: then nothing of where one is stays."""
    with writing(services.sessions) as session:
        row = volunteers.consent(session, reader, body.consent, services.now())
        return entry(session, row, services)


@router.put("/volunteer/on-call", operation_id="go_on_call")
def go_on_call(body: OnCallBody, reader: Volunteer, services: ServicesDependency) -> VolunteerEntry:
    """On call, here; or off. The phone sends it again while on call: an old position counts as
    none."""
    cipher = Cipher(services.settings.secret)
    with _refusal_noted(reader, services), writing(services.sessions) as session:
        row = volunteers.go_on_call(
            session,
            cipher,
            reader,
            body.position,
            services.now(),
            at_fixed_place=body.at_fixed_place,
        )
        return entry(session, row, services)


@contextmanager
def _refusal_noted(reader: Reader, services: Services) -> Iterator[None]:
    """Whoever may not be on call and tries is seen trying: a lapsed certificate is somebody's to
    renew."""
    try:
        yield
    except volunteers.NotACandidate as refused:
        with writing(services.sessions) as session:
            looks.note(
                session,
                now=services.now(),
                account=reader.username,
                action="aed.on-call-refused",
                subject=reader.username,
                thing=refused.bar,
                detail={"bar": refused.bar},
            )
        raise


@router.put("/volunteer/fixed-place", operation_id="set_fixed_place")
def set_fixed_place(
    body: FixedPlaceBody, reader: Volunteer, services: ServicesDependency
) -> VolunteerEntry:
    """Agree to be called from a place at certain hours where no position of now is known, or
    withdraw that: then it is forgotten."""
    cipher = Cipher(services.settings.secret)
    place = None if body.place is None else (body.place.position, body.place.hours)
    with _refusal_noted(reader, services), writing(services.sessions) as session:
        row = volunteers.set_fixed_place(session, cipher, reader, place, services.now())
        return entry(session, row, services)


@router.put("/volunteer/hours", operation_id="set_volunteer_hours")
def set_hours(body: HoursBody, reader: Volunteer, services: ServicesDependency) -> VolunteerEntry:
    """When one may be called while on call; empty: at all hours."""
    with writing(services.sessions) as session:
        row = volunteers.set_hours(session, reader, body.hours.strip())
        return entry(session, row, services)


@router.get("/calls/mine", operation_id="my_aed_calls")
def my_calls(reader: Volunteer, services: ServicesDependency) -> MyCalls:
    """What one is needed for."""
    since = services.now() - SHOWN
    query = (
        select(AedCallout, AedCallRow)
        .join(AedCallRow, AedCallRow.id == AedCallout.call_id)
        .where(AedCallout.account_id == reader.account_id, AedCallout.called > since)
        .order_by(AedCallout.id.desc())
    )
    with services.sessions() as session:
        found = [_my_call(session, callout, call) for callout, call in session.execute(query).all()]
    return MyCalls(calls=found)


@router.post("/calls/{call}/answer", operation_id="answer_aed_call")
def answer_call(
    call: CallId, body: AnswerBody, reader: Volunteer, services: ServicesDependency
) -> MyCall:
    """Accept, decline, on the way, arrived. Idempotent."""
    with writing(services.sessions) as session:
        row, first = calls.answer(session, reader, call, body.answer, services.now())
        if first:
            help_is_coming(session, row, services.now())
        mine = next(
            one for one in calls.callouts(session, call) if one.account_id == reader.account_id
        )
        shown = _my_call(session, mine, row)
    services.changed.announce()
    return shown


@router.put("/calls/{call}/debrief", operation_id="debrief_aed_call")
def debrief(call: CallId, body: Debrief, reader: Volunteer, services: ServicesDependency) -> MyCall:
    """What was done and how one is, once one has been there or the call is over. Kept sealed,
    shown to whoever leads; told again it is written anew."""
    cipher = Cipher(services.settings.secret)
    with writing(services.sessions) as session:
        row = debriefs.tell(session, cipher, reader, call, body, services.now())
        mine = next(
            one for one in calls.callouts(session, call) if one.account_id == reader.account_id
        )
        shown = _my_call(session, mine, row)
    services.changed.announce()
    return shown


@router.get("/volunteers", operation_id="list_aed_volunteers")
def list_volunteers(_reader: Administrator, services: ServicesDependency) -> VolunteerList:
    """Everybody with the role: certificates, never where they are."""
    with services.sessions() as session:
        accounts = [
            one
            for one in session.scalars(
                select(Account).where(Account.active).order_by(Account.username)
            )
            if Role.VOLUNTEER.value in one.roles
        ]
        rows = {row.account_id: row for row in session.scalars(select(AedVolunteer))}
        found = [named(session, one, rows.get(one.id), services) for one in accounts]
    return VolunteerList(volunteers=found)


@router.put("/volunteers/{username}/certificate", operation_id="certify_aed_volunteer")
def certify(
    username: Annotated[str, Path(max_length=64)],
    body: CertificateBody,
    reader: Administrator,
    services: ServicesDependency,
) -> VolunteerEntry:
    """Its last day, by somebody who has seen it."""
    with writing(services.sessions) as session:
        row = volunteers.certify(session, username, body.until, reader.username, services.now())
        return entry(session, row, services)


def _my_call(session: Session, callout: AedCallout, call: AedCallRow) -> MyCall:
    site = session.get(AedSite, callout.site) if callout.site is not None else None
    others = session.scalar(
        select(func.count())
        .select_from(AedCallout)
        .where(
            AedCallout.call_id == call.id,
            AedCallout.id != callout.id,
            AedCallout.state.in_(calls.FILLED),
        )
    )
    return MyCall.model_validate(
        {
            "call": call.id,
            "over": call.state == "over",
            "place": call.place,
            "place_zh": call.place_zh,
            "latitude": call.latitude,
            "longitude": call.longitude,
            "pressed": call.pressed,
            "role": callout.role,
            "state": callout.state,
            "called": callout.called,
            "predicted_s": callout.predicted_s,
            "fetch": None if site is None else AedPlace.model_validate(site),
            "others": others or 0,
            "aed_role": calls.how_far(calls.callouts(session, call.id), "aed"),
            "debrief_due": callout.debriefed is None and debriefs.due(callout, call),
        }
    )
