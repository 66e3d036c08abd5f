"""Details of the platform's own: floods, deadlines of cases, and what is wrong with a part."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from vigil_cloud.domain.detail import AlertDetail, Personal
from vigil_schemas.types import Count, UtcDatetime


class _Part(BaseModel):
    model_config = ConfigDict(
        frozen=True, use_attribute_docstrings=True, json_schema_serialization_defaults_required=True
    )


class FloodDevice(_Part):
    """What one device said within a flood."""

    count: Count
    kinds: list[str]
    since: UtcDatetime
    cleared: UtcDatetime | None = None
    """When the last of its alarms was over."""
    fires: Count = 0
    burns: bool = False
    standing: list[str] = Field(default_factory=list)
    """Its alarms that are not over, in short."""
    unnamed: bool = False
    """It raised more alarms than are told apart: it is never over by itself."""


class FloodTitle(_Part):
    """One of the newest alarms."""

    device: str
    title: str
    title_zh: str


class FloodDetail(AlertDetail):
    """Many alarms of one gateway at once (kind `many`), whatever their domain."""

    type: Literal["flood"] = "flood"
    count: Count
    fires: Count = 0
    devices: dict[str, FloodDevice]
    further: Count = 0
    """Alarms of devices beyond those that are listed."""
    newest: list[FloodTitle] = Field(default_factory=list)
    last: UtcDatetime


class CaseDeadlineDetail(AlertDetail):
    """A deadline of a case that is near or over (kind `case-deadline`), whatever its domain."""

    type: Literal["case-deadline"] = "case-deadline"
    case: str
    """Its id."""
    number: str
    """As people say it."""
    deadline: str
    """Which one, by its code."""
    due: UtcDatetime
    assignee: str | None = None
    """Who has the case in hand."""


STANDARD: Final = (FloodDetail, CaseDeadlineDetail)
"""Of any domain."""


class PlatformDetail(AlertDetail):
    """What is wrong with the platform itself, by the alert's `kind`."""

    type: Literal["platform"] = "platform"
    subject: str
    """What it is about: a gateway, a device, a channel, a job, `cloud`."""
    remedy: str
    remedy_zh: str
    explanation: str | None = None
    """What was found (`source-failed`, `channel-failing`, `job-failing`)."""
    code: str | None = None
    ends: UtcDatetime | None = None
    """Of a certificate."""
    devices: list[str] = Field(default_factory=list)
    """Of a conflict."""
    second_box: bool = False
    disk_free_bytes: Annotated[int | None, Field(ge=0)] = None
    level: str | None = None
    """How full the server's disk is."""
    clock_offset_s: float | None = None
    waiting: dict[str, Count] = Field(default_factory=dict)
    """Messages that a gateway cannot send, by lane."""
    dropped: dict[str, Count] = Field(default_factory=dict)
    """What was dropped of who sends more than its share, by kind."""
    failures: Count = 0
    reason: str | None = None
    """Why an alarm was refused."""
    alert: str | None = None
    """Which alert nobody accepted (`unanswered`)."""
    policy: str | None = None
    """Which policy called in vain."""
    detail: Annotated[str | None, Personal] = None
    """What was refused of it: may quote the message, which may be about people."""
