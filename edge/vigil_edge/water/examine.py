"""What ``vigil-edge doctor`` looks at of a probe."""

from __future__ import annotations

from collections.abc import Iterator

from vigil_edge.examination import Finding, Text
from vigil_edge.modbus import examine
from vigil_edge.water.settings import WaterSettings


def look(settings: WaterSettings, subject: Text) -> Iterator[Finding]:
    """Its serial port or its address."""
    yield examine.look(settings, subject)
