"""Search, described for the platform: a domain of the cloud alone, that hears no device."""

from __future__ import annotations

from typing import Final

from vigil_cloud.descriptor import CloudDomain
from vigil_cloud.identity.roles import Role
from vigil_cloud.search import tip_pages
from vigil_cloud.search.calls import SEARCH
from vigil_cloud.search.details import CallDetail, FoundDetail, MissingDetail
from vigil_cloud.search.kind import missing_person
from vigil_cloud.search.likely import LIKELY, likely_job
from vigil_cloud.search.personal import SearchesOfPersons
from vigil_cloud.search.routes import router
from vigil_cloud.search.service import person_seen
from vigil_schemas.contract import DomainContract

DOMAIN: Final = CloudDomain(
    contract=DomainContract(name=SEARCH, observes=False),
    title="Search",
    title_zh="走失協尋",
    alert_roles=frozenset({Role.POLICE}),  # of calls, which name nobody and no place
    consent_roles=frozenset({Role.FAMILY}),
    case_roles=frozenset({Role.FAMILY, Role.POLICE}),
    shelve_roles=frozenset(),  # there is no device to put aside
    details=(CallDetail, MissingDetail, FoundDetail),
    person_seen=person_seen,
    routers=(router,),
    public_pages=tip_pages.router,
    told_again={
        "hit": ("seen again", "再次出現"),
        "tip": ("a passer-by reports", "民眾回報"),
    },
    personal_records=(SearchesOfPersons(),),
    case_kinds=(missing_person(),),
    jobs=lambda _settings: (likely_job(),),
    work_kinds=(LIKELY,),
)
