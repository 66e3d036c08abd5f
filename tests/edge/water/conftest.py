"""What the recordings' tests share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from edge.water.replaying import Shown, replayed


@pytest.fixture
def shown(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Any:
    """Writes a table and replays it."""

    def play(text: str | bytes, *words: str, status: int = 0) -> Shown:
        path = tmp_path / "a.csv"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return replayed(capsys, path, *words, status=status)

    return play
