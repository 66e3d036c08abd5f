"""What the API says of cases, and what it takes."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from vigil_cloud.cases.history import Action
from vigil_cloud.cases.lifecycle import State
from vigil_cloud.cases.port import Act, Verdict
from vigil_schemas.types import Domain, UtcDatetime

MOST_TWD: Final = 10**9
View = Literal["open", "mine", "unassigned", "to_decide", "overdue", "all"]
Text = Annotated[str, StringConstraints(max_length=4000, pattern=r"^[^\x00]*$")]
Reason = Annotated[
    str,
    StringConstraints(min_length=3, max_length=4000, strip_whitespace=True, pattern=r"^[^\x00]*$"),
]
EntryText = Annotated[
    str, StringConstraints(max_length=40, strip_whitespace=True, pattern=r"^[^\x00-\x1f]*$")
]
Code = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,39}$")]
UserName = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[^\x00]*$")]
AlertId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f-]{36}$")]
PersonKey = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
Version = Annotated[int, Field(ge=1, le=2**31 - 1)]


class _Answer(BaseModel):
    model_config = ConfigDict(use_attribute_docstrings=True)


class Named(_Answer):
    """A code with its words in both languages."""

    code: str
    title: str
    title_zh: str


class EntryField(Named):
    """Something to be written down beside an outcome."""

    outcomes: list[str]
    """It is needed for these, and belongs to no other."""
    read: list[str]
    """What a machine read, the likeliest first; empty also where the reader may not see it."""


class OutcomeEntry(Named):
    """One way to decide."""

    fined: bool
    """It has an amount in TWD."""
    follows: bool
    """The case can then be referred and appealed."""
    barred: str | None = None
    """Why it cannot be chosen in this case."""
    barred_zh: str | None = None
    proposed_twd: int | None = None
    """The amount that the tariff gives."""


class CaseKindEntry(_Answer):
    """A kind of case that the reader sees or may open."""

    name: str
    domain: Domain
    title: str
    title_zh: str
    may_open: bool
    by_hand: bool
    about_person: bool
    alert_domains: list[str]


class CaseKindList(_Answer):
    """What a domain has described."""

    kinds: list[CaseKindEntry]


class CaseSummary(_Answer):
    """One case as a list shows it; the whole is at ``/cases/{id}``."""

    id: str
    number: str
    version: int
    domain: Domain
    kind: str
    kind_title: str
    kind_title_zh: str
    title: str
    """As it is called, in the first language; empty where it is withheld."""
    title_zh: str
    state: State
    since: UtcDatetime
    opened: UtcDatetime
    opened_by: str
    assignee: str | None
    due: UtcDatetime | None
    overdue: bool
    outcome: str | None
    outcome_title: str | None
    outcome_title_zh: str | None
    amount_twd: int | None
    decisions: int
    """Given in the present round."""
    decisions_needed: int
    withheld: bool
    """Only that it is there: the rest is shown for a time, with a reason."""


class CaseList(_Answer):
    """``next`` is the ``before`` of the following page."""

    cases: list[CaseSummary]
    next: str | None


class CaseCounts(_Answer):
    """How many wait."""

    open: int
    mine: int
    unassigned: int
    to_decide: int
    overdue: int


class CaseEventEntry(_Answer):
    """One line of the history; ``account`` is null where the platform did it."""

    number: int
    at: UtcDatetime
    account: str | None
    action: Action
    detail: dict[str, Any]
    text: str


class EntryGiven(Named):
    """What a decider wrote down."""

    value: str | None
    """Null where the reader may not see it."""
    read: str | None
    """What a machine had read, where it is another than that."""


class CaseDecision(_Answer):
    """One person's decision. Others' of an open blind round are not shown."""

    round: int
    account: str
    at: UtcDatetime
    outcome: str
    outcome_title: str
    outcome_title_zh: str
    amount_twd: int | None
    reason: str
    entries: list[EntryGiven]


class CasePhotographEntry(_Answer):
    """A photograph; the picture is at ``/cases/{id}/photographs/{photograph}``."""

    id: str
    caption: str
    width: int
    height: int
    size: int
    sha256: str
    received_sha256: str
    """Of the file as it was sent."""
    location_removed: bool
    """The file told where it was taken; that was not kept."""
    taken: UtcDatetime | None
    """By the camera's own clock."""
    zone_assumed: bool
    """The camera wrote it without a zone: it is read as the city's."""
    written: UtcDatetime | None
    """When it was kept by a phone that sent it later, by the phone's clock."""
    clock_off_s: int | None
    """By so much that clock was ahead of ours as it was sent, where it was doubtful."""
    added: UtcDatetime
    added_by: str


