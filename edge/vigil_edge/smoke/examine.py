"""What ``vigil-edge doctor`` looks at of alarms behind a broker."""

from __future__ import annotations

from collections.abc import Iterator

from vigil_edge.examination import Finding, Text, tcp
from vigil_edge.smoke.settings import BrokerSettings


def look(settings: BrokerSettings, subject: Text) -> Iterator[Finding]:
    """Whether their broker answers."""
    yield tcp(subject, settings.host, settings.port)
