"""Where the rooms are put together: the HTTP application, and the handlers that ingest calls."""

from __future__ import annotations

import asyncio
import dataclasses
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, Final

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute

from vigil_cloud.cases.dossier_routes import router as case_dossiers_router
from vigil_cloud.cases.photograph_routes import router as case_photographs_router
from vigil_cloud.cases.routes import router as cases_router
from vigil_cloud.descriptor import case_kinds, cloud_domains
from vigil_cloud.devices.commissioning_routes import router as commissioning_router
from vigil_cloud.devices.handler import DevicesHandler
from vigil_cloud.devices.routes import router as devices_router
from vigil_cloud.domain.port import Handler, ReadingHandler
from vigil_cloud.domain.registry import domains
from vigil_cloud.enrolment.routes import router as enrolment_router
from vigil_cloud.evidence.coarse_routes import router as coarse_router
from vigil_cloud.evidence.routes import router as evidence_router
from vigil_cloud.http import gateways, health, pages, problem, screen, stream, stream_hub
from vigil_cloud.http.addresses import PlainAddresses
from vigil_cloud.http.alert_routes import router as alerts_router
from vigil_cloud.http.body_limit import BodyLimit
from vigil_cloud.http.compression import Compression
from vigil_cloud.http.reply_hooks import router as reply_hooks_router
from vigil_cloud.http.reply_pages import router as reply_pages_router
from vigil_cloud.http.security_headers import SecurityHeaders
from vigil_cloud.http.shelf_routes import router as shelves_router
from vigil_cloud.identity.administration import router as accounts_router
from vigil_cloud.identity.district_routes import router as districts_router
from vigil_cloud.identity.guardian_routes import router as guardians_router
from vigil_cloud.identity.household_routes import router as households_router
from vigil_cloud.identity.person_routes import router as persons_router
from vigil_cloud.identity.routes import router as identity_router
from vigil_cloud.ingest.routes import router as dead_letters_router
from vigil_cloud.jobs.platform import ingest_jobs, platform_jobs
from vigil_cloud.jobs.port import Job
from vigil_cloud.jobs.routes import router as jobs_router
from vigil_cloud.jobs.work import WorkKind
from vigil_cloud.notify.escalation.routes import router as escalation_router
from vigil_cloud.notify.notification_sender import NotificationSender
from vigil_cloud.notify.push_routes import router as push_router
from vigil_cloud.notify.routes import router as channels_router
from vigil_cloud.registers.platform import PLATFORM
from vigil_cloud.registers.port import Register
from vigil_cloud.registers.routes import router as registers_router
from vigil_cloud.retention import retention_job
from vigil_cloud.services import Services
from vigil_cloud.street_map.routes import router as street_map_router

API: Final = "/api/v1"
SENDER_ENDS_S: Final = 5.0


def _routers() -> list[APIRouter]:
    return [
        identity_router,
        alerts_router,
        cases_router,
        case_photographs_router,
        case_dossiers_router,
        evidence_router,
        coarse_router,
        guardians_router,
        persons_router,
        households_router,
        districts_router,
        accounts_router,
        channels_router,
        push_router,
        reply_hooks_router,
        escalation_router,
        devices_router,
        commissioning_router,
        registers_router,
        enrolment_router,
        shelves_router,
        gateways.router,
        dead_letters_router,
        jobs_router,
        stream.router,
        screen.router,
        street_map_router,
        *(router for one in cloud_domains() for router in one.routers),
    ]


def create_app(services: Services) -> FastAPI:
    """The application. Opens no store: that is left to its start and to requests."""
    app = _application()
    health.install(app, services)
    app.state.case_kinds = case_kinds()
    app.state.registers = registers()
    app.state.hub = stream_hub.Hub(services, app.state.case_kinds)
    app.state.handlers = handlers(services)
    app.state.reading_handlers = reading_handlers(services)
    app.add_middleware(Compression)
    imports = [f"/api/v1{path}" for one in cloud_domains() for path in one.imports]
    imports += [f"/api/v1/registers/{one.name}/import" for one in registers()]
    app.add_middleware(BodyLimit, imports=imports)
    app.add_middleware(PlainAddresses)
    secure = services.settings.public_url.startswith("https://")
    app.add_middleware(SecurityHeaders, https=secure, map_tiles_url=services.settings.map_tiles_url)
    return app


def create_operations_app(services: Services) -> FastAPI:
    """Health and figures of a process that serves no API."""
    app = FastAPI(title="Vigil operations", docs_url=None, redoc_url=None, openapi_url=None)
    health.install(app, services)
    app.include_router(health.router)
    return app


def handlers(services: Services) -> list[Handler]:
    """The rooms that take events, for ingest."""
    del services
    return [DevicesHandler(), *(handler for one in domains() for handler in one.handlers)]


def reading_handlers(services: Services) -> list[ReadingHandler]:
    """The domains that follow readings, for ingest."""
    return [one for domain in domains() for one in domain.reading_handlers(services.now)]


def work_kinds() -> list[WorkKind]:
    """The heavy work that domains ask for."""
    return [kind for one in cloud_domains() for kind in one.work_kinds]


def jobs(services: Services, *, ingest: bool) -> list[Job]:
    """What is done now and then, by one of all processes; ``ingest``: by one that has it."""
    return [
        *platform_jobs(
            case_kinds(),
            timedelta(seconds=services.settings.offline_after_s),
            [end for one in cloud_domains() for end in one.ends_soon],
        ),
        *(ingest_jobs() if ingest else ()),
        retention_job(),
        *(job for one in cloud_domains() for job in one.jobs(services.settings)),
    ]


def registers() -> tuple[Register, ...]:
    """The platform's, then those of the domains; each with what any domain says of its entries."""
    known = cloud_domains()
    every = (*PLATFORM, *(one for domain in known for one in domain.registers))
    told = {
        one.name: (*one.told_by, *(a for domain in known for a in domain.told_by.get(one.name, ())))
        for one in every
    }
    return tuple(dataclasses.replace(one, told_by=told[one.name]) for one in every)


def openapi_document() -> dict[str, Any]:
    """The API's description; needs no services, no settings and no stores."""
    return _application().openapi()


def _application() -> FastAPI:
    app = FastAPI(
        title="Vigil 守望",
        version="1",
        docs_url=None,
        redoc_url=None,
        lifespan=_lifespan,
        generate_unique_id_function=_operation_id,
    )
    problem.install(app)
    for router in _routers():
        app.include_router(router, prefix=API)
    app.include_router(health.router)
    app.include_router(reply_pages_router)
    for domain in cloud_domains():
        if domain.public_pages is not None:
            app.include_router(domain.public_pages, prefix=f"/p/{domain.name}")
    pages.install(app)
    _describe(app)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Notifications go out for as long as the application serves."""
    services: Services = app.state.services
    stop = threading.Event()
    run = NotificationSender(services).run
    sender = threading.Thread(target=run, args=(stop,), name="notification-sender", daemon=True)
    sender.start()
    try:
        yield
    finally:
        app.state.hub.close()
        stop.set()
        services.changed.announce()
        # Not for as long as a store may hang: what it holds in its hands is leased, not lost.
        await asyncio.to_thread(sender.join, SENDER_ENDS_S)


def _operation_id(route: APIRoute) -> str:
    return route.name


def _describe(app: FastAPI) -> None:
    original = app.openapi

    def described() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = problem.describe_errors(original())
        return app.openapi_schema

    app.openapi = described  # type: ignore[method-assign]  # FastAPI's documented way to extend it
