"""Every route of the API, for tests of what holds for all of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.routing import Mount, Route

from city_application import described
from vigil_cloud.app import API, _routers
from vigil_cloud.descriptor import cloud_domains
from vigil_cloud.http import health
from vigil_cloud.http.reply_pages import router as reply_pages_router


def document() -> dict[str, Any]:
    """As ``vigil_cloud.app.openapi_document``, which takes seconds, made once by each process."""
    return described()


def operations() -> list[tuple[str, str]]:
    """Path and method of each operation that the API's description names, read from the routes:
    what is only to be listed needs no description. ``test_http`` holds that they are the same."""
    return [
        (f"{prefix}{route.path}", method.lower())
        for prefix, routers in ((API, _routers()), ("", [health.router]))
        for router in routers
        for route in router.routes
        if isinstance(route, APIRoute) and route.include_in_schema
        for method in sorted(route.methods or ())
    ]


def unlisted(app: FastAPI) -> set[str]:
    """What an application answers beside the description: pages behind a link, and files."""
    pages = [(f"/p/{one.name}", one.public_pages) for one in cloud_domains() if one.public_pages]
    included = [(API, router) for router in _routers()]
    included += [("", health.router), ("", reply_pages_router), *pages]
    direct = [route for route in app.routes if isinstance(route, Route | Mount)]
    assert len(app.routes) == len(included) + len(direct), "a router that is not known here"
    found: list[tuple[str, Route]] = [
        (f"{prefix}{route.path}", route)
        for prefix, router in included
        for route in router.routes
        if isinstance(route, APIRoute) and not route.include_in_schema
    ]
    found += [(route.path, route) for route in direct if isinstance(route, Route)]
    answers = {f"{method} {path}" for path, route in found for method in route.methods or ()}
    return answers | {f"* {route.path}" for route in direct if isinstance(route, Mount)}


def dependants(dependant: Dependant) -> Iterator[Dependant]:
    """With all that it depends on."""
    yield dependant
    for inner in dependant.dependencies:
        yield from dependants(inner)


def routes() -> Iterator[tuple[APIRoute, Dependant]]:
    for router in _routers():
        for route in router.routes:
            if isinstance(route, APIRoute):
                for one in dependants(route.dependant):
                    yield route, one


def body_models() -> list[type[BaseModel]]:
    found = {
        field.field_info.annotation
        for _, flat in routes()
        for field in flat.body_params
        if isinstance(field.field_info.annotation, type)
        and issubclass(field.field_info.annotation, BaseModel)
    }
    assert found
    return sorted(found, key=lambda model: model.__name__)
