"""Every route of the API, for tests of what holds for all of them."""

from __future__ import annotations

from collections.abc import Iterator

from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from pydantic import BaseModel

from vigil_cloud.app import _routers


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
