"""What is wrong with gateways and their sources, raised and cleared as platform alerts.

Asked again and again by ingest's housekeeping. Nothing is remembered between two looks: what
stands is in the alerts, what is true is in the gateways' and devices' rows, so a restart forgets
nothing. What a silent gateway last said of itself is neither believed nor taken back.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import structlog
from sqlalchemy.orm import Session, sessionmaker

from vigil_cloud.alerts.platform import clear_platform, raise_platform, standing
from vigil_cloud.alerts.platform_kinds import PlatformKind
from vigil_cloud.alerts.work import SEVERITIES
from vigil_cloud.database.engine import writing
from vigil_cloud.devices.models import Device
from vigil_cloud.domain.descriptor import LifeSafety
from vigil_cloud.domain.registry import described, lives_lost
from vigil_cloud.jobs import watched
from vigil_cloud.jobs.certificate_watch import (
    CERTIFICATE_ENDS,
    Signed,
    certificate,
    open_sessions,
)
from vigil_cloud.jobs.trouble import Trouble
from vigil_cloud.jobs.watched import Hanging, WatchedGateway

OF_THE_GATEWAY: Final[tuple[PlatformKind, ...]] = (
    "gateway-silent",
    "device-conflict",
    "domain-unknown",
    "revoked-session-open",
)
OF_ITS_HEALTH: Final[tuple[PlatformKind, ...]] = (
    "source-failed",
    "outbox-filling",
    "gateway-disk",
    "clock-wrong",
    "certificate-ends",
    "certificate-unknown",
)
CLOUD: Final = "cloud"
"""Whose certificate it is that no gateway has."""
ALARM_WAITS: Final = timedelta(minutes=15)
READING_WAITS: Final = timedelta(hours=1)
"""So long something may lie in an outbox whose gateway is heard."""
LEAST_FREE_BYTES: Final = 500_000_000
HARDLY_FREE_BYTES: Final = 100_000_000
CLOCK_OFF_S: Final = 60.0
CLOCK_SETTLES_S: Final = 600.0
"""A gateway without a clock of its own needs a while after its start."""
SECOND_BOX: Final = timedelta(hours=24)
TOGETHER: Final = 20
"""Alerts of one transaction: a broker that was away makes every gateway silent at once, and an
alarm waits for no longer than one of them takes."""
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Limits:
    """From the settings."""

    offline_after: timedelta
    source_failed_after: timedelta
    certificate_ends: timedelta = CERTIFICATE_ENDS
    """So long before the end of a gateway's certificate it is told."""


def watch(
    sessions: sessionmaker[Session],
    limits: Limits,
    now: datetime,
    certificate_ends: datetime | None = None,
) -> bool:
    """Raise what is wrong, clear what is over; whether anything changed.

    ``certificate_ends``: of the cloud's own certificate towards the broker.
    """
    with sessions() as session:
        wrong, unknown = _look(session, limits, now)
        if (ending := certificate(CLOUD, "", certificate_ends, now, lives=False)) is not None:
            wrong.append(ending)
        stands = {
            (row.kind, str(row.detail["subject"])[:60], row.gateway): row.severity
            for row in standing(session, *OF_THE_GATEWAY, *OF_ITS_HEALTH)
        }
    new = [one for one in wrong if _worse(one.severity, stands.get(one.key))]
    over = stands.keys() - {one.key for one in wrong} - unknown
    if not new and not over:
        return False
    changed = False
    for first in range(0, len(new), TOGETHER):
        with writing(sessions) as session:
            changed |= _raise(session, new[first : first + TOGETHER], now)
    ends = sorted(over)
    for first in range(0, len(ends), TOGETHER):
        with writing(sessions) as session:
            for kind, subject, gateway in ends[first : first + TOGETHER]:
                changed |= clear_platform(session, _kind(kind), subject, gateway=gateway, now=now)
    return changed


def of_gateway(
    gateway: WatchedGateway, hangs: Hanging, limits: Limits, now: datetime
) -> Iterator[Trouble]:
    """What is wrong with one gateway and the devices that hang on it."""
    if _planned(gateway.out_of_service_until, now):
        return
    yield from _conflicts(gateway, hangs, now)
    yield from _unknown(gateway, hangs.named)
    lost = lives_lost(hangs.described)
    if silent(gateway, limits, now):
        yield _silent(gateway, lost)
        return
    yield from _health(gateway, limits, now, lives=bool(lost))
    for device in hangs.named:
        trouble = source_failed(device, limits, now)
        if trouble is not None:
            yield trouble


