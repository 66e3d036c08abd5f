"""Readings in InfluxDB 2: batched line protocol in, Flux out.

Measurement = domain; tags device, gateway, parameter; fields ``value`` (float) and
``flag`` (integer). The device's own time stamp and the full tags make a repeated
write the same point.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Final

from influxdb_client.client.flux_csv_parser import FluxCsvParserException, FluxQueryException
from influxdb_client.client.influxdb_client import InfluxDBClient
from influxdb_client.client.write_api import SYNCHRONOUS
from influxdb_client.rest import ApiException
from urllib3.exceptions import HTTPError

from vigil_cloud.deadline import Deadline, deadline
from vigil_cloud.timeseries.line_protocol import Formatter
from vigil_cloud.timeseries.port import (
    Point,
    Sample,
    Series,
    TimeSeriesRejected,
    TimeSeriesUnavailable,
)
from vigil_schemas.senml import microseconds
from vigil_schemas.types import isoformat_utc

BATCH_POINTS: Final = 5_000
"""Lines per request: InfluxDB's own recommendation."""
TIMES_THE_TIMEOUT: Final = 6
"""So long a request may take in all; the client's own limit is for each part of the answer."""
_REFUSED_FOR_GOOD: Final = frozenset({400, 413, 422})
_RETENTION: Final = re.compile(r"Retention Policy Lower Bound at ([0-9T:.+-]+Z?)")
_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
_END = datetime(2200, 1, 1, tzinfo=UTC)
"""Later than any device's clock is let through; Flux would otherwise stop at now."""


