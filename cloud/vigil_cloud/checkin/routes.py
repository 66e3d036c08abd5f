"""Persons over HTTP: footprints by consent, for relatives."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, ClassVar

from fastapi import APIRouter, Query

from vigil_cloud import period
from vigil_cloud.api_errors import ApiError
from vigil_cloud.checkin import visits
from vigil_cloud.checkin.last_place import last_place
from vigil_cloud.checkin.news import stays_between
from vigil_cloud.checkin.schema import Footprints, LastPlaceEntry
from vigil_cloud.database.engine import writing
from vigil_cloud.identity import consents
from vigil_cloud.identity.dependencies import CurrentAccount, PersonKey, ServicesDependency
from vigil_cloud.identity.whereabouts import Scope
from vigil_cloud.parameters import Truth
from vigil_schemas.types import UtcDatetime

router = APIRouter(prefix="/people", tags=["people"])


class BadPeriod(ApiError):
    """The period is empty or longer than may be asked for at once."""

    code: ClassVar[str] = "bad-period"
    remedy: ClassVar[str] = (
        "Ask for a period that ends after it starts and is not longer than allowed."
    )
    status: ClassVar[int] = 422

    def __init__(self, longest: timedelta) -> None:
        super().__init__(f"Start lies before stop, by at most {longest.days} days.")
        self.longest_days = longest.days


@router.get("/{key}/footprints", operation_id="get_footprints")
def get_footprints(
    key: PersonKey,
    reader: CurrentAccount,
    services: ServicesDependency,
    start: Annotated[UtcDatetime | None, Query(description="default: a day before stop")] = None,
    stop: Annotated[UtcDatetime | None, Query(description="default: now")] = None,
    refresh: Annotated[
        Truth, Query(description="an open page asks again by itself: its look lasts on")
    ] = False,
) -> Footprints:
    """Where the person was, as far back as the consent opens the footprint; each look is written
    down for the guardian."""
    opening = consents.require_consent(reader, key, Scope.FOOTPRINT)
    now = services.now()
    until = stop or now
    since = start or period.before(until, timedelta(days=1))
    if not timedelta(0) < until - since <= visits.LONGEST_FOOTPRINT:
        raise BadPeriod(visits.LONGEST_FOOTPRINT)
    since = max(since, opening.since or since)
    if since >= until:  # all of it is older: nothing is shown, and nobody has looked
        return Footprints(visits=[], since=opening.since)
    with writing(services.sessions) as session:
        by = reader.username
        visits.note_look(session, key, since, until, by, now, automatic=refresh)
        found = stays_between(session, key, since, until, now, opening)
    return Footprints(visits=found, since=opening.since)


@router.get("/{key}/last-place", operation_id="get_last_place")
def get_last_place(
    key: PersonKey,
    reader: CurrentAccount,
    services: ServicesDependency,
    refresh: Annotated[
        Truth, Query(description="an open page asks again by itself: its look lasts on")
    ] = False,
) -> LastPlaceEntry:
    """Where the person was last, how old that is and how far it can be believed, and, where the
    consent opens the footprint, where they usually are. Each look is written down for the
    guardian."""
    consents.require_consent(reader, key, Scope.LAST_PLACE)
    with writing(services.sessions) as session:
        return last_place(session, key, reader, services.now(), automatic=refresh)
