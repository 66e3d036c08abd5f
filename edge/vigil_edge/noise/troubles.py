"""What the gateway's health says of a noise camera: the gravest of what is wrong."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from vigil_edge.noise import calibrations
from vigil_edge.noise.errors import WeatherStationLost
from vigil_edge.noise.pictures.cameras import CameraTrouble
from vigil_schemas.gateway import SourceState

State = tuple[SourceState, str | None, str | None]
_UNCALIBRATED: Final = "set full_scale_peak_db or pascal_per_unit from a calibrator's tone"
_DRIFTED: Final = (
    "the calibrator reads too far from its level: look at the microphone, then set the"
    " sensitivity from its tone"
)
_EXPIRED: Final = "the last field calibration is too old: put the calibrator on for 10 s"


@dataclass(frozen=True, slots=True)
class Troubles:
    """Each is ``None`` where nothing is wrong."""

    silence: str | None = None
    overload: bool = False
    cameras: CameraTrouble | None = None
    channels: str | None = None
    weather: str | None = None
    moments: CameraTrouble | None = None
    """Of cameras whose pictures' moments are not known well, where vehicles are told apart by
    them."""
    calibrated: bool = True
    calibration: Collection[str] = ()
    """Reasons against the field calibration."""

    def gravest(self) -> State:
        """State, code, message."""
        if self.silence is not None:
            return "degraded", "microphone-silent", self.silence
        if self.overload:
            return "degraded", "overload", "the input clips: lower the gain or set a wider range"
        if self.cameras is not None:
            return "degraded", self.cameras.code, self.cameras.message
        if self.channels is not None:
            return "degraded", "channels-differ", self.channels
        if not self.calibrated:
            return "degraded", "uncalibrated", _UNCALIBRATED
        if calibrations.DRIFTED in self.calibration:
            return "degraded", "calibration-drifted", _DRIFTED
        if self.calibration:
            return "degraded", "calibration-expired", _EXPIRED
        if self.weather is not None:
            return "degraded", WeatherStationLost.code, self.weather
        if self.moments is not None:
            return "degraded", self.moments.code, self.moments.message
        return "ok", None, None
