"""The time-series port: what Vigil asks of a store of readings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import ClassVar, NamedTuple, Protocol

from vigil_schemas.errors import VigilError


class TimeSeriesUnavailable(VigilError):
    """The store cannot be reached or refuses for now; the same call may succeed later."""

    code: ClassVar[str] = "timeseries-unavailable"
    remedy: ClassVar[str] = (
        "Check the time series' address, token and disk; ingest tries again by itself."
    )


class Series(NamedTuple):
    """The full set of tags: two points are the same point when these and the time agree."""

    domain: str
    gateway: str
    device: str
    parameter: str


class Point(NamedTuple):
    """One reading. ``value`` is ``None`` for a missing one (its flag then says 9)."""

    series: Series
    time_us: int
    value: float | None
    flag: int


class TimeSeriesRejected(VigilError):
    """The store will never take ``points``; sending them again is useless. All others of the
    same call are stored."""

    code: ClassVar[str] = "timeseries-rejected"
    remedy: ClassVar[str] = (
        "Look at the dead letters and the log: the points keep the contract no more."
    )

    def __init__(self, message: str, points: Sequence[Point]) -> None:
        super().__init__(message)
        self.points = list(points)


class Sample(NamedTuple):
    """One reading, or the mean of one window, read back."""

    time: datetime
    value: float | None
    flag: int


class TimeSeries(Protocol):
    """Promises: writing a point twice leaves one, the last write winning; a write that
    returned is durable; a failed write raises and may have stored a part (write it again).
    All methods may be called from any thread. It can be pickled: another process that is handed
    one opens the same store by connections of its own."""

    def write(self, points: Sequence[Point]) -> None:
        """Raises ``TimeSeriesUnavailable`` or ``TimeSeriesRejected``."""

    def read(
        self, series: Series, start: datetime, stop: datetime, *, window_s: float | None = None
    ) -> list[Sample]:
        """Readings in ``[start, stop)`` in time order; with ``window_s`` the mean per window
        (windows aligned to 1970, stamped with their start but never before ``start``; values
        with flag 4 or 9 left out and the worst remaining flag kept; where nothing remains, no
        value and the worst flag; windows without a reading are left out)."""

    def read_all(
        self, device: str, start: datetime, stop: datetime, *, window_s: float | None = None
    ) -> dict[Series, list[Sample]]:
        """What ``read`` gives of each of the device's series, with one question to the store;
        series without a reading in the range are left out."""

    def series(self, device: str) -> list[Series]:
        """Every series that the device has ever written."""

    def oldest(self, device: str, start: datetime, stop: datetime) -> datetime | None:
        """When the device's first reading in ``[start, stop)`` was taken."""

    def latest(self, device: str) -> dict[str, Sample]:
        """The newest reading of each parameter of a device."""

    def count(self, series: Series, start: datetime, stop: datetime) -> int:
        """How many points lie in ``[start, stop)``."""

    def everything(self) -> Iterator[list[Point]]:
        """Every reading of every device, in batches of bounded size, for a copy of the store: no
        order is promised, and what is written meanwhile may be in it or not. Raises
        ``TimeSeriesUnavailable``."""

    def delete(self, device: str) -> None:
        """Every reading of a device under every gateway, and its name, for good: nothing of it
        is left in an embedded store's file. Raises ``TimeSeriesUnavailable``."""

    def expire(self, domain: str, before: datetime) -> int:
        """Delete readings of a domain older than ``before``, as many at once as hold nobody up;
        how many. 0: there are none left. Raises ``TimeSeriesUnavailable``."""

    def ping(self) -> None:
        """Really writes something small that no reading is. Raises ``TimeSeriesUnavailable``."""

    def close(self) -> None:
        """Release connections; no call may follow."""
