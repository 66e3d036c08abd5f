"""One alert's way through its policy: a pure state machine, moved by events and by the clock."""

from __future__ import annotations

from typing import Literal

Answer = Literal["accepted", "declined"]
