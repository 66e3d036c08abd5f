"""Rights that end and of which nobody could be told: whoever keeps the accounts is told instead, in
time to ring somebody up.

One alert of the platform for each day on which something ends so; it names accounts, and homes and
people by pseudonym.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from vigil_cloud.alerts.platform import clear_platform, raise_platform
from vigil_cloud.alerts.platform import standing as standing_alerts
from vigil_cloud.alerts.platform_kinds import PlatformKind
from vigil_cloud.alerts.schema import Severity
from vigil_cloud.city_time import CITY_ZONE
from vigil_cloud.identity.ends_soon import BEFORE, EndsSoon, Step
from vigil_cloud.identity.models import Account
from vigil_cloud.notify.models import EndTold
from vigil_cloud.notify.own_channels import AGAIN, SENT

KIND: Final[PlatformKind] = "end-untold"
LONG: Final = 400
"""Characters of the names; of more the number is told."""
TRIES: Final = 3
"""So often a channel failed before it counts as none: for more than an hour."""
_LATE_ENOUGH: Final = frozenset({Step.WEEK.value, Step.DAY.value, Step.OVER.value})
"""A month before there is time to look at the page."""


def look(session: Session, ending: Sequence[EndsSoon], now: datetime) -> bool:
    """Raise, go on with and end what is to be told; ``ending``: what ends, of open accounts.
    Whether anything changed. Idempotent. In the caller's transaction."""
    found = _untold(session, ending)
    stood = {str(row.detail["subject"]): row for row in standing_alerts(session, KIND)}
    changed = False
    for day, theirs in found.items():
        row = stood.get(day.isoformat())
        names = _names(session, theirs)
        near = min(one.ends for one in theirs) - now <= BEFORE[Step.DAY]
        severity: Severity = "major" if near else "minor"
        if (
            row is None
            or row.detail.get("explanation") != names
            or (near and row.severity != severity)
        ):
            _tell(session, day, names, severity, now)
            changed = True
    over = [
        clear_platform(session, KIND, day, now=now)
        for day in sorted(stood.keys() - {day.isoformat() for day in found})
    ]
    return changed or any(over)


def _untold(session: Session, ending: Iterable[EndsSoon]) -> Mapping[date, Sequence[EndsSoon]]:
    """By the city's day on which it ends. Of what several people are told of, one who was reached
    is enough: they know what is to be done."""
    rows = {(row.what, row.account_id): row for row in session.scalars(select(EndTold))}
    by_right: dict[str, list[EndsSoon]] = defaultdict(list)
    for one in ending:
        by_right[one.what].append(one)
    found: dict[date, list[EndsSoon]] = defaultdict(list)
    for rights in by_right.values():
        told = [rows.get((one.what, one.account_id)) for one in rights]
        if all(
            row is not None and row.ends == one.ends and _nobody(row)
            for one, row in zip(rights, told, strict=True)
        ):
            found[rights[0].ends.astimezone(CITY_ZONE).date()] += rights
    return found


def _nobody(row: EndTold) -> bool:
    if row.step not in _LATE_ENOUGH or row.told == SENT:
        return False
    return not row.told.startswith(AGAIN) or row.tries >= TRIES


def _names(session: Session, rights: Sequence[EndsSoon]) -> str:
    accounts = {one.account_id for one in rights}
    query = select(Account.id, Account.username).where(Account.id.in_(sorted(accounts)))
    known = {row.id: row.username for row in session.execute(query)}
    said = sorted(
        {f"{known[one.account_id]} ({one.about})" for one in rights if one.account_id in known}
    )
    text = ""
    for number, one in enumerate(said):
        longer = f"{text}, {one}" if text else one
        if len(longer) > LONG - 20:
            return f"{text} … +{len(said) - number}"
        text = longer
    return text


def _tell(session: Session, day: date, names: str, severity: Severity, now: datetime) -> None:
    raise_platform(
        session,
        KIND,
        day.isoformat(),
        severity=severity,
        title=f"Rights end on {day}, and nobody could be told",
        title_zh=f"有權限將於 {day} 到期，但無法通知任何人",
        now=now,
        detail={"explanation": names},
        news=True,
    )
