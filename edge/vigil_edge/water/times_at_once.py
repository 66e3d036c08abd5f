"""Many times of a recording at once, in microseconds since 1970; the same as one by one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import numpy as np
from numpy.typing import NDArray

from vigil_schemas.recordings.times import TimeReader

Microseconds = NDArray[np.int64]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_SHAPE: Final = "0000-00-00T00:00:00"
_OLDEST: Final = np.datetime64("1800-01-01", "us").astype(np.int64)
_KEPT: Final = 4096
"""Days and times of day that are remembered at most."""


class TimesAtOnce:
    """Reads as ``reader`` does. What comes again and again, days and times of day, it remembers."""

    def __init__(self, reader: TimeReader) -> None:
        self._reader = reader
        self._days: dict[str, int] = {}
        self._clocks: dict[str, int] = {}

    def read(self, texts: Sequence[str]) -> Microseconds | None:
        """All of them, or ``None`` where one cannot be read."""
        found = self._iso(texts)
        return self._remembered(texts) if found is None else found

    def _iso(self, texts: Sequence[str]) -> Microseconds | None:
        """``2024-05-01 00:00[:00]`` with one and the same zone behind all, or none."""
        length = len(texts[0])
        if length < 16 or any(len(text) != length for text in texts):
            return None
        letters = np.array(texts, dtype=f"U{length}").view(np.uint32).reshape(len(texts), length)
        seconds = length >= 19 and texts[0][16] == ":"
        size = 19 if seconds else 16
        if not _is_plain(letters[:, :size]) or (letters[:, size:] != letters[0, size:]).any():
            return None
        ahead = self._ahead(texts[0], size)
        if ahead is None:
            return None
        try:
            times = np.array([text[:size] for text in texts], "datetime64[us]").astype(np.int64)
        except ValueError:
            return None
        return None if times.min() < _OLDEST else times - ahead

    def _ahead(self, text: str, size: int) -> int | None:
        """Of UTC, where the zone is one for all times."""
        if len(text) == size:
            offset = self._reader.offset.utcoffset(None)
        else:
            try:
                offset = datetime.fromisoformat(text).utcoffset()
            except ValueError:
                return None
        return None if offset is None else offset // _MICROSECOND

    def _remembered(self, texts: Sequence[str]) -> Microseconds | None:
        days, clocks, found = self._days, self._clocks, list[int]()
        for text in texts:
            day, _, clock = text.partition(" ")
            at_midnight, since = days.get(day), clocks.get(clock)
            if at_midnight is not None and since is not None:
                found.append(at_midnight + since)
                continue
            time = self._reader.read(text)
            if time is None:
                return None
            found.append((time - _EPOCH) // _MICROSECOND)
            self._remember(day, clock, found[-1])
        return np.array(found, np.int64)

    def _remember(self, day: str, clock: str, time: int) -> None:
        """Where the zone is fixed, a time of day is as far from any day's beginning."""
        if ":" not in clock or self._reader.offset.utcoffset(None) is None:
            return
        midnight = self._reader.read(f"{day} 00:00")
        if midnight is None:
            return
        if len(self._days) > _KEPT or len(self._clocks) > _KEPT:
            self._days.clear()
            self._clocks.clear()
        self._days[day] = (midnight - _EPOCH) // _MICROSECOND
        self._clocks[clock] = time - self._days[day]


def _is_plain(letters: NDArray[np.uint32]) -> bool:
    """Whether all have digits and signs where ``_SHAPE`` has them."""
    for at in range(letters.shape[1]):
        column, sign = letters[:, at], _SHAPE[at]
        if sign == "0":
            right = (column >= ord("0")) & (column <= ord("9"))
        else:
            right = column == ord(sign)
            if sign == "T":
                right |= column == ord(" ")
        if not right.all():
            return False
    return True


def iso_texts(times: Microseconds) -> list[str]:
    """``2024-05-01T00:00:00Z``, with fractions of a second where there are any."""
    if (times % 1_000_000).any():
        return [
            (_EPOCH + timedelta(microseconds=time)).isoformat()[:-6] + "Z"
            for time in times.tolist()
        ]
    shown: list[str] = np.datetime_as_string(times.view("datetime64[us]"), unit="s").tolist()
    return [f"{text}Z" for text in shown]
