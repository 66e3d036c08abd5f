"""What a release does at a station, against exact solutions and a second solver."""

from __future__ import annotations

import json
from math import erfc, exp, pi, sqrt
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from channel_files import Section, finite_volumes, network, point, reach
from vigil_cloud.cli import main
from vigil_cloud.water import transport as solver
from vigil_cloud.water.channels import BadChannels, Channels, read
from vigil_cloud.water.transport import Discharge, Inflow, Pulse, Source, Transport, concentrations

Times = NDArray[np.float64]


def at_station(channels: Channels, times: Times, *sources: Source) -> Times:
    station = channels.point("s", "station")
    transport = Transport(channels, station, [one.outfall for one in sources])
    return concentrations(transport, times, sources)


@pytest.mark.parametrize("offset", [0.0, 1500.0])
@pytest.mark.parametrize("below", [0.0, 4000.0])
def test_an_instantaneous_release_is_the_analytic_solution(offset: float, below: float) -> None:
    """Fen River's numbers: 108.999 g/m³ after 20,000 s, 16 km downstream."""
    length = offset + 16_000 + below
    channels = read(
        network(
            reach("r", "a", "b", length, 25, 0.8, 10),
            point("o", "outfall", "r", offset),
            point("s", "station", "r", offset + 16_000),
        )
    )
    times = np.arange(0, 40_001, 100.0)
    found = at_station(channels, times, Pulse(channels.points["o"], 4.32e6, 0))

    after = times[1:]
    spread = 4.32e6 / (25 * np.sqrt(4 * pi * 10 * after))
    exact = spread * np.exp(-((16_000 - 0.8 * after) ** 2) / (40 * after))
    assert found[200] == pytest.approx(108.999, abs=0.001)
    assert np.abs(found[1:] - exact).max() < 1e-6


def test_a_lasting_inflow_is_the_solution_of_ogata_and_banks() -> None:
    u, d, x = 0.3, 6.0, 900.0
    channels = read(network(reach("r", "a", "b", 2_000, 2, u, d), point("s", "station", "r", x)))
    times = np.arange(0, 9_000, 60.0)
    transport = Transport(channels, channels.point("s", "station"), [])
    found = concentrations(transport, times, [], [Inflow(5.0, 0, 1e9)])
    for moment, value in list(zip(times, found, strict=True))[1:]:
        wide = 2 * sqrt(d * moment)
        exact = 2.5 * (
            erfc((x - u * moment) / wide) + exp(u * x / d) * erfc((x + u * moment) / wide)
        )
        assert value == pytest.approx(exact, abs=1e-5)


def test_uvas_creek_with_storage_is_that_of_a_second_solver() -> None:
    flow = 0.0125
    sections = [
        Section(38, 0.30, 0.12, 0.05, 0.0),
        Section(67, 0.42, 0.15, 0.05, 0.0),
        Section(176, 0.36, 0.24, 0.36, 3e-5),
        Section(152, 0.41, 0.31, 0.41, 1e-5),
        Section(236, 0.52, 0.40, 1.56, 4.5e-5),
    ]
    lines = [
        reach(
            f"r{n}", f"n{n}", f"n{n + 1}", one.length, one.area, flow / one.area, one.dispersion,
            storage_area_m2=one.storage, exchange_1_s=one.exchange,
        )
        for n, one in enumerate(sections)
    ]  # fmt: skip
    places = {"38": ("r0", 38), "281": ("r2", 176), "433": ("r3", 152), "619": ("r4", 186)}
    stations = [point(name, "station", *where) for name, where in places.items()]
    channels = read(network(*lines, *stations))
    begin, end = 8.4 * 3600, 11.4 * 3600
    times = np.arange(0, 24 * 3600, 60.0)
    second = finite_volumes(
        sections, flow, lambda t: 1.6 if begin <= t < end else 0.0,
        [float(name) for name in places], 24 * 3600, dx=1.0, dt=30.0,
    )[1::2]  # fmt: skip
    for column, name in enumerate(places):
        transport = Transport(channels, channels.point(name, "station"), [])
        found = concentrations(transport, times, [], [Inflow(1.6, begin, end)])
        assert np.abs(found[1:] - second[:-1, column]).max() < 0.02 * found.max(), name


