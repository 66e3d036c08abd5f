"""Dead letters over HTTP."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request

from vigil_cloud.database.engine import writing
from vigil_cloud.domain.port import Handler, ReadingHandler
from vigil_cloud.identity.dependencies import ServicesDependency, require
from vigil_cloud.identity.reader import Reader
from vigil_cloud.identity.roles import Role
from vigil_cloud.ingest import dead_letters
from vigil_cloud.ingest.schema import DeadLetterEntry, DeadLetterList
from vigil_cloud.parameters import Truth, Whole

router = APIRouter(prefix="/dead-letters", tags=["gateways"])
Operator = Annotated[Reader, Depends(require(Role.ADMINISTRATOR, Role.MAINTAINER))]
Number = Annotated[Whole, Path(ge=1, le=2**31 - 1)]


def ingest_handlers(request: Request) -> Sequence[Handler]:
    """The rooms that take events, as ``create_app`` was given them."""
    handlers: Sequence[Handler] = request.app.state.handlers
    return handlers


def ingest_reading_handlers(request: Request) -> Sequence[ReadingHandler]:
    """The domains that follow readings, as ``create_app`` was given them."""
    handlers: Sequence[ReadingHandler] = request.app.state.reading_handlers
    return handlers


def operator_there(operator: Operator, services: ServicesDependency, number: Number) -> Reader:
    """Who keeps gateways running: of what those of their districts sent."""
    with services.sessions() as session:
        dead_letters.require_covered(session, operator, number)
    return operator


OfLetter = Annotated[Reader, Depends(operator_there)]


@router.get("")
def list_dead_letters(
    operator: Operator,
    services: ServicesDependency,
    gateway: Annotated[str | None, Query(max_length=63)] = None,
    waiting: Annotated[
        Truth | None, Query(description="true: nobody did anything about them yet")
    ] = None,
    limit: Annotated[Whole, Query(ge=1, le=500)] = 100,
) -> DeadLetterList:
    """Refused messages, the newest first."""
    with services.sessions() as session:
        found = dead_letters.dead_letters(
            session, gateway=gateway, waiting=waiting, limit=limit, reader=operator
        )
    return DeadLetterList(dead_letters=found)


@router.get("/{number}")
def get_dead_letter(
    number: Number, _operator: OfLetter, services: ServicesDependency
) -> DeadLetterEntry:
    """One refused message."""
    with services.sessions() as session:
        return dead_letters.dead_letter(session, number)


@router.post("/{number}/replay")
def replay_dead_letter(
    number: Number,
    operator: OfLetter,
    services: ServicesDependency,
    handlers: Annotated[Sequence[Handler], Depends(ingest_handlers)],
    reading_handlers: Annotated[Sequence[ReadingHandler], Depends(ingest_reading_handlers)],
) -> DeadLetterEntry:
    """Take it after all, once the reason has passed: the gateway was added, the device released,
    the software updated."""
    return dead_letters.replay(services, handlers, number, operator.username, reading_handlers)


@router.post("/{number}/dismiss")
def dismiss_dead_letter(
    number: Number, operator: OfLetter, services: ServicesDependency
) -> DeadLetterEntry:
    """Somebody has looked at it, and nothing follows."""
    with writing(services.sessions) as session:
        dismissed = dead_letters.dismiss(session, number, operator.username, services.now())
    services.changed.announce()
    return dismissed
