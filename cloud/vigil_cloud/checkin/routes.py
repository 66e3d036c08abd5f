"""Persons over HTTP: footprints by consent, for relatives."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, ClassVar

from fastapi import APIRouter, Query

from vigil_cloud import period
from vigil_cloud.api_errors import ApiError
from vigil_cloud.checkin import visits
from vigil_cloud.checkin.last_place import last_place
from vigil_cloud.checkin.news import visit_entry
from vigil_cloud.checkin.schema import Footprints, LastPlaceEntry
from vigil_cloud.checkin.stays import merged
from vigil_cloud.database.engine import writing
from vigil_cloud.identity import consents
from vigil_cloud.identity.dependencies import CurrentAccount, PersonKey, ServicesDependency
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
    """Where the person was. Needs a valid consent; each look is written down for the guardian."""
    consents.require_consent(reader, key)
    now = services.now()
    until = stop or now
    since = start or period.before(until, timedelta(days=1))
    if not timedelta(0) < until - since <= visits.LONGEST_FOOTPRINT:
        raise BadPeriod(visits.LONGEST_FOOTPRINT)
    with writing(services.sessions) as session:
        found = visits.footprints(
            session,
            person_key=key,
            start=since,
            stop=until,
            by=reader.username,
            now=now,
            automatic=refresh,
        )
    return Footprints(visits=merged(visit_entry(visit, place, now) for visit, place in found))


@router.get("/{key}/last-place", operation_id="get_last_place")
def get_last_place(
    key: PersonKey,
    reader: CurrentAccount,
    services: ServicesDependency,
    refresh: Annotated[
        Truth, Query(description="an open page asks again by itself: its look lasts on")
    ] = False,
) -> LastPlaceEntry:
    """Where the person was last, how old that is and how far it can be believed, and where they
    usually are. Needs a valid consent; each look is written down for the guardian."""
    consents.require_consent(reader, key)
    with writing(services.sessions) as session:
        return last_place(session, key, reader.username, services.now(), automatic=refresh)
