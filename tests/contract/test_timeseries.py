"""One suite over every time-series store: what ``timeseries/port.py`` promises."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from influxdb_client.client.influxdb_client import InfluxDBClient
from influxdb_client.domain.bucket_retention_rules import BucketRetentionRules

import servers
from vigil_cloud.timeseries.influx import InfluxTimeSeries
from vigil_cloud.timeseries.line_protocol import Formatter
from vigil_cloud.timeseries.port import (
    Point,
    Sample,
    Series,
    TimeSeries,
    TimeSeriesRejected,
    TimeSeriesUnavailable,
)
from vigil_cloud.timeseries.sqlite import SqliteTimeSeries
from vigil_schemas.senml import microseconds

T0 = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
T0_US = microseconds(T0)


@pytest.fixture(params=["sqlite", "influxdb"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[TimeSeries]:
    built: TimeSeries
    if request.param == "sqlite":
        built = SqliteTimeSeries(tmp_path / "series.sqlite3")
    else:
        server: servers.Influx = request.getfixturevalue("influxd")
        built = InfluxTimeSeries(
            server.url, org=server.org, bucket=server.bucket, token=server.token
        )
    yield built
    built.close()


def some_series(parameter: str = "pH") -> Series:
    return Series("water", "gw-a", f"sonde-{uuid.uuid4().hex[:12]}", parameter)


def minutes(series: Series, values: list[tuple[float | None, int]]) -> list[Point]:
    return [
        Point(series, T0_US + 60_000_000 * n, value, flag) for n, (value, flag) in enumerate(values)
    ]


def test_what_was_written_is_read_back_in_order(store: TimeSeries) -> None:
    series = some_series()
    points = minutes(series, [(7.0, 1), (7.25, 3), (None, 9), (-1e-7, 2)])

    store.write(list(reversed(points)))

    assert store.read(series, T0, T0 + timedelta(hours=1)) == [
        Sample(T0 + timedelta(minutes=n), point.value, point.flag) for n, point in enumerate(points)
    ]
    assert store.count(series, T0, T0 + timedelta(hours=1)) == 4


def _values(store: TimeSeries, series: Series) -> list[float | None]:
    return [one.value for one in store.read(series, T0, T0 + timedelta(hours=1))]


def test_another_process_reads_what_was_written_before_and_meanwhile(store: TimeSeries) -> None:
    series = some_series()
    points = minutes(series, [(1.0, 1), (2.0, 1)])
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        store.write(points[:1])
        assert pool.submit(_values, store, series).result(60) == [1.0]
        store.write(points[1:])
        assert pool.submit(_values, store, series).result(60) == [1.0, 2.0]


def test_the_stop_is_not_part_of_the_range(store: TimeSeries) -> None:
    series = some_series()
    store.write(minutes(series, [(1.0, 1), (2.0, 1), (3.0, 1)]))

    read = store.read(series, T0 + timedelta(minutes=1), T0 + timedelta(minutes=2))

    assert [sample.value for sample in read] == [2.0]
    assert store.count(series, T0 + timedelta(minutes=1), T0 + timedelta(minutes=2)) == 1


def test_writing_twice_leaves_one_point_and_the_last_wins(store: TimeSeries) -> None:
    series = some_series()
    store.write(minutes(series, [(1.0, 2), (2.0, 2)]))
    store.write(minutes(series, [(1.0, 2), (2.5, 1)]))

    assert [(s.value, s.flag) for s in store.read(series, T0, T0 + timedelta(hours=1))] == [
        (1.0, 2),
        (2.5, 1),
    ]


def test_microseconds_are_kept(store: TimeSeries) -> None:
    series = some_series()
    store.write([Point(series, T0_US + 1, 1.0, 1), Point(series, T0_US + 999_999, 2.0, 1)])

    read = store.read(series, T0, T0 + timedelta(seconds=1))

    assert [sample.time.microsecond for sample in read] == [1, 999_999]


def test_windows_average_what_counts_and_keep_the_worst_flag(store: TimeSeries) -> None:
    series = some_series()
    store.write(
        minutes(
            series,
            [
                *[(1.0, 1), (3.0, 1), (100.0, 4), (None, 9), (5.0, 3)],  # one bad, one missing
                *[(None, 9), (50.0, 4), (None, 9), (None, 9), (None, 9)],  # nothing that counts
                *[(2.0, 2)],
            ],
        )
    )

    read = store.read(series, T0, T0 + timedelta(hours=1), window_s=300)

    assert read == [
        Sample(T0, 3.0, 3),
        Sample(T0 + timedelta(minutes=5), None, 9),
        Sample(T0 + timedelta(minutes=10), 2.0, 2),
    ]


def test_windows_are_aligned_to_1970_and_begin_with_the_range(store: TimeSeries) -> None:
    series = some_series()
    store.write(minutes(series, [(float(n), 1) for n in range(10)]))

    read = store.read(series, T0 + timedelta(minutes=3), T0 + timedelta(minutes=10), window_s=300)

    assert read == [
        Sample(T0 + timedelta(minutes=3), 3.5, 1),
        Sample(T0 + timedelta(minutes=5), 7.0, 1),
    ]


def test_series_of_one_only_window_of_missing_readings(store: TimeSeries) -> None:
    series = some_series()
    store.write(minutes(series, [(None, 9), (None, 9)]))

    assert store.read(series, T0, T0 + timedelta(hours=1), window_s=600) == [Sample(T0, None, 9)]
    assert store.latest(series.device) == {"pH": Sample(T0 + timedelta(minutes=1), None, 9)}


def test_series_and_latest_of_a_device(store: TimeSeries) -> None:
    ph = some_series("pH")
    temperature = ph._replace(parameter="temperature")
    other = some_series("level")
    store.write(minutes(ph, [(7.0, 1), (7.5, 1)]))
    store.write(minutes(temperature, [(20.0, 1), (None, 9)]))
    store.write(minutes(other, [(1.0, 1)]))

    assert store.series(ph.device) == [ph, temperature]
    assert store.latest(ph.device) == {
        "pH": Sample(T0 + timedelta(minutes=1), 7.5, 1),
        "temperature": Sample(T0 + timedelta(minutes=1), None, 9),
    }


@pytest.mark.parametrize("window_s", [None, 120.0])
def test_all_series_of_a_device_are_read_as_each_by_itself(
    store: TimeSeries, window_s: float | None
) -> None:
    """Given a device that moved, a neighbour, and a series of another time."""
    ph = some_series("pH")
    temperature, moved = ph._replace(parameter="temperature"), ph._replace(gateway="gw-b")
    earlier = ph._replace(parameter="level")
    store.write(minutes(ph, [(7.0, 1), (7.5, 3), (100.0, 4), (None, 9), (None, 9)]))
    store.write(minutes(moved, [(None, 9), (6.0, 1)]))
    store.write(minutes(temperature, [(20.0, 1)]))
    store.write(minutes(some_series("pH"), [(1.0, 1)]))
    store.write([Point(earlier, T0_US - 3_600_000_000, 1.0, 1)])
    span = T0, T0 + timedelta(minutes=4)

    found = store.read_all(ph.device, *span, window_s=window_s)

    assert list(found) == [ph, moved, temperature]
    for series, samples in found.items():
        assert samples == store.read(series, *span, window_s=window_s) != []


def test_the_oldest_reading_of_a_device_in_a_range(store: TimeSeries) -> None:
    ph = some_series("pH")
    hour = timedelta(hours=1)
    store.write(minutes(ph, [(None, 9), (7.0, 1), (7.5, 1)]))
    store.write([Point(ph._replace(parameter="level"), T0_US - 1, 1.0, 1)])
    store.write([Point(some_series("pH"), T0_US - 2, 1.0, 1)])

    assert store.oldest(ph.device, T0 - hour, T0 + hour) == T0 - timedelta(microseconds=1)
    assert store.oldest(ph.device, T0, T0 + hour) == T0
    assert store.oldest(ph.device, T0 + timedelta(seconds=1), T0 + hour) == T0 + hour / 60
    assert store.oldest(ph.device, T0 + hour, T0 + 2 * hour) is None
    assert store.oldest("nobody", T0 - hour, T0 + hour) is None


def test_an_unknown_device_has_nothing(store: TimeSeries) -> None:
    nobody = some_series()

    assert store.series(nobody.device) == []
    assert store.latest(nobody.device) == {}
    assert store.read_all(nobody.device, T0, T0 + timedelta(hours=1)) == {}
    assert store.read_all(nobody.device, T0, T0 + timedelta(hours=1), window_s=60) == {}
    assert store.read(nobody, T0, T0 + timedelta(hours=1)) == []
    assert store.read(nobody, T0, T0 + timedelta(hours=1), window_s=60) == []
    assert store.count(nobody, T0, T0 + timedelta(hours=1)) == 0


@pytest.mark.parametrize("text", ["a b", "a,b", "a=b", 'a"b', "a\\b", "水位", "a${1+1}b"])
def test_names_are_data_never_syntax(store: TimeSeries, text: str) -> None:
    series = Series("water", text, f"{text}{uuid.uuid4().hex[:8]}", text)
    store.write([Point(series, T0_US, 1.5, 1)])

    assert store.series(series.device) == [series]
    assert [s.value for s in store.read(series, T0, T0 + timedelta(seconds=1))] == [1.5]
    assert list(store.read_all(series.device, T0, T0 + timedelta(seconds=1))) == [series]


def test_more_points_than_one_request_holds(store: TimeSeries) -> None:
    series = some_series()
    store.write([Point(series, T0_US + n, float(n), 1) for n in range(12_345)])

    assert store.count(series, T0, T0 + timedelta(seconds=1)) == 12_345


def test_threads_write_and_read_at_once(store: TimeSeries) -> None:
    series = [some_series() for _ in range(4)]
    problems: list[BaseException] = []

    def work(mine: Series) -> None:
        try:
            for n in range(20):
                store.write([Point(mine, T0_US + n, float(n), 1)])
                assert store.latest(mine.device)["pH"].value == float(n)
        except BaseException as error:
            problems.append(error)

    threads = [threading.Thread(target=work, args=(mine,)) for mine in series]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert not problems
    assert [store.count(mine, T0, T0 + timedelta(seconds=1)) for mine in series] == [20] * 4


def test_ping_of_a_working_store(store: TimeSeries) -> None:
    store.ping()


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    values=st.lists(
        st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False)), max_size=20
    )
)
def test_any_finite_value_survives_exactly(store: TimeSeries, values: list[float | None]) -> None:
    series = some_series()
    store.write([Point(series, T0_US + n, value, 1) for n, value in enumerate(values)])

    read = store.read(series, T0, T0 + timedelta(seconds=1))

    assert [sample.value for sample in read] == values


def influx_of(server: servers.Influx, **changed: str) -> InfluxTimeSeries:
    arguments = {"org": server.org, "bucket": server.bucket, "token": server.token, **changed}
    return InfluxTimeSeries(changed.pop("url", server.url), timeout_s=60, **arguments)


def test_one_bad_point_does_not_block_the_others(influxd: servers.Influx) -> None:
    """Given a measurement whose value is text (another writer's mistake), no float fits in."""
    store = influx_of(influxd)
    good = some_series()
    bad = some_series()._replace(domain=f"m{uuid.uuid4().hex}")
    store._writer.write(  # a conflicting field type, made on purpose
        influxd.bucket,
        influxd.org,
        Formatter().lines([Point(bad, T0_US, 1.0, 1)]).replace(b"value=1.0", b'value="text"'),
        write_precision="us",
    )
    points = minutes(good, [(float(n), 1) for n in range(40)])
    conflicting = Point(bad, T0_US + 1, 2.0, 1)

    with pytest.raises(TimeSeriesRejected) as refusal:
        store.write([*points[:7], conflicting, *points[7:]])

    assert refusal.value.points == [conflicting]
    assert store.count(good, T0, T0 + timedelta(hours=1)) == 40
    store.close()


def test_points_older_than_the_bucket_keeps_are_told_apart_at_once(
    influxd: servers.Influx, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a gateway that comes back with more old readings than new, two requests find them."""
    bucket = f"short-{uuid.uuid4().hex[:8]}"
    client = InfluxDBClient(url=influxd.url, token=influxd.token, org=influxd.org)
    rules = [BucketRetentionRules(type="expire", every_seconds=3600)]
    client.buckets_api().create_bucket(bucket_name=bucket, org=influxd.org, retention_rules=rules)
    client.close()
    store = influx_of(influxd, bucket=bucket)
    series = some_series()
    start = datetime.now(UTC).replace(microsecond=0)
    now_us = microseconds(start)
    new = [Point(series, now_us - n, float(n), 1) for n in range(300)]
    old = [Point(series, now_us - 7_200_000_000 - n, float(n), 1) for n in range(500)]
    requests: list[int] = []
    write = store._writer.write

    def counted(*arguments: object, **options: object) -> None:
        requests.append(1)
        write(*arguments, **options)

    monkeypatch.setattr(store._writer, "write", counted)

    with pytest.raises(TimeSeriesRejected, match=r"500 points: .*retention") as refusal:
        store.write([*old[:250], *new, *old[250:]])

    assert sorted(refusal.value.points) == sorted(old)
    assert store.count(series, start - timedelta(days=1), start + timedelta(seconds=1)) == 300
    assert len(requests) == 2
    store.close()


def test_influx_away_is_unavailable_not_rejected(influxd: servers.Influx) -> None:
    store = InfluxTimeSeries(
        f"http://127.0.0.1:{servers.free_port()}", org="vigil", bucket="vigil", token="t"
    )
    calls: list[Callable[[], object]] = [
        lambda: store.write([Point(some_series(), T0_US, 1.0, 1)]),
        lambda: store.read(some_series(), T0, T0 + timedelta(hours=1)),
        store.ping,
    ]
    for call in calls:
        with pytest.raises(TimeSeriesUnavailable):
            call()
    store.close()


@pytest.mark.parametrize("change", [{"token": "wrong"}, {"bucket": "elsewhere"}])
def test_a_wrong_setting_is_unavailable_so_that_nothing_is_thrown_away(
    influxd: servers.Influx, change: dict[str, str]
) -> None:
    store = influx_of(influxd, **change)

    with pytest.raises(TimeSeriesUnavailable):
        store.ping()
    with pytest.raises(TimeSeriesUnavailable):
        store.write([Point(some_series(), T0_US, 1.0, 1)])
    store.close()


@pytest.fixture
def endless_influx() -> Iterator[str]:
    """A server that begins to answer and sends a byte now and then, for as long as it may."""
    left = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/csv")
            self.end_headers()
            with suppress(OSError):
                while not left.wait(0.02):
                    self.wfile.write(b"#")

        do_GET = do_POST

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    left.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize(
    "ask",
    [
        lambda store: store.series("sonde"),
        lambda store: store.read_all("sonde", T0, T0 + timedelta(hours=1), window_s=60),
        lambda store: store.write(minutes(some_series(), [(7.0, 0)])),
        lambda store: store.ping(),
    ],
)
def test_an_influx_whose_answer_does_not_end_is_unavailable(
    endless_influx: str, ask: Callable[[InfluxTimeSeries], object]
) -> None:
    store = InfluxTimeSeries(
        endless_influx, org="vigil", bucket="readings", token="any", timeout_s=0.1
    )

    with pytest.raises(TimeSeriesUnavailable):
        ask(store)

    store.close()


def test_sqlite_in_a_folder_that_cannot_be_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(TimeSeriesUnavailable):
        SqliteTimeSeries(tmp_path / "file" / "series.sqlite3")


def test_threads_that_come_and_go_leave_no_open_files(store: TimeSeries) -> None:
    """Given requests that each run on a thread of their own, as a web server's do."""
    open_files = Path("/proc/self/fd")
    if not open_files.is_dir():
        pytest.skip("open files are counted in /proc")
    series = some_series()
    store.write([Point(series, T0_US, 1.0, 1)])
    answers: list[bool] = []

    def ask() -> None:
        store.ping()
        answers.append("pH" in store.latest(series.device))

    def all_ask() -> int:
        for _ in range(25):
            thread = threading.Thread(target=ask)
            thread.start()
            thread.join()
        return len(list(open_files.iterdir()))

    before = all_ask()

    assert all_ask() <= before + 5
    assert all(answers)
    assert len(answers) == 50


def test_a_copy_of_everything_holds_every_point_as_it_was(store: TimeSeries) -> None:
    one, two = some_series(), some_series("turbidity")
    values: list[tuple[float | None, int]] = [(1.5, 1), (None, 9), (1e-300, 3), (4.0, 4)]
    old = minutes(one, values)
    late = [point._replace(time_us=point.time_us + 40 * 24 * 3_600_000_000) for point in old]
    many = minutes(two, [(float(number), 1) for number in range(5_100)])
    for points in (old, late, many):
        store.write(points)
    store.ping()  # what it writes is no reading

    batches = list(store.everything())

    ours = {one.device, two.device}
    copied = [point for batch in batches for point in batch if point.series.device in ours]
    assert sorted(copied, key=str) == sorted([*old, *late, *many], key=str)
    assert max(len(batch) for batch in batches) <= 5_000
    domains = {point.series.domain for batch in batches for point in batch}
    assert not any("probe" in domain for domain in domains)


def test_a_device_is_deleted_with_all_its_readings_and_no_other(store: TimeSeries) -> None:
    gone, kept = some_series(), some_series()
    moved = gone._replace(gateway="gw-b", parameter="temperature")
    for series in (gone, moved, kept):
        store.write(minutes(series, [(1.0, 1), (2.0, 1)]))

    store.delete(gone.device)
    store.delete("never-there")

    assert store.series(gone.device) == []
    assert store.latest(gone.device) == {}
    for series in (gone, moved):
        assert store.count(series, T0, T0 + timedelta(hours=1)) == 0
    assert store.count(kept, T0, T0 + timedelta(hours=1)) == 2


def test_a_deleted_device_may_write_again_also_from_another_process(
    store: TimeSeries, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    gone, kept = some_series(), some_series()
    other = store
    if isinstance(store, SqliteTimeSeries):
        other = SqliteTimeSeries(tmp_path / "series.sqlite3")
        request.addfinalizer(other.close)
    store.write(minutes(kept, [(1.0, 1)]))
    other.write(minutes(gone, [(1.0, 1)]))

    store.delete(gone.device)
    late = some_series()
    store.write(minutes(late, [(7.0, 1)]))  # may get the number that was given back
    other.write(minutes(gone, [(5.0, 1)]))

    assert [s.value for s in store.read(gone, T0, T0 + timedelta(hours=1))] == [5.0]
    assert [s.value for s in store.read(late, T0, T0 + timedelta(hours=1))] == [7.0]
    assert [s.value for s in store.read(kept, T0, T0 + timedelta(hours=1))] == [1.0]


def test_old_readings_of_a_domain_expire_and_no_others(store: TimeSeries) -> None:
    domain = f"d{uuid.uuid4().hex[:8]}"
    old = some_series()._replace(domain=domain)
    other = some_series()
    for series in (old, other):
        store.write(minutes(series, [(float(n), 1) for n in range(10)]))

    expired = 0
    while found := store.expire(domain, T0 + timedelta(minutes=6)):
        expired += found

    assert expired == 6
    left = store.read(old, T0, T0 + timedelta(hours=1))
    assert [sample.value for sample in left] == [6.0, 7.0, 8.0, 9.0]
    assert store.count(other, T0, T0 + timedelta(hours=1)) == 10


def test_nothing_of_a_deleted_device_is_left_in_the_file(tmp_path: Path) -> None:
    store = SqliteTimeSeries(tmp_path / "series.sqlite3")
    names = [f"ibeacon-{number:05}" for number in range(300)]
    for name in names:
        store.write(minutes(Series("checkin", "gw-a", name, "rssi"), [(1.0, 1)] * 3))
    for name in names[::2]:
        store.delete(name)
    store.close()

    held = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    for name in names[::2]:
        assert name.encode() not in held
    assert names[1].encode() in held
