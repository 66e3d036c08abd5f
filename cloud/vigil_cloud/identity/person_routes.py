"""Persons over HTTP, for administrators: enrolling, keys, erasing, guardians."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path

from vigil_cloud.database.engine import writing
from vigil_cloud.identity import consents, persons
from vigil_cloud.identity.cipher import Cipher
from vigil_cloud.identity.dependencies import PersonKey, ServicesDependency, require
from vigil_cloud.identity.erasure import erase
from vigil_cloud.identity.reader import Reader
from vigil_cloud.identity.roles import Role
from vigil_cloud.identity.schema import ErasureEntry, NewPerson, Username
from vigil_cloud.identity.service import account_named

router = APIRouter(tags=["people"])
Administrator = Annotated[Reader, Depends(require(Role.ADMINISTRATOR))]


@router.put("/people/{key}", status_code=204, operation_id="put_person")
def put_person(
    key: PersonKey, body: NewPerson, _administrator: Administrator, services: ServicesDependency
) -> None:
    """Enrol a person, or give another name. 409 for a pseudonym whose person was erased."""
    with writing(services.sessions) as session:
        cipher = Cipher(services.settings.secret)
        persons.enrol(session, cipher, key=key, name=body.name, now=services.now())


@router.post("/people/{key}/key", status_code=204, operation_id="rotate_person_key")
def rotate_person_key(
    key: PersonKey, administrator: Administrator, services: ServicesDependency
) -> None:
    """Seal the person's name under a new key of their own."""
    with writing(services.sessions) as session:
        cipher = Cipher(services.settings.secret)
        persons.rotate_key(session, cipher, key, by=administrator.username, now=services.now())


@router.delete("/people/{key}", operation_id="erase_person")
def erase_person(
    key: PersonKey, administrator: Administrator, services: ServicesDependency
) -> ErasureEntry:
    """Destroy the person's key and remove whatever names them or their tags. Cannot be undone."""
    done = erase(services, key, by=administrator.username)
    return ErasureEntry(person=key, removed=done.removed, complete=done.complete)


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
        consents.remove_guardian(
            session,
            person_key=key,
            account=account_named(session, guardian),
            by=administrator.username,
            now=services.now(),
        )
    services.changed.announce()
