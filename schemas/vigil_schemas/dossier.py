"""A case as a file that leaves the platform: for an authority, a court, the person concerned.

Exported as JSON and, from the same data, as PDF. ``sha256`` is over the canonical JSON of
everything else (keys sorted, no spaces, UTF-8, times as they are written here), so that any change
is found off line.
"""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Any, Final, Literal

from pydantic import Field

from vigil_schemas.types import Domain, Model, Sha256, UtcDatetime

NAME: Final = "case.dossier.v1"
"""Of its JSON Schema."""


class DossierWords(Model):
    """A code with its words in both languages."""

    code: str
    title: str
    title_zh: str


class DossierAlert(Model):
    """An alert that the case rests on."""

    id: str
    domain: Domain
    device: str
    title: str
    title_zh: str
    event_time: UtcDatetime
    evidence_sha256: Sha256 | None
    """Of the sealed package, which is verified by itself with its gateway's key."""


class DossierFact(Model):
    """One line of what the domain says."""

    title: str
    title_zh: str
    value: str
    value_zh: str
    verdict: Literal["pass", "fail", "unknown"] | None = None
    """Of a check."""


class DossierSection(Model):
    """What the domain says of the case; ``data`` holds the same for programs."""

    code: str
    title: str
    title_zh: str
    facts: list[DossierFact]
    data: dict[str, Any]


class DossierEntry(Model):
    """What a decider wrote down beside the outcome, such as a licence plate."""

    code: str
    title: str
    title_zh: str
    value: str | None
    """``None`` where whoever made the dossier may not see it."""
    read: str | None
    """What a machine had read, where it is another than that."""


class DossierDecision(Model):
    """One person's decision."""

    round: Annotated[int, Field(ge=1, le=1000)]
    account: str
    at: UtcDatetime
    outcome: DossierWords
    amount_twd: Annotated[int, Field(ge=1, le=10**9)] | None
    reason: str
    entries: list[DossierEntry] = Field(default_factory=list)


class DossierPhotograph(Model):
    """A photograph of the case."""

    id: str
    caption: str
    sha256: Sha256
    """Of the picture as it is kept and as it stands in the PDF."""
    received_sha256: Sha256
    """Of the file as it was sent, before metadata were removed."""
    location_removed: bool
    taken: UtcDatetime | None
    """By the camera's own clock."""
    zone_assumed: bool = False
    """The camera wrote it without a zone: it is read as the city's."""
    written: UtcDatetime | None = None
    """When it was kept by a phone that sent it later, by the phone's clock."""
    clock_off_s: Annotated[int, Field(ge=-(2**53), le=2**53)] | None = None
    """By so much that clock was ahead of ours as it was sent, where it was doubtful."""
    added: UtcDatetime
    added_by: str


class DossierRecord(Model):
    """A file of readings that belongs to the case, such as what a probe measured around an
    event."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,40}\.csv$")]
    """Beside the dossier, in the folder ``records``."""
    title: str
    title_zh: str
    sha256: Sha256
    size: Annotated[int, Field(ge=0, le=2**40)]


class DossierDeadline(Model):
    """Something that was to be done by then."""

    title: str
    title_zh: str
    due: UtcDatetime
    met: UtcDatetime | None


class DossierEvent(Model):
    """One line of the history, with its line in the platform's audit chain."""

    number: Annotated[int, Field(ge=1, le=10**6)]
    at: UtcDatetime
    account: str | None
    action: str
    detail: dict[str, Any]
    text: str
    audit_line: Annotated[int, Field(ge=1, le=2**31 - 1)]


class DossierLook(Model):
    """Somebody looked at the case, or took a dossier of it."""

    account: str
    what: str
    first: UtcDatetime
    last: UtcDatetime
    times: Annotated[int, Field(ge=1, le=10**9)]


class CaseDossier(Model):
    """One case as it stood when the dossier was made."""

    schema_name: Literal["case.dossier.v1"] = "case.dossier.v1"
    number: str
    kind: DossierWords
    domain: Domain
    title: str
    title_zh: str
    state: str
    opened: UtcDatetime
    opened_by: str
    assignee: str | None
    outcome: DossierWords | None
    amount_twd: Annotated[int, Field(ge=1, le=10**9)] | None
    resolution: DossierWords | None
    alerts: list[DossierAlert]
    alerts_withheld: Annotated[int, Field(ge=0, le=10**6)]
    """Alerts that whoever made the dossier may not see."""
    sections: list[DossierSection]
    records: list[DossierRecord] = Field(default_factory=list)
    """As they were when the dossier was made; empty in one of before there were any."""
    decisions: list[DossierDecision]
    photographs: list[DossierPhotograph]
    deadlines: list[DossierDeadline]
    history: list[DossierEvent]
    history_broken: list[Annotated[int, Field(ge=1, le=10**6)]]
    """Lines of the history that do not fit the audit chain: somebody changed the tables."""
    looks: list[DossierLook]
    audit_head: Sha256
    """The audit chain's last hash when the dossier was made."""
    made: UtcDatetime
    made_by: str
    sha256: Sha256

    def digest(self) -> str:
        """What ``sha256`` must be."""
        return digest_of(self.model_dump(mode="json"))


def digest_of(dossier: dict[str, Any]) -> str:
    """SHA-256 over the canonical JSON of everything but ``sha256`` itself."""
    content = {key: value for key, value in dossier.items() if key != "sha256"}
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()
