"""What alarms measure, sent where it changed and once an hour all the same."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from vigil_edge.device.seam import Outgoing
from vigil_edge.smoke.report import AlarmReport
from vigil_schemas.contract import observation_type
from vigil_schemas.senml import Reading, pack
from vigil_schemas.smoke import DOMAIN
from vigil_schemas.types import Lane, QartodFlag

PARAMETERS: Final = ["battery", "smoke_density"]
_AGAIN_S: Final = 3600.0


class Observed:
    """What was last sent of each alarm. ``moment`` is monotonic, seconds."""

    def __init__(self) -> None:
        self._sent: dict[tuple[str, str], tuple[float, float]] = {}
        """Value and moment, by device and parameter."""

    def due(self, device: str, report: AlarmReport, now: datetime, moment: float) -> list[Reading]:
        """A changed value at once, the same one again after an hour."""
        found = [
            _reading("battery", "%", now, report.battery_percent),
            _reading("smoke_density", None, now, report.smoke_density),
        ]
        return [r for r in found if r is not None and self._is_due(device, r, moment)]

    def packed(self, device: str, readings: Sequence[Reading], now: datetime) -> list[Outgoing]:
        """For the outbox; nothing of nothing."""
        if not readings:
            return []
        kind = observation_type(DOMAIN)
        return [Outgoing(Lane.OBSERVATION, kind, device, now, pack(device, readings))]

    def sent(self, device: str, reading: Reading, moment: float) -> None:
        """It is in the outbox."""
        self._sent[device, reading.parameter] = (reading.value or 0.0, moment)

    def _is_due(self, device: str, reading: Reading, moment: float) -> bool:
        value, then = self._sent.get((device, reading.parameter), (None, 0.0))
        return reading.value != value or moment - then >= _AGAIN_S


def _reading(
    parameter: str, unit: str | None, now: datetime, value: float | None
) -> Reading | None:
    if value is None:
        return None
    # + 0.0: devices that compute a difference report a negative zero in clear air.
    return Reading(parameter, unit, now, value + 0.0, QartodFlag.NOT_EVALUATED)