def test_decay_takes_its_share_on_the_way() -> None:
    u, d, k, x = 0.5, 3.0, 2e-4, 2_000.0
    channels = read(
        network(
            reach("r", "a", "b", 5_000, 4, u, d, decay_1_s=k),
            point("o", "outfall", "r", 100),
            point("s", "station", "r", 100 + x),
        )
    )
    source = Discharge(channels.points["o"], 10.0, 0, 1e9)
    (*_, found) = at_station(channels, np.arange(0, 40_000, 100.0), source)
    root = sqrt(u * u + 4 * d * k)
    assert found == pytest.approx(10 / (4 * root) * exp(x * (u - root) / (2 * d)), rel=1e-6)


def test_without_dispersion_it_is_a_delay() -> None:
    channels = read(
        network(
            reach("r", "a", "b", 1_000, 2, 0.5, 0),
            point("o", "outfall", "r", 0),
            point("s", "station", "r", 600),
        )
    )
    times = np.arange(0, 4_000, 10.0)
    found = at_station(channels, times, Discharge(channels.points["o"], 3.0, 300, 1_500))
    assert np.allclose(found[(times > 1_520) & (times < 2_680)], 3.0, atol=0.01)
    assert np.allclose(found[(times < 1_480) | (times > 2_720)], 0.0, atol=0.01)


@pytest.mark.parametrize("d", [0.0, 1.0])
def test_places_that_rounding_keeps_apart_are_one(d: float) -> None:
    """0.1 + 0.2 is not 0.3: between the two there is no water."""
    times = np.arange(0, 3_000, 10.0)

    def found(*offsets: float) -> Times:
        more = [point(f"o{n}", "outfall", "r", at) for n, at in enumerate(offsets)]
        station = point("s", "station", "r", 400.0)
        channels = read(network(reach("r", "a", "b", 900, 2, 0.5, d), station, *more))
        sources = [Pulse(channels.points[f"o{n}"], 10.0, 0) for n in range(len(offsets))]
        return at_station(channels, times, *sources)

    assert found(0.3, 0.1 + 0.2) == pytest.approx(found(0.3, 0.3))
    assert found(400.0, np.nextafter(400.0, 0)) == pytest.approx(found(400.0, 400.0))
    assert found(1e-17, 5e-4) == pytest.approx(found(0.0, 0.0))


@pytest.mark.parametrize("more", [{}, {"storage_area_m2": 0.5, "exchange_1_s": 2e-5}])
def test_a_pulse_that_nothing_spreads_is_shown_as_means_over_a_step(more: dict[str, float]) -> None:
    """At one moment it would be there without end, at the next not at all."""
    line = reach("r", "a", "b", 5_000, 2, 0.5, 0, **more)
    ends = (point("o", "outfall", "r", 0), point("s", "station", "r", 4_000))
    channels = read(network(line, *ends))
    for step in (70.0, 100.0):
        times = np.arange(0, 400_000, step)
        found = at_station(channels, times, Pulse(channels.points["o"], 1_000, 1_000))
        assert found.sum() * step * 1.0 == pytest.approx(1_000, rel=0.01)
        assert abs(times[found.argmax()] - 9_000) <= step
        assert found.max() <= 1.01 * 1_000 / step


