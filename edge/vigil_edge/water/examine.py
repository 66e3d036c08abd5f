"""What ``vigil-edge doctor`` looks at of a probe."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from vigil_edge.examination import Finding, Text, device_file, folder, tcp
from vigil_edge.modbus import examine
from vigil_edge.water.session_settings import SessionSettings
from vigil_edge.water.settings import WaterSettings


def look(settings: WaterSettings, subject: Text) -> Iterator[Finding]:
    """Its serial port or its address, its sampler's, and its satellite receiver's."""
    yield examine.look(settings, subject)
    if settings.sampler is not None and settings.sampler.address is not None:
        own = settings.sampler.model_dump(include={"driver", "address", "unit"}, exclude_none=True)
        yield examine.look(settings.model_copy(update=own), subject)
    if (place := settings.position) is not None:
        if place.source == "nmea-serial":
            yield device_file(subject, place.address)
        else:
            yield tcp(subject, *place.endpoint)


def look_into(settings: SessionSettings, subject: Text) -> Iterator[Finding]:
    """The folder of its files."""
    yield folder(subject, Path(settings.folder))
