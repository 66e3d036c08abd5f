"""What a source says of itself becomes health that can always be sent."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from vigil_edge.device.health import SourceRecord

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    "said", ["no such file: '/media/\udcff.wav'", "alarms: attic \ud83d", "x" * 5000, ""]
)
def test_whatever_a_source_reports_fits_into_health(said: str) -> None:
    record = SourceRecord("camera-1", lambda: NOW, lambda _: None)
    record.report("failed", "input-unreadable", said)
    assert record.health().model_dump_json()
    assert record.change().model_dump_json()
