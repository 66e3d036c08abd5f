"""Many alarms of one gateway at once become one counted alert that names each device.

Above a rate nobody reads single alerts any more, and each costs rows and calls. None is hidden:
the counted alert lists every device with what it said and how often, and everybody is told again
as the number of devices grows and with each fire, whatever its device had said before. What stands
in a household has a counted alert of its own, which its members see.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnExpressionArgument, Select, func, select
from sqlalchemy.orm import Session

from vigil_cloud.alerts.models import AlertRow
from vigil_schemas.types import isoformat_utc

MANY: Final = "many"
"""Kind of the counted alert."""
WINDOW: Final = timedelta(minutes=1)
LISTED: Final = 500
"""Devices by name: more than any gateway has; one that makes up names is counted on."""
MOST: Final = "alerts_a_minute"
"""Where a session's ``info`` says how many alerts of a gateway are told singly in a minute."""
MOST_A_MINUTE: Final = 100
TITLE: Final = 300
STANDING: Final = 16
"""Alarms of one device whose ends are waited for by name. One that makes up more is never over by
itself."""
_NAMED: Final = 3
_STEPS: Final = (2, 5, 10, 20, 50, 100, 200, 500)
_EACH: Final = 20
"""So many fires are told one by one, those beyond at the steps above: a device whose contact
chatters makes them without end."""


class Said(NamedTuple):
    """One alarm that joins."""

    reference: str
    """What its end will name as well."""
    kind: str
    title: str
    title_zh: str
    at: datetime
    fire: bool = False
    """It is critical."""


def counted(
    session: Session, gateway: str, domain: str, household: str | None, now: datetime
) -> AlertRow | None:
    """The counted alert of this gateway that a flood is going on in: until a minute after its
    last alarm. That of a household, or of all devices that stand in none."""
    query = _standing(gateway, domain).where(AlertRow.household.is_not_distinct_from(household))
    latest = session.scalar(query.order_by(AlertRow.raised.desc()).limit(1))
    return latest if latest is not None and goes_on(latest, now) else None


def goes_on(row: AlertRow, now: datetime) -> bool:
    """Whether a further alarm joins this counted alert. Not where its last one lies ahead: the
    clock was set back, and the flood may be over for hours."""
    return abs(now - datetime.fromisoformat(row.detail["last"])) < WINDOW


def begins(session: Session, gateway: str, now: datetime) -> bool:
    """Whether this gateway has raised as many alerts within a minute as are told singly."""
    lately = session.scalar(
        select(func.count()).where(
            AlertRow.gateway == gateway,
            AlertRow.raised > now - WINDOW,
            AlertRow.raised < now + WINDOW,  # not what a clock that was set back dated ahead
        )
    )
    return (lately or 0) >= most(session)


def most(session: Session) -> int:
    """How many alerts of a gateway are told singly in a minute."""
    return int(session.info.get(MOST, MOST_A_MINUTE))


def listing(
    session: Session, gateway: str, domain: str, device: str, reference: str
) -> AlertRow | None:
    """The counted alert that waits for the end of this alarm; else one that lists its device and
    is not over. Each home behind a gateway may have one: the database looks into them."""
    entry = AlertRow.detail[("devices", device)].as_json()
    lists = AlertRow.detail[("devices", device, "count")].as_string().is_not(None)
    found = session.execute(
        select(AlertRow.id, entry).where(lists, *_is_standing(gateway, domain))
    ).all()
    if not found:
        return None
    name = _short(reference)
    waits = next((key for key, known in found if name in known["standing"]), found[0][0])
    return session.get_one(AlertRow, waits)


def _standing(gateway: str, domain: str) -> Select[AlertRow]:
    return select(AlertRow).where(*_is_standing(gateway, domain))


def _is_standing(gateway: str, domain: str) -> tuple[ColumnExpressionArgument[bool], ...]:
    return (
        AlertRow.gateway == gateway,
        AlertRow.domain == domain,
        AlertRow.kind == MANY,
        AlertRow.active,
    )


