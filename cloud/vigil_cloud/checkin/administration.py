"""Who is enrolled, over HTTP, for administrators: who there is, and never where they are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter, Depends, Path

from vigil_cloud.checkin import amulets, enrolment
from vigil_cloud.checkin.family_schema import AddAmulets, NewAmulet, NewAmulets, Stock
from vigil_cloud.checkin.invitations import MAY_ENROL
from vigil_cloud.checkin.schema import Enrolled, EnrolledList
from vigil_cloud.database.engine import writing
from vigil_cloud.identity.answered import OnceDependency
from vigil_cloud.identity.cipher import Cipher
from vigil_cloud.identity.dependencies import PersonKey, ServicesDependency, require
from vigil_cloud.identity.reader import Reader
from vigil_cloud.identity.roles import Role
from vigil_schemas.checkin import CarriedId

router = APIRouter(tags=["people"])
Administrator = Annotated[Reader, Depends(require(Role.ADMINISTRATOR))]
Staff = Annotated[Reader, Depends(require(*MAY_ENROL))]


@router.get("/people", operation_id="list_people")
def list_people(_administrator: Administrator, services: ServicesDependency) -> EnrolledList:
    """Everybody who is enrolled, under their pseudonyms: no names, tags or places."""
    with services.sessions() as session:
        named = enrolment.people(session, Cipher(services.settings.secret), services.now())
    shown = set(Enrolled.model_fields)
    return EnrolledList(
        people=[Enrolled.model_validate(one.model_dump(include=shown)) for one in named]
    )


@router.put("/people/{key}/tags/{tag}", status_code=204, operation_id="give_tag")
def give_tag(
    key: PersonKey,
    tag: Annotated[CarriedId, Path()],
    administrator: Administrator,
    services: ServicesDependency,
) -> None:
    """The tag is this person's from now on."""
    with writing(services.sessions) as session:
        enrolment.give_typed_tag(session, tag, key, by=administrator.username, now=services.now())


@router.delete("/tags/{tag}", status_code=204, operation_id="take_tag")
def take_tag(
    tag: Annotated[CarriedId, Path()], administrator: Administrator, services: ServicesDependency
) -> None:
    """The tag is nobody's from now on."""
    with writing(services.sessions) as session:
        enrolment.take_tag(session, tag, by=administrator.username, now=services.now())


@router.get("/amulets", operation_id="get_amulet_stock")
def get_amulet_stock(_staff: Staff, services: ServicesDependency) -> Stock:
    """How many amulets there are for families to register; none of their ids."""
    with services.sessions() as session:
        return Stock(**amulets.counts(session), void=amulets.count_void(session))


@router.post("/amulets/reprint", status_code=201, operation_id="reprint_amulets")
def reprint_amulets(staff: Staff, once: OnceDependency) -> NewAmulets:
    """Another code for each free amulet whose printed one fits no more, 500 at a time."""
    services = once.services
    with writing(services.sessions) as session:

        def reprint() -> NewAmulets:
            cipher = Cipher(services.settings.secret)
            codes = amulets.reprint(session, cipher, by=staff.username, now=services.now())
            return _printed(codes)

        return once.answer(session, staff, None, NewAmulets, reprint)


@router.post("/amulets", status_code=201, operation_id="add_amulets")
def add_amulets(body: AddAmulets, staff: Staff, once: OnceDependency) -> NewAmulets:
    """Into the stock, each under a new code that is to be printed on it. All or none."""
    services = once.services
    with writing(services.sessions) as session:

        def add() -> NewAmulets:
            codes = {tag: amulets.new_code() for tag in body.tags}
            cipher, now = Cipher(services.settings.secret), services.now()
            for tag, code in codes.items():
                amulets.add(session, cipher, tag, by=staff.username, now=now, code=code)
            return _printed(codes)

        return once.answer(session, staff, body, NewAmulets, add)


def _printed(codes: Mapping[str, str]) -> NewAmulets:
    return NewAmulets(amulets=[NewAmulet(tag=tag, code=code) for tag, code in codes.items()])
