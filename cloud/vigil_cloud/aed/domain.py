"""AEDs, described for the platform."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, and_, exists, not_, or_

from vigil_cloud.aed import live, patrol_photos, tagged
from vigil_cloud.aed.call_routes import router as call_router
from vigil_cloud.aed.calls import NOT_CALLED
from vigil_cloud.aed.cases import call_case
from vigil_cloud.aed.certificates_end import certificates_end
from vigil_cloud.aed.cohort_routes import router as cohort_router
from vigil_cloud.aed.damaged import READING
from vigil_cloud.aed.detail import (
    AedCabinetDetail,
    AedCallDetail,
    AedNotWatchedDetail,
    AedRemovalDetail,
)
from vigil_cloud.aed.leaving import VolunteersCalled
from vigil_cloud.aed.models import AedCallRow, AedPatrolPhoto
from vigil_cloud.aed.news import CALLS
from vigil_cloud.aed.photo_routes import router as photo_router
from vigil_cloud.aed.register_routes import router as register_router
from vigil_cloud.aed.seed import SEED
from vigil_cloud.aed.service import PRESSED_AGAIN, SEEN_AGAIN, AedHandler
from vigil_cloud.aed.unwatched import unwatched_job
from vigil_cloud.aed.volunteer_routes import router as volunteer_router
from vigil_cloud.alerts.models import AlertRow
from vigil_cloud.alerts.unread import KIND
from vigil_cloud.cases.models import CaseRow
from vigil_cloud.config import Settings
from vigil_cloud.descriptor import CloudDomain
from vigil_cloud.domain.descriptor import Expiring, LifeSafety
from vigil_cloud.identity.roles import PUBLIC_VIEW, Role
from vigil_cloud.jobs.port import Job
from vigil_schemas.aed import CONTRACT


def _jobs(_settings: Settings) -> Sequence[Job]:
    return (*live.jobs(), unwatched_job())


def _over(before: datetime) -> ColumnElement[bool]:
    """Calls, with who was called to them, go after their alert and their case."""
    kept = or_(
        exists().where(AlertRow.id == AedCallRow.alert_id),
        exists().where(CaseRow.id == AedCallRow.case_id),
    )
    return and_(AedCallRow.received < before, not_(kept))


DOMAIN: Final = CloudDomain(
    contract=CONTRACT,
    title="AED",
    title_zh="AED",
    alert_roles=frozenset({Role.DISPATCHER, Role.POLICE, Role.MAINTAINER, Role.ADMINISTRATOR}),
    device_roles=PUBLIC_VIEW,  # they stand in public view
    life_safety=LifeSafety("its AED buttons call nobody", "其下 AED 箱的求救按鈕無法送達"),
    details=(AedCallDetail, AedRemovalDetail, AedCabinetDetail, AedNotWatchedDetail),
    instructions={
        KIND: (
            "Whoever presses its button has to telephone 119: hang a note there. If it was not"
            " meant, have its gateway read it again; else take the cabinet out of the register.",
            "按下按鈕的人須自行撥打 119，請於現場張貼告示。若非刻意移除，請恢復閘道器設定；"
            "否則請自登錄資料刪除。",
        )
    },
    alarm_reading=READING,
    told_again={
        PRESSED_AGAIN: ("the button was pressed again", "再次按下求救按鈕"),
        NOT_CALLED: ("further volunteers were not called in time", "其餘志工未能及時召集"),
        SEEN_AGAIN: ("its tag was seen at", "標籤再次出現於"),
    },
    personal_records=(VolunteersCalled(),),
    tag_seen=tagged.seen,
    owns_tag=tagged.is_of_a_site,
    handlers=(AedHandler(),),
    files=(live.STREETS,),
    jobs=_jobs,
    ends_soon=(certificates_end,),
    imports=("/aed/sites/import", "/aed/patrol-photos"),
    routers=(register_router, photo_router, volunteer_router, cohort_router, call_router),
    feed_kinds=(CALLS,),
    case_kinds=(call_case(),),
    told_by={
        "accounts": (
            *("aed.consent-", "aed.fixed-place-", "aed.certified"),
            *("aed.cohort-joined", "aed.on-call-refused"),
        )
    },
    seed=SEED,
    expiring=(
        Expiring("AED calls", lambda kept: kept.alerts_days, AedCallRow, AedCallRow.id, _over),
        Expiring(
            "photographs of no patrol",
            lambda _kept: patrol_photos.WAITS / timedelta(days=1),
            AedPatrolPhoto,
            AedPatrolPhoto.id,
            patrol_photos.of_no_patrol,
        ),
    ),
)
