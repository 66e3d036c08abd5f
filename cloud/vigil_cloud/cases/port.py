"""What a domain says of its cases: kinds, roles, outcomes, rule, sections. The platform asks.

A domain describes each kind once (``CaseKind``) and registers it (``CaseKinds``). Whatever is not
described is closed: a case of an unknown kind is seen by nobody, a step without roles is for
nobody.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, Literal

from sqlalchemy.orm import Session

from vigil_cloud.cases.errors import CaseKindUnknown
from vigil_cloud.cases.lifecycle import DecisionRule, Step
from vigil_cloud.identity.roles import Role

if TYPE_CHECKING:
    from vigil_cloud.alerts.models import AlertRow
    from vigil_cloud.cases.history import Action
    from vigil_cloud.cases.models import CaseRow
    from vigil_cloud.services import Services

Verdict = Literal["pass", "fail", "unknown"]
"""``unknown`` is never counted as passed."""
Act = Step | Literal["open", "note", "photograph", "deadline", "alert", "dossier"]
"""A step of the life cycle, or something that adds to the case."""
Everything: Final[tuple[Act, ...]] = (
    *("take", "assign", "decide", "refer", "close", "appeal", "reopen"),
    *("open", "note", "photograph", "deadline", "alert", "dossier"),
)


@dataclass(frozen=True, slots=True)
class Words:
    """A text in both languages."""

    english: str
    chinese: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """One way in which a case may be decided."""

    code: str
    words: Words
    fined: bool = False
    """An amount in TWD belongs to it, and to no other."""
    follows: bool = True
    """Whether the case can be referred and appealed, or only closed."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A code and what it means: how a closed case ended."""

    code: str
    words: Words


@dataclass(frozen=True, slots=True)
class Entry:
    """Something that whoever decides writes down beside the outcome, such as a licence plate. It
    is as blind as the decision, sealed, and shown to ``seen_by`` alone."""

    code: str
    words: Words
    outcomes: frozenset[str]
    """It is needed for these outcomes, and belongs to no other."""
    seen_by: frozenset[Role]
    form: Callable[[str], str | None]
    """The text as it is kept and compared, or ``None`` where it cannot be one."""
    read: Callable[[Facts], Sequence[str]] = lambda _facts: ()
    """What a machine read, the likeliest first: shown beside it, and told where it differs."""


@dataclass(frozen=True, slots=True)
class DeadlineRule:
    """A deadline that begins with the case. ``met_by``: the step that meets it."""

    code: str
    words: Words
    after: timedelta
    met_by: frozenset[Step] = frozenset()
    remind_before: timedelta = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Fact:
    """One line of a section. Values are shown as they are, in both languages."""

    words: Words
    value: str
    value_zh: str = ""
    verdict: Verdict | None = None
    """Of a check: what it came to."""


@dataclass(frozen=True, slots=True)
class Section:
    """What a domain adds to the case's page and to its dossier."""

    code: str
    words: Words
    facts: Sequence[Fact] = ()
    data: Mapping[str, Any] = field(default_factory=dict)
    """The same for programs, as JSON: it goes into the dossier."""


@dataclass(frozen=True, slots=True)
class Record:
    """A file that a domain adds to the case's evidence. The dossier names its digest."""

    name: str
    words: Words
    content: bytes


@dataclass(frozen=True, slots=True)
class Facts:
    """What a domain is given to judge and to show a case by."""

    session: Session
    case: CaseRow
    alerts: Sequence[AlertRow]


@dataclass(frozen=True, slots=True)
class Happened:
    """Something that happened to a case just now, in the transaction that writes it down."""

    session: Session
    case: CaseRow
    action: Action
    account: str | None
    """``None``: the platform itself."""
    detail: Mapping[str, Any]
    now: datetime


def _follows_nothing(_happened: Happened) -> None:
    """Most kinds need no more than the case itself."""


def _no_sections(_facts: Facts) -> Sequence[Section]:
    return ()


def _no_records(_services: Services, _facts: Facts) -> Sequence[Record]:
    return ()