class InfluxTimeSeries:
    """The ``TimeSeries`` port over one bucket."""

    def __init__(
        self, url: str, *, org: str, bucket: str, token: str, timeout_s: float = 10.0
    ) -> None:
        """Does not connect yet."""
        self._url = url
        self._token = token
        self._timeout_s = timeout_s
        self._total_s = TIMES_THE_TIMEOUT * timeout_s
        self._org = org
        self._bucket = bucket
        # Any: the client's own types are only half written down.
        self._client: Any = InfluxDBClient(
            url=url, token=token, org=org, timeout=int(timeout_s * 1000)
        )
        self._writer: Any = self._client.write_api(write_options=SYNCHRONOUS)
        self._formatter = Formatter()

    def __reduce__(self) -> tuple[object, ...]:
        return _opened, (self._url, self._org, self._bucket, self._token, self._timeout_s)

    def write(self, points: Sequence[Point]) -> None:
        refused: list[Point] = []
        reason = ""
        for first in range(0, len(points), BATCH_POINTS):
            why = self._write_part(points[first : first + BATCH_POINTS], refused)
            reason = why or reason
        if refused:
            raise TimeSeriesRejected(f"InfluxDB refuses {len(refused)} points: {reason}", refused)

    def _write_part(self, points: Sequence[Point], refused: list[Point]) -> str:
        """Write; where the batch is refused halve it until the points at fault are alone."""
        try:
            with deadline(self._total_s) as limit:
                self._writer.write(
                    self._bucket,
                    self._org,
                    self._formatter.lines(points),
                    write_precision="us",
                )
                self._check(limit)
        except ApiException as error:
            if error.status not in _REFUSED_FOR_GOOD:
                raise self._unavailable(error) from error
            if len(points) == 1:
                refused.extend(points)
                return _message(error)
            kept, expired = _split_at_retention(points, error)
            if expired:
                refused.extend(expired)
                return (self._write_part(kept, refused) if kept else "") or _message(error)
            middle = len(points) // 2
            first = self._write_part(points[:middle], refused)
            return self._write_part(points[middle:], refused) or first
        except (HTTPError, OSError) as error:
            raise self._unavailable(error) from error
        return ""

    def read(
        self, series: Series, start: datetime, stop: datetime, *, window_s: float | None = None
    ) -> list[Sample]:
        return self._read(_only(series), start, stop, window_s).get(series, [])

    def read_all(
        self, device: str, start: datetime, stop: datetime, *, window_s: float | None = None
    ) -> dict[Series, list[Sample]]:
        of_device = f"filter(fn: (r) => r.device == {_text(device)})"
        return self._read(of_device, start, stop, window_s)

    def _read(
        self, which: str, start: datetime, stop: datetime, window_s: float | None
    ) -> dict[Series, list[Sample]]:
        flux = f"{self._from(start, stop)} |> {which} |> {_PIVOT}"
        if window_s is not None:
            flux = f"{flux} |> {_mean(max(1, round(window_s * 1e6)))}"
        found: dict[Series, list[Sample]] = {}
        for row in self._query(flux):
            sample = (
                Sample(row["_time"], row.get("value"), int(row["flag"]))
                if window_s is None
                else _windowed(row)
            )
            found.setdefault(_series(row), []).append(sample)
        for samples in found.values():
            samples.sort(key=lambda sample: sample.time)
        return dict(sorted(found.items(), key=lambda one: (one[0].parameter, one[0].gateway)))

    def series(self, device: str) -> list[Series]:
        flux = (
            f"{self._from(_BEGINNING, _END)}"
            f' |> filter(fn: (r) => r.device == {_text(device)} and r._field == "flag") |> last()'
        )
        return sorted(
            (_series(row) for row in self._query(flux)),
            key=lambda series: (series.parameter, series.gateway),
        )

    def oldest(self, device: str, start: datetime, stop: datetime) -> datetime | None:
        return self._first(start, stop, f"filter(fn: (r) => r.device == {_text(device)})")

    def latest(self, device: str) -> dict[str, Sample]:
        flux = (
            f"{self._from(_BEGINNING, _END)}"
            f" |> filter(fn: (r) => r.device == {_text(device)}) |> last()"
        )
        # The last value is older than the last flag where the newest reading is a missing one.
        newest: dict[Series, dict[str, tuple[datetime, Any]]] = {}
        for row in self._query(flux):
            newest.setdefault(_series(row), {})[row["_field"]] = (row["_time"], row["_value"])
        found: dict[str, Sample] = {}
        for series, fields in newest.items():
            if "flag" not in fields:
                continue
            time, flag = fields["flag"]
            value_time, value = fields.get("value", (None, None))
            sample = Sample(time, value if value_time == time else None, int(flag))
            if series.parameter not in found or found[series.parameter].time < time:
                found[series.parameter] = sample
        return found

    def count(self, series: Series, start: datetime, stop: datetime) -> int:
        flux = (
            f"{self._from(start, stop)} |> {_only(series)}"
            ' |> filter(fn: (r) => r._field == "flag") |> count()'
        )
        return sum(int(row["_value"]) for row in self._query(flux))

    def everything(self) -> Iterator[list[Point]]:
        # One window after the other: an answer of years would not fit into memory, nor into the
        # time that one question may take.
        start = self._next_reading(_BEGINNING)
        while start is not None:
            stop = start + _WALKED_AT_ONCE
            flux = f"{self._from(start, stop)} |> {_READINGS} |> {_PIVOT}"
            points = [
                Point(_series(row), microseconds(row["_time"]), row.get("value"), int(row["flag"]))
                for row in self._query(flux)
            ]
            for first in range(0, len(points), BATCH_POINTS):
                yield points[first : first + BATCH_POINTS]
            start = self._next_reading(stop)

    def _next_reading(self, start: datetime) -> datetime | None:
        """The moment of the oldest reading that is not before ``start``."""
        return self._first(start, _END, _READINGS)

    def _first(self, start: datetime, stop: datetime, which: str) -> datetime | None:
        flux = f'{self._from(start, stop)} |> {which} |> filter(fn: (r) => r._field == "flag")'
        return min((row["_time"] for row in self._query(f"{flux} |> first()")), default=None)

    def delete(self, device: str) -> None:
        self._delete(_END, f"device={json.dumps(device, ensure_ascii=False)}")

    def expire(self, domain: str, before: datetime) -> int:
        flux = (
            f"{self._from(_BEGINNING, before)}"
            f" |> filter(fn: (r) => r._measurement == {_text(domain)}"
            ' and r._field == "flag") |> group() |> count()'
        )
        number = sum(int(row["_value"]) for row in self._query(flux))
        if number:
            self._delete(before, f"_measurement={json.dumps(domain)}")
        return number

    def _delete(self, before: datetime, predicate: str) -> None:
        # The last moment is part of what is deleted.
        stop = before - timedelta(microseconds=1)
        with self._reaching():
            self._client.delete_api().delete(
                _BEGINNING, stop, predicate, bucket=self._bucket, org=self._org
            )

    def ping(self) -> None:
        with self._reaching():
            bucket = self._client.buckets_api().find_bucket_by_name(self._bucket)
            if bucket is not None:
                # The same point for an hour: a store that can only be read is not ready.
                hour_us = int(time.time() // 3600) * 3_600_000_000
                line = f"{_PROBE} written=1i {hour_us}"
                self._writer.write(self._bucket, self._org, line, write_precision="us")
        if bucket is None:
            raise TimeSeriesUnavailable(f"InfluxDB at {self._url} has no bucket {self._bucket!r}")

    def close(self) -> None:
        self._writer.close()
        self._client.close()

    def _from(self, start: datetime, stop: datetime) -> str:
        # Flux knows times to the nanosecond in RFC 3339.
        return (
            f"from(bucket: {_text(self._bucket)})"
            f" |> range(start: {isoformat_utc(start)}, stop: {isoformat_utc(stop)})"
        )

    def _query(self, flux: str) -> list[dict[str, Any]]:
        with self._reaching():
            try:
                records = self._client.query_api().query_stream(flux, org=self._org)
                return [record.values for record in records]
            except FluxQueryException as error:  # began well and broke off: memory, a shutdown
                raise TimeSeriesUnavailable(f"InfluxDB at {self._url}: {error.message}") from error

    @contextmanager
    def _reaching(self) -> Iterator[None]:
        """What goes wrong, or does not end, is one error."""
        try:
            with deadline(self._total_s) as limit:
                yield
                self._check(limit)
        except (ApiException, HTTPError, OSError, FluxCsvParserException) as error:
            raise self._unavailable(error) from error
        except Exception as error:
            if limit.over:  # the client stumbles in many ways over half an answer
                raise self._unavailable(error) from error
            raise

    def _check(self, limit: Deadline) -> None:
        """An answer that was cut off may look whole."""
        if limit.over:
            raise TimeSeriesUnavailable(f"InfluxDB at {self._url}: the answer does not end")

    def _unavailable(self, error: Exception) -> TimeSeriesUnavailable:
        text = _message(error) if isinstance(error, ApiException) else str(error)
        return TimeSeriesUnavailable(f"InfluxDB at {self._url}: {text}")


_WALKED_AT_ONCE: Final = timedelta(hours=1)
_PROBE: Final = "vigil_write_probe"
_READINGS: Final = f'filter(fn: (r) => r._measurement != "{_PROBE}")'
_PIVOT: Final = 'pivot(rowKey: ["_time"], columnKey: ["_field"], valueColumn: "_value")'


@lru_cache(maxsize=1)
def _opened(url: str, org: str, bucket: str, token: str, timeout_s: float) -> InfluxTimeSeries:
    """Of a process that is handed the store again and again, once."""
    return InfluxTimeSeries(url, org=org, bucket=bucket, token=token, timeout_s=timeout_s)


def _mean(window_us: int) -> str:
    """Flux for the mean and the worst flag of the readings that count, per window."""
    return (
        f"window(every: {window_us}us)"
        " |> reduce(identity: {n: 0, sum: 0.0, kept: 0, worst: 0}, fn: (r, accumulator) => {"
        " good = r.flag != 4 and r.flag != 9"
        " counts = good and exists r.value"
        " return {"
        " n: accumulator.n + (if counts then 1 else 0),"
        " sum: accumulator.sum + (if counts then r.value else 0.0),"
        " kept: if good and int(v: r.flag) > accumulator.kept"
        " then int(v: r.flag) else accumulator.kept,"
        " worst: if int(v: r.flag) > accumulator.worst"
        " then int(v: r.flag) else accumulator.worst }})"
    )


def _only(series: Series) -> str:
    return (
        f"filter(fn: (r) => r._measurement == {_text(series.domain)}"
        f" and r.device == {_text(series.device)} and r.gateway == {_text(series.gateway)}"
        f" and r.parameter == {_text(series.parameter)})"
    )


def _windowed(row: dict[str, Any]) -> Sample:
    """Of a row of ``_mean``."""
    value = row["sum"] / row["n"] if row["n"] else None
    return Sample(row["_start"], value, int(row["kept"] or row["worst"]))


def _series(row: dict[str, Any]) -> Series:
    return Series(row["_measurement"], row["gateway"], row["device"], row["parameter"])


def _text(value: str) -> str:
    """A Flux string literal; JSON's escapes are Flux's, except that Flux interpolates ``${``."""
    return json.dumps(value, ensure_ascii=False).replace("${", "\\${")


def _split_at_retention(
    points: Sequence[Point], error: ApiException
) -> tuple[list[Point], list[Point]]:
    """The points that the bucket still keeps and those too old for it, where the error tells.

    A gateway that was away for long brings tens of thousands of the latter: to find them one by
    one would hold up everybody's readings for minutes.
    """
    bound = _RETENTION.search(_body(error))
    if bound is None:
        return list(points), []
    first_us = microseconds(datetime.fromisoformat(bound[1]))
    return (
        [point for point in points if point.time_us >= first_us],
        [point for point in points if point.time_us < first_us],
    )


def _body(error: ApiException) -> str:
    return (
        error.body.decode(errors="replace") if isinstance(error.body, bytes) else error.body or ""
    )


def _message(error: ApiException) -> str:
    body = _body(error)
    try:
        return str(json.loads(body).get("message", body))[:400]
    except (ValueError, AttributeError):
        return f"HTTP {error.status} {error.reason} {body[:200]}"
