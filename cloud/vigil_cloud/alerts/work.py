"""How far the work on an alert is: a reading of Part 9's states, not a state of its own.

``new``: nobody has acknowledged it. ``in_progress``: somebody has, and it still stands (active,
or called on) or nobody has confirmed yet that what was to be done is done. ``done``: over,
acknowledged and confirmed. What only informs asks for nothing and is ``done`` from the beginning.
"""

from __future__ import annotations

from typing import Final

from vigil_cloud.alerts.schema import Severity, Work

_WEIGHT: Final[dict[Severity, int]] = {"info": 0, "minor": 1, "major": 2, "critical": 3}
SEVERITIES: Final[tuple[Severity, ...]] = ("info", "minor", "major", "critical")
"""Ever heavier."""
HEAVIEST: Final = 3
PRIORITIES: Final[dict[Work, tuple[int, int]]] = {
    "new": (HEAVIEST + 1, 2 * HEAVIEST),
    "in_progress": (1, HEAVIEST),
    "done": (0, 0),
}
"""The lowest and the highest priority of each. A list that is ordered by priority shows what
nobody has taken before what somebody has, and within each the most severe first."""

PRIORITY_SQL: Final = (
    "CASE WHEN severity = 'info'"
    " OR (acknowledged AND confirmed AND NOT active AND NOT called_on) THEN 0"
    " WHEN acknowledged THEN"
    " CASE severity WHEN 'critical' THEN 3 WHEN 'major' THEN 2 ELSE 1 END"
    " ELSE CASE severity WHEN 'critical' THEN 6 WHEN 'major' THEN 5 ELSE 4 END END"
)
"""The same as ``priority``, for the column that the database keeps; a test holds the two together.
It says what it said in the migration that made the column: change both in a new revision."""


def work_of(severity: Severity, *, stands: bool, acknowledged: bool, confirmed: bool) -> Work:
    """Where the work is. ``stands``: it is active, or called on (``lifecycle.State.stands``)."""
    if severity == "info" or (acknowledged and confirmed and not stands):
        return "done"
    return "in_progress" if acknowledged else "new"


def priority(severity: Severity, *, stands: bool, acknowledged: bool, confirmed: bool) -> int:
    """0 where nobody has to do anything; else the higher, the sooner somebody should look."""
    work = work_of(severity, stands=stands, acknowledged=acknowledged, confirmed=confirmed)
    return 0 if work == "done" else PRIORITIES[work][0] - 1 + _WEIGHT[severity]


def severity_of(priority: int) -> Severity:
    """Which severity a priority above 0 belongs to."""
    weight = (priority - 1) % HEAVIEST + 1
    return next(severity for severity, its in _WEIGHT.items() if its == weight)


def worse(one: Severity, other: Severity) -> Severity:
    """The more severe of two."""
    return one if _WEIGHT[one] >= _WEIGHT[other] else other
