"""Watches stations that have a host: one message after an hour (``station_silent_after_s``) of
silence, one when it is over."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from vigil_cloud.alerts import feed, outbox
from vigil_cloud.alerts.models import AlertRow
from vigil_cloud.alerts.places import place_of
from vigil_cloud.alerts.service import Occurrence, record
from vigil_cloud.checkin.hosts import BROKEN, Status, statuses, told
from vigil_cloud.checkin.models import StationHost, StationSilence
from vigil_cloud.city_time import city_stamp
from vigil_cloud.devices.models import Gateway
from vigil_cloud.identity.models import HouseholdDevice
from vigil_cloud.identity.reader import device_at
from vigil_cloud.jobs.port import Job, in_transaction
from vigil_schemas.checkin import DOMAIN
from vigil_schemas.types import isoformat_utc

EVERY: Final = timedelta(seconds=60)
KIND: Final = "station-silent"
BACK: Final = "station-works"
FEWEST: Final = 3
"""Of fewer gateways nobody can tell whether they are all silent, or we are deaf."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What an operator decides (``Settings``)."""

    offline_after: timedelta
    """A gateway unheard of for so long is offline."""
    told_after: timedelta
    """A host is told once their station has not worked for so long."""
    help_line: str
    """Whom hosts call."""


def host_job(rules: Rules) -> Job:
    """Tells hosts."""
    every = min(EVERY, max(rules.told_after / 4, timedelta(seconds=1)))
    return Job("hosts-of-stations", every, in_transaction(partial(follow, rules)))


def follow(rules: Rules, session: Session, now: datetime) -> bool:
    """Begin, tell and end silences. Idempotent. A cloud that hears no gateway at all tells nobody
    that their box is silent, and the time begins anew once it hears again."""
    offline_after = rules.offline_after
    if deaf(session, now, offline_after):
        standing = StationSilence.told.is_(None) & StationSilence.ended.is_(None)
        session.execute(update(StationSilence).where(standing).values(noticed=now))
        return False
    known = {row.device: row for row in session.scalars(select(StationSilence))}
    found = statuses(session, now, offline_after)
    changing = [one for one in found if _changes(one, known.get(one.device), now, rules)]
    gone = set(known) - {one.device for one in found}
    if not changing and not gone:
        return False
    feed.lock(session)
    hosted = _hosted(session, now)
    for one in changing:
        _step(session, one, known.get(one.device), one.device in hosted, rules.help_line, now)
    for device in gone:  # it was moved or removed: nobody is to look after it any more
        _end(session, known[device], now)
        session.delete(known[device])
    session.flush()
    return True


def deaf(session: Session, now: datetime, offline_after: timedelta) -> bool:
    """Whether no gateway at all is heard: then nobody can tell whether they are silent, or we."""
    count = session.scalar(select(func.count()).where(Gateway.last_seen.is_not(None))) or 0
    newest = session.scalar(select(func.max(Gateway.last_seen)))
    return count >= FEWEST and newest is not None and newest < now - offline_after


def _changes(one: Status, row: StationSilence | None, now: datetime, rules: Rules) -> bool:
    standing = row is not None and row.ended is None
    if one.reason not in BROKEN:
        return standing and one.works
    if row is None or not standing:
        return not one.aside
    return row.told is None and not one.aside and _long_enough(row, now, rules)


def _long_enough(row: StationSilence, now: datetime, rules: Rules) -> bool:
    """So long since its last sign, of which we have watched all that anybody could."""
    watched = rules.told_after - rules.offline_after - 2 * EVERY
    return now - row.since >= rules.told_after and now - row.noticed >= watched


def _step(
    session: Session,
    one: Status,
    row: StationSilence | None,
    hosted: bool,
    help_line: str,
    now: datetime,
) -> None:
    if one.reason not in BROKEN:
        if row is not None:
            _end(session, row, now)
    elif row is None or row.ended is not None:
        since = one.since or now
        session.merge(
            StationSilence(device=one.device, since=since, noticed=now, told=None, ended=None)
        )
    else:
        row.told = now
        if hosted:
            _tell(session, one, row, help_line, now)


def _tell(
    session: Session, one: Status, row: StationSilence, help_line: str, now: datetime
) -> None:
    place = place_of(session, one.device)
    since = city_stamp(row.since)
    failed = one.reason == "failed"
    occurrence = replace(
        _occurrence(row.device, row.since),
        title=f"{one.name}: the station has not worked since {since}",
        title_zh=f"{one.name_zh}：站點自 {since} 起未運作",
        active=True,
        detail={
            "reason": one.reason,
            "since": isoformat_utc(row.since),
            "remedy": remedy(failed, help_line),
            "remedy_zh": remedy_zh(failed, help_line),
        },
        latitude=place.latitude,
        longitude=place.longitude,
    )
    record(session, occurrence, now)


def _end(session: Session, row: StationSilence, now: datetime) -> None:
    """It works again; who was told that it does not is told that, once."""
    row.ended = row.ended or now
    # Not by its key: ``since`` moves along where the server's clock is set back, and no alert does.
    standing = select(AlertRow).where(
        AlertRow.device == row.device,
        AlertRow.domain == DOMAIN,
        AlertRow.kind == KIND,
        AlertRow.active,
    )
    for alert in session.scalars(standing).all():
        record(session, replace(_occurrence(row.device, alert.event_time), ended=now), now)
        outbox.announce(session, alert, now, "stood-down", step=BACK)


def _occurrence(device: str, since: datetime) -> Occurrence:
    """Its end. It is ours and no gateway's: it joins no flood, and goes on if the box is moved."""
    said = f"{device} {isoformat_utc(since)}"
    return Occurrence(
        domain=DOMAIN,
        reference=f"{KIND}:{hashlib.sha256(said.encode()).hexdigest()[:32]}",
        kind=KIND,
        gateway="",
        device=device,
        title="",
        title_zh="",
        severity="minor",
        event_time=since,
        active=False,
        end_is_told=False,
    )


def remedy(failed: bool, help_line: str) -> str:
    """What a host can do, in English."""
    first = (
        "The box runs, but its radio does not: unplug it, wait ten seconds and plug it in again."
        if failed
        else "Is the box plugged in, and its light on? Is the network (router, cable) working?"
        " Unplug the box, wait ten seconds and plug it in again."
    )
    return f"{first} If it does not help, call {help_line}."


def remedy_zh(failed: bool, help_line: str) -> str:
    """The same in Chinese."""
    first = (
        "設備有電，但無線電未運作：請拔掉電源，等 10 秒後再插上。"
        if failed
        else "請確認設備已插電、燈號亮起，網路（分享器、線路）正常；或拔掉電源，等 10 秒後再插上。"
    )
    return f"{first}若仍無法恢復，請致電 {help_line}。"


def _hosted(session: Session, now: datetime) -> set[str]:
    """Stations of which somebody wants to hear: by a link, a channel or an account of a place."""
    linked = session.scalars(select(StationHost.device)).all()
    placed = session.scalars(select(HouseholdDevice.device).where(device_at(now))).all()
    return {*linked, *placed, *told(session)}
