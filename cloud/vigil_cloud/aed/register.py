"""The register of AEDs: kept, patrolled, brought in and out."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, ClassVar, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from vigil_cloud.aed import patrol_photos, tester
from vigil_cloud.aed.dispatch import Aed
from vigil_cloud.aed.hours import PUBLIC_ACCESS, is_always_open, opener, parsed, readable
from vigil_cloud.aed.models import AedPatrol, AedSite
from vigil_cloud.aed.tester import TesterResult
from vigil_cloud.api_errors import ApiError, NotFound
from vigil_cloud.city_time import CITY_ZONE
from vigil_cloud.devices.models import Device
from vigil_cloud.identity import audit
from vigil_cloud.identity.errors import KeyReused
from vigil_schemas.aed import DOMAIN

PATROL_EVERY: Final = timedelta(days=90)
EXPIRY_WARNING: Final = timedelta(days=30)
CHECKLIST: Final = ("present", "indicator_ok", "pads_sealed", "cabinet_ok", "sign_visible")
"""What a patrol looks at; every one must be well for the AED to be usable, but the sign."""
_NEEDED: Final = ("present", "indicator_ok", "pads_sealed")


class AedUnknown(NotFound):
    """No such AED in the register."""

    code: ClassVar[str] = "aed-unknown"
    remedy: ClassVar[str] = "Look it up in the register."


class NotACabinet(ApiError):
    """The device is no AED cabinet. ``device``, and the ``domain`` that it is of."""

    code: ClassVar[str] = "aed-not-a-cabinet"
    remedy: ClassVar[str] = "Name the device of the AED's cabinet, or leave it empty."
    status: ClassVar[int] = 422

    def __init__(self, device: str, domain: str) -> None:
        super().__init__(f"{device!r} is no AED cabinet: it is a device of {domain}.")
        self.device = device
        self.domain = domain


@dataclass(frozen=True, slots=True)
class SiteFields:
    """What the register holds of one AED; see ``models.AedSite``."""

    name: str
    latitude: float
    longitude: float
    name_zh: str = ""
    location: str = ""
    level: str = ""
    indoor: bool = False
    access: str = "yes"
    opening_hours: str = "24/7"
    phone: str = ""
    operator: str = ""
    model: str = ""
    in_service: bool | None = None
    """``None``: as it is; a new one is in service."""
    pads_until: date | None = None
    battery_until: date | None = None
    device: str | None = None


def put(session: Session, site: str, fields: SiteFields, by: str, now: datetime) -> AedSite:
    """Add it or write it anew. Raises ``BadOpeningHours``, ``NotACabinet``."""
    row = session.get(AedSite, site, with_for_update=True)
    wanted = {name: getattr(fields, name) for name in SiteFields.__dataclass_fields__}
    if wanted["in_service"] is None:
        wanted["in_service"] = row is None or row.in_service
    return _write(session, row, site, wanted, by, now)


def bring_in(session: Session, site: str, said: Mapping[str, Any], by: str, now: datetime) -> bool:
    """From a file: what it does not say stays as it is. Whether the AED stays out of service
    against what the file says: a patrol found it unfit, and only the next one can tell that it is
    fit again. Raises ``NotACabinet``."""
    row = session.get(AedSite, site, with_for_update=True)
    wanted = dict(said)
    # Of one that is known our own patrols say when it was checked, and the register its name.
    checked, name = wanted.pop("checked", None), wanted.pop("name_if_new", None)
    kept_out = False
    if row is None:
        named = {} if name is None else {"name": name}
        new = SiteFields(**{"opening_hours": "off", **named, **wanted})
        wanted = {name: getattr(new, name) for name in SiteFields.__dataclass_fields__}
        wanted["in_service"] = wanted["in_service"] is not False
        if checked is not None and checked <= now.astimezone(CITY_ZONE).date():
            wanted["checked"] = checked
    elif wanted.get("in_service") and not row.in_service and _found_unfit(session, site):
        del wanted["in_service"]
        kept_out = True
    if row is None or any(getattr(row, name) != value for name, value in wanted.items()):
        _write(session, row, site, wanted, by, now)
    return kept_out


def _found_unfit(session: Session, site: str) -> bool:
    query = select(AedPatrol.usable).where(AedPatrol.site == site).order_by(AedPatrol.id.desc())
    return session.scalar(query.limit(1)) is False


def _write(
    session: Session,
    row: AedSite | None,
    site: str,
    wanted: Mapping[str, Any],
    by: str,
    now: datetime,
) -> AedSite:
    if "opening_hours" in wanted:
        parsed(wanted["opening_hours"])
    new = row is None
    if (device := wanted.get("device")) is not None:
        _give_cabinet(session, device, site)
    if row is None:
        row = AedSite(id=site)
    for name, value in wanted.items():
        setattr(row, name, value)
    row.updated = now
    session.add(row)
    session.flush()
    action = "aed.site-added" if new else "aed.site-changed"
    audit.append(session, at=now, account=by, action=action, subject=site)
    return row


def not_cabinets(session: Session, devices: Collection[str]) -> dict[str, NotACabinet]:
    """Of these, the devices that belong to another domain. One that no gateway has told of yet may
    come later."""
    named = select(Device.device, Device.domain).where(Device.device.in_(devices))
    others = session.execute(named.where(Device.domain != DOMAIN))
    return {row.device: NotACabinet(row.device, row.domain) for row in others}


def _give_cabinet(session: Session, device: str, site: str) -> None:
    """A cabinet is moved, with its device."""
    for refused in not_cabinets(session, [device]).values():
        raise refused
    others = select(AedSite).where(AedSite.device == device, AedSite.id != site)
    for other in session.scalars(others.with_for_update()):
        other.device = None
    session.flush()


def remove(session: Session, site: str, by: str, now: datetime) -> None:
    """Idempotent."""
    row = session.get(AedSite, site, with_for_update=True)
    if row is None:
        return
    session.delete(row)
    audit.append(session, at=now, account=by, action="aed.site-removed", subject=site)


def find(session: Session, site: str) -> AedSite:
    """Locked. Raises ``AedUnknown``."""
    row = session.get(AedSite, site, with_for_update=True)
    if row is None:
        raise AedUnknown(f"There is no AED {site!r}.")
    return row


def sites(session: Session) -> Sequence[AedSite]:
    """All of them, by their ids."""
    return session.scalars(select(AedSite).order_by(AedSite.id)).all()


def patrol(  # noqa: PLR0913 - what a patrol reports, by name
    session: Session,
    site: str,
    *,
    findings: Mapping[str, bool],
    pads_until: date | None,
    battery_until: date | None,
    note: str,
    by: str,
    now: datetime,
    tested: TesterResult | None = None,
    key: str | None = None,
) -> AedSite:
    """Somebody was there; photographs that they have sent before are of this patrol. What is not
    found well, by eye or by a tester, takes the AED out of service: nobody is sent for it.
    ``key``: told again under it, it is the same patrol. Raises ``AedUnknown``, ``KeyReused``."""
    row = find(session, site)
    measured = None if tested is None else tested.model_dump(mode="json")
    told = AedPatrol(
        site=site,
        at=now,
        account=by,
        findings=dict(findings),
        pads_until=pads_until,
        battery_until=battery_until,
        note=note,
        tester=measured,
        key=key,
    )
    if _known(session, told):
        return row
    today = now.astimezone(CITY_ZONE).date()
    expired = any(day is not None and day < today for day in (pads_until, battery_until))
    measured_well = tested is None or not tester.troubles(tested)
    usable = not expired and measured_well and all(findings.get(item, False) for item in _NEEDED)
    told.usable = usable
    session.add(told)
    session.flush()
    patrol_photos.claim(session, told)
    row.checked, row.in_service, row.updated = today, usable, now
    row.pads_until = pads_until or row.pads_until
    row.battery_until = battery_until or row.battery_until
    if findings.get("present", False):
        row.taken = False
    session.flush()
    audit.append(session, at=now, account=by, action="aed.patrolled", subject=site)
    return row


_SAID: Final = ("site", "findings", "pads_until", "battery_until", "note", "tester")


def _known(session: Session, told: AedPatrol) -> bool:
    """Whether the same was told under its key; something else under it is not lost in silence."""
    if told.key is None:
        return False
    query = select(AedPatrol).where(AedPatrol.account == told.account, AedPatrol.key == told.key)
    known = session.scalar(query)
    if known is None:
        return False
    if any(getattr(known, name) != getattr(told, name) for name in _SAID):
        raise KeyReused("This Idempotency-Key was used for another patrol; make a new one.")
    patrol_photos.claim(session, known)
    return True


def patrols(session: Session, site: str, limit: int) -> Sequence[AedPatrol]:
    """The newest first."""
    query = select(AedPatrol).where(AedPatrol.site == site).order_by(AedPatrol.id.desc())
    return session.scalars(query.limit(limit)).all()


def due(row: AedSite, now: datetime) -> date:
    """When somebody has to go there: the patrol's turn, or a month before something expires."""
    today = now.astimezone(CITY_ZONE).date()
    turn = today if row.checked is None else row.checked + PATROL_EVERY
    ends = [day - EXPIRY_WARNING for day in (row.pads_until, row.battery_until) if day is not None]
    return today if not row.in_service or row.taken else min([turn, *ends])