def _no_bar(_facts: Facts, _outcome: str) -> Words | None:
    return None


def _no_amount(_facts: Facts, _outcome: str) -> int | None:
    return None


@dataclass(frozen=True, slots=True)
class PackagePage:
    """One HTML file that shows a sealed package without any program of ours, and verifies itself:
    what of it may leave the house, also to the person concerned."""

    wanted: Callable[[Mapping[str, str]], Sequence[str]]
    """Of the package's files, by name and role, those that it holds."""
    render: Callable[[Mapping[str, bytes], str], bytes]
    """From those files and the gateway's public key, hexadecimal."""


@dataclass(frozen=True, slots=True)
class CaseKind:
    """One kind of case. ``name`` is unique in the city, such as ``noise-fine``."""

    name: str
    domain: str
    words: Words
    rule: DecisionRule
    outcomes: Sequence[Outcome]
    resolutions: Sequence[Choice]
    rights: Mapping[Act, frozenset[Role]]
    """Who may do what in a case that they see; an act that is not named is for nobody."""
    sees: frozenset[Role] = frozenset()
    """Who sees every case of this kind. Whoever opened one without this sees that one."""
    on_request: frozenset[Role] = frozenset()
    """May open one of them for ``access_for``, with a reason that is written down."""
    access_for: timedelta = timedelta(hours=12)
    """Unless the operator says otherwise (``cases_access_hours``)."""
    alert_domains: frozenset[str] = frozenset()
    """Alerts of these domains can found such a case."""
    by_hand: bool = False
    """May be opened without an alert."""
    about_person: bool = False
    """It is about one person: everything in it is sealed under that person's own key."""
    deadlines: Sequence[DeadlineRule] = ()
    kept_for: timedelta = timedelta(days=3650)
    """So long a closed case is kept; never one that is not closed."""
    sections: Callable[[Facts], Sequence[Section]] = _no_sections
    records: Callable[[Services, Facts], Sequence[Record]] = _no_records
    """What of its readings belongs to the evidence, from the alerts that the reader sees. What it
    raises leaves no dossier."""
    bar: Callable[[Facts, str], Words | None] = _no_bar
    """Why an outcome may not be chosen, from what is known of the case."""
    entries: Sequence[Entry] = ()
    """What decisions carry. Where deciders differ in one they do not agree."""
    amount: Callable[[Facts, str], int | None] = _no_amount
    """The amount in TWD that the tariff gives for an outcome: proposed, never imposed."""
    page: PackagePage | None = None
    """How its sealed packages are shown off line."""
    happened: Callable[[Happened], None] = _follows_nothing
    """Told of each event of such a case, in its transaction; what it raises undoes the step."""

    def may(self, act: Act) -> frozenset[Role]:
        """Roles that may do this."""
        return self.rights.get(act, frozenset())

    def outcome(self, code: str) -> Outcome | None:
        """By its code."""
        return next((one for one in self.outcomes if one.code == code), None)

    def resolution(self, code: str) -> Choice | None:
        """By its code."""
        return next((one for one in self.resolutions if one.code == code), None)


class CaseKinds:
    """The kinds that the domains have registered."""

    def __init__(self, kinds: Iterable[CaseKind] = ()) -> None:
        self._kinds: dict[str, CaseKind] = {}
        for kind in kinds:
            self.register(kind)

    def register(self, kind: CaseKind) -> None:
        """Raises ``ValueError`` where the name is taken: two domains would share a rule."""
        if kind.name in self._kinds:
            raise ValueError(f"there is a kind of case named {kind.name!r} already")
        self._kinds[kind.name] = kind

    def __iter__(self) -> Iterator[CaseKind]:
        return iter(self._kinds.values())

    def get(self, name: str) -> CaseKind | None:
        """``None``: nobody has described it, so it is closed."""
        return self._kinds.get(name)

    def require(self, name: str) -> CaseKind:
        """Raises ``CaseKindUnknown``."""
        kind = self.get(name)
        if kind is None:
            raise CaseKindUnknown(name)
        return kind
