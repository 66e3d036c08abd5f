"""``[[noise]]`` of ``gateway.toml``: microphones, their calibration and place, and cameras."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    field_serializer,
    field_validator,
    model_validator,
)

from vigil_edge.configuration.device import DeviceSettings
from vigil_edge.noise import limit_text
from vigil_edge.noise.bearing.array import ArraySettings
from vigil_edge.noise.calibrations import CalibrationSettings
from vigil_edge.noise.decision import Distance
from vigil_edge.noise.limits import LimitSettings
from vigil_edge.noise.pictures import advice
from vigil_edge.noise.pictures.settings import CameraSettings
from vigil_edge.noise.sound.settings import AudioSettings
from vigil_edge.noise.weather.settings import WeatherSettings
from vigil_schemas.evidence import CameraRole
from vigil_schemas.gateway import DeviceDescription
from vigil_schemas.noise import DOMAIN

PARAMETERS = ["LAeq", "LAFmax", "LCeq", "LZeq"]


class UncertaintySettings(BaseModel):
    """``[noise.uncertainty]``: standard uncertainties of the instrument, dB."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    calibration_db: Annotated[float, Field(ge=0, le=5)] = 0.15
    """Of the calibrator and of setting the sensitivity by it."""
    instrument_db: Annotated[float, Field(ge=0, le=5)] = 0.4
    """Weighting, linearity, directivity, windscreen, temperature, for traffic."""
    drift_db: Annotated[float, Field(ge=0, le=5)] = 0.1
    """Of the sensitivity between two calibrations."""


class DistanceSettings(BaseModel):
    """``[noise.distance]``: where a limit holds for another distance than the microphone's."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    measured_m: Annotated[float, Field(gt=0, le=200)]
    """From the microphone to the middle of the lane."""
    uncertainty_m: Annotated[float, Field(ge=0, le=50)]
    """Standard uncertainty of that."""
    reference_m: Annotated[float, Field(gt=0, le=200)]
    """What the limit is stated for."""

    @property
    def of_decision(self) -> Distance:
        """As the rule of decision takes it."""
        return Distance(self.measured_m, self.uncertainty_m, self.reference_m)


class NoiseSettings(DeviceSettings):
    """One noise camera."""

    audio: AudioSettings
    camera: CameraSettings | None = None
    """Looks at the whole road: on its pictures vehicles are followed."""
    plate_camera: CameraSettings | None = None
    """A second one, near enough that plates can be read; the first must see the place at which it
    looks. Keys as of ``[noise.camera]``, ``view`` required in both. Without it plates are read in
    the pictures of the first."""
    array: ArraySettings | None = None
    """Where the microphones stand, where there are several: bearings are told then."""
    limits: Annotated[tuple[LimitSettings, ...], Field(max_length=64)] = ()
    """What a passage is judged by; the first line that holds. Where none does, the threshold."""
    uncertainty: UncertaintySettings = UncertaintySettings()
    calibration: CalibrationSettings = CalibrationSettings()
    distance: DistanceSettings | None = None
    weather: WeatherSettings | None = None
    """A station that says in what weather a passage was measured."""
    veto: bool = True
    """What the classifier takes for surely no vehicle founds no case."""
    evidence_of: Literal["exceedances", "all"] = "exceedances"
    """Of which passages sound and pictures are kept: those that found a case, or, while a place is
    being tried out, every one."""
    vetoed_a_day: Annotated[int, Field(ge=0, le=1000)] = 20
    """Of so many a day that only the classifier kept from founding a case, they are kept as well:
    a wrong veto can be heard then."""
    threshold_db: Annotated[float, Field(ge=0, le=160)] = 86.0
    """LAF above this begins a passage, dB(A); no higher than any of ``limits`` at the
    microphone."""
    hysteresis_db: Annotated[float, Field(ge=0, le=20)] = 3.0
    before_s: Annotated[float, Field(ge=0, le=30)] = 3.0
    after_s: Annotated[float, Field(ge=1, le=30)] = 3.0
    """Seconds of sound and picture kept around a passage."""

    @field_validator("limits", mode="before")
    @classmethod
    def _of_text(cls, value: Any) -> Any:
        """A setting from the cloud is no table: see ``limit_text``."""
        if isinstance(value, int | float) and not isinstance(value, bool):
            value = f"{value:g}"  # a form sends what looks like a number as one
        return limit_text.read(value) if isinstance(value, str) else value

    @field_serializer("limits", when_used="json")
    def _as_text(self, value: tuple[LimitSettings, ...]) -> str:
        return limit_text.write(value)

    @model_validator(mode="after")
    def _channels_are_there(self) -> Self:
        if self.array is not None and self.audio.source != "wav":
            there = self.audio.layout.channels
            if max(self.array.of_channels) >= there:
                raise ValueError(f"array: a microphone is on a channel beyond the {there} of audio")
        return self

    @model_validator(mode="after")
    def _two_cameras_see_one_road(self) -> Self:
        if self.plate_camera is None:
            return self
        if self.camera is None:
            raise ValueError("plate_camera needs camera: vehicles are followed in its pictures")
        if self.camera.view is None or self.plate_camera.view is None:
            raise ValueError(
                "plate_camera needs camera.view and plate_camera.view: by them a vehicle is known"
                " to be the same in both"
            )
        one, other = self.camera, self.plate_camera
        if (one.source, str(one.address)) == (other.source, str(other.address)):
            raise ValueError("plate_camera is the same camera as camera: give another address")
        return self

    @model_validator(mode="after")
    def _what_exceeds_a_limit_is_noticed(self) -> Self:
        far = self.distance
        nearer_db = 0.0 if far is None else far.of_decision.correction_db
        for line in self.limits:
            if self.threshold_db > line.limit_db - nearer_db + 1e-9:
                raise ValueError(
                    f"threshold_db must be at most {line.limit_db - nearer_db:.1f}: what is louder"
                    f" than the limit of {line.limit_db:g} dB would else never be looked at"
                )
        if nearer_db > 0 and not self.limits:
            raise ValueError("distance needs limits: threshold_db is a level at the microphone")
        return self

    @property
    def compares_moments(self) -> bool:
        """Whether a vehicle is told from others by when its pictures were taken."""
        if self.plate_camera is not None:
            return True
        return self.camera is not None and self.camera.view is not None and self.array is not None

    def notes(self) -> list[str]:
        """See ``DeviceSettings.notes``."""
        if not self.compares_moments:
            return []
        count = len(self.cameras)
        return [
            f"{advice.name_of(role, count).en}: {said.en}; {advice.how_to_align(role, count).en}"
            for role, said in advice.unmeasured(self.cameras)
        ]

    @property
    def cameras(self) -> Mapping[CameraRole, CameraSettings]:
        """Those that there are, by what they are there for."""
        said: dict[CameraRole, CameraSettings | None] = {
            "overview": self.camera,
            "plate": self.plate_camera,
        }
        return {role: camera for role, camera in said.items() if camera is not None}

    def digest(self) -> str:
        """SHA-256 of the settings in force, as canonical JSON: what is sealed was measured under
        these. Without addresses, which may hold passwords."""
        sources = ("camera", "plate_camera", "audio", "weather")
        secrets = {name: {"address"} for name in sources}
        said = self.model_dump(mode="json", exclude=secrets)
        said["limits"] = [line.model_dump(mode="json") for line in self.limits]
        canonical = json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return hashlib.sha256(canonical.encode()).hexdigest()

    def descriptions(self) -> list[DeviceDescription]:
        """The birth message's entry."""
        return [self.described(DOMAIN, self.audio.source, list(PARAMETERS))]