def joined(detail: Mapping[str, Any], device: str, said: Said, now: datetime) -> dict[str, Any]:
    """The counted alert's detail with one more alarm in it. Pure."""
    devices = dict(detail.get("devices", {}))
    further = int(detail.get("further", 0))
    known = devices.get(device, {})
    if not known and len(devices) >= LISTED:
        further += 1
    else:
        standing, unnamed = _standing_with(known, said.reference)
        burns = said.fire or _burns(known)
        devices[device] = {
            "fires": known.get("fires", 0) + (burns and not _burns(known)),
            "burns": burns,
            "standing": standing,
            "unnamed": unnamed,
            "count": known.get("count", 0) + 1,
            "kinds": sorted({*known.get("kinds", []), said.kind}),
            "since": known.get("since") or isoformat_utc(said.at),
            "cleared": None,
        }
    return {
        **detail,
        "newest": _newest(detail, device, said, devices),
        "count": int(detail.get("count", 0)) + 1,
        "fires": int(detail.get("fires", 0)) + (said.fire and not _burns(known)),
        "devices": devices,
        "further": further,
        "last": isoformat_utc(now),
    }


def _burns(known: Mapping[str, Any]) -> bool:
    """Whether a device's fire is told of already and not over."""
    return bool(known.get("burns")) and known.get("cleared") is None


def _newest(
    detail: Mapping[str, Any], device: str, said: Said, devices: Mapping[str, Any]
) -> list[dict[str, str]]:
    """What stands in the title: the newest, and no weak battery before a fire."""
    named = {"device": device, "title": said.title, "title_zh": said.title_zh}
    before = detail.get("newest", [])
    if _burns(devices.get(device, {})) and not said.fire:
        named = next((one for one in before if one["device"] == device), named)
    found = [named, *(one for one in before if one["device"] != device)]
    found.sort(key=lambda one: not _burns(devices.get(one["device"], {})))
    return found[:_NAMED]


def waits_for(detail: Mapping[str, Any], device: str, reference: str) -> bool:
    """Whether this alarm of the device joined and has not ended."""
    known = detail.get("devices", {}).get(device)
    return known is not None and _short(reference) in known["standing"]


def _standing_with(known: Mapping[str, Any], reference: str) -> tuple[list[str], bool]:
    """A device's alarms that have not ended, with one more; whether there are others besides."""
    standing, unnamed = list(known.get("standing", [])), bool(known.get("unnamed", False))
    name = _short(reference)
    if name in standing:
        return standing, unnamed
    if len(standing) >= STANDING:
        return standing, True
    return [*standing, name], unnamed


def _short(reference: str) -> str:
    return hashlib.sha256(reference.encode()).hexdigest()[:12]


def is_news(before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    """Whether screens are told: of each device, and of the count once a second."""
    seconds = len("2026-01-01T00:00:00")
    later: bool = before["last"][:seconds] != after["last"][:seconds]
    return later or len(before["devices"]) != len(after["devices"])


def ended(
    detail: Mapping[str, Any], device: str, reference: str, at: datetime
) -> tuple[dict[str, Any], bool]:
    """The detail with this alarm of the device over, and whether all of all devices are. Pure.

    A device is over once every alarm of it is: the end of its weak battery ends no fire. The end
    of what never joined changes nothing.
    """
    devices = dict(detail["devices"])
    known, name = devices[device], _short(reference)
    if name in known["standing"]:
        standing = [one for one in known["standing"] if one != name]
        over = not standing and not known["unnamed"]
        cleared = isoformat_utc(at) if over else None
        devices[device] = {**known, "standing": standing, "cleared": cleared}
    over = not detail["further"] and all(one["cleared"] for one in devices.values())
    return {**detail, "devices": devices}, over


def titles(detail: Mapping[str, Any]) -> tuple[str, str]:
    """English and Chinese: how many, and what the newest devices said."""
    many, count = len(detail["devices"]) + detail["further"], detail["count"]
    said = "; ".join(one["title"] for one in detail["newest"])
    said_zh = "；".join(one["title_zh"] for one in detail["newest"])
    return (
        f"{count} alarms at once from {many} devices: {said}"[:TITLE],
        f"{many} 個裝置同時發出 {count} 則警報：{said_zh}"[:TITLE],
    )


def reason(detail: Mapping[str, Any], *, each: bool = False) -> str | None:
    """Why everybody is told again, if the number of devices has passed another step or there is
    another fire. ``each``: whoever took the alert on hears of every one."""
    fires = int(detail.get("fires", 0))
    told = [f"{_passed(len(detail['devices']))} devices"] if len(detail["devices"]) > 1 else []
    if fires:
        told.append(f"{fires if each or fires <= _EACH else _passed(fires)} fires")
    return ", ".join(told) or None


def fire_of(detail: Mapping[str, Any], device: str) -> int | None:
    """Which fire of this device is the newest, where its home is to hear of it by itself."""
    fires = detail["devices"].get(device, {}).get("fires", 0)
    return fires if 0 < fires <= _EACH or fires in _STEPS else None


def _passed(count: int) -> int:
    return max(step for step in _STEPS if step <= count)
