"""Watches how full the disk is and who has used up its share; tells the administrator.

Also keeps small what grows by itself: the marks of outbox openings that are over.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from vigil_cloud.alerts.platform import clear_platform, raise_platform, standing
from vigil_cloud.alerts.schema import Severity
from vigil_cloud.capacity.disk import FreeSpace, Level
from vigil_cloud.capacity.dropped import dropped_of
from vigil_cloud.capacity.models import Dropped
from vigil_cloud.database.clock import ages_hold
from vigil_cloud.database.engine import writing
from vigil_cloud.ingest.epochs import compact
from vigil_cloud.jobs.models import JobRow
from vigil_cloud.jobs.port import machine
from vigil_cloud.services import Services

STANDS_FOR: Final = timedelta(minutes=10)
"""A share that nothing was dropped for in so long is kept again."""
DISK_JOB: Final = "disk"
_NOBODY: Final = "-"
"""In place of a gateway, where a topic named none."""
_MIB: Final = 1024 * 1024
_log = structlog.get_logger(__name__)


def tell_disk(services: Services) -> None:
    """Raise and clear what is so now of this machine's disk; hold its reserve."""
    services.disk.hold_reserve()
    found = services.disk.free_space()
    with services.sessions() as session:
        low, gone = _told_of(session)
    if found.level is Level.OK and not low and not gone:
        return
    with writing(services.sessions) as session:
        changed = _tell_disk(session, found, services.now())
        for other in gone:
            changed |= clear_platform(session, "cloud-disk", other, now=services.now())
    if changed:
        services.changed.announce()


def tell_shares(services: Services) -> None:
    """Raise and clear who sends more than its share."""
    now = services.now()
    with services.sessions() as session:
        late = _beyond_share(session, now)
        stand = {row.detail["subject"] for row in standing(session, "quota")}
    if not late and not stand:
        return
    changed = False
    with writing(services.sessions) as session:
        for gateway, counts in late.items():
            changed |= _tell_share(session, gateway, counts, now)
        for subject in stand - {gateway or _NOBODY for gateway in late}:
            gateway = "" if subject == _NOBODY else subject
            changed |= clear_platform(session, "quota", subject, now=now, gateway=gateway)
    if changed:
        services.changed.announce()


def shares_to_tell(session: Session, now: datetime) -> bool:
    """Whether ``tell_shares`` has anybody to look at."""
    return bool(_beyond_share(session, now) or standing(session, "quota"))


def fold(services: Services) -> None:
    """Fold marks of outbox openings that are over."""
    with writing(services.sessions) as session:
        now = services.now()
        if not ages_hold(session, now):  # what an opening left behind may still come
            return
        folded = compact(session, services.settings.quotas.epochs, now)
    if folded:
        _log.info("epochs-compacted", marks=folded)


def _beyond_share(session: Session, now: datetime) -> dict[str, dict[str, int]]:
    lately = session.scalars(
        select(Dropped.gateway).where(Dropped.last > now - STANDS_FOR).distinct()
    ).all()
    return dropped_of(session, lately) if lately else {}


def _told_of(session: Session) -> tuple[bool, list[str]]:
    """Whether this machine's disk is told of; machines that are told of and do nothing here any
    more (``cloud``: all of them, as long as they had one alert together)."""
    stand = {str(row.detail["subject"]) for row in standing(session, "cloud-disk")}
    if not stand:
        return False, []
    jobs = session.scalars(select(JobRow.name).where(JobRow.name.startswith(f"{DISK_JOB}@")))
    here = {name.partition("@")[2] for name in jobs} | {machine()}
    return machine() in stand, sorted(stand - here)


def _tell_disk(session: Session, found: FreeSpace, now: datetime) -> bool:
    name = machine()
    if found.level is Level.OK:
        return clear_platform(session, "cloud-disk", name, now=now)
    free, total = found.free // _MIB, found.total // _MIB
    waits, waits_zh = {
        Level.LOW: ("", ""),
        Level.EVENTS: ("; readings wait at their gateways", "；量測資料暫存於閘道器"),
    }.get(found.level, ("; readings and events wait at their gateways", "；量測與事件暫存於閘道器"))
    severity: Severity = "major" if found.level is Level.LOW else "critical"
    row = raise_platform(
        session,
        "cloud-disk",
        name,
        severity=severity,
        title=f"The disk of server {name} is nearly full: {free} of {total} MiB are free{waits}",
        title_zh=f"伺服器 {name} 磁碟即將用盡：剩餘 {free} MiB，共 {total} MiB{waits_zh}",
        now=now,
        detail={"level": found.level.name.lower()},
    )
    return row.raised == now


def _tell_share(session: Session, gateway: str, counts: dict[str, int], now: datetime) -> bool:
    told = ", ".join(f"{kind} {count}" for kind, count in counts.items())
    name = gateway or "(no gateway)"
    row = raise_platform(
        session,
        "quota",
        gateway or _NOBODY,
        severity="minor",
        title=f"{name} sends more than its share: {told}",
        title_zh=f"{name} 超出配額：{told}",
        now=now,
        detail={"dropped": counts},
        gateway=gateway,
    )
    return row.raised == now
