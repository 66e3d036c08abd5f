"""What a home says for the case of a fire, over HTTP: for those who live there, and keepers."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path

from vigil_cloud.database.engine import writing
from vigil_cloud.identity.answered import Done, OnceDependency
from vigil_cloud.identity.cipher import Cipher
from vigil_cloud.identity.dependencies import CurrentAccount, ServicesDependency
from vigil_cloud.identity.errors import Forbidden
from vigil_cloud.identity.household_schema import HouseholdKey
from vigil_cloud.identity.households import UnknownHousehold
from vigil_cloud.identity.reader import Reader, Relation
from vigil_cloud.identity.roles import Role
from vigil_cloud.services import Services
from vigil_cloud.smoke import codes, home_alarms, homes
from vigil_cloud.smoke.fire_schema import HomeAlarms, HomeSafetyBody, HomeSafetyEntry, NewCode
from vigil_cloud.smoke.models import HomeSafety
from vigil_cloud.smoke.news import homes_of
from vigil_schemas.types import DeviceId

router = APIRouter(prefix="/smoke/homes", tags=["smoke"])
Key = Annotated[HouseholdKey, Path()]
_LIVE_THERE = frozenset({Relation.RESIDENT, Relation.GUARDIAN})


@router.get("/{household}", operation_id="get_home_safety")
def get_safety(
    household: Key, reader: CurrentAccount, services: ServicesDependency
) -> HomeSafetyEntry:
    """For residents, guardians and administrators."""
    _require(reader, household, _LIVE_THERE)
    with services.sessions() as session:
        return _entry(services, household, session.get(HomeSafety, household))


@router.put("/{household}", operation_id="put_home_safety")
def put_safety(
    household: Key, body: HomeSafetyBody, reader: CurrentAccount, services: ServicesDependency
) -> HomeSafetyEntry:
    """For residents, guardians and administrators."""
    _require(reader, household, _LIVE_THERE)
    with writing(services.sessions) as session:
        homes.put(
            session,
            Cipher(services.settings.secret),
            household,
            body.window_s,
            body.particulars,
            by=reader.username,
            now=services.now(),
        )
        row = session.get(HomeSafety, household)
    return _entry(services, household, row)


@router.put("/{household}/code", status_code=204, operation_id="set_home_code")
def set_code(
    household: Key, body: NewCode, reader: CurrentAccount, services: ServicesDependency
) -> None:
    """The code with which residents take an alarm back. Where there is one, it is asked for; an
    administrator removes one that is forgotten."""
    if not any(
        home.household == household and home.relation is Relation.RESIDENT
        for home in homes_of(reader)
    ):
        raise _refused(reader, household)
    with services.sessions() as session:
        row = session.get(HomeSafety, household)
        there = row is not None and row.code_hash is not None
        key = codes.key_of(session, Cipher(services.settings.secret))
    if there:
        codes.check(services, household, body.current, who=reader.username, began=None)
    kept = codes.hashed(key, household, body.code)
    with writing(services.sessions) as session:
        codes.put(session, household, kept, by=reader.username, now=services.now())


@router.delete("/{household}/code", status_code=204, operation_id="remove_home_code")
def remove_code(household: Key, reader: CurrentAccount, services: ServicesDependency) -> None:
    """One that is forgotten. Until another is set nobody can take an alarm back."""
    if not reader.has(Role.ADMINISTRATOR):
        raise _refused(reader, household)
    with writing(services.sessions) as session:
        codes.remove(session, household, by=reader.username, now=services.now())


@router.get("/{household}/alarms", operation_id="list_home_alarms")
def list_alarms(household: Key, reader: CurrentAccount, services: ServicesDependency) -> HomeAlarms:
    """For residents, guardians and administrators."""
    _require(reader, household, _LIVE_THERE)
    now = services.now()
    with services.sessions() as session:
        row = session.get(HomeSafety, household)
        return HomeAlarms(
            alarms=home_alarms.alarms(session, household, now),
            called=home_alarms.called(session, household, now),
            window_s=60 if row is None else row.window_s,
        )


@router.post("/{household}/alarms/{device}/{act}", status_code=202, operation_id="ask_home_alarm")
def ask_alarm(
    household: Key,
    device: Annotated[DeviceId, Path()],
    act: home_alarms.Act,
    reader: CurrentAccount,
    once: OnceDependency,
) -> HomeAlarms:
    """A self test, or a hush of what sounds: for residents; a guardian may test."""
    allowed = _LIVE_THERE if act == "test" else frozenset({Relation.RESIDENT})
    if not any(one.household == household and one.relation in allowed for one in homes_of(reader)):
        raise _refused(reader, household)
    services = once.services
    with writing(services.sessions) as session:

        def ask() -> Done:
            by, now = reader.username, services.now()
            home_alarms.ask(session, household, device, act, by=by, now=now)
            return Done()

        once.answer(session, reader, None, Done, ask)
    services.changed.announce()
    return list_alarms(household, reader, services)


def _require(reader: Reader, household: str, relations: frozenset[Relation]) -> None:
    belongs = any(
        home.household == household and home.relation in relations for home in homes_of(reader)
    )
    if not belongs and not reader.has(Role.ADMINISTRATOR):
        raise _refused(reader, household)


def _refused(reader: Reader, household: str) -> Exception:
    """Whoever belongs to the home knows that it is there."""
    if reader.has(Role.ADMINISTRATOR) or any(h.household == household for h in homes_of(reader)):
        return Forbidden("This is for whoever lives there.")
    return UnknownHousehold(household)


def _entry(services: Services, household: str, row: HomeSafety | None) -> HomeSafetyEntry:
    with services.sessions() as session:
        known = homes.particulars(session, Cipher(services.settings.secret), household)
    now = services.now()
    locked = row.locked_until if row is not None else None
    return HomeSafetyEntry(
        household=household,
        window_s=60 if row is None else row.window_s,
        particulars=known,
        code_set=None if row is None or row.code_hash is None else row.code_set,
        locked_until=locked if locked is not None and locked > now else None,
    )
