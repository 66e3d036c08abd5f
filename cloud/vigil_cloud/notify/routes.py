"""Channels over HTTP, for administrators; their addresses are never shown."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path

from vigil_cloud.database.engine import writing
from vigil_cloud.identity.dependencies import ServicesDependency, require
from vigil_cloud.identity.reader import Reader
from vigil_cloud.identity.roles import Role
from vigil_cloud.notify import removal
from vigil_cloud.notify.removal import ChannelList

router = APIRouter(prefix="/channels", tags=["channels"])
Administrator = Annotated[Reader, Depends(require(Role.ADMINISTRATOR))]


@router.get("", operation_id="list_channels")
def list_channels(_administrator: Administrator, services: ServicesDependency) -> ChannelList:
    """Every channel, without its address."""
    with services.sessions() as session:
        return ChannelList(channels=removal.channels(session))


@router.delete("/{name}", status_code=204, operation_id="remove_channel")
def remove_channel(
    name: Annotated[str, Path(max_length=80, pattern=r"^[^\x00]*$")],
    administrator: Administrator,
    services: ServicesDependency,
) -> None:
    """Tell it nothing any more, also not what waits."""
    with writing(services.sessions) as session:
        removal.remove_channel(session, name, by=administrator.username, now=services.now())
