"""Who is enrolled, over HTTP, for administrators: who there is, and never where they are."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path

from vigil_cloud.checkin import enrolment
from vigil_cloud.checkin.schema import Enrolled, EnrolledList
from vigil_cloud.database.engine import writing
from vigil_cloud.identity.cipher import Cipher
from vigil_cloud.identity.dependencies import PersonKey, ServicesDependency, require
from vigil_cloud.identity.reader import Reader
from vigil_cloud.identity.roles import Role
from vigil_schemas.checkin import TagId

router = APIRouter(tags=["people"])
Administrator = Annotated[Reader, Depends(require(Role.ADMINISTRATOR))]


@router.get("/people", operation_id="list_people")
def list_people(_administrator: Administrator, services: ServicesDependency) -> EnrolledList:
    """Everybody who is enrolled, under their pseudonyms: no names, tags or places."""
    with services.sessions() as session:
        named = enrolment.people(session, Cipher(services.settings.secret))
    shown = set(Enrolled.model_fields)
    return EnrolledList(
        people=[Enrolled.model_validate(one.model_dump(include=shown)) for one in named]
    )


@router.put("/people/{key}/tags/{tag}", status_code=204, operation_id="give_tag")
def give_tag(
    key: PersonKey,
    tag: Annotated[TagId, Path()],
    administrator: Administrator,
    services: ServicesDependency,
) -> None:
    """The tag is this person's from now on."""
    with writing(services.sessions) as session:
        enrolment.give_typed_tag(session, tag, key, by=administrator.username, now=services.now())


@router.delete("/tags/{tag}", status_code=204, operation_id="take_tag")
def take_tag(
    tag: Annotated[TagId, Path()], administrator: Administrator, services: ServicesDependency
) -> None:
    """The tag is nobody's from now on."""
    with writing(services.sessions) as session:
        enrolment.take_tag(session, tag, by=administrator.username, now=services.now())
