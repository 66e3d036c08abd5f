"""Who is enrolled, over HTTP, for administrators: who there is, and never where they are."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path

from vigil_cloud.alerts import feed
from vigil_cloud.checkin import enrolment
from vigil_cloud.checkin.erasure import erase
from vigil_cloud.checkin.routes import PersonKey
from vigil_cloud.checkin.schema import Enrolled, EnrolledList, ErasureEntry, NewPerson
from vigil_cloud.database.engine import writing
from vigil_cloud.identity import consents
from vigil_cloud.identity.cipher import Cipher
from vigil_cloud.identity.dependencies import ServicesDependency, require
from vigil_cloud.identity.reader import Reader
from vigil_cloud.identity.roles import Role
from vigil_cloud.identity.schema import Username
from vigil_cloud.identity.service import account_named
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


@router.put("/people/{key}", status_code=204, operation_id="put_person")
def put_person(
    key: PersonKey, body: NewPerson, _administrator: Administrator, services: ServicesDependency
) -> None:
    """Enrol a person, or give another name. 409 for a pseudonym whose person was erased."""
    with writing(services.sessions) as session:
        cipher = Cipher(services.settings.secret)
        enrolment.enrol(session, cipher, key=key, name=body.name, now=services.now())


@router.post("/people/{key}/key", status_code=204, operation_id="rotate_person_key")
def rotate_person_key(
    key: PersonKey, administrator: Administrator, services: ServicesDependency
) -> None:
    """Seal the person's name under a new key of their own."""
    with writing(services.sessions) as session:
        cipher = Cipher(services.settings.secret)
        enrolment.rotate_key(session, cipher, key, by=administrator.username, now=services.now())


@router.delete("/people/{key}", operation_id="erase_person")
def erase_person(
    key: PersonKey, administrator: Administrator, services: ServicesDependency
) -> ErasureEntry:
    """Destroy the person's key and remove whatever names them or their tags. Cannot be undone."""
    done = erase(services, key, by=administrator.username)
    return ErasureEntry(person=key, removed=done.removed, complete=done.complete)


@router.put("/people/{key}/tags/{tag}", status_code=204, operation_id="give_tag")
def give_tag(
    key: PersonKey,
    tag: Annotated[TagId, Path()],
    administrator: Administrator,
    services: ServicesDependency,
) -> None:
    """The tag is this person's from now on."""
    with writing(services.sessions) as session:
        enrolment.hand_out(session, tag, key, by=administrator.username, now=services.now())


@router.delete("/tags/{tag}", status_code=204, operation_id="take_tag")
def take_tag(
    tag: Annotated[TagId, Path()], administrator: Administrator, services: ServicesDependency
) -> None:
    """The tag is nobody's from now on."""
    with writing(services.sessions) as session:
        enrolment.take_tag(session, tag, by=administrator.username, now=services.now())


@router.delete(
    "/people/{key}/guardians/{guardian}", status_code=204, operation_id="remove_guardian"
)
def remove_guardian(
    key: PersonKey,
    guardian: Annotated[Username, Path()],
    administrator: Administrator,
    services: ServicesDependency,
) -> None:
    """The account decides for the person no more."""
    with writing(services.sessions) as session:
        feed.lock(session)
        consents.remove_guardian(
            session,
            person_key=key,
            account=account_named(session, guardian),
            by=administrator.username,
            now=services.now(),
        )
        feed.append(session, "rights", key, services.now())
    services.changed.announce()
