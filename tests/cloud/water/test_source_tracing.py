"""Which outfall, when and how much: against discharges that were made up with known truth."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from channel_files import Fen, network, point, reach
from vigil_cloud.cli import main
from vigil_cloud.water.channels import BadChannels, Channels, read
from vigil_cloud.water.responses import Response, Responses, moments
from vigil_cloud.water.source_tracing import Observed, Suspect, trace
from vigil_cloud.water.transport import Discharge, Pulse, Transport, concentrations

TIMES = np.arange(0, 20 * 3600, 300.0)


def valley(factors: dict[str, float] | None = None) -> dict[str, Any]:
    """Two arms into one canal: an outfall above and below the station of the west arm, one on the
    east arm, one on the canal."""
    by = factors or {}

    def line(name: str, start: str, end: str, length: float, area: float, u: float) -> Any:
        return reach(name, start, end, length, area, u * by.get(name, 1.0), 3.0)

    return network(
        line("w1", "a", "b", 1_500, 2.0, 0.4),
        line("w2", "b", "join", 1_200, 2.0, 0.4),
        line("e1", "c", "join", 1_800, 1.5, 0.4),
        line("m1", "join", "d", 2_000, 2.8, 0.5),
        line("m2", "d", "e", 2_500, 2.8, 0.5),
        point("west-high", "outfall", "w1", 200),
        point("west-low", "outfall", "w2", 300),
        point("east", "outfall", "e1", 300),
        point("canal", "outfall", "m1", 800),
        point("s-west", "station", "w1", 1_400),
        point("s-join", "station", "m1", 300),
        point("s-end", "station", "m2", 2_000),
    )


def seen(truth: Channels, source: Discharge, seed: int, noise: float = 0.05) -> dict[str, Observed]:
    random = np.random.default_rng(seed)
    found = {}
    for station in [one for one in truth.points.values() if one.kind == "station"]:
        transport = Transport(truth, station, [source.outfall])
        values = concentrations(transport, TIMES, [source])
        values = values * (1 + noise * random.standard_normal(len(values)))
        found[station.id] = Observed(TIMES, values)
    return found


@pytest.mark.parametrize("name", ["west-high", "west-low", "east", "canal"])
def test_the_outfall_its_time_and_its_mass(name: str) -> None:
    """Given velocities that are off by up to a fifth, each in its own way. West-low and east pass
    the same stations: of these two both are named."""
    truth = read(valley())
    known = read(valley({"w1": 0.85, "w2": 1.1, "e1": 0.9, "m1": 1.15, "m2": 0.95}))
    source = Discharge(truth.points[name], 9_000 / 2_400, 6 * 3600.0, 6 * 3600 + 2_400.0)
    traced = trace(known, seen(truth, source, 7))
    suspects = traced.suspects

    (found,) = [one for one in suspects if one.outfall == name]
    alike = {"west-low", "east"}
    if name in alike:
        assert {one.outfall for one in suspects[:2]} <= {*alike, None}
        assert found.probability > 0.1
    else:
        assert suspects[0].outfall == name
        assert found.probability > 0.5
    assert found.start_s[0] <= 6 * 3600 <= found.start_s[1]
    assert found.mass_g[0] <= 9_000 <= found.mass_g[1]
    whole = sum(one.probability for one in suspects) + traced.unexplained
    assert whole == pytest.approx(1)
    assert traced.unexplained < 0.05
    assert traced.misfit < 2


@pytest.mark.parametrize(("noise", "seed"), [(0.0, 0), (0.02, 1), (0.02, 2), (0.02, 3)])
def test_the_fen_river_within_a_tenth(noise: float, seed: int) -> None:
    """Place, time and mass of the published inversion from one station. With more noise the width
    of the curve does not tell two outfalls a kilometre apart: the bench says how often it does."""
    fen, times = Fen(), np.arange(0, 12 * 3600, 30.0)
    observed = {"s": Observed(times, fen.seen(times, noise, seed))}
    found = trace(read(fen.channels()), observed, lasting_s=(1, 120)).suspects[0]
    assert 1_000 * float(found.outfall or 0) == pytest.approx(fen.above_m, rel=0.1)
    assert sum(found.start_s) / 2 == pytest.approx(fen.start_s, rel=0.1)
    assert np.sqrt(np.prod(found.mass_g)) == pytest.approx(fen.mass_g, rel=0.1)
    assert found.start_s[0] < fen.start_s < found.start_s[1]


def test_a_velocity_that_is_known_better_narrows_the_time() -> None:
    fen, times = Fen(), np.arange(0, 12 * 3600, 60.0)
    observed = {"s": Observed(times, fen.seen(times, 0.05, 1))}
    document = fen.channels() | {"dispersion_within": 0.2}
    narrow, wide = (
        next(one for one in found if one.outfall == "16").start_s
        for given in (document, document | {"velocity_within": 0.2})
        if (found := trace(read(given), observed, lasting_s=(1, 120)).suspects)
    )
    assert narrow[1] - narrow[0] < (wide[1] - wide[0]) / 3


@pytest.mark.parametrize("given", [0, -0.1, 1.5, "little", True])
def test_how_well_velocities_are_known_is_a_share(given: Any) -> None:
    with pytest.raises(BadChannels, match="velocity_within"):
        read(Fen().channels() | {"velocity_within": given})


@pytest.mark.parametrize("slower", [0.8, 1.2])
def test_a_slow_reach_delays_and_widens_as_its_shares_say(slower: float) -> None:
    """What the fit takes for width and delay of a station, against the response of a network of
    which one reach is slower, and as much wider."""

    def of(factor: float) -> Response:
        found = read(network(
            reach("r1", "a", "b", 1_500, 2.0, 0.4, 3.0),
            reach("r2", "b", "c", 900, 0.8 * factor / 0.3, 0.3 / factor, 2.0,
                  storage_area_m2=0.6 * factor, exchange_1_s=2e-4),
            point("o", "outfall", "r1", 100),
            point("s", "station", "r2", 800),
        ))  # fmt: skip
        return Responses(found, {"s"}, period_s=90_000, count=2048).of("r1", 100)["s"]

    usual, other = of(1.0), of(slower)
    part = usual.spread_s2["r2"]
    whole = sum(one.whole for one in usual.spread_s2.values())
    assert whole == pytest.approx(usual.variance_s2)
    later = usual.travel_s["r2"] * (slower - 1)
    assert other.mean_s - usual.mean_s == pytest.approx(later)
    wider = part.dispersion * (slower**3 - 1) + part.storage * (slower - 1)
    assert other.variance_s2 - usual.variance_s2 == pytest.approx(wider, rel=0.02)


def test_without_an_outfall_the_reach_is_named() -> None:
    document = valley()
    document["features"] = [
        one for one in document["features"] if one["properties"].get("kind") != "outfall"
    ]
    document["features"].append(point("o", "outfall", "w1", 750))
    truth = read(document)
    document["features"].pop()
    source = Discharge(truth.points["o"], 3.0, 6 * 3600.0, 7 * 3600.0)
    suspects = trace(read(document), seen(truth, source, 3)).suspects
    assert (suspects[0].reach, suspects[0].outfall) == ("w1", None)


def test_what_no_outfall_explains_is_said_to_be_unexplained() -> None:
    """Two peaks of the canal's station, and a third far from them at the arm's: no one release."""
    shapes = {"s-west": [15.0], "s-join": [2.0, 9.0], "s-end": [4.0, 16.0]}
    values = {
        name: Observed(
            TIMES,
            np.sum([np.exp(-(((TIMES / 3600 - hour) / 0.4) ** 2)) for hour in hours], axis=0),
        )
        for name, hours in shapes.items()
    }
    traced = trace(read(valley()), values)
    assert traced.misfit > 3
    assert traced.unexplained > 0.9


def test_nothing_seen_suspects_nobody() -> None:
    quiet = {name: Observed(TIMES, np.zeros(len(TIMES))) for name in ("s-west", "s-join")}
    assert trace(read(valley()), quiet).suspects == []


def test_a_response_is_that_of_the_exact_solver() -> None:
    channels = read(valley())
    source = channels.points["west-high"]
    stations = {"s-west", "s-join", "s-end"}
    responses = Responses(channels, stations, period_s=20 * 3600, count=1024)
    found = responses.of(source.reach, source.offset_m)
    assert set(found) == stations
    grid = np.arange(1024) * 20 * 3600 / 1024
    for name, one in found.items():
        transport = Transport(channels, channels.points[name], [source])
        exact = concentrations(transport, grid, [Pulse(source, 1.0, 0)])
        total = np.concatenate(([0.0], np.cumsum((exact[1:] + exact[:-1]) / 2))) * grid[1]
        assert np.abs(one.cumulated - total).max() < 0.01 * total[-1], name
        assert one.gain == pytest.approx(total[-1], rel=0.01)
        mean = float((exact * grid).sum() / exact.sum())
        assert one.mean_s == pytest.approx(mean, rel=0.02)


def test_dispersion_carries_some_of_it_up_to_a_station_just_above() -> None:
    document = valley()
    document["features"].append(point("s-above", "station", "m1", 795))
    channels = read(document)
    found = Responses(channels, {"s-above"}, period_s=6 * 3600, count=4096).of("m1", 800.0)
    upwards = np.exp(-0.5 * 5 / 3.0)  # of a steady source: velocity times metres over dispersion
    assert found["s-above"].gain == pytest.approx(upwards / (2.8 * 0.5), rel=1e-6)
    assert found["s-above"].cumulated[-1] == pytest.approx(found["s-above"].gain, rel=0.05)


def test_what_went_up_a_few_metres_says_little_of_an_amount() -> None:
    """A station that the register places 30 m above the outfall and that stands 15 m above it sees
    many times as much: the mass is that of the stations below."""
    document = valley()
    document["features"].append(point("s-above", "station", "m1", 785))
    truth = read(document)
    source = Discharge(truth.points["canal"], 9_000 / 2_400, 6 * 3600.0, 6 * 3600 + 2_400.0)
    responses = Responses(truth, {"s-above"}, period_s=20 * 3600, count=4096)
    up, grid = responses.of("m1", 800.0)["s-above"], np.arange(4096) * responses.step_s
    began, ended = (np.interp(TIMES - at, grid, up.cumulated) for at in (21_600, 24_000))
    observed = seen(read(valley()), source, 7)
    observed["s-above"] = Observed(TIMES, 9_000 / 2_400 * (began - ended))
    document["features"][-1] = point("s-above", "station", "m1", 770)
    found = trace(read(document), observed).suspects[0]
    assert found.outfall == "canal"
    assert "s-above" in found.explains
    assert found.mass_g[0] <= 9_000 <= found.mass_g[1]


def with_noise(observed: dict[str, Observed], part: float, *, clipped: bool) -> dict[str, Observed]:
    """With noise that is there without a substance too: a part of the highest value."""
    random = np.random.default_rng(5)
    highest = max(one.values.max() for one in observed.values())
    found = {}
    for name, (times, values, _) in observed.items():
        noisy = values + part * highest * random.standard_normal(len(times))
        found[name] = Observed(times, np.maximum(noisy, 0.0) if clipped else noisy)
    return found


@pytest.mark.parametrize("clipped", [False, True])
@pytest.mark.parametrize("part", [0.006, 0.02])
def test_noise_is_nothing_that_a_station_has_seen(part: float, clipped: bool) -> None:
    """The west's station is above the canal's outfall: its noise clears nobody."""
    truth = read(valley())
    source = Discharge(truth.points["canal"], 9_000 / 2_400, 6 * 3600.0, 6 * 3600 + 2_400.0)
    suspects = trace(truth, with_noise(seen(truth, source, 7), part, clipped=clipped)).suspects
    assert suspects[0].outfall == "canal"
    assert "s-west" not in suspects[0].explains


def test_a_station_at_the_outfall_itself() -> None:
    document = valley()
    document["features"].append(point("s-out", "station", "m1", 800))
    truth = read(document)
    source = Discharge(truth.points["canal"], 9_000 / 2_400, 6 * 3600.0, 6 * 3600 + 2_400.0)
    found = trace(truth, seen(truth, source, 7)).suspects[0]
    assert found.outfall == "canal"
    assert found.start_s[0] <= 6 * 3600 <= found.start_s[1]


def test_a_short_peak_among_thousands_of_values() -> None:
    """A value each two seconds of a day: a peak of minutes lies between any two of 240."""
    truth = read(network(reach("r", "a", "b", 900, 2, 0.5, 0.0), point("o", "outfall", "r", 100),
                         point("s", "station", "r", 400)))  # fmt: skip
    times = np.arange(0, 86_400, 2.0)
    values = np.where((times >= 40_010) & (times < 40_250), 3.0, 0.0)
    found = trace(truth, {"s": Observed(times, values)}).suspects
    assert [one.outfall for one in found] == ["o"]
    low, high = found[0].start_s
    assert low - 360 <= 40_010 - 600 <= high + 360, "as exact as the means of six minutes are"


def test_a_way_longer_than_what_was_looked_at() -> None:
    """Six hours on the way, a quarter of an hour of values: the far outfall is found."""
    truth = read(network(
        reach("r", "a", "b", 12_000, 2, 0.5, 1.0), point("far", "outfall", "r", 200),
        point("s", "station", "r", 11_000),
    ))  # fmt: skip
    times = np.arange(0, 40_000, 60.0)
    source = Discharge(truth.points["far"], 3.0, 3_600.0, 5_400.0)
    transport = Transport(truth, truth.points["s"], [source.outfall])
    values = concentrations(transport, times, [source])
    there = slice(int(values.argmax()) - 7, int(values.argmax()) + 8)
    found = trace(truth, {"s": Observed(times[there], values[there])}).suspects
    assert found[0].outfall == "far"
    assert found[0].start_s[0] <= 3_600 <= found[0].start_s[1]


def test_moments_are_the_derivatives_of_the_transfer() -> None:
    """Near a zone of slow exchange too, where a difference over a second steps across its pole."""
    channels = read(network(reach("r", "a", "b", 60, 2, 0.5, 4.0, storage_area_m2=1.5,
                                  exchange_1_s=2e-4, decay_1_s=1e-5)))  # fmt: skip
    left, mean, variance = moments(channels.reaches["r"], 0.5, 60.0)
    s = np.array([-1e-7, 0.0, 1e-7])
    rate = s + 1e-5
    rate = rate + 2e-4 * rate / (rate + 2e-4 * 2 / 1.5)
    logs = -(np.sqrt(0.25 + 16 * rate) - 0.5) / 8 * 60
    assert left == pytest.approx(np.exp(logs[1]))
    assert mean == pytest.approx((logs[0] - logs[2]) / 2e-7, rel=1e-5)
    assert variance == pytest.approx((logs[0] - 2 * logs[1] + logs[2]) / 1e-14, rel=1e-2)


def run(capsys: pytest.CaptureFixture[str], *arguments: Path) -> tuple[int, str, str]:
    code = main(["water", "trace", *map(str, arguments)])
    said = capsys.readouterr()
    return code, said.out, said.err


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    truth = read(valley())
    source = Discharge(truth.points["canal"], 4.0, 6 * 3600.0, 7 * 3600.0)
    rows = ["time,station,value"]
    for station, observed in seen(truth, source, 1).items():
        for at, value in zip(observed.times_s, observed.values, strict=True):
            moment = np.datetime64("2026-05-01T00:00:00") + np.timedelta64(int(at), "s")
            rows.append(f"{moment}+08:00,{station},{value:.6g}")
    rows += [rows[-1], "2026-05-01T01:00:00+08:00,s-end,"]
    canal, seen_there = tmp_path / "canal.geojson", tmp_path / "seen.csv"
    canal.write_text(json.dumps(valley()), "utf-8")
    seen_there.write_text("\n".join(rows), "utf-8")
    return canal, seen_there


def test_the_command_prints_suspects(
    files: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = run(capsys, *files)
    answer = json.loads(out)
    first = answer["suspects"][0]
    assert (code, first["reach"], first["outfall"]) == (0, "m1", "canal")
    assert answer["unexplained"] < 0.05
    low, high = first["start"]
    assert low < "2026-05-01T06:00:00+08:00" < high
    assert first["mass"][0] < 14_400 < first["mass"][1]
    assert len(answer["notes"]) == err.count("\n") == 2, "a repeated row and one without a value"


@pytest.mark.parametrize("given", ["", "60", "0,60", "60,1", "a,b", "1,inf", "1,2,3"])
def test_how_long_it_lasted_is_two_numbers(
    files: tuple[Path, Path], capsys: pytest.CaptureFixture[str], given: str
) -> None:
    network_file, observations = files
    asked = ["water", "trace", str(network_file), str(observations), f"--lasting={given}"]
    with pytest.raises(SystemExit) as left:
        main(asked)
    assert left.value.code == 2
    assert "two numbers of seconds" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("time,station\n1,s-end\n", "no column value"),
        ("time,station,value\nyesterday,s-end,1\n", "line 2"),
        ("time,station,value\n1,nowhere,1\n", "no station 'nowhere'"),
        ("time,station,value\n1,s-end,much\n", "line 2"),
        ("time,station,value\n1,s-end,1\n2026-05-01T00:00:00Z,s-end,1\n", "some in ISO"),
        ("time,station,value\n", "no value"),
        ("time,station,value\n,,\n", "no value"),
        ("time,station,value,value\n1,s-end,1,2\n", "there twice: value"),
        ("time,station,value\n1,s-end,7,1\n", "line 2: more cells"),
        ("time,station,value\ninf,s-end,1\n", "no time"),
        ("time,station,value\n1,s-end," + "1" * 200_000 + "\n", "line 2"),
    ],
)
def test_observations_that_are_none_are_refused(
    files: tuple[Path, Path], capsys: pytest.CaptureFixture[str], content: str, says: str
) -> None:
    files[1].write_text(content, "utf-8")
    code, out, err = run(capsys, *files)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert says in err


def test_suspects_are_sorted(files: tuple[Path, Path]) -> None:
    truth = read(valley())
    source = Discharge(truth.points["east"], 4.0, 6 * 3600.0, 7 * 3600.0)
    suspects: list[Suspect] = trace(truth, seen(truth, source, 2)).suspects
    ranked = [one.probability for one in suspects]
    assert ranked == sorted(ranked, reverse=True)


def test_only_what_flows_past_the_stations_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """The rest of a city's network costs nothing."""
    truth = read(valley())
    source = Discharge(truth.points["west-high"], 4.0, 6 * 3600.0, 7 * 3600.0)
    asked: list[str] = []
    original = Responses.of

    def of(self: Responses, reach: str, offset_m: float) -> dict[str, Response]:
        asked.append(reach)
        return original(self, reach, offset_m)

    monkeypatch.setattr(Responses, "of", of)
    west = {name: one for name, one in seen(truth, source, 3).items() if name == "s-west"}
    assert trace(truth, west).suspects[0].outfall == "west-high"
    assert asked == ["w1"]


