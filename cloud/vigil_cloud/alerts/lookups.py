"""What raising an alert asks of what is kept: of the database each time, or of what a batch has
read before (``onsets``). One path decides in both; what differs is who answers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from vigil_cloud.alerts import flood
from vigil_cloud.alerts.models import AlertHistory, AlertRow
from vigil_cloud.capacity.dropped import count_dropped
from vigil_cloud.devices import shelves
from vigil_cloud.identity.situation import Situation, situation_of

JOINED: Final = "alerts-joined"


class Lookups(Protocol):
    """Asked in the order in which alerts are raised, and told of each that is."""

    def of_key(self, key: str) -> AlertRow | None:
        """The alert of this key."""

    def situation(self, device: str, gateway: str, now: datetime) -> Situation:
        """Where it is; ``asked``: whether anything of the device is put aside."""

    def counted(
        self, gateway: str, domain: str, household: str | None, now: datetime
    ) -> AlertRow | None:
        """``flood.counted``."""

    def begins(self, gateway: str, now: datetime) -> bool:
        """``flood.begins``."""

    def is_told(self, row: AlertRow, reason: str) -> bool:
        """Whether its history says that people were told again for this reason. Where not, whoever
        asks tells them, and notes it."""

    def joined(self, gateway: str, now: datetime) -> None:
        """One alarm more is in a counted alert, and has none of its own."""

    def added(self, row: AlertRow) -> None:
        """It is raised, and found from now on."""

    def changed(self) -> None:
        """Something that was found is another."""


# Made once: asked for every alert, and to make a statement costs more than to run it.
_NOTED: Final = (
    select(AlertHistory.id)
    .where(
        AlertHistory.alert_id == bindparam("of"),
        AlertHistory.action == bindparam("did"),
        AlertHistory.comment == bindparam("said"),
    )
    .limit(1)
)


def noted(session: Session, row: AlertRow, action: str, comment: str) -> bool:
    """Whether its history has such a line."""
    same = {"of": row.id, "did": action, "said": comment}
    return session.scalar(_NOTED, same) is not None


@dataclass(frozen=True, slots=True)
class Asked:
    """Of the database, each time."""

    session: Session

    def of_key(self, key: str) -> AlertRow | None:
        """One statement."""
        return self.session.scalar(select(AlertRow).where(AlertRow.key == key))

    def situation(self, device: str, gateway: str, now: datetime) -> Situation:
        """One statement."""
        return situation_of(self.session, device, gateway, now, also=shelves.any_open(device))

    def counted(
        self, gateway: str, domain: str, household: str | None, now: datetime
    ) -> AlertRow | None:
        """One statement."""
        return flood.counted(self.session, gateway, domain, household, now)

    def begins(self, gateway: str, now: datetime) -> bool:
        """One statement."""
        return flood.begins(self.session, gateway, now)

    def is_told(self, row: AlertRow, reason: str) -> bool:
        """One statement."""
        return noted(self.session, row, "told-again", reason)

    def joined(self, gateway: str, now: datetime) -> None:
        """One statement."""
        count_dropped(self.session, gateway, JOINED, 1, 0, now)

    def added(self, row: AlertRow) -> None:
        """Written at once: whatever is raised next finds it."""
        self.session.add(row)
        self.session.flush()

    def changed(self) -> None:
        """Written at once."""
        self.session.flush()
