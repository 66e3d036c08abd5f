"""Single alerts put aside: bounded in a row, ended by their time, told where they are renewed.

What is critical where lives hang on it (``coverage.needs_end``) is out of service for as long as
a device's test, shelved for a day, and both together for ``LONGEST_SHELVED`` in a row. The rule is
asked anew each time (``State.in_work``); ``sweep`` shows that it is over and calls people again.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final, Literal

from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.orm import Session

from vigil_cloud.alerts import coverage, feed, lifecycle, outbox
from vigil_cloud.alerts.history import note
from vigil_cloud.alerts.models import AlertRow
from vigil_cloud.alerts.platform import clear_platform, raise_platform, standing
from vigil_cloud.alerts.platform_kinds import PlatformKind
from vigil_cloud.devices import in_a_row, shelves
from vigil_cloud.devices.in_a_row import Span
from vigil_cloud.devices.maintenance import BadEnd
from vigil_cloud.domain.registry import domains
from vigil_cloud.domain.rights import PLATFORM
from vigil_schemas.types import isoformat_utc

KIND: Final[PlatformKind] = "aside-long"
AT_ONCE: Final = 20
Aside = Literal["shelved", "out-of-service"]


def longest(row: AlertRow, action: Aside) -> timedelta:
    """For how long one alert may be put aside at once."""
    if action == "shelved":
        critical = row.severity == "critical"
        return lifecycle.LONGEST_CRITICAL_SHELF if critical else lifecycle.LONGEST_SHELF
    return shelves.LONGEST_LIFE_TEST if coverage.needs_end(row) else shelves.LONGEST_WORK


def check_work(row: AlertRow, until: datetime | None, now: datetime) -> None:
    """Raises ``BadEnd`` where it needs an end, or another one."""
    most = longest(row, "out-of-service")
    if until is None and not coverage.needs_end(row):
        return
    if until is None or not now < until <= now + most:
        raise BadEnd(most)


def begun(session: Session, row: AlertRow, until: datetime | None, now: datetime) -> None:
    """Somebody puts it aside until then. Raises ``AsideTooLong``."""
    if until is None or not coverage.needs_end(row):
        return
    spans = []
    if row.aside_since is not None and row.aside_until is not None:
        spans.append(Span(row.aside_since, row.aside_until))
    since = in_a_row.since(spans, now)
    in_a_row.check(since, until, in_a_row.LONGEST_SHELVED)
    before = row.aside_until
    goes_on = since < now and before is not None
    row.aside_since = since
    row.aside_until = max(until, before) if goes_on and before is not None else until
    if goes_on:
        tell(session, f"alert {row.id}", (row.title, row.title_zh), (since, until), now)


def ended(row: AlertRow, now: datetime) -> None:
    """Before its time."""
    if row.aside_until is not None and row.aside_until > now:
        row.aside_until = now


def tell(  # noqa: PLR0913 - columns of one alert
    session: Session,
    subject: str,
    names: tuple[str, str],
    span: tuple[datetime, datetime],
    now: datetime,
    *,
    gateway: str = "",
    device: str = "",
) -> None:
    """Whoever maintains the platform: it was put aside again. ``span``: since when, until when."""
    since, until = span
    hours = (until - since) // timedelta(hours=1)
    name, name_zh = (one.replace("{person}", "…") for one in names)
    raise_platform(
        session,
        KIND,
        subject,
        severity="major",
        title=f"Put aside again, {hours} hours in a row: {name}",
        title_zh=f"再次暫緩或停用，連續 {hours} 小時：{name_zh}",
        gateway=gateway,
        detail={
            "explanation": f"put aside since {isoformat_utc(since)} until {isoformat_utc(until)}",
            **({"devices": [device]} if device else {}),
        },
        since=since,
        again=f"until {isoformat_utc(until)}",
        now=now,
    )


def in_work(now: datetime) -> ColumnElement[bool]:
    """``State.in_work`` of what is critical, in SQL."""
    vital = [one.name for one in domains() if one.life_safety is not None] + [PLATFORM]
    endless = and_(AlertRow.out_of_service_until.is_(None), AlertRow.domain.not_in(vital))
    return and_(AlertRow.out_of_service, or_(endless, AlertRow.out_of_service_until > now))


def anything_due(session: Session, now: datetime) -> bool:
    """Whether ``sweep`` has anything to do: two reads."""
    return bool(session.scalar(select(AlertRow.id).where(_over(now)).limit(1))) or any(
        not _stands(session, row, now) for row in standing(session, KIND)
    )


def sweep(session: Session, now: datetime) -> bool:
    """Put back in service what is over; whether anything changed. Idempotent; any number of
    processes may ask."""
    told = [row for row in standing(session, KIND) if not _stands(session, row, now)]
    numbers = session.scalars(select(AlertRow.id).where(_over(now)).limit(AT_ONCE)).all()
    if not numbers and not told:
        return False
    feed.lock(session)
    query = select(AlertRow).where(AlertRow.id.in_(numbers), _over(now)).order_by(AlertRow.id)
    for row in session.scalars(query.execution_options(populate_existing=True)):
        why = "its time is over" if row.out_of_service_until is not None else "it needs an end"
        row.out_of_service, row.out_of_service_until = False, None
        note(session, row, now, None, "in-service", why)
        outbox.announce(session, row, now, "woken")
        feed.append(session, "alert", row.id, now)
    for row in told:
        clear_platform(session, KIND, str(row.detail["subject"]), gateway=row.gateway, now=now)
    return True


def _over(now: datetime) -> ColumnElement[bool]:
    vital = [one.name for one in domains() if one.life_safety is not None] + [PLATFORM]
    without = and_(
        AlertRow.out_of_service_until.is_(None),
        AlertRow.severity == "critical",
        AlertRow.domain.in_(vital),
    )
    return and_(AlertRow.out_of_service, or_(AlertRow.out_of_service_until <= now, without))


def _stands(session: Session, row: AlertRow, now: datetime) -> bool:
    """Whether what was told of is still put aside."""
    kind, _, name = str(row.detail["subject"]).partition(" ")
    if kind == "alert":
        alert = session.get(AlertRow, name)
        return (
            alert is not None
            and alert.active
            and alert.aside_until is not None
            and alert.aside_until > now
        )
    return bool(shelves.running(session, name))
