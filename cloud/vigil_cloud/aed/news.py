"""Calls as open pages are told of them: that something has changed, to those whom it concerns."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from vigil_cloud.aed.models import AedCallout, AedCallRow
from vigil_cloud.aed.service import CALL_NEWS
from vigil_cloud.domain.descriptor import Change, FeedKind
from vigil_cloud.identity.districts import places
from vigil_cloud.identity.reader import Reader
from vigil_cloud.identity.roles import Role
from vigil_cloud.services import Services
from vigil_schemas.aed import DOMAIN

LEADS: Final = frozenset({Role.DISPATCHER, Role.ADMINISTRATOR})


def _render(_services: Services, session: Session, numbers: Mapping[str, int]) -> Iterator[Change]:
    called: dict[str, set[int | None]] = defaultdict(set)
    query = select(AedCallout.call_id, AedCallout.account_id)
    for row in session.execute(query.where(AedCallout.call_id.in_(numbers))):
        called[row.call_id].add(row.account_id)
    calls = session.scalars(select(AedCallRow).where(AedCallRow.id.in_(numbers))).all()
    located = places(session, "device", (call.device for call in calls))
    for call in calls:
        told = json.dumps({"call": call.id, "state": call.state})
        yield Change(
            numbers[call.id],
            CALL_NEWS,
            call.id,
            DOMAIN,
            None,
            told,
            shown_to=_shown_to(frozenset(called[call.id]), located.get(call.device)),
        )


def _shown_to(accounts: frozenset[int | None], district: str | None) -> Callable[[Reader], bool]:
    """The content names nobody; a page asks for what it may see. As the list of calls is."""
    return lambda reader: (
        reader.account_id in accounts or (reader.has(*LEADS) and reader.covers(district))
    )


CALLS: Final = FeedKind(CALL_NEWS, _render)