def expired(row: AedSite, now: datetime) -> bool:
    """Pads or battery are past their day."""
    today = now.astimezone(CITY_ZONE).date()
    return any(day is not None and day < today for day in (row.pads_until, row.battery_until))


def usable(row: AedSite, now: datetime) -> bool:
    """Whether somebody may be sent for it at all."""
    return (
        row.in_service and not row.taken and not expired(row, now) and row.access in PUBLIC_ACCESS
    )


def always_reachable(row: AedSite, now: datetime) -> bool:
    """Usable, and open at every hour of the coming year."""
    return (
        usable(row, now) and readable(row.opening_hours) and is_always_open(row.opening_hours, now)
    )


def is_open(row: AedSite, now: datetime) -> bool:
    """What is unknown is closed."""
    return readable(row.opening_hours) and opener(row.opening_hours)(now)


def to_fetch(session: Session, now: datetime) -> tuple[Sequence[Aed], Sequence[str]]:
    """Those that somebody may be sent for, whenever they are open; and the names of those whose
    hours cannot be read: one of these must not keep the others from being fetched."""
    fit = [row for row in sites(session) if usable(row, now)]
    aeds = [
        Aed(row.id, (row.longitude, row.latitude), opener(row.opening_hours))
        for row in fit
        if readable(row.opening_hours)
    ]
    return aeds, [row.id for row in fit if not readable(row.opening_hours)]
