"""What the API says of stations and their hosts."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from vigil_cloud.checkin.hosts import Reason
from vigil_schemas.types import UtcDatetime


class HostedStation(BaseModel):
    """Whether a station works; nothing of who passes it."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    device: str
    name: str
    name_zh: str
    works: bool
    reason: Reason
    since: UtcDatetime | None
    last_heard: UtcDatetime | None
    out_of_service: bool
    told: bool
    """Whether its host is told where it is silent."""
    status_link: str | None
    """What hangs at the station as a code; of those alone who keep stations."""
    host_link: str | None
    """What its host was given; the same."""


class HostedStations(BaseModel):
    """By device."""

    help: str
    """Whom hosts call."""
    stations: list[HostedStation]
