"""What errors carry beside their message."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from vigil_schemas.errors import InvalidMessage, VigilError


class Told(VigilError):
    def __init__(self) -> None:
        super().__init__("told")
        self.path = Path("/var/lib/vigil")
        self.at = datetime(2026, 11, 26, 8, tzinfo=UTC)
        self.longest = timedelta(minutes=2)
        self.columns = ("pH", "temp")
        self.line = 7
        self.column = None
        self.points = [object()]
        self.headers = {"Retry-After": "5"}
        self._inner = "not told"


def test_attributes_are_told_as_json_can_hold_them() -> None:
    assert Told().data == {
        "path": "/var/lib/vigil",
        "at": "2026-11-26T08:00:00+00:00",
        "longest": 120.0,
        "columns": ["pH", "temp"],
        "line": 7,
        "column": None,
    }


def test_an_error_without_attributes_carries_nothing() -> None:
    assert VigilError("plain").data == {}
    assert InvalidMessage("stale", "too old").data == {"reason": "stale", "faults": []}
