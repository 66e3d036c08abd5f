"""Check-in, described for the platform: no role opens where somebody was, only their consent."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement

from vigil_cloud.checkin import things, watching
from vigil_cloud.checkin.administration import router as tags_router
from vigil_cloud.checkin.detail import RuleDetail, StationSilentDetail, ThingDetail, VisitDetail
from vigil_cloud.checkin.enrolment_routes import router as enrolment_router
from vigil_cloud.checkin.family_routes import router as family_router
from vigil_cloud.checkin.host_address import address_job
from vigil_cloud.checkin.host_pages import router as host_pages
from vigil_cloud.checkin.host_routes import router as stations_router
from vigil_cloud.checkin.host_watch import BACK, Rules, host_job
from vigil_cloud.checkin.late_job import late_job
from vigil_cloud.checkin.models import Invitation, PhoneSighting, Visit, Watch
from vigil_cloud.checkin.news import VISITS
from vigil_cloud.checkin.personal import Joining, TagsAndVisits
from vigil_cloud.checkin.phone_routes import router as phones_router
from vigil_cloud.checkin.phones import phone_job
from vigil_cloud.checkin.registers import PEOPLE, TAGS
from vigil_cloud.checkin.routes import router
from vigil_cloud.checkin.rule_routes import router as rules_router
from vigil_cloud.checkin.rule_watch import rule_job
from vigil_cloud.checkin.seed import SEED
from vigil_cloud.checkin.service import CheckinHandler
from vigil_cloud.checkin.silence import silence_job
from vigil_cloud.checkin.tags import carries
from vigil_cloud.checkin.theft import theft
from vigil_cloud.checkin.thing_routes import router as things_router
from vigil_cloud.config import Settings
from vigil_cloud.descriptor import CloudDomain
from vigil_cloud.domain.descriptor import Expiring
from vigil_cloud.identity.roles import PUBLIC_VIEW, Role
from vigil_cloud.jobs.port import Job
from vigil_schemas.checkin import CONTRACT


def _jobs(settings: Settings) -> Sequence[Job]:
    offline_after = timedelta(seconds=settings.offline_after_s)
    return (
        silence_job(offline_after),
        watching.watch_job(),
        host_job(
            Rules(
                offline_after,
                timedelta(seconds=settings.station_silent_after_s),
                settings.station_help,
            )
        ),
        address_job(),
        rule_job(offline_after),
        phone_job(),
        late_job(),
    )


def _older_than(before: datetime) -> ColumnElement[bool]:
    return Visit.last_seen < before


def _heard_before(before: datetime) -> ColumnElement[bool]:
    return PhoneSighting.at < before


def _forgotten(before: datetime) -> ColumnElement[bool]:
    return Invitation.expires < before


DOMAIN: Final = CloudDomain(
    contract=CONTRACT,
    title="Check-in",
    title_zh="平安",
    consent_roles=frozenset({Role.FAMILY}),
    case_roles=frozenset({Role.FAMILY, Role.POLICE}),  # of a stolen thing that is seen
    household_roles=frozenset({Role.HOST}),  # of the place on whose wall the station hangs
    device_roles=PUBLIC_VIEW,  # stations stand in public view
    details=(VisitDetail, RuleDetail, StationSilentDetail, ThingDetail),
    told_again={BACK: ("the station works again", "站點已恢復運作")},
    handlers=(CheckinHandler(),),
    jobs=_jobs,
    routers=(
        *(router, tags_router, family_router, stations_router, enrolment_router, rules_router),
        *(things_router, phones_router),
    ),
    imports=("/enrolment/import",),
    public_pages=host_pages,
    feed_kinds=(VISITS,),
    owns_tag=carries,
    tag_seen=things.seen,
    case_kinds=(theft(),),
    registers=(PEOPLE, TAGS),
    told_by={"devices": ("station-links.", "station-host.")},
    seed=SEED,
    personal_records=(TagsAndVisits(), Joining()),
    expiring=(
        Expiring("visits", lambda kept: kept.visits_days, Visit, Visit.id, _older_than),
        Expiring(
            "phone sightings",
            lambda kept: kept.visits_days,
            PhoneSighting,
            PhoneSighting.id,
            _heard_before,
        ),
        Expiring(
            "watches",
            lambda _kept: watching.KEPT / timedelta(days=1),
            Watch,
            Watch.case_id,
            watching.over,
        ),
        Expiring(
            "invitations", lambda kept: kept.visits_days, Invitation, Invitation.id, _forgotten
        ),
    ),
    series_days=400.0,
    private=(
        "checkin",
        "ibeacon:",
        "eddystone-uid:",
        "eddystone-eid:",
        "altbeacon:",
        "rotating:",
        "epc:",
    ),
)
