"""What stands of the alarms behind one source, for a cloud that may know nothing of it."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from vigil_edge.device.told_again import Key, ToldAgain
from vigil_edge.smoke.alarms import Alarms
from vigil_edge.smoke.changes import Told
from vigil_edge.smoke.health import ToldHealth

_HEALTH: Final = "@health"


class Standing:
    """Fires are told once more on each new connection and at once. The rest (batteries, faults,
    lost links, how each alarm does) follows at the pace of ``ToldAgain``."""

    def __init__(self, pace: ToldAgain) -> None:
        self._pace = pace
        self._fires_told = self._session = 0

    def due(
        self, session: int, moment: float, now: datetime, alarms: Alarms, health: ToldHealth
    ) -> tuple[list[Told], list[str]]:
        """What to tell again now, and alarms of which ``health`` has forgotten that the cloud was
        told. ``session``: of the newest connection to the cloud."""
        self._session = session
        told = alarms.standing() if session != self._fires_told else []

        def names() -> list[Key]:
            of_health = [(device, _HEALTH) for device in health.of_interest(now)]
            return [*alarms.weakened(), *of_health]

        devices = []
        for device, condition in self._pace.due(session, moment, names):
            if condition == _HEALTH:
                health.forget_telling(device)
                devices.append(device)
            elif (again := alarms.told_again(device, condition)) is not None:
                told.append(again)
        return told, devices

    def kept(self) -> None:
        """What was due is on the disk."""
        self._fires_told = self._session
        self._pace.told()