def test_lateral_inflow_dilutes_at_both_ends_of_its_reach() -> None:
    line = reach("d", "a", "b", 1_000, 4, 0.5, 0.5, inflow_m3_s=0.5)
    above = reach("u", "o", "a", 1_000, 4, 0.5, 0.5)
    for at, flow in ((0.0, 2.0), (500.0, 2.25), (1_000.0, 2.5)):
        ends = (point("o", "outfall", "u", 100), point("s", "station", "d", at))
        channels = read(network(above, line, *ends))
        times = np.arange(0, 20_000, 20.0)
        found = at_station(channels, times, Pulse(channels.points["o"], 1e3, 0))
        assert found.sum() * 20 * flow == pytest.approx(1_000, rel=0.003)


def test_a_large_network_is_solved_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """For a few frequencies at a time: thousands of reaches would take gigabytes at once."""
    monkeypatch.setattr(solver, "_HELD", 1 << 19)
    count, length = 200, 80.0
    lines = [reach(f"r{n}", f"n{n}", f"n{n + 1}", length, 2, 0.8, 1.0) for n in range(count)]
    ends = point("o", "outfall", "r0", 0), point("s", "station", f"r{count - 1}", length)
    whole = reach("r", "a", "b", count * length, 2, 0.8, 1.0)
    one = point("o", "outfall", "r", 0), point("s", "station", "r", count * length)
    times = np.arange(0, 40_000, 200.0)
    many, single = read(network(*lines, *ends)), read(network(whole, *one))
    pieces = at_station(many, times, Pulse(many.points["o"], 1e4, 0))
    exact = at_station(single, times, Pulse(single.points["o"], 1e4, 0))
    assert np.abs(pieces - exact).max() < 1e-6 * exact.max()


def branched(inflow: float = 0.0, out: float = 1.5) -> Channels:
    """Two tributaries of 1 m³/s into one channel, of which two lead away."""
    return read(
        network(
            reach("west", "w", "join", 800, 2, 0.5, 1),
            reach("east", "e", "join", 900, 2, 0.5, 1),
            reach("main", "join", "fork", 1_000, 4, (2 + max(inflow, 0)) / 4, 2),
            reach("left", "fork", "l", 700, 2, out / 2, 1),
            reach("right", "fork", "r", 700, 1, 0.5, 1),
            point("o", "outfall", "west", 50),
            point("s", "station", "main", 900),
            point("s-left", "station", "left", 600),
            point("s-east", "station", "east", 600),
        )
    )


def steady(channels: Channels, station: str) -> float:
    source = Discharge(channels.points["o"], 6.0, 0, 1e9)
    transport = Transport(channels, channels.point(station, "station"), [source.outfall])
    (*_, last) = concentrations(transport, np.arange(0, 60_000, 100.0), [source])
    return float(last)


def test_tributaries_and_clean_inflow_dilute() -> None:
    assert steady(branched(), "s") == pytest.approx(3.0, rel=1e-6)
    assert steady(branched(), "s-left") == pytest.approx(3.0, rel=1e-6)
    assert steady(branched(inflow=1.0), "s") == pytest.approx(2.0, rel=1e-6)
    assert steady(branched(), "s-east") == 0.0, "nothing flows up the other tributary"
    less = branched(out=0.7)  # the rest is pumped out, with what is in it
    assert steady(less, "s-left") == pytest.approx(3.0, rel=1e-6)


def test_lateral_inflow_dilutes_on_the_way() -> None:
    channels = read(
        network(
            reach("r", "a", "b", 2_000, 2, 0.5, 1, inflow_m3_s=1.0),
            reach("q", "b", "c", 500, 2, 1.0, 1),
            point("o", "outfall", "r", 0),
            point("s", "station", "q", 400),
            point("half", "station", "r", 1_000),
        )
    )
    assert steady(channels, "s") == pytest.approx(3.0, rel=0.001)
    assert steady(channels, "half") == pytest.approx(4.0, rel=0.005)


