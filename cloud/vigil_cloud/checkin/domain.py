"""Check-in, described for the platform: no role opens where somebody was, only their consent."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement

from vigil_cloud.checkin.administration import router as tags_router
from vigil_cloud.checkin.detail import VisitDetail
from vigil_cloud.checkin.models import Visit
from vigil_cloud.checkin.news import VISITS
from vigil_cloud.checkin.personal import TagsAndVisits
from vigil_cloud.checkin.routes import router
from vigil_cloud.checkin.seed import SEED
from vigil_cloud.checkin.service import CheckinHandler, carries
from vigil_cloud.checkin.silence import silence_job
from vigil_cloud.checkin.watching import watch_job
from vigil_cloud.config import Settings
from vigil_cloud.descriptor import CloudDomain
from vigil_cloud.domain.descriptor import Expiring
from vigil_cloud.identity.roles import PUBLIC_VIEW, Role
from vigil_cloud.jobs.port import Job
from vigil_schemas.checkin import CONTRACT


def _jobs(settings: Settings) -> Sequence[Job]:
    return (silence_job(timedelta(seconds=settings.offline_after_s)), watch_job())


def _older_than(before: datetime) -> ColumnElement[bool]:
    return Visit.last_seen < before


DOMAIN: Final = CloudDomain(
    contract=CONTRACT,
    title="Check-in",
    title_zh="平安",
    consent_roles=frozenset({Role.FAMILY}),
    device_roles=PUBLIC_VIEW,  # stations stand in public view
    details=(VisitDetail,),
    handlers=(CheckinHandler(),),
    jobs=_jobs,
    routers=(router, tags_router),
    feed_kinds=(VISITS,),
    owns_tag=carries,
    seed=SEED,
    personal_records=(TagsAndVisits(),),
    expiring=(Expiring("visits", lambda kept: kept.visits_days, Visit, Visit.id, _older_than),),
    series_days=400.0,
    private=("checkin", "ibeacon:", "eddystone-uid:", "epc:"),
)
