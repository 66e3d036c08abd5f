"""What other domains ask of irrigation associations: close a gate, and say when it may open.

An order is an alert of this domain, so that associations are called as everybody is, and see
nothing of what it is about but the gate.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from vigil_cloud.alerts import feed
from vigil_cloud.alerts.amendments import Amendment, amend
from vigil_cloud.alerts.models import AlertRow
from vigil_cloud.alerts.service import Occurrence, record
from vigil_cloud.api_errors import ApiError, NotFound
from vigil_cloud.city_time import city_clock
from vigil_cloud.identity import audit
from vigil_cloud.irrigation.models import GateOrder
from vigil_schemas.types import Domain, isoformat_utc

IRRIGATION: Final[Domain] = "irrigation"


class GateOrderUnknown(NotFound):
    """Nobody was asked to close this gate, or not this reader."""

    code: ClassVar[str] = "gate-order-unknown"
    remedy: ClassVar[str] = "Load the page again; it shows what is asked for now."


class GateReleased(ApiError):
    """The gate may open already."""

    code: ClassVar[str] = "gate-released"
    remedy: ClassVar[str] = "Load the page again: the gate may open, nobody needs to close it."
    status: ClassVar[int] = 409


@dataclass(frozen=True, slots=True)
class Gate:
    """The gate that is to be closed."""

    id: str
    name: str
    name_zh: str
    latitude: float
    longitude: float
    area: str = ""
    area_zh: str = ""


def ask_to_close(  # noqa: PLR0913 - what is asked, by name
    session: Session,
    cause: str,
    gate: Gate,
    *,
    arrival: datetime | None,
    district: str | None,
    by: str,
    now: datetime,
) -> GateOrder:
    """Call the association. Idempotent: a gate that is asked for already is not asked for twice."""
    feed.lock(session)
    standing = _standing(session, cause, gate.id)
    if standing is not None:
        return standing
    order = GateOrder(
        id=str(uuid.uuid4()),
        cause=cause,
        gate=gate.id,
        name=gate.name,
        name_zh=gate.name_zh,
        area=gate.area,
        area_zh=gate.area_zh,
        latitude=gate.latitude,
        longitude=gate.longitude,
        district=district,
        arrival=arrival,
        asked=now,
        asked_by=by,
        alert_id="",
    )
    until = "" if arrival is None else f", water expected {city_clock(arrival, now)}"
    until_zh = "" if arrival is None else f"，預計 {city_clock(arrival, now)} 到達"
    said = Occurrence(
        domain=IRRIGATION,
        reference=f"gate:{order.id}",
        kind="close-gate",
        gateway="",
        device="",
        title=f"Close the gate {gate.name}{until}",
        title_zh=f"請關閉水門 {gate.name_zh}{until_zh}",
        severity="major",
        event_time=now,
        active=True,
        detail=_detail(order),
        latitude=gate.latitude,
        longitude=gate.longitude,
        district=district,
    )
    order.alert_id = record(session, said, now).id
    session.add(order)
    session.flush()
    audit.append(
        session,
        at=now,
        account=by,
        action="irrigation.gate-asked",
        subject=gate.id,
        detail={"order": order.id},
    )
    return order


def may_open(
    session: Session, cause: str, gate: str, *, at: datetime, by: str, now: datetime
) -> GateOrder:
    """From ``at`` on the gate may open. Idempotent. Raises ``GateOrderUnknown``."""
    feed.lock(session)
    order = _standing(session, cause, gate)
    if order is None:
        last = next((one for one in orders_of(session, cause) if one.gate == gate), None)
        if last is None:
            raise GateOrderUnknown("Nobody was asked to close this gate.")
        return last
    order.released, order.released_by, order.may_open = now, by, at
    session.flush()
    alert = session.get(AlertRow, order.alert_id)
    if alert is not None:
        amend(
            session,
            alert.id,
            Amendment(
                title=f"The gate {order.name} may open from {city_clock(at, now)}",
                title_zh=f"水門 {order.name_zh} 自 {city_clock(at, now)} 起可開啟",
                detail=_detail(order),
            ),
            now,
            account=by,
        )
        if alert.active:
            record(session, _over(alert, now), now)
    audit.append(
        session,
        at=now,
        account=by,
        action="irrigation.gate-released",
        subject=gate,
        detail={"order": order.id},
    )
    return order


def orders_of(session: Session, cause: str) -> Sequence[GateOrder]:
    """What was asked for because of this, newest first."""
    query = select(GateOrder).where(GateOrder.cause == cause)
    return session.scalars(query.order_by(GateOrder.asked.desc(), GateOrder.id)).all()


def _standing(session: Session, cause: str, gate: str) -> GateOrder | None:
    query = select(GateOrder).where(
        GateOrder.cause == cause, GateOrder.gate == gate, GateOrder.released.is_(None)
    )
    return session.scalar(query.limit(1))


def _detail(order: GateOrder) -> dict[str, str]:
    times = {"arrival": order.arrival, "may_open": order.may_open}
    return {
        "type": "irrigation-gate",
        "order": order.id,
        "gate": order.gate,
        "area": order.area,
        "area_zh": order.area_zh,
        **{name: isoformat_utc(at) for name, at in times.items() if at is not None},
    }


def _over(alert: AlertRow, now: datetime) -> Occurrence:
    return Occurrence(
        domain=IRRIGATION,
        reference=alert.key.split(":", 2)[2],
        kind=alert.kind,
        gateway="",
        device="",
        title=alert.title,
        title_zh=alert.title_zh,
        severity="major",
        event_time=alert.event_time,
        active=False,
        ended=now,
    )