@settings(max_examples=40, deadline=None)
@given(
    u=st.floats(0.05, 2.0),
    d=st.floats(0.05, 50.0),
    storage=st.floats(0.0, 3.0),
    exchange=st.just(0.0) | st.floats(1e-6, 1e-3),
    length=st.floats(100, 5_000),
)
def test_the_mass_that_went_in_comes_past(
    u: float, d: float, storage: float, exchange: float, length: float
) -> None:
    channels = read(
        network(
            reach("r", "a", "m", length, 3, u, d, storage_area_m2=storage, exchange_1_s=exchange),
            reach("q", "m", "b", length, 2, 1.5 * u, d),
            point("o", "outfall", "r", length / 3),
            point("s", "station", "q", length / 2),
        )
    )
    transport = Transport(channels, channels.point("s", "station"), [channels.points["o"]])
    # At s = 0 the transform is the integral over all time, and what disperses cancels out.
    (whole,) = transport.released([Pulse(channels.points["o"], 1_000.0, 0)], np.array([1e-12 + 0j]))
    assert 3 * u * whole.real == pytest.approx(1_000, rel=1e-5)


def test_a_gate_that_reverses_carries_the_other_way() -> None:
    turned = read(
        network(
            reach("r", "b", "a", 1_000, 2, -0.5, 1),
            point("o", "outfall", "r", 900),
            point("s", "station", "r", 300),
        )
    )
    straight = read(
        network(
            reach("r", "a", "b", 1_000, 2, 0.5, 1),
            point("o", "outfall", "r", 100),
            point("s", "station", "r", 700),
        )
    )
    times = np.arange(0, 4_000, 20.0)
    found, wanted = (
        at_station(one, times, Pulse(one.points["o"], 5.0, 0)) for one in (turned, straight)
    )
    assert np.array_equal(found, wanted)
    assert wanted.max() > 0


@pytest.mark.parametrize(
    ("feature", "says"),
    [
        (reach("q", "b", "c", 0, 1, 1, 1), "length_m is 0"),
        (reach("q", "b", "c", 9, -1, 1, 1), "area_m2 is -1"),
        (reach("q", "b", "c", 9, 1, 0, 1), "standing water"),
        (reach("q", "b", "c", 9, 1, float("nan"), 1), "velocity_m_s is nan"),
        (reach("q", "b", "c", 9, 1, 1, -1), "dispersion_m2_s is below 0"),
        (reach("q", "b", "c", 9, 1, 1, 1, inflow_m3_s=-2), "more water leaves"),
        (reach("q", "b", "a", 9, 1, 1, 1), "in a circle: "),
        (reach("q", "b", "b", 9, 1, 1, 1), "ends where it begins"),
        (reach("r", "b", "c", 9, 1, 1, 1), "twice"),
        (point("o", "outfall", "nowhere", 1), "which is not there"),
        (point("o", "outfall", "r", 101), "which is 100 m long"),
        ({"type": "Feature", "geometry": None, "properties": {}}, "geometry None"),
        ({"type": "Feature", "geometry": {"type": "Point"}}, "no properties"),
        ("nonsense", "no object"),
        (reach("q\x1b[31m", "b", "c", 9, 1, 1, 1), "no line of text"),
        (reach("q", "b\nc", "c", 9, 1, 1, 1), "no line of text"),
        (point("\ud800", "outfall", "r", 1), "no line of text"),
        (reach("q", "b", "c", 10**400, 1, 1, 1), "length_m is 1000"),
        (reach("q", "b", "c", 1e-9, 1, 1, 1), "length_m is 1e-09"),
        (reach("q", "b", "c", 9, 1, 42, 1), "velocity_m_s is 42: .*another unit"),
        (reach("q", "b", "c", 9, 1, -1e300, 1), "velocity_m_s is -1e\\+300"),
        (reach("q", "b", "c", 9, 1, 1e-300, 1), "velocity_m_s is 1e-300"),
        (reach("q", "b", "c", 9, 1e300, 1, 1), "area_m2 is 1e\\+300"),
        (reach("q", "b", "c", 9, 1, 1, 1e300), "dispersion_m2_s is 1e\\+300"),
        (reach("q", "b", "c", 9, 1, 1, 1, storage_area_m2=1e300), "storage_area_m2 is"),
        (reach("q", "b", "c", 9, 1, 1, 1, decay_1_s=1e300), "decay_1_s is"),
        (reach("q", "b", "c", 9, 1, 1, 1, inflow_m3_s=1e300), "inflow_m3_s is"),
        (reach("q", "b", "c", 9, 1, 1, 1, slope=1e300), "slope is"),
    ],
)  # fmt: skip
def test_a_network_that_is_none_is_refused(feature: Any, says: str) -> None:
    with pytest.raises(BadChannels, match=says):
        read(network(reach("r", "a", "b", 100, 1, 1, 1), feature))


