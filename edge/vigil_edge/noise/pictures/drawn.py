"""Level, bearing and time, drawn into the pictures of a passage. Pure: the pictures that are given
are not touched."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, cast

import cv2
import numpy as np
import numpy.typing as npt

from vigil_edge.noise.plate.candidates import Picture

_STRIP: Final = 0.24
"""Of the picture's height."""
_DARK: Final = 0.35
_MARGIN_DB: Final = 5.0
_LEAST_SPAN_DB: Final = 30.0
_WHITE: Final = (255, 255, 255)
_RED: Final = (60, 60, 255)
_YELLOW: Final = (0, 220, 255)
_FONT: Final = cv2.FONT_HERSHEY_SIMPLEX


@dataclass(frozen=True, slots=True)
class Trace:
    """What is drawn. Moments in seconds since 1970, UTC."""

    start_s: float
    interval_s: float
    LAF: Sequence[float]
    """dB, one value per interval from ``start_s`` on."""
    threshold_db: float
    bearings: Sequence[tuple[float, float | None]] = ()
    """Moment and azimuth in degrees, in order; ``None`` where it abstained."""

    def level(self, at_s: float) -> float | None:
        """LAF at that moment; ``None`` outside the curve."""
        index = int((at_s - self.start_s) / self.interval_s)
        return self.LAF[index] if 0 <= index < len(self.LAF) else None

    def bearing(self, at_s: float) -> float | None:
        """The newest azimuth, at most 0.2 s old."""
        times = [moment for moment, _ in self.bearings]
        index = int(np.searchsorted(times, at_s, side="right")) - 1
        if index < 0 or at_s - times[index] > 0.2:
            return None
        return self.bearings[index][1]


@dataclass(slots=True)
class Overlay:
    """Draws one trace into pictures of any size."""

    trace: Trace
    _strips: dict[tuple[int, int], npt.NDArray[Any]] = field(init=False, default_factory=dict)

    def drawn(self, picture: Picture, at_s: float) -> Picture:
        """A copy with time, level, bearing and curve."""
        out = picture.copy()
        height, width = out.shape[:2]
        strip = self._strip(width, max(24, int(_STRIP * height)))
        rows = slice(height - len(strip), height)
        out[rows] = cv2.max(cv2.convertScaleAbs(out[rows], alpha=_DARK), strip)
        x = round((at_s - self.trace.start_s) / self._span_s * (width - 1))
        if 0 <= x < width:
            cv2.line(out, (x, height - len(strip)), (x, height - 1), _YELLOW, 1)
        self._words(out, at_s)
        return out

    @property
    def _span_s(self) -> float:
        return max(self.trace.interval_s, len(self.trace.LAF) * self.trace.interval_s)

    def _words(self, out: Picture, at_s: float) -> None:
        scale = max(0.4, out.shape[1] / 1400)
        line = int(34 * scale)
        moment = datetime.fromtimestamp(at_s, UTC).isoformat(sep=" ", timespec="milliseconds")
        level, bearing = self.trace.level(at_s), self.trace.bearing(at_s)
        words = [moment.replace("+00:00", " UTC")]
        if level is not None:
            words.append(f"LAF {level:.1f} dB   (threshold {self.trace.threshold_db:.0f})")
        if self.trace.bearings:
            words.append("bearing -" if bearing is None else f"bearing {bearing:.0f} deg")
        for number, text in enumerate(words):
            at = (8, line * (number + 1))
            cv2.putText(out, text, at, _FONT, scale, (0, 0, 0), 3, cv2.LINE_AA)
            cv2.putText(out, text, at, _FONT, scale, _WHITE, 1, cv2.LINE_AA)

    def _strip(self, width: int, height: int) -> npt.NDArray[Any]:
        known = self._strips.get((width, height))
        if known is None:
            known = self._strips[width, height] = self._curve(width, height)
        return known

    def _curve(self, width: int, height: int) -> npt.NDArray[Any]:
        trace = self.trace
        strip = np.zeros((height, width, 3), np.uint8)
        if not trace.LAF:
            return strip
        levels = np.array(trace.LAF)
        top = max(float(levels.max()), trace.threshold_db) + _MARGIN_DB
        low = min(float(levels.min()) - 2.0, top - _LEAST_SPAN_DB)

        def row(level: npt.NDArray[np.float64] | float) -> Any:
            return np.round((top - level) / (top - low) * (height - 1)).astype(int)

        at = (np.arange(len(levels)) + 0.5) * (width / len(levels))
        points = np.stack([at.astype(np.int32), row(levels).astype(np.int32)], axis=1)
        limit = int(row(np.float64(trace.threshold_db)))
        cv2.line(strip, (0, limit), (width - 1, limit), _RED, 1)
        cv2.polylines(strip, [points], isClosed=False, color=_WHITE, thickness=2)
        return cast("npt.NDArray[Any]", strip)
