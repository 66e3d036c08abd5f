"""Devices that are found, added and changed from a page, as the API shows them."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from vigil_cloud.devices.schema import DownlinkEntry
from vigil_cloud.parameters import ONE_LINE
from vigil_schemas.control import Setting
from vigil_schemas.discovery import DiscoveryReport, LookReport
from vigil_schemas.types import (
    LARGEST_INTEGER,
    ChoiceKey,
    ChoiceValue,
    DeviceId,
    FoundId,
    UtcDatetime,
)

Revision = Annotated[int, Field(ge=0, le=LARGEST_INTEGER)]
Name = Annotated[str, Field(max_length=120, pattern=ONE_LINE)]


class SearchEntry(BaseModel):
    """A gateway's newest search."""

    asked: DownlinkEntry | None
    """Null: it was never asked to search."""
    report: DiscoveryReport | None
    """Null: it has not begun, or its software cannot."""


class LookEntry(BaseModel):
    """A look at something that was found."""

    asked: DownlinkEntry
    report: LookReport | None
    """Null: it has not come yet."""


class AddDeviceRequest(BaseModel):
    """Make a found device one of the gateway's."""

    model_config = ConfigDict(strict=True, extra="forbid", use_attribute_docstrings=True)

    revision: Revision
    """The newest that was looked at; 0: none."""
    found: FoundId
    device: DeviceId
    """What it is called in messages, in the whole city and for good."""
    choices: Annotated[dict[ChoiceKey, ChoiceValue], Field(max_length=8)] = Field(
        default_factory=dict
    )
    name: Name = ""
    name_zh: Name = ""
    latitude: Annotated[float, Field(ge=-90, le=90)] | None = None
    longitude: Annotated[float, Field(ge=-180, le=180)] | None = None


class RevisionRequest(BaseModel):
    """The newest revision that was looked at."""

    model_config = ConfigDict(strict=True, extra="forbid", use_attribute_docstrings=True)

    revision: Revision


class ConfigurationChange(BaseModel):
    """One thing that a revision changed."""

    device: str | None
    """Null: of the gateway itself."""
    key: str
    """``added`` and ``paused`` beside the keys of the gateway's file."""
    before: Setting | None
    """Null: as the file says."""
    after: Setting | None


class RevisionEntry(BaseModel):
    """One revision of what is wanted of a gateway, and what became of it."""

    revision: int
    account: str
    created: UtcDatetime
    answered: UtcDatetime | None
    accepted: bool | None
    code: str | None
    message: str | None
    changes: list[ConfigurationChange]
    """Against the revision before it."""


class RevisionList(BaseModel):
    """The newest first."""

    revisions: list[RevisionEntry]
    newest: int
    """0: nothing was ever wanted of the gateway."""
    added: dict[str, str]
    """Devices that were added from here, with what they were found as."""