def silent(gateway: WatchedGateway, limits: Limits, now: datetime) -> bool:
    """Whether it has not been heard of for too long; one that never spoke is not missed yet."""
    return gateway.last_seen is not None and now - gateway.last_seen > limits.offline_after


def source_failed(device: Device, limits: Limits, now: datetime) -> Trouble | None:
    """A source that has failed for longer than a passing trouble lasts."""
    if device.state != "failed" or not device.described:
        return None
    if _planned(device.out_of_service_until, now):
        return None
    # The gateway's word for since when, unless its clock makes nonsense of it.
    since = device.updated
    if device.since is not None and timedelta() <= since - device.since <= timedelta(days=30):
        since = device.since
    if now - since < limits.source_failed_after:
        return None
    name = device.name or device.device
    name_zh = device.name_zh or name
    return Trouble(
        "source-failed",
        device.device,
        "major" if lives_lost({device.domain}) else "minor",
        f"Source {name} has failed",
        f"{name_zh} 資料來源故障",
        gateway=device.gateway,
        device=device.device,
        since=since,
        detail={"code": device.code, "explanation": device.message or device.code or ""},
    )


def _look(
    session: Session, limits: Limits, now: datetime
) -> tuple[list[Trouble], set[tuple[str, str, str]]]:
    """What is wrong, and what cannot be known now: silent gateways' own words."""
    hanging = watched.hanging(session)
    nothing = Hanging()
    wrong: list[Trouble] = []
    mute: set[str] = set()
    signed = Signed(session, now)
    for gateway in watched.gateways(session):
        try:
            wrong += of_gateway(gateway, hanging.get(gateway.gateway, nothing), limits, now)
            if not silent(gateway, limits, now):
                wrong += signed.unknown(gateway, now)
        except Exception:  # noqa: BLE001 - what one gateway says must not hide what is wrong with the others
            _log.exception("gateway-not-watched", gateway=gateway.gateway)
        if silent(gateway, limits, now) and not _planned(gateway.out_of_service_until, now):
            mute.add(gateway.gateway)
    wrong += open_sessions(session, now)
    unknown = {
        (row.kind, str(row.detail["subject"])[:60], row.gateway)
        for row in standing(session, *OF_ITS_HEALTH)
        if row.gateway in mute
    }
    return wrong, unknown


def _raise(session: Session, troubles: Sequence[Trouble], now: datetime) -> bool:
    changed = False
    for one in troubles:
        row = raise_platform(
            session,
            one.kind,
            one.subject,
            severity=one.severity,
            title=one.title,
            title_zh=one.title_zh,
            gateway=one.gateway,
            device=one.device,
            since=one.since,
            detail=one.detail,
            now=now,
        )
        changed |= row.raised == now or row in session.dirty
    return changed


def _silent(gateway: WatchedGateway, lost: Sequence[LifeSafety]) -> Trouble:
    name = gateway.gateway
    told = ": " + ", ".join(one.lost for one in lost) if lost else ""
    told_zh = "：" + "、".join(one.lost_zh for one in lost) if lost else ""
    return Trouble(
        "gateway-silent",
        name,
        "major" if lost else "minor",
        f"Gateway {name} is silent{told}",
        f"閘道器 {name} 失聯{told_zh}",
        gateway=name,
        since=gateway.last_seen,
    )


def _conflicts(gateway: WatchedGateway, hangs: Hanging, now: datetime) -> Iterator[Trouble]:
    name = gateway.gateway
    twice = gateway.second_box_seen is not None and now - gateway.second_box_seen < SECOND_BOX
    if not gateway.conflicts and not twice:
        return
    told = ", ".join(gateway.conflicts)
    lives = bool(lives_lost(hangs.domains))
    yield Trouble(
        "device-conflict",
        name,
        "major" if lives else "minor",
        f"Two boxes use the name {name}"
        if twice
        else f"Gateway {name} describes devices of another: {told}"[:300],
        f"有兩台設備使用同一名稱 {name}"
        if twice
        else f"閘道器 {name} 描述了他台的裝置：{told}"[:300],
        gateway=name,
        detail={"devices": gateway.conflicts, "second_box": twice},
    )


