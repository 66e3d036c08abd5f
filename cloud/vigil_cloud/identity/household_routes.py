"""Households over HTTP: administrators keep them, whoever lives in one sees which."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query

from vigil_cloud.database.engine import forget_deleted, writing
from vigil_cloud.identity import home_ends, households
from vigil_cloud.identity.answered import OnceDependency
from vigil_cloud.identity.cipher import Cipher
from vigil_cloud.identity.dependencies import CurrentAccount, ServicesDependency, require
from vigil_cloud.identity.erasure import COMPACT_UP_TO
from vigil_cloud.identity.household_schema import (
    Added,
    DeviceEnd,
    HomeDevice,
    HomeEntry,
    HomeList,
    HomeMember,
    HouseholdBody,
    HouseholdEntry,
    HouseholdKey,
    HouseholdList,
    MemberEntry,
    NewMember,
    PositionBody,
)
from vigil_cloud.identity.reader import Reader, Relation
from vigil_cloud.identity.roles import Role
from vigil_cloud.identity.service import account_named
from vigil_cloud.parameters import Whole
from vigil_schemas.types import DeviceId

router = APIRouter(prefix="/households", tags=["households"])
Administrator = Annotated[Reader, Depends(require(Role.ADMINISTRATOR))]
Key = Annotated[HouseholdKey, Path()]
Device = Annotated[DeviceId, Path()]


@router.get("", operation_id="list_households")
def list_households(
    _administrator: Administrator,
    services: ServicesDependency,
    after: Annotated[HouseholdKey | None, Query()] = None,
    limit: Annotated[Whole, Query(ge=1, le=500)] = 100,
) -> HouseholdList:
    """Homes with their members and devices of now and later."""
    cipher, now = Cipher(services.settings.secret), services.now()
    with services.sessions() as session:
        found = households.page(session, cipher, now, after=after, limit=limit + 1)
    shown = [entry(one) for one in found[:limit]]
    return HouseholdList(
        households=shown, next=shown[-1].key if len(found) > limit and shown else None
    )


@router.get("/mine", operation_id="list_my_homes")
def list_mine(reader: CurrentAccount, services: ServicesDependency) -> HomeList:
    """The homes that the reader belongs to right now."""
    if not reader.homes:
        return HomeList(homes=[])
    cipher = Cipher(services.settings.secret)
    with services.sessions() as session:
        names = households.names(session, cipher, {home.household for home in reader.homes})
        own = {home.household for home in reader.homes if home.relation is not Relation.CONTACT}
        members = households.shown_members(session, cipher, own, services.now())
        ends = home_ends.ends_for(session, reader, services.now())
    homes = [
        HomeEntry(
            key=home.household,
            name=names.get(home.household, home.household),
            relation=home.relation,
            devices=sorted(home.devices),
            members=[
                HomeMember(name=name, relation=relation)
                for name, relation in members.get(home.household, ())
                if home.relation is not Relation.CONTACT
            ],
            ends_soon=ends[home.household].mine,
            devices_end=[
                DeviceEnd(device=device, ends=until)
                for device, until in sorted(ends[home.household].devices.items())
            ],
        )
        for home in sorted(reader.homes, key=lambda home: (home.household, home.relation))
    ]
    return HomeList(homes=homes)


@router.get("/{household}", operation_id="get_household")
def get_household(
    household: Key, _administrator: Administrator, services: ServicesDependency
) -> HouseholdEntry:
    """One home with its members and devices of now and later."""
    cipher = Cipher(services.settings.secret)
    with services.sessions() as session:
        return entry(households.find(session, cipher, services.now(), household))


@router.put("/{household}", status_code=204, operation_id="put_household")
def put_household(
    household: Key, body: HouseholdBody, administrator: Administrator, services: ServicesDependency
) -> None:
    """Add a home, or change what is said of it. 409 for the key of one that was erased."""
    position = (body.position.latitude, body.position.longitude) if body.position else None
    wanted = households.Described(body.name, body.address, body.district, position)
    with writing(services.sessions) as session:
        households.put(
            session,
            Cipher(services.settings.secret),
            household,
            wanted,
            by=administrator.username,
            now=services.now(),
        )


@router.delete("/{household}", status_code=204, operation_id="erase_household")
def erase_household(
    household: Key, administrator: Administrator, services: ServicesDependency
) -> None:
    """Destroy its key and forget who and what belonged to it. Cannot be undone."""
    with writing(services.sessions) as session:
        households.erase(session, household, by=administrator.username, now=services.now())
    services.changed.announce()
    forget_deleted(services.engine, compact_up_to=COMPACT_UP_TO)


@router.post("/{household}/members", status_code=201, operation_id="add_household_member")
def add_member(
    household: Key, body: NewMember, administrator: Administrator, once: OnceDependency
) -> Added:
    """An account or a person belongs to it from now on."""
    with writing(once.services.sessions) as session:

        def add() -> Added:
            number = households.add_member(
                session,
                household,
                by=administrator.username,
                now=once.services.now(),
                account=account_named(session, body.account) if body.account else None,
                person=body.person,
                relation=body.relation,
                until=body.until,
            )
            return Added(number=number)

        added = once.answer(session, administrator, body, Added, add, person=body.person)
    once.services.changed.announce()
    return added


@router.delete(
    "/{household}/members/{number}", status_code=204, operation_id="remove_household_member"
)
def remove_member(
    household: Key,
    number: Annotated[Whole, Path(ge=1, le=2**31 - 1)],
    administrator: Administrator,
    services: ServicesDependency,
) -> None:
    """They belong to it no more, with the answer."""
    with writing(services.sessions) as session:
        households.remove_member(
            session, household, number, by=administrator.username, now=services.now()
        )
    services.changed.announce()


@router.put("/{household}/devices/{device}", status_code=204, operation_id="give_device_home")
def give_device(
    household: Key, device: Device, administrator: Administrator, services: ServicesDependency
) -> None:
    """It stands in this home from now on, and in no other."""
    with writing(services.sessions) as session:
        households.give_device(
            session, household, device, by=administrator.username, now=services.now()
        )
    services.changed.announce()


@router.delete("/{household}/devices/{device}", status_code=204, operation_id="take_device_home")
def take_device(
    household: Key, device: Device, administrator: Administrator, services: ServicesDependency
) -> None:
    """It stands there no more; what happened meanwhile stays the home's."""
    with writing(services.sessions) as session:
        households.take_device(
            session, household, device, by=administrator.username, now=services.now()
        )
    services.changed.announce()


def entry(kept: households.Kept) -> HouseholdEntry:
    """As the API and the command line show it."""
    position = kept.described.position
    return HouseholdEntry(
        key=kept.key,
        name=kept.described.name,
        address=kept.described.address,
        district=kept.described.district,
        position=PositionBody(latitude=position[0], longitude=position[1]) if position else None,
        created=kept.created,
        members=[
            MemberEntry(
                number=one.id,
                account=one.account,
                person=one.person,
                relation=one.relation,
                since=one.since,
                until=one.until,
            )
            for one in kept.members
        ],
        devices=[
            HomeDevice(device=device, since=since, until=until)
            for device, since, until in kept.devices
        ],
    )
