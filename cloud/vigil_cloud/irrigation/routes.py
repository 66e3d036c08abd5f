"""Gates that are to be closed, over HTTP: for the association, and for those who ask it."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Path
from pydantic import BaseModel, ConfigDict
from sqlalchemy import or_, select

from vigil_cloud.alerts import feed
from vigil_cloud.alerts.acts import act
from vigil_cloud.alerts.models import AlertRow
from vigil_cloud.database.engine import writing
from vigil_cloud.domain.rights import require_alerts_of
from vigil_cloud.identity.dependencies import ServicesDependency, require
from vigil_cloud.identity.reader import Reader
from vigil_cloud.identity.roles import Role
from vigil_cloud.irrigation.models import GateOrder
from vigil_cloud.irrigation.port import IRRIGATION, GateOrderUnknown, GateReleased
from vigil_schemas.types import UtcDatetime

SHOWN_FOR: Final = timedelta(days=7)
"""A gate that may open is shown so long."""
MOST: Final = 200

router = APIRouter(prefix="/irrigation", tags=["irrigation"])
OrderId = Annotated[str, Path(pattern=r"^[0-9a-f-]{36}$")]


class GateOrderEntry(BaseModel):
    """One gate: to be closed, closed, or free to open."""

    model_config = ConfigDict(from_attributes=True, use_attribute_docstrings=True)

    id: str
    gate: str
    name: str
    name_zh: str
    area: str
    area_zh: str
    latitude: float
    longitude: float
    arrival: UtcDatetime | None
    """When the water is expected there."""
    asked: UtcDatetime
    closed: UtcDatetime | None
    closed_by: str | None
    released: UtcDatetime | None
    may_open: UtcDatetime | None
    alert_id: str


class GateOrderList(BaseModel):
    """Newest first."""

    orders: list[GateOrderEntry]


@router.get("/orders", operation_id="list_gate_orders")
def list_gate_orders(
    reader: Annotated[Reader, Depends(require_alerts_of(IRRIGATION))], services: ServicesDependency
) -> GateOrderList:
    """Gates that are to be closed, and those that may open again since less than a week."""
    since = services.now() - SHOWN_FOR
    query = select(GateOrder).where(or_(GateOrder.released.is_(None), GateOrder.released > since))
    if reader.districts:  # before the limit: another district's orders push none of ours out
        query = query.where(GateOrder.district.in_(sorted(reader.districts)))
    query = query.order_by(GateOrder.asked.desc(), GateOrder.id).limit(MOST)
    with services.sessions() as session:
        rows = session.scalars(query).all()
        return GateOrderList(orders=[GateOrderEntry.model_validate(row) for row in rows])


@router.post("/orders/{order}/closed", operation_id="report_gate_closed")
def report_gate_closed(
    order: OrderId,
    reader: Annotated[Reader, Depends(require(Role.IRRIGATION))],
    services: ServicesDependency,
) -> GateOrderEntry:
    """The association has closed it. Idempotent: the first who says so is the one."""
    now = services.now()
    with writing(services.sessions) as session:
        feed.lock(session)
        row = session.get(GateOrder, order, with_for_update=True)
        if row is None or not reader.covers(row.district):
            raise GateOrderUnknown("There is no such order for you.")
        if row.closed is None:
            if row.released is not None:
                raise GateReleased(f"The gate {row.name} may open already.")
            row.closed, row.closed_by = now, reader.username
            alert = session.get(AlertRow, row.alert_id)
            if alert is not None and not alert.acknowledged:
                act(session, reader, alert.id, "acknowledged", now=now)
            session.flush()
        entry = GateOrderEntry.model_validate(row)
    services.changed.announce()
    return entry
