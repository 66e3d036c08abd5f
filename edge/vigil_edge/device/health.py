"""How this gateway and its sources are doing, in figures."""

from __future__ import annotations

import json
import resource
import time
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from vigil_edge.device.seam import Held
from vigil_edge.text import well_formed
from vigil_schemas.gateway import DeviceHealth, GatewayHealth, SourceHealth, SourceState
from vigil_schemas.types import isoformat_utc

REPORT: Final = "health.json"
_STATM: Final = Path("/proc/self/statm")
_MESSAGE: Final = 400
_CODE: Final = 60


def resident_bytes() -> int:
    """Memory that this process holds now; where /proc is absent, the most it ever held."""
    try:
        return int(_STATM.read_text().split()[1]) * resource.getpagesize()
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def keep(folder: Path, now: datetime, health: GatewayHealth, *, linked: bool) -> None:
    """Leave the newest report on the disk, for ``vigil-edge status``: a gateway that the cloud
    does not let in has nobody else to show it to. ``linked``: whether to the broker. Raises
    ``OSError``."""
    draft = folder / f"{REPORT}.new"
    body = health.model_dump(mode="json", exclude_none=True)
    told = {"time": isoformat_utc(now), "linked": linked, **body}
    draft.write_text(json.dumps(told, ensure_ascii=False), "utf-8")
    draft.replace(folder / REPORT)


def kept(folder: Path) -> dict[str, Any] | None:
    """The newest report that was kept; ``None`` without one that can be read."""
    try:
        found = json.loads((folder / REPORT).read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


class CpuMeter:
    """Processor time of this process between two looks, in percent of one core."""

    def __init__(
        self,
        monotonic: Callable[[], float] = time.monotonic,
        process_time: Callable[[], float] = time.process_time,
    ) -> None:
        self._monotonic = monotonic
        self._process_time = process_time
        self._last = (monotonic(), process_time())

    def percent(self) -> float:
        """Of one processor, since the last call."""
        now = (self._monotonic(), self._process_time())
        elapsed, used = now[0] - self._last[0], now[1] - self._last[1]
        self._last = now
        return max(0.0, 100.0 * used / elapsed) if elapsed > 0 else 0.0


class SourceRecord:
    """The state of one source, and what it counted."""

    def __init__(
        self, device: str, now: Callable[[], datetime], changed: Callable[[SourceRecord], None]
    ) -> None:
        self.device = device
        self.restarts = 0
        self.counters: Counter[str] = Counter()
        self.held = Held()
        self.said_this_attempt = False
        """Whether the pipeline itself has reported since it was last started."""
        self.state: SourceState = "starting"
        self.code: str | None = None
        self.message: str | None = None
        self._now = now
        self._since = now()
        self._changed = changed

    def report(
        self, state: SourceState, code: str | None = None, message: str | None = None
    ) -> None:
        """A new state or code is a change and goes to the cloud; a new wording alone is not."""
        code = code[:_CODE] if code else None
        differs = (state, code) != (self.state, self.code)
        if state != self.state:
            self._since = self._now()
        self.state, self.code = state, code
        self.message = well_formed(message)[:_MESSAGE] if message else None
        if differs:
            self._changed(self)

    def health(self) -> SourceHealth:
        """As part of the gateway's own report."""
        return SourceHealth.model_validate(self._fields())

    def change(self) -> DeviceHealth:
        """As a fact of its own."""
        return DeviceHealth.model_validate(self._fields())

    def _fields(self) -> dict[str, object]:
        return {
            "device": self.device,
            "state": self.state,
            "since": self._since,
            "code": self.code,
            "message": self.message,
            "restarts": self.restarts,
            "counters": dict(self.counters),
        }
