"""What ``vigil-edge doctor`` looks at of a cabinet: its board, or its pins."""

from __future__ import annotations

from collections.abc import Iterator

from vigil_edge.aed.settings import BoardSettings, GpioSettings
from vigil_edge.examination import Finding, Text, device_file
from vigil_edge.modbus import examine


def look(settings: BoardSettings | GpioSettings, subject: Text) -> Iterator[Finding]:
    """Where its contacts are read."""
    if isinstance(settings, GpioSettings):
        yield device_file(subject, settings.chip)
    else:
        yield examine.look(settings, subject)
