"""What a shelf of a device means for its alerts: the rule, on rows and in SQL.

An alert is covered by the shelf that its device, or the parameter it is about, was under when it
was raised or put under while it stood. That is shown for good. Whether it also keeps people from
being called is another question, asked anew each time: of what was merely ``shelved`` not for
what is critical, nor where the platform says that a device on which lives hang is not heard. A
shelf that somebody forgot must never hide a fire (docs/decisions/0031).
"""

from __future__ import annotations

from datetime import datetime
from typing import Final, Protocol, cast

from sqlalchemy import ColumnElement, and_, false, or_, select
from sqlalchemy.orm import Session

from vigil_cloud.alerts import feed
from vigil_cloud.alerts.flood import MANY
from vigil_cloud.alerts.history import note
from vigil_cloud.alerts.models import AlertRow
from vigil_cloud.devices import shelves
from vigil_cloud.devices.models import DeviceShelf
from vigil_cloud.devices.shelves import ShelfKind
from vigil_cloud.domain.registry import lives_lost
from vigil_cloud.domain.rights import PLATFORM

SHELVED: Final = "shelved"
OUT_OF_SERVICE: Final[ShelfKind] = "out-of-service"
BEGUN: Final = "device-shelved"
ENDED: Final = "device-unshelved"
"""Actions in an alert's history."""
_AT_ONCE: Final = 500


class Covered(Protocol):
    """An alert, or a row of a list with what decides."""

    @property
    def domain(self) -> str:
        """Whose alert it is."""

    @property
    def severity(self) -> str:
        """As it is now."""

    @property
    def device_shelf(self) -> str | None:
        """The kind of shelf that it fell under."""

    @property
    def device_shelf_until(self) -> datetime | None:
        """Until when that holds, or held."""


def spared(alert: Covered) -> bool:
    """Whether a mere shelf does not reach it."""
    if alert.severity == "critical":
        return True
    # "Its alarms cannot be heard" is major, and hides every fire behind it.
    return alert.domain == PLATFORM and alert.severity == "major"


class Rated(Protocol):
    """An alert, or a row of a list, with how much hangs on it."""

    @property
    def domain(self) -> str:
        """Whose alert it is."""

    @property
    def severity(self) -> str:
        """As it is now."""


def needs_end(alert: Rated) -> bool:
    """Whether nobody may put the alert itself aside without an end, or in a row for long: it is
    critical, and lives hang on what its domain hears, or on the platform that hears it."""
    vital = alert.domain == PLATFORM or bool(lives_lost({alert.domain}))
    return alert.severity == "critical" and vital


def held_until(alert: Covered) -> datetime | None:
    """Until when nobody is called of it, whether that is over or not; ``None``: never held."""
    if alert.device_shelf == SHELVED and spared(alert):
        return None
    return alert.device_shelf_until


def is_covered(alert: Covered, now: datetime) -> bool:
    """Whether its device is put aside right now."""
    return alert.device_shelf_until is not None and alert.device_shelf_until > now


def shown_end(alert: Covered) -> datetime | None:
    """``None`` where it has no end."""
    until = alert.device_shelf_until
    return until if until is not None and until < shelves.FOR_GOOD else None


def is_held(now: datetime) -> ColumnElement[bool]:
    """``held_until(alert) > now`` in SQL; a test holds the two together."""
    reaches_all = AlertRow.device_shelf == OUT_OF_SERVICE
    spares = or_(
        AlertRow.severity == "critical",
        and_(AlertRow.domain == PLATFORM, AlertRow.severity == "major"),
    )
    until = AlertRow.device_shelf_until
    return and_(until.is_not(None), until > now, or_(reaches_all, ~spares))


def cover_new(session: Session, row: AlertRow, now: datetime) -> None:
    """One that was raised just now, or again. One statement."""
    if not row.device:
        return
    shelf = shelves.covering(session, row.device, row.parameter, now)
    if shelf is not None:
        _cover(session, row, shelf, now)


def cover_standing(session: Session, shelf: DeviceShelf, now: datetime) -> None:
    """What stands of the device as it is put aside. What happened once (a loud vehicle) is past:
    it goes on being work. A counted alert of many devices is not the one's that began it. The
    caller has called ``feed.lock`` before."""
    of_it = [
        AlertRow.device == shelf.device,
        AlertRow.active,
        AlertRow.momentary == false(),
        AlertRow.kind != MANY,
    ]
    if shelf.parameter:
        of_it.append(AlertRow.parameter == shelf.parameter)
    for row in session.scalars(select(AlertRow).where(*of_it).limit(_AT_ONCE)):
        current = shelves.covering(session, row.device, row.parameter, now)
        if current is not None and current.id == shelf.id:
            _cover(session, row, shelf, now)
            feed.append(session, "alert", row.id, now)


def ends_for(row: AlertRow, shelf: DeviceShelf) -> datetime:
    """Until when the shelf holds of this alert. Where lives hang on what the alert says, never
    longer than a device of that domain may be put aside, whatever its device was taken for."""
    ends = shelves.ends(shelf)
    if lives_lost({row.domain}):
        return min(ends, shelf.begun + shelves.longest(row.domain, cast(ShelfKind, shelf.kind)))
    return ends


def _cover(session: Session, row: AlertRow, shelf: DeviceShelf, now: datetime) -> None:
    row.device_shelf, row.device_shelf_id = shelf.kind, shelf.id
    row.device_shelf_until = ends_for(row, shelf)
    until = f" until {shelf.until:%Y-%m-%d %H:%M} UTC" if shelf.until else ""
    note(session, row, now, shelf.account or None, BEGUN, f"{shelf.kind}{until}: {shelf.reason}")