class CaseDeadlineEntry(_Answer):
    """Something is to be done by then."""

    id: int
    code: str
    title: str
    title_zh: str
    due: UtcDatetime
    met: UtcDatetime | None
    overdue: bool


class CaseAlertEntry(_Answer):
    """An alert of the case that the reader may see."""

    id: str
    domain: str
    device: str
    title: str
    title_zh: str
    event_time: UtcDatetime
    active: bool
    evidence_sha256: str | None


class CaseFact(_Answer):
    """One line of a section."""

    title: str
    title_zh: str
    value: str
    value_zh: str
    verdict: Verdict | None = None
    """Of a check; `unknown` is never counted as passed."""


class CaseSection(Named):
    """What the domain adds."""

    facts: list[CaseFact]
    data: dict[str, Any]


class Case(CaseSummary):
    """One case, as far as the reader may see it."""

    round: int
    resolution: str | None
    resolution_title: str | None
    resolution_title_zh: str | None
    kept_until: UtcDatetime | None
    """When a closed case is removed."""
    erased: bool
    """The person was erased: what was written about them is gone."""
    latitude: float | None
    longitude: float | None
    may: list[Act]
    """What the reader may do with it now."""
    may_not_decide: str | None
    """Why the reader, whose role may decide, may not decide here."""
    outcomes: list[OutcomeEntry]
    entries: list[EntryField]
    resolutions: list[Named]
    alerts: list[CaseAlertEntry]
    alerts_withheld: int
    """Alerts that the reader's roles do not open."""
    sections: list[CaseSection]
    decisions_given: list[CaseDecision]
    photographs: list[CasePhotographEntry]
    deadlines: list[CaseDeadlineEntry]
    history: list[CaseEventEntry]
    evidence: list[str]
    """Digests of sealed packages (``/evidence/{sha256}.zip``)."""


class Assignee(_Answer):
    """An open account."""

    username: str
    display_name: str


class AssigneeList(_Answer):
    """Who may work on a case."""

    accounts: list[Assignee]


class _Body(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", use_attribute_docstrings=True)


class OpenCase(_Body):
    """Open a case from one or more alerts, or by hand where its kind allows it."""

    kind: Code
    alerts: Annotated[list[AlertId], Field(max_length=200)] = []
    person_key: PersonKey | None = None
    title: Annotated[str, StringConstraints(max_length=200, pattern=r"^[^\x00]*$")] = ""
    note: Text = ""
    latitude: Annotated[float, Field(ge=-90, le=90, allow_inf_nan=False)] | None = None
    longitude: Annotated[float, Field(ge=-180, le=180, allow_inf_nan=False)] | None = None


class Looked(_Body):
    """Which version the reader looked at; 409 where somebody else has changed it since."""

    version: Version


class HandOver(Looked):
    """Somebody else works on it."""

    to: UserName
    text: Text = ""


class Decide(Looked):
    """The reader's own decision."""

    outcome: Code
    amount_twd: Annotated[int, Field(ge=1, le=MOST_TWD)] | None = None
    reason: Reason
    entries: Annotated[dict[Code, EntryText], Field(max_length=8)] = {}
    """What the outcome carries, by code."""


class Explained(Looked):
    """A step that needs a reason."""

    text: Reason


class CloseCase(Looked):
    """Nothing more is to be done."""

    resolution: Code
    text: Text = ""


class NoteBody(_Body):
    """Something that is to be remembered."""

    text: Annotated[str, StringConstraints(min_length=1, max_length=4000, pattern=r"^[^\x00]*$")]


class AddAlert(_Body):
    """Another alert of the same matter."""

    alert: AlertId


class SetDeadline(_Body):
    """Something is to be done by then."""

    due: UtcDatetime
    text: Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00]*$")]


class AskAccess(_Body):
    """Why somebody needs to see a case that is closed to their role."""

    reason: Reason


BeforeCursor = Annotated[
    str | None,
    Field(
        pattern=r"^[0-9]{1,10}\.[0-9]{6}_[0-9a-f-]{36}$",
        description="`next` of the page before",
        examples=["1767225600.000000_6f1f3c1e-6d0e-5b1e-9a58-0a4f6f0d6b11"],
    ),
]
