"""Every route of the API, for tests of what holds for all of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from pydantic import BaseModel

from city_application import described
from vigil_cloud.app import API, _routers
from vigil_cloud.http import health


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