def test_next_to_nothing_is_nothing() -> None:
    """Squares of such numbers are 0, and were divided by."""
    least = {"storage_area_m2": 2.0, "exchange_1_s": 1e-300, "decay_1_s": 5e-324}
    one = read(network(reach("r", "a", "b", 100, 1, 1, 1, **least))).reaches["r"]
    assert (one.exchange_1_s, one.decay_1_s, one.storage_area_m2) == (0.0, 0.0, 2.0)


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    code = main(["water", "transport", *map(str, arguments)])
    said = capsys.readouterr()
    return code, said.out, said.err


@pytest.fixture
def canal(tmp_path: Path) -> Path:
    path = tmp_path / "canal.geojson"
    features = [
        reach("r", "a", "b", 20_000, 25, 0.8, 10),
        reach("pond", "x", "y", 50, 1, 0.1, 1),
        point("o", "outfall", "r", 0),
        point("p", "outfall", "pond", 0),
        point("s", "station", "r", 16_000),
    ]
    path.write_text(json.dumps(network(*features)), "utf-8")
    return path


def test_the_command_prints_seconds_for_seconds(
    canal: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = run(
        capsys, canal, "--release", "o,4320000,0", "--station", "s",
        "--until", 30_000, "--step", 1_000,
    )  # fmt: skip
    lines = out.splitlines()
    assert (code, lines[0], len(lines)) == (0, "time,concentration", 32)
    time, value = lines[21].split(",")
    assert time == "20000"
    assert float(value) == pytest.approx(108.999, abs=0.001)
    assert "not connected with the rest: pond" in err


def test_the_command_prints_moments_for_moments(
    canal: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = run(
        capsys, canal, "--release", "o,216,2026-05-01T08:00:00+08:00,2026-05-01T13:33:20+08:00",
        "--release", "p,5,2026-05-01T08:00:00+08:00", "--station", "s",
        "--until", "2026-05-01T20:00:00+08:00", "--step", "60",
    )  # fmt: skip
    lines = out.splitlines()
    assert (code, len(lines)) == (0, 1 + 12 * 60 + 1)
    assert lines[1] == "2026-05-01T08:00:00+08:00,0"
    assert max(float(line.split(",")[1]) for line in lines[1:]) == pytest.approx(10.8, abs=0.01)
    assert "p does not flow past the station" in err


def test_water_that_runs_twice_as_fast_comes_at_half_the_time(
    canal: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """``velocity_factor``, whatever step is asked for; and one of another time is told."""
    plain = json.loads(canal.read_text("utf-8"))
    usual = ["--release", "o,4320000,0", "--station", "s", "--until", 15_000, "--step", 1_000]
    canal.write_text(json.dumps({**plain, "velocity_factor": [[0, 2.0]]}), "utf-8")
    code, out, err = run(capsys, canal, *usual)
    time, value = out.splitlines()[11].split(",")
    assert (code, time, "velocity_factor" in err) == (0, "10000", False)
    assert float(value) == pytest.approx(108.999, abs=0.01)
    year = [["2026-05-01T00:00:00Z", 1.0], ["2026-05-02T00:00:00Z", 2.0]]
    canal.write_text(json.dumps({**plain, "velocity_factor": year}), "utf-8")
    code, out, err = run(capsys, canal, *usual)
    assert (code, "velocity_factor says nothing of the time" in err) == (0, True)


@pytest.mark.parametrize(
    "series",
    ["fast", [], [[0]], [[0, 0]], [[0, -1]], [[0, float("nan")]], [[3600, 1], [0, 1]],
     [[0, 1], [0, 2]], [["yesterday", 1]], [[0, "1"]], [[-1e300, 1], [1e300, 1]], [[0, 1e300]],
     [[0, 1e-300]]],
)  # fmt: skip
def test_a_series_of_velocities_that_is_none_is_refused(
    canal: Path, capsys: pytest.CaptureFixture[str], series: Any
) -> None:
    plain = json.loads(canal.read_text("utf-8"))
    canal.write_text(json.dumps({**plain, "velocity_factor": series}), "utf-8")
    usual = ["--release", "o,1,0", "--station", "s", "--until", "9000", "--step", "60"]
    code, out, err = run(capsys, canal, *usual)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "velocity_factor" in err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--release", "o,nan,0"], "no number"),
        (["--release", "o,1,nan"], "no number"),
        (["--release", "o,1,0", "--until", "inf"], "no number"),
        (["--release", "o,1,0", "--step", "nan"], "no number"),
        (["--inflow-concentration", "nan,0,10"], "no number"),
        (["--inflow-concentration", "1,10,10"], "not later"),
        (["--release", "o,1"], "2 parts"),
        (["--release", "nobody,1,0"], "no outfall 'nobody'"),
        (["--release", "o,-1,0"], "below 0"),
        (["--release", "o,x,0"], "no number"),
        (["--release", "o,1,2026-05-01T08:00:00Z"], "no number"),
        (["--release", "o,1,20,10"], "not later"),
        (["--inflow-concentration", "1,2"], "2 parts"),
        (["--release", "o,1,0", "--step", "0"], "not above 0"),
        (["--release", "o,1,0", "--step", "1e-6"], "rows"),
        (["--release", "o,1,-1", "--step", "1e-320"], "rows"),
        (["--release", "o,1,0", "--station", "o"], "no station 'o'"),
        (["--release", "o,1,0", "--until", "30"], "not later"),
        (["--release", "o,1e300,0"], "1e300 is more than 1e+15"),
        (["--release", "o,1,-1e300"], "-1e300 seconds is no time"),
        (["--release", "o,1,0", "--until", "1e300", "--step", "1e299"], "no time"),
        (["--release", "o,1,0", "--step", "1e300"], "no time"),
        (["--inflow-concentration", "1e300,0,10"], "1e300 is more than 1e+08"),
        (["--release", "o,1,0001-01-01", "--until", "0001-01-02T00:00:00+14:00"], "no day"),
        (["--release", "o,1,9999-12-31", "--until", "9999-12-31T23:00:00-12:00"], "no day"),
        ([], "nothing is released"),
    ],
)
def test_what_cannot_be_asked_is_said_in_one_line(
    canal: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], says: str
) -> None:
    usual = ["--station", "s", "--until", "9000", "--step", "60"]
    code, out, err = run(capsys, canal, *usual, *arguments)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert says in err


def test_a_file_that_is_none_is_said_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    usual = ["--release", "o,1,0", "--station", "s", "--until", "9000", "--step", "60"]
    for name, content in {"a": "{", "b": "[]", "c": '{"features": []}', "d": "[" * 100_000}.items():
        (tmp_path / name).write_text(content, "utf-8")
        code, out, err = run(capsys, tmp_path / name, *usual)
        assert (code, out, err.count("\n")) == (2, "", 1), name
    assert run(capsys, tmp_path / "missing", *usual)[0] == 2
