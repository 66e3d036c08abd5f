"""``[[noise]]`` of ``gateway.toml``: a microphone, its calibration, and a camera."""

from __future__ import annotations

import hashlib
import json
from typing import Annotated

from pydantic import Field

from vigil_edge.configuration.device import DeviceSettings
from vigil_edge.noise.pictures.settings import CameraSettings
from vigil_edge.noise.sound.settings import AudioSettings
from vigil_schemas.gateway import DeviceDescription
from vigil_schemas.noise import DOMAIN

PARAMETERS = ["LAeq", "LAFmax", "LCeq", "LZeq"]


class NoiseSettings(DeviceSettings):
    """One noise camera."""

    audio: AudioSettings
    camera: CameraSettings | None = None
    threshold_db: Annotated[float, Field(ge=0, le=160)] = 86.0
    """LAF above this begins a passage, dB(A)."""
    hysteresis_db: Annotated[float, Field(ge=0, le=20)] = 3.0
    before_s: Annotated[float, Field(ge=0, le=30)] = 3.0
    after_s: Annotated[float, Field(ge=1, le=30)] = 3.0
    """Seconds of sound and picture kept around a passage."""

    def digest(self) -> str:
        """SHA-256 of the settings in force, as canonical JSON: what is sealed was measured under
        these. Without addresses, which may hold passwords."""
        secrets = {"camera": {"address"}, "audio": {"address"}}
        said = self.model_dump(mode="json", exclude=secrets)
        canonical = json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return hashlib.sha256(canonical.encode()).hexdigest()

    def descriptions(self) -> list[DeviceDescription]:
        """The birth message's entry."""
        return [self.described(DOMAIN, self.audio.source, list(PARAMETERS))]
