"""Fires as open pages are told of them: that something has changed, to those whom it concerns."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from vigil_cloud.domain.descriptor import Change, FeedKind
from vigil_cloud.identity.reader import Home, Reader
from vigil_cloud.services import Services
from vigil_cloud.smoke.cases import LEADS
from vigil_cloud.smoke.fires import NEWS, TOLD_AT_HOME
from vigil_cloud.smoke.models import Fire
from vigil_schemas.smoke import DOMAIN


def _render(_services: Services, session: Session, numbers: Mapping[str, int]) -> Iterator[Change]:
    for row in session.scalars(select(Fire).where(Fire.id.in_(numbers))):
        told = json.dumps({"fire": row.id, "phase": row.phase})
        yield Change(numbers[row.id], NEWS, row.id, DOMAIN, None, told, shown_to=_shown_to(row))


def _shown_to(row: Fire) -> Callable[[Reader], bool]:
    """The content names nobody; a page asks for what it may see."""
    household, district = row.household, row.district
    return lambda reader: may_see(reader, household, district)


def may_see(reader: Reader, household: str | None, district: str | None) -> bool:
    """Whoever leads, in their districts, and whoever belongs to the home."""
    leads = reader.has(*LEADS) and reader.covers(district)
    return leads or any(home.household == household for home in homes_of(reader))


def homes_of(reader: Reader) -> frozenset[Home]:
    """Homes whose fires the reader is told of: with the role that smoke is opened to at home, as
    everywhere else. A host belongs to a household for the station on its wall alone."""
    return reader.homes if reader.has(*TOLD_AT_HOME) else frozenset()


FIRES: Final = FeedKind(NEWS, _render)
