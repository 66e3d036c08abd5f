"""Calls over HTTP, for those who lead."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from sqlalchemy import select

from vigil_cloud.aed import calls, debriefs
from vigil_cloud.aed.models import AedCallRow
from vigil_cloud.aed.news import LEADS
from vigil_cloud.aed.schema import CallEntry, CallList
from vigil_cloud.devices.visibility import in_districts
from vigil_cloud.identity.cipher import Cipher
from vigil_cloud.identity.dependencies import ServicesDependency, require
from vigil_cloud.identity.models import Account
from vigil_cloud.identity.reader import Reader
from vigil_cloud.parameters import Whole

router = APIRouter(prefix="/aed", tags=["aed"])


@router.get("/calls", operation_id="list_aed_calls")
def list_calls(
    reader: Annotated[Reader, Depends(require(*sorted(LEADS)))],
    services: ServicesDependency,
    limit: Annotated[Whole, Query(ge=1, le=200)] = 20,
) -> CallList:
    """The newest first, with whom they called and what became of it."""
    query = (
        select(AedCallRow)
        .where(in_districts(reader, AedCallRow.device))
        .order_by(AedCallRow.received.desc())
        .limit(limit)
    )
    cipher = Cipher(services.settings.secret)
    with services.sessions() as session:
        rows = session.scalars(query).all()
        known = {row.id: calls.callouts(session, row.id) for row in rows}
        ids = {one.account_id for several in known.values() for one in several}
        names: dict[int | None, str] = {
            row.id: row.username
            for row in session.scalars(select(Account).where(Account.id.in_(ids)))
        }
    return CallList(
        calls=[
            CallEntry.model_validate(
                {
                    "call": row.id,
                    "alert": row.alert_id,
                    "case": row.case_id,
                    "state": calls.shown_state(row.state),
                    "place": row.place,
                    "place_zh": row.place_zh,
                    "pressed": row.pressed,
                    "presses": row.presses,
                    "callouts": [
                        {
                            "username": names.get(one.account_id),
                            "role": one.role,
                            "site": one.site,
                            "state": one.state,
                            "predicted_s": one.predicted_s,
                            "called": one.called,
                            "answered": one.answered,
                            "arrived": one.arrived,
                            "told": one.told,
                            "thanked": one.thanked,
                            "debrief": debriefs.opened(cipher, one),
                        }
                        for one in known[row.id]
                    ],
                }
            )
            for row in rows
        ]
    )