def told(content: list[str], files: tuple[Path, Path], capsys: Any) -> tuple[Any, list[str]]:
    files[1].write_text("\n".join(content), "utf-8")
    code, out, err = run(capsys, *files)
    answer = json.loads(out)
    assert (code, err.splitlines()) == (0, [f"vigil-cloud: {note}" for note in answer["notes"]])
    return answer["suspects"], answer["notes"]


def test_rows_that_are_odd_are_told_and_change_little(
    files: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    """Reordered, an hour of NaN, far ahead, a day late."""
    head, *rows = files[1].read_text("utf-8").splitlines()[:-2]
    usual, notes = told([head, *rows], files, capsys)
    assert notes == []
    found, notes = told([head, *reversed(rows)], files, capsys)
    assert found == usual
    assert "earlier than the one before" in notes[0]
    hour = [row.rpartition(",")[0] + ",NaN" if "T10:" in row else row for row in rows]
    found, notes = told([head, *hour], files, capsys)
    assert found[0]["outfall"] == usual[0]["outfall"]
    assert "without a value" in notes[0]
    ahead = "2999-01-01T00:00:00+08:00,s-end,40"
    found, notes = told([head, *rows[:20], ahead, *rows[20:]], files, capsys)
    assert found == usual
    assert any("1 rows lie in the future" in note for note in notes)
    late = rows[20].replace("2026-05-01", "2026-04-30")
    found, notes = told([head, *rows[:20], late, *rows[20:]], files, capsys)
    assert found[0]["outfall"] == usual[0]["outfall"]
    assert "earlier than the one before" in notes[0]


def test_a_velocity_that_is_a_series_counts_in_both_commands(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What the one makes with a series the other finds with it, and not without."""
    canal, table = tmp_path / "canal.geojson", tmp_path / "seen.csv"
    slower = [[0, 1.0], [21_600, 1.0], [25_200, 0.4], [72_000, 0.4]]
    canal.write_text(json.dumps({**valley(), "velocity_factor": slower}), "utf-8")
    asked = ["--release", "canal,4,21600,25200", "--until", "72000", "--step", "300"]
    assert main(["water", "transport", str(canal), *asked, "--station", "s-end"]) == 0
    made = capsys.readouterr().out.splitlines()[1:]
    rows = [line.replace(",", ",s-end,") for line in made]
    rows += [f"{at},s-join,0" for at in range(0, 72_000, 300)]  # above the outfall
    table.write_text("\n".join(["time,station,value", *rows]), "utf-8")

    def first() -> Any:
        code, out, _ = run(capsys, canal, table)
        assert code == 0
        return next(one for one in json.loads(out)["suspects"] if one["outfall"] == "canal")

    found = first()
    assert found["start"][0] < 21_600 < found["start"][1]
    assert found["mass"][0] < 14_400 < found["mass"][1]
    canal.write_text(json.dumps(valley()), "utf-8")
    assert first()["start"][0] > found["start"][1], "it would have begun later"


def test_a_single_value_suspects_everybody_above(
    files: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    text = "time,station,value\n72000,s-end,1\n71000,s-west,0\n71060,s-west,0\n"
    files[1].write_text(text, "utf-8")
    code, out, err = run(capsys, *files)
    answer = json.loads(out)
    by_name = {one["outfall"]: one for one in answer["suspects"]}
    assert (code, {"west-high", "west-low", "east", "canal"} <= set(by_name)) == (0, True)
    assert all(one["probability"] > 0.02 for name, one in by_name.items() if name)
    whole = sum(one["probability"] for one in answer["suspects"]) + answer["unexplained"]
    assert whole == pytest.approx(1, abs=1e-4)
    assert "s-end has fewer than 4 values" in err
    assert not any("no station has seen" in note for note in answer["notes"])
    for nothing in ("0", "4e-13"):  # and what an arithmetic leaves of it
        files[1].write_text(f"time,station,value\n72000,s-end,{nothing}\n", "utf-8")
        assert json.loads(run(capsys, *files)[1])["suspects"] == []


def test_samples_alone_hold_the_truth_within_what_they_leave_open() -> None:
    truth, random = read(valley()), np.random.default_rng(5)
    held = 0
    for outfall, station in (("canal", "s-end"), ("east", "s-end"), ("west-low", "s-join")) * 4:
        lasting, mass = 2_400 * 3.32 ** random.standard_normal(), 10 ** random.uniform(3, 5)
        begun = 10 * 3600.0
        source = Discharge(truth.points[outfall], mass / lasting, begun, begun + lasting)
        times = np.arange(begun, begun + 12 * 3600, 300.0)
        transport = Transport(truth, truth.points[station], [source.outfall])
        values = concentrations(transport, times, [source])
        at = random.choice(np.flatnonzero(values > 0.02 * values.max()), 2)
        taken = {station: Observed(np.sort(times[at]), values[np.sort(at)])}
        found = next(one for one in trace(truth, taken).suspects if one.outfall == outfall)
        held += found.start_s[0] <= begun <= found.start_s[1]
        held += found.mass_g[0] <= mass <= found.mass_g[1]
    assert held >= 20  # of 24


@pytest.mark.parametrize("sample", [0.0, 2.0])
def test_a_sample_elsewhere_parts_the_suspects_of_another(sample: float) -> None:
    """West or east: at the west's station there was nothing, or there was."""
    arms = read(valley())
    both = {
        "s-end": Observed(np.array([60_000.0]), np.array([2.0])),
        "s-west": Observed(np.array([48_500.0, 49_500.0]), np.array([sample, sample])),
    }
    suspects = trace(arms, both).suspects
    chances = {one.outfall: one.probability for one in suspects}
    assert all(one.mass_g[0] > 1_000 for one in suspects), "2 g/m³ at the end are kilograms"
    if sample:
        assert max(chances, key=lambda name: chances[name]) == "west-high"
    else:
        assert chances["west-high"] < 0.5 * chances["east"]


def test_a_background_that_was_cut_off_at_0_leaves_noise() -> None:
    """Half of what is left is 0; the middle of it says that there is no noise at all."""
    truth, random = read(valley()), np.random.default_rng(3)
    source = Discharge(truth.points["canal"], 1.0, 6 * 3600.0, 6 * 3600 + 600.0)
    whole = seen(truth, source, 7)
    highest = max(float(one.values.max()) for one in whole.values())
    for part in (0.01, 0.03):
        cut = {
            name: one._replace(
                values=np.maximum(
                    one.values + part * highest * random.standard_normal(len(one.values)), 0.0
                )
            )
            for name, one in whole.items()
        }
        traced = trace(truth, cut)
        assert traced.suspects[0].outfall == "canal"
        assert traced.unexplained < 0.05
