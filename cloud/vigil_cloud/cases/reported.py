"""Kinds of case that a family reports and the police look into: opened by whoever guards somebody,
seen by the police for a time and with a reason, decided by either."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from typing import Final

from vigil_cloud.cases.port import (
    Act,
    CaseKind,
    Choice,
    DeadlineRule,
    Facts,
    Happened,
    Outcome,
    Section,
    Words,
)
from vigil_cloud.cases.rules import OneDecides
from vigil_cloud.identity.roles import Role

ACCESS: Final = timedelta(hours=24)
"""So long the police see one, unless the operator says otherwise (``cases_access_hours``)."""
KEPT_FOR: Final = timedelta(days=3650)
WATCH_ENDS: Final = "watch"
"""The deadline that reminds of the end of the watch list."""
_FAMILY: Final = frozenset({Role.FAMILY})
_POLICE: Final = frozenset({Role.POLICE})
_BOTH: Final = _FAMILY | _POLICE
_RIGHTS: Final[dict[Act, frozenset[Role]]] = {
    "open": _FAMILY,
    "note": _BOTH,
    "photograph": _BOTH,
    "take": _POLICE,
    "assign": _POLICE,
    "decide": _BOTH,
    "close": _BOTH,
    "deadline": _POLICE,
    "dossier": _POLICE,
}


def reported(  # noqa: PLR0913 - what such kinds differ in, by name
    name: str,
    domain: str,
    words: Words,
    *,
    outcomes: Sequence[tuple[str, Words]],
    ended: Choice,
    watched_for: timedelta,
    sections: Callable[[Facts], Iterable[Section]],
    happened: Callable[[Happened], None],
) -> CaseKind:
    """One of them. ``ended``: how it is closed, whatever the outcome. ``watched_for``: whoever or
    whatever it is about is on the watch list for so long, which a deadline reminds of."""
    watch_ends = DeadlineRule(
        WATCH_ENDS,
        Words("The watch list ends", "監看名單到期"),
        watched_for,
        frozenset({"close"}),
        timedelta(days=1),
    )
    return CaseKind(
        name=name,
        domain=domain,
        words=words,
        rule=OneDecides(),
        outcomes=tuple(Outcome(code, said, follows=False) for code, said in outcomes),
        resolutions=(ended,),
        rights=_RIGHTS,
        on_request=_POLICE,
        access_for=ACCESS,
        by_hand=True,
        about_person=True,
        deadlines=(watch_ends,),
        kept_for=KEPT_FOR,
        sections=lambda facts: list(sections(facts)),
        happened=happened,
    )


def watched(looked_for: bool) -> tuple[Words, str, str]:
    """A fact of the case's page: its words, and in both languages whether stations watch."""
    said = ("at every station", "所有站點") if looked_for else ("ended", "已結束")
    return (Words("Watched for", "監看狀態"), *said)
