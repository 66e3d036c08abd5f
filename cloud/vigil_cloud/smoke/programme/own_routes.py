"""The programme over HTTP for those who live in a home: apply, follow it, withdraw, certificate."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter
from sqlalchemy import and_, or_, select
from sqlalchemy.orm import Session

from vigil_cloud.database.engine import writing
from vigil_cloud.identity import households
from vigil_cloud.identity.cipher import Cipher
from vigil_cloud.identity.dependencies import ServicesDependency
from vigil_cloud.identity.models import Account, Household
from vigil_cloud.identity.reader import Reader
from vigil_cloud.services import Services
from vigil_cloud.smoke.news import homes_of
from vigil_cloud.smoke.programme import applications, presentation
from vigil_cloud.smoke.programme.access import LIVES_THERE, HomeId, OfHome
from vigil_cloud.smoke.programme.applications import Application
from vigil_cloud.smoke.programme.errors import HomeUnknown, NotEligible
from vigil_cloud.smoke.programme.home_rows import Resident
from vigil_cloud.smoke.programme.progress import WAITING
from vigil_cloud.smoke.programme.schema import (
    Eligibility,
    EligibilityBody,
    OwnApplicationBody,
    OwnHome,
    OwnHomeList,
)
from vigil_cloud.smoke.programme_models import ProgrammeHome

router = APIRouter(prefix="/smoke/programme", tags=["smoke"])


_FOLLOWED: Final = sorted({*WAITING, "refused", "withdrawn"})


@router.get("/homes/mine", operation_id="list_own_programme_homes")
def mine(reader: OfHome, services: ServicesDependency) -> OwnHomeList:
    """The reader's homes in the programme: what became of the application, and the certificate.
    What the reader applied for as an own home is among them until it is in service: from then on
    it is for whoever lives there."""
    followed = and_(applications.claimed_by(reader.username), ProgrammeHome.phase.in_(_FOLLOWED))
    query = select(ProgrammeHome).where(
        or_(ProgrammeHome.household.in_(_acts_for(reader)), followed)
    )
    with services.sessions() as session:
        cipher = Cipher(services.settings.secret)
        rows = session.scalars(query.order_by(ProgrammeHome.applied, ProgrammeHome.id)).all()
        return OwnHomeList(homes=[presentation.own(session, cipher, row) for row in rows])


@router.post("/homes/mine/eligibility", operation_id="look_at_own_eligibility")
def look(body: EligibilityBody, reader: OfHome, services: ServicesDependency) -> Eligibility:
    """Whether the reader's home could apply with this. A `POST`, since groups at risk are not for
    the addresses of a log; nothing is written down."""
    _require(reader, body.household)
    with services.sessions() as session:
        found = applications.objections_before(
            session, body.household, body.risks, by=reader.username, now=services.now()
        )
    return Eligibility(eligible=not found, objections=list(found))


@router.post("/homes/mine", status_code=201, operation_id="apply_for_own_home")
def apply_for_own(
    body: OwnApplicationBody, reader: OfHome, services: ServicesDependency
) -> OwnHome:
    """For residents and guardians of the home, and for whoever says that they live in one that the
    city does not know: that opens nothing until the office has found it to be so. What is not
    eligible is refused at once, with the reason: nobody waits for weeks for what is known now."""
    _require(reader, body.household)
    cipher, now = Cipher(services.settings.secret), services.now()
    with writing(services.sessions) as session:
        # Locked: of two who apply for one home at once the second is told of the first.
        if body.household is None:
            session.get(Account, reader.account_id, with_for_update=True)
        else:
            session.get(Household, body.household, with_for_update=True)
        found = applications.objections_before(
            session, body.household, body.risks, by=reader.username, now=now
        )
        if found:
            raise NotEligible(found)
        wanted = _application(services, session, cipher, body)
        row = applications.apply(session, cipher, wanted, by=reader.username, now=now)
        return presentation.own(session, cipher, row)


@router.post("/homes/{home}/withdrawal", operation_id="withdraw_own_programme_home")
def withdraw(home: HomeId, reader: OfHome, services: ServicesDependency) -> OwnHome:
    """The household does not want it any more, as long as nothing was fitted."""
    with writing(services.sessions) as session:
        row = session.get(ProgrammeHome, home, with_for_update=True)
        if row is None or not _is_own(reader, row):
            raise HomeUnknown("There is no such home of the programme for you.")
        applications.withdraw(session, row, by=reader.username, now=services.now())
        return presentation.own(session, Cipher(services.settings.secret), row)


def _acts_for(reader: Reader) -> list[str]:
    return sorted(one.household for one in homes_of(reader) if one.relation in LIVES_THERE)


def _is_own(reader: Reader, row: ProgrammeHome) -> bool:
    """Of those who live there; while nobody knows who does, of whoever applied."""
    if applications.is_claimed(row):
        return row.applied_by == reader.username
    return row.household in _acts_for(reader)


def _require(reader: Reader, household: str | None) -> None:
    if household is not None and household not in _acts_for(reader):
        raise HomeUnknown("There is no such home for you.")


def _application(
    services: Services, session: Session, cipher: Cipher, body: OwnApplicationBody
) -> Application:
    """Where the home is, is known; or said by whoever applies."""
    known = households.Described(name=body.name, address=body.address)
    if body.household is not None:
        known = households.find(session, cipher, services.now(), body.household).described
    latitude, longitude = known.position or (None, None)
    said = Resident(
        name=body.name or known.name[:80],
        phone=body.phone,
        address=known.address[:200] or known.name[:200],
        latitude=latitude,
        longitude=longitude,
    )
    return Application(
        particulars=said,
        risks=tuple(body.risks),
        source="online",
        district=known.district,
        village=body.village,
        household=body.household,
        agreed=body.agreed,
    )
