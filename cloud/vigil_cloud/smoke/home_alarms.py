"""What those who live in a home see of its smoke alarms, and what they may ask of them.

A self test and a hush go down as typed commands that expire. What a hush may silence the gateway
decides: carbon monoxide and a fire that grows never (docs/decisions/0067).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import ClassVar, Final, Literal

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from vigil_cloud.api_errors import ApiError, NotFound
from vigil_cloud.devices import downlinks
from vigil_cloud.devices.models import Device, Downlink, NewestReadings
from vigil_cloud.identity.models import HouseholdDevice, HouseholdMember
from vigil_cloud.identity.reader import Relation, device_at, member_at
from vigil_cloud.notify.models import Channel
from vigil_cloud.smoke import unwatched
from vigil_cloud.smoke.fire_schema import AskedEntry, CalledEntry, HomeAlarmEntry
from vigil_cloud.smoke.models import AlarmCondition
from vigil_schemas.commands import Mute, SelfTest
from vigil_schemas.smoke import DOMAIN
from vigil_schemas.topics import COMMAND

Act = Literal["test", "hush"]
ACTIONS: Final[dict[Act, type[SelfTest] | type[Mute]]] = {"test": SelfTest, "hush": Mute}
LONGEST: Final = timedelta(seconds=60)
"""A test that sounds minutes after it was asked for frightens people."""
_ORDER: Final = (Relation.RESIDENT, Relation.CONTACT, Relation.GUARDIAN)


class AlarmUnknown(NotFound):
    """No such alarm stands in this home."""

    code: ClassVar[str] = "home-alarm-unknown"
    remedy: ClassVar[str] = "Open the page again: it shows the alarms that stand there now."


class AlarmCannot(ApiError):
    """This alarm takes no such command from here."""

    code: ClassVar[str] = "home-alarm-cannot"
    remedy: ClassVar[str] = "Press the button on the alarm itself."
    status: ClassVar[int] = 409


def alarms(session: Session, household: str, now: datetime) -> list[HomeAlarmEntry]:
    """Those that stand there now, by their names. The same few statements however many."""
    known = session.scalars(
        select(Device).where(Device.domain == DOMAIN, Device.device.in_(_own(household, now)))
    ).all()
    unread = set(unwatched.of_homes(session, now, household))
    gone = sorted(unread - {row.device for row in known})
    rows = [*known, *(_gone(device, now) for device in gone)]
    names = [row.device for row in rows]
    batteries, tested = _batteries(session, names), _tested(session, names)
    active, asked = _active(session, names), _asked(session, rows, now)
    return [
        HomeAlarmEntry(
            device=row.device,
            name=row.name,
            name_zh=row.name_zh,
            state=row.state,
            code=row.code,
            since=row.since,
            watched=row.device not in unread,
            battery_percent=batteries.get(row.device),
            tested=tested.get(row.device),
            conditions=sorted(active.get(row.device, ())),
            acts=[
                act
                for act, kind in ACTIONS.items()
                if kind.ACTION in row.commands and row.device not in unread
            ],
            asked=asked.get(row.device),
        )
        for row in sorted(rows, key=lambda one: (one.name, one.device))
    ]


def called(session: Session, household: str, now: datetime) -> list[CalledEntry]:
    """How many of each relation are told of a fire there, in the order in which they are, and how
    many of those by a channel that tells at once."""
    query = (
        select(
            HouseholdMember.relation,
            HouseholdMember.account_id,
            func.count(Channel.id).filter(Channel.enabled, Channel.escalate_after_s == 0),
        )
        .outerjoin(Channel, Channel.account_id == HouseholdMember.account_id)
        .where(
            HouseholdMember.household == household,
            HouseholdMember.account_id.is_not(None),
            member_at(now),
        )
        .group_by(HouseholdMember.relation, HouseholdMember.account_id)
    )
    rows = session.execute(query).all()
    return [
        CalledEntry(
            relation=relation,
            people=sum(row[0] == relation.value for row in rows),
            reached=sum(row[0] == relation.value and row[2] > 0 for row in rows),
        )
        for relation in _ORDER
    ]


def ask(
    session: Session, household: str, device: str, act: Act, *, by: str, now: datetime
) -> Downlink:
    """Raises ``AlarmUnknown``, ``AlarmCannot``."""
    own = select(Device).where(
        Device.domain == DOMAIN, Device.device == device, Device.device.in_(_own(household, now))
    )
    row = session.scalar(own)
    if row is None:
        raise AlarmUnknown("There is no such alarm in this home.")
    kind = ACTIONS[act]
    if kind.ACTION not in row.commands:
        raise AlarmCannot("This alarm cannot be asked for it over its gateway.")
    return downlinks.ask(
        session, row.gateway, device, kind(), by=by, expires=now + LONGEST, now=now
    )


def _gone(device: str, now: datetime) -> Device:
    """One that was taken off the list of devices: its name alone is left. Never stored."""
    return Device(
        device=device,
        gateway="",
        domain=DOMAIN,
        name=device,
        name_zh=device,
        state="unknown",
        commands=[],
        updated=now,
    )


def _own(household: str, now: datetime) -> Select[str]:
    return select(HouseholdDevice.device).where(
        HouseholdDevice.household == household, device_at(now)
    )


def _batteries(session: Session, devices: Sequence[str]) -> dict[str, float]:
    rows = session.scalars(select(NewestReadings).where(NewestReadings.device.in_(devices)))
    found = {}
    for row in rows:
        reading = row.readings.get("battery")
        if reading is not None and reading[1] is not None:
            found[row.device] = float(reading[1])
    return found


def _tested(session: Session, devices: Sequence[str]) -> dict[str, datetime]:
    query = (
        select(AlarmCondition.device, func.max(AlarmCondition.heard))
        .where(AlarmCondition.device.in_(devices), AlarmCondition.condition == "test")
        .group_by(AlarmCondition.device)
    )
    return {device: at for device, at in session.execute(query) if at is not None}


def _active(session: Session, devices: Sequence[str]) -> dict[str, set[str]]:
    query = select(AlarmCondition.device, AlarmCondition.condition).where(
        AlarmCondition.device.in_(devices),
        AlarmCondition.activated.is_not(None),
        AlarmCondition.cleared.is_(None),
    )
    found: dict[str, set[str]] = {}
    for device, condition in session.execute(query):
        found.setdefault(device, set()).add(condition)
    return found


def _asked(session: Session, rows: Sequence[Device], now: datetime) -> dict[str, AskedEntry]:
    """What was asked of each last, while the answer is of interest."""
    query = (
        select(Downlink)
        .where(
            Downlink.gateway.in_({row.gateway for row in rows}),
            Downlink.channel == COMMAND,
            Downlink.created > now - timedelta(minutes=10),
        )
        .order_by(Downlink.created, Downlink.id)
    )
    acts = {kind.ACTION: act for act, kind in ACTIONS.items()}
    found = {}
    for row in session.scalars(query):
        act = acts.get(row.payload.get("action", ""))
        if act is not None:
            found[str(row.payload.get("device"))] = AskedEntry(
                act=act,
                at=row.created,
                answered=row.answered,
                accepted=row.accepted,
                code=row.code,
                expires=row.expires,
            )
    return found