def _unknown(gateway: WatchedGateway, devices: Sequence[Device]) -> Iterator[Trouble]:
    """Devices of its birth whose domain nobody described here: all that they send is refused."""
    found = [one for one in devices if one.described and described(one.domain) is None]
    if not found:
        return
    told = ", ".join(f"{one.device} ({one.domain})" for one in found)
    yield Trouble(
        "domain-unknown",
        gateway.gateway,
        "major",  # lives may hang on what is not understood
        f"Gateway {gateway.gateway} has devices of an unknown kind: {told}"[:300],
        f"閘道器 {gateway.gateway} 有不認得的裝置類別：{told}"[:300],
        gateway=gateway.gateway,
        detail={"devices": [one.device for one in found][:100]},
    )


def _health(
    gateway: WatchedGateway, limits: Limits, now: datetime, *, lives: bool
) -> Iterator[Trouble]:
    name, health = gateway.gateway, gateway.health
    clock = _clock(gateway)
    if clock is not None:
        yield clock
    if health is None:
        return
    if gateway.health_time is not None and gateway.clock_mark is None:
        yield from _outbox(name, health, gateway.health_time, lives=lives)
    free = health.get("disk_free_bytes")
    if free is not None and free < LEAST_FREE_BYTES:
        yield Trouble(
            "gateway-disk",
            name,
            "major" if free < HARDLY_FREE_BYTES else "minor",
            f"The disk of gateway {name} is nearly full: {free // 1_000_000} MB free",
            f"閘道器 {name} 磁碟即將用盡：剩餘 {free // 1_000_000} MB",
            gateway=name,
            detail={"disk_free_bytes": free},
        )
    ends = _time(health.get("certificate_not_after"))
    if (
        ending := certificate(name, name, ends, now, lives=lives, within=limits.certificate_ends)
    ) is not None:
        yield ending


def _clock(gateway: WatchedGateway) -> Trouble | None:
    """Wrong by its own word, by what the cloud told it, or by what it sends."""
    name, health = gateway.gateway, gateway.health or {}
    offset = health.get("clock_offset_s")
    off = offset is not None and abs(offset) > CLOCK_OFF_S
    unsynchronised = (
        health.get("clock_quality") == "unsynchronised"
        and health.get("uptime_s", 0) > CLOCK_SETTLES_S
    )
    if not (off or unsynchronised or gateway.clock_mark):
        return None
    if off or gateway.clock_mark:
        title, title_zh = "is wrong", "有誤"
    else:
        title, title_zh = "is not synchronised", "未同步"
    return Trouble(
        "clock-wrong",
        name,
        "minor",
        f"The clock of gateway {name} {title}",
        f"閘道器 {name} 的時鐘{title_zh}",
        gateway=name,
        detail={"clock_offset_s": offset, "time_quality": gateway.clock_mark},
    )


def _outbox(
    name: str, health: Mapping[str, Any], measured: datetime, *, lives: bool
) -> Iterator[Trouble]:
    waiting = {}
    urgent = False
    for lane in health.get("outbox", ()):
        oldest = _time(lane.get("oldest"))
        reading = lane.get("lane") == "observation"
        if oldest is None or measured - oldest < (READING_WAITS if reading else ALARM_WAITS):
            continue
        waiting[str(lane["lane"])] = int(lane.get("rows", 0))
        urgent |= not reading
    if not waiting:
        return
    rows = sum(waiting.values())
    yield Trouble(
        "outbox-filling",
        name,
        "major" if urgent and lives else "minor",
        f"Gateway {name} cannot send what it stores: {rows} messages wait",
        f"閘道器 {name} 的資料送不出去：{rows} 則等待中",
        gateway=name,
        detail={"waiting": waiting},
    )


def _time(value: Any) -> datetime | None:
    return datetime.fromisoformat(value) if isinstance(value, str) else None


def _planned(until: datetime | None, now: datetime) -> bool:
    return until is not None and until > now


def _worse(severity: str, stands: str | None) -> bool:
    return stands is None or SEVERITIES.index(severity) > SEVERITIES.index(stands)


def _kind(word: str) -> PlatformKind:
    return next(one for one in (*OF_THE_GATEWAY, *OF_ITS_HEALTH) if one == word)
