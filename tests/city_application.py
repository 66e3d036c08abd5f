"""The cloud's application for the cities of a process: its routes are read once.

FastAPI looks at the signature of every operation again for each application that it is added to,
which takes longer than most tests. A city's application is a copy with a state, middleware and
error handlers of its own over the same routes, which know nothing of the application they are in.
"""

from __future__ import annotations

import copy
from typing import Any
from unittest import mock

from fastapi import FastAPI
from starlette.datastructures import State

from vigil_cloud import app
from vigil_cloud.domain.registry import domains
from vigil_cloud.services import Services

_plain = app._application
_read: dict[tuple[str, ...], FastAPI] = {}
"""By the names of the domains: a test may register one more."""


def create_app(services: Services) -> FastAPI:
    """As ``vigil_cloud.app.create_app``."""
    with mock.patch.object(app, "_application", return_value=_copy(_application())):
        return app.create_app(services)


def keep() -> None:
    """In a process that forks others: each of them finds the routes read. Whoever registers one
    more domain reads them anew."""
    _application()
    app._application = lambda: _copy(_application())


def described() -> dict[str, Any]:
    """The API's description, for each to change as it likes."""
    return copy.deepcopy(_application().openapi())


def _application() -> FastAPI:
    names = tuple(one.name for one in domains())
    if names not in _read:
        _read[names] = _plain()
    return _read[names]


def _copy(read: FastAPI) -> FastAPI:
    made = copy.copy(read)
    made.state = State()
    made.user_middleware = []
    made.middleware_stack = None
    made.exception_handlers = dict(read.exception_handlers)
    return made
