"""What the API says of alerts."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from vigil_schemas.evidence import CameraRole, EvidenceRole
from vigil_schemas.types import Domain, UtcDatetime

Severity = Literal["critical", "major", "minor", "info"]
EvidenceState = Literal["none", "waiting", "stored"]
Work = Literal["new", "in_progress", "done"]
"""See ``alerts.work``."""
Doubt = Literal["time_quality", "owner_doubtful", "shape_doubtful", "unconfirmed_since"]
"""What was doubtful when the message came; the alert's ``detail`` says how, under this name."""
Comment = Annotated[str, StringConstraints(max_length=1000, pattern=r"^[^\x00]*$")]


class Answer(BaseModel):
    """Something that the API says."""

    model_config = ConfigDict(use_attribute_docstrings=True)


class AlertState(Answer):
    """OPC UA Part 9: each of these is independent of the others."""

    active: bool
    acknowledged: bool
    confirmed: bool
    shelved_until: UtcDatetime | None
    out_of_service: bool
    """Right now."""
    out_of_service_until: UtcDatetime | None = None
    """Null beside `out_of_service`: until somebody puts it back."""
    device_shelf: Literal["shelved", "out-of-service"] | None
    """Its device is put aside right now. Of what is critical people are called all the same,
    unless the device is out of service."""
    device_shelf_until: UtcDatetime | None
    """Null beside `device_shelf`: until somebody ends it."""


class EvidenceFileEntry(Answer):
    """One file that can be fetched from ``/evidence/{sha256}/{name}``."""

    name: str
    role: EvidenceRole
    media_type: str
    size: int
    sha256: str
    camera: CameraRole | None = None
    """Of a place with two cameras, which of them it came from."""


class AlertEvidence(Answer):
    """``waiting``: the event names evidence that the gateway has not delivered yet."""

    state: EvidenceState
    sha256: str | None
    files: list[EvidenceFileEntry]


class AlertSubject(Answer):
    """The person whom an alert is about."""

    person_key: str
    person_name: str


class AlertAction(Answer):
    """One line of the alert's history; ``account`` is null where a device did it."""

    at: UtcDatetime
    account: str | None
    action: Literal[
        "raised",
        "cleared",
        "acknowledged",
        "confirmed",
        "shelved",
        "unshelved",
        "out-of-service",
        "in-service",
        "evidence-stored",
        "escalated",
        "worsened",
        "amended",
        "told-again",
        "moved",
        "accepted",
        "declined",
        "released",
        "false-alarm",
        "burns",
        "device-shelved",
        "device-unshelved",
        "restored",
    ]
    comment: str
    reason: str | None
    """Of ``told-again``: why, in words."""
    reason_zh: str | None


class AlertCommon(Answer):
    """What a list and an alert's own page both say."""

    id: str
    version: int
    domain: Domain
    kind: str
    gateway: str
    device: str
    title: str
    title_zh: str
    severity: Severity
    state: AlertState
    work: Work
    raised: UtcDatetime
    """When the cloud raised it."""
    event_time: UtcDatetime
    """When it happened, by the device's clock."""
    cleared: UtcDatetime | None
    acknowledged_by: str | None
    acknowledged_at: UtcDatetime | None
    doubts: list[Doubt]
    thumbnail: bool
    """There is a coarse picture at ``/alerts/{id}/thumbnail``, in which nobody can be made out."""
    latitude: float | None
    longitude: float | None


class AlertSummary(AlertCommon):
    """One alert as a list shows it; the whole is at ``/alerts/{id}``."""

    evidence: EvidenceState


class AlertList(Answer):
    """``next`` is the ``before`` of the following page."""

    alerts: list[AlertSummary]
    next: str | None


class OpenCounts(Answer):
    """How many alerts wait, shelved ones apart. ``mine``: of those in progress, the reader's."""

    new: int = 0
    in_progress: int = 0
    mine: int = 0


class OpenDevice(Answer):
    """A device with open alerts."""

    device: str
    domain: Domain
    count: int
    severity: Severity
    """The worst of them."""
    latitude: float | None
    longitude: float | None


class OpenAlerts(Answer):
    """All that is open, counted: of all alerts that the reader may see, not of a page."""

    total: OpenCounts
    domains: dict[str, OpenCounts]
    devices: list[OpenDevice]


class AlertComment(BaseModel):
    """Why somebody does what they do."""

    model_config = ConfigDict(strict=True, extra="forbid", use_attribute_docstrings=True)

    comment: Comment = ""
    version: Annotated[int, Field(ge=0, le=2**31 - 1)] | None = None
    """The version that was looked at; 409 where the alert has changed since."""


class AnswerRequest(BaseModel):
    """What somebody who was told of an alert says to it."""

    model_config = ConfigDict(strict=True, extra="forbid", use_attribute_docstrings=True)

    answer: Literal["accepted", "declined", "false-alarm", "burns"]
    """`accepted`: I take it; acknowledges it, unless somebody has. `declined`: I cannot; gives it
    back, where it was taken. `false-alarm`: taken, and not what it seems; for whoever lives there
    and whoever decides. `burns`: it is a fire; for whoever belongs to the home and whoever
    decides."""
    code: Annotated[str, Field(max_length=40, pattern=r"^[^\x00]*$")] = ""
    """The home's, where a false alarm needs it (`needs_code` of the alert)."""


class ShelveRequest(AlertComment):
    """Put aside until a moment, at most thirty days ahead; of what is critical, one."""

    until: UtcDatetime


class ServiceRequest(AlertComment):
    """Take one alert out of service while its source is maintained, or put it back."""

    out_of_service: bool
    until: UtcDatetime | None = None
    """Until when it is out of service. What is critical where lives hang on it needs one, at most
    eight hours ahead; null: until somebody puts it back."""


BeforeCursor = Annotated[
    str | None,
    Field(
        pattern=r"^([0-9]_)?[0-9]{1,10}\.[0-9]{6}_[0-9a-f-]{36}$",
        description="`next` of the page before",
        examples=["1767225600.000000_6f1f3c1e-6d0e-5b1e-9a58-0a4f6f0d6b11"],
    ),
]
