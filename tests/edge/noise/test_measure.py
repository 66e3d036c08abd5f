"""``vigil-edge noise measure``: what it says of signals whose truth is known."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import data
from edge.noise.tones import Signal, silence, tone
from vigil_edge.cli import main
from vigil_edge.noise.instrument import Extent, Instrument
from vigil_edge.noise.meter import chain
from vigil_edge.noise.meter.channel import meter_of
from vigil_edge.noise.meter.thirds import NOMINAL, ThirdOctaves, exact_hz
from vigil_edge.noise.passage import PassageDetector
from vigil_edge.noise.sound.pcm import PcmFormat
from vigil_edge.noise.sound.wav import write_wav

RATE = 48000
ROUNDING_DB = 0.05
"""Of that meter: it tells tenths."""
FULL_SCALE_DB = 120.0
UNIT_PA = 20.0
Lines = list[dict[str, Any]]
RNG = np.random.default_rng(5)
STREET = 0.01 * RNG.normal(size=6 * RATE)
"""Steady noise of 77 dB or so, in units of full scale."""


def measure(capsys: pytest.CaptureFixture[str], *words: object) -> Lines:
    assert main(["noise", "measure", *map(str, words)]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def saved(folder: Path, units: Signal, rate_hz: int = RATE) -> Path:
    """As 16-bit integers."""
    path = folder / "x.wav"
    frames = units if units.ndim == 2 else units[:, None]
    whole = np.clip(np.round(frames * 32768), -32768, 32767).astype(np.int16)
    write_wav(path, whole, rate_hz)
    return path


def flags(capsys: pytest.CaptureFixture[str], path: Path, *words: object) -> list[set[str]]:
    lines = measure(capsys, path, "--full-scale-peak-db", FULL_SCALE_DB, *words)
    return [set(line["flags"]) for line in lines if line["kind"] == "second"]


@pytest.mark.parametrize("name", ["xl2_000", "xl2_005"])
def test_a_type_approved_meter_is_met_in_everything_it_says(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = data.shared(f"noise/{name}_Audio_FS128.1dBPK_00.wav")
    said = data.shared(f"noise/{name}_123_Report.txt").read_text("latin-1").splitlines()
    head = next(n for n, line in enumerate(said) if "LASmax" in line)
    columns = [word.strip() for word in said[head].split("\t")]
    row = [word.strip() for word in said[head + 2].split("\t")]
    report = {column: value for column, value in zip(columns, row, strict=False) if column}
    total = measure(capsys, path, "--full-scale-peak-db", 128.1)[-1]
    for key, column in {"LAeq": "LAeq", "LAFmax": "LAFmax", "LAFmin": "LAFmin", "LAE": "LAE",
                        "LASmax": "LASmax", "LCeq": "LCeq", "LZeq": "LZeq"}.items():  # fmt: skip
        assert abs(total[key] - float(report[column])) <= 0.10 + ROUNDING_DB, key
    assert abs(total["LCpeak"] - float(report["LCPKmax"])) <= 0.15 + ROUNDING_DB
    for percent, column in ((10, "LAF10.0%"), (50, "LAF50.0%"), (90, "LAF90.0%"), (95, "LAF95.0%")):
        # That meter's classes are 0.1 dB wide, and it names their lower ends.
        assert -0.05 <= total[f"LA{percent}"] - float(report[column]) <= 0.2


def test_every_key_that_was_promised(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = saved(tmp_path, np.stack([STREET, STREET / 2], axis=1))
    words = [path, "--full-scale-peak-db", FULL_SCALE_DB, "--events", "--threshold-db", 60]
    lines = measure(capsys, *words, "--channel", "all")
    second = {"kind", "t", "LAeq", "LAFmax", "LASmax", "LCeq", "LCpeak", "LZeq", "flags"}
    total = {"kind", "duration", "LAeq", "LAFmax", "LAFmin", "LASmax", "LAE", "LCeq", "LCpeak",
             "LZeq", "LA10", "LA50", "LA90", "LA95", "third_octaves"}  # fmt: skip
    trigger = {"kind", "t", "end", "LAFmax", "t_LAFmax", "LAE", "background", "LAFmax_corrected",
               "uncertainty", "flags"}  # fmt: skip
    for line in lines:
        wanted = {"second": second, "total": total, "trigger": trigger}[line["kind"]]
        assert wanted | {"channel"} <= set(line)
    assert [line["channel"] for line in lines if line["kind"] == "total"] == [0, 1]
    assert lines[-2]["LAeq"] - lines[-1]["LAeq"] == pytest.approx(6.02, abs=0.02)
    assert list(lines[-1]["third_octaves"]) == list(NOMINAL)
    assert "channel" not in measure(capsys, *words)[-1]


@pytest.mark.parametrize("rate_hz", [8000, 22050, 44100, 96000])
def test_any_rate_reads_a_tone_right(
    rate_hz: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    units = 0.25 * np.sin(2 * np.pi * 1000 * np.arange(2 * rate_hz) / rate_hz)
    total = measure(capsys, saved(tmp_path, units, rate_hz), "--full-scale-peak-db", 120)[-1]
    wanted = 120 - 12.04 - 3.01
    for key in ("LAeq", "LCeq", "LZeq", "LAFmax", "LAFmin", "LA50"):
        assert total[key] == pytest.approx(wanted, abs=0.03), key
    assert total["LCpeak"] == pytest.approx(120 - 12.04, abs=0.02)
    bands = total["third_octaves"]
    assert bands["1000"] == pytest.approx(wanted, abs=0.05)
    assert {name for name in NOMINAL if bands[name] is None} == {
        name for name in NOMINAL if float(name) > 0.45 * rate_hz
    }


@pytest.mark.parametrize("compiled", [True, False])
def test_no_split_changes_anything(compiled: bool) -> None:
    """Levels, bands, percentiles, passages and flags: in one piece, or in odd ones."""
    signal = np.concatenate([STREET, 0.3 * RNG.normal(size=RATE), STREET[: 3 * RATE // 2]])
    cuts = np.sort(np.append(RNG.integers(0, len(signal), 60), [0, 9_999, 9_999]))

    def run(edges: list[int]) -> tuple[list[Any], list[Any]]:
        instrument = Instrument(
            PcmFormat("f64le", RATE, 1), UNIT_PA, True, "anyhow", PassageDetector(RATE, 90.0),
            Extent(peaks=True, bands=True, percentiles=True), compiled=compiled,
        )  # fmt: skip
        found = [instrument.feed(signal[a:b]) for a, b in pairwise(edges)] + [instrument.flush()]
        seconds = [second for each in found for second in each.seconds]
        passages = [passage for each in found for passage in each.passages]
        levels = [instrument.total, *seconds]
        numbers = [
            [one.LAeq, one.LAFmax, one.LAFmin or 0.0, one.LASmax, one.LCeq, one.LCpeak, one.LZeq]
            for one in levels
        ]
        numbers.append([10 * np.log10(x) for x in instrument.band_mean_squares.values() if x])
        numbers.append([p.LAFmax for p in passages] + [p.LAE for p in passages])
        flat = [x for each in numbers for x in each]
        return flat, [one.flags for one in levels] + [p.flags for p in passages]

    whole, pieces = run([0, len(signal)]), run([0, *cuts.tolist(), len(signal)])
    np.testing.assert_allclose(whole[0], pieces[0], rtol=0, atol=1e-9)
    assert whole[1] == pieces[1]


def test_the_compiled_core_and_scipy_say_the_same() -> None:
    assert chain.core() is not None, "numba is part of the edge"
    signal = np.concatenate([silence(0.2), STREET, np.full(700, 0.2), STREET[:RATE]])
    found = []
    for compiled in (True, False):
        meter = meter_of(PcmFormat("f64le", RATE, 1), UNIT_PA, full_scale_known=True)
        meter = type(meter)(RATE, UNIT_PA, bands=True, peaks=True, compiled=compiled)
        slices = meter.feed(signal)
        assert slices is not None
        assert meter.third_octaves is not None
        found.append((slices, meter.third_octaves.mean_squares()))
    (one, bands), (other, scipys) = found
    for name in ("squares_A", "squares_C", "squares_Z", "LAF_max", "LAF_min", "LAS_max", "C_peak"):
        np.testing.assert_allclose(getattr(one, name), getattr(other, name), rtol=1e-10)
    for name in ("least", "most", "total", "squares", "rises", "bends", "run", "run_value"):
        np.testing.assert_allclose(
            getattr(one.shapes, name), getattr(other.shapes, name), rtol=1e-9, atol=1e-9
        )
    for name in NOMINAL:
        assert bands[name] == pytest.approx(scipys[name], rel=1e-9)


_OCTAVE_POINTS = [(0.0, -0.4, 0.4), (1 / 8, -0.4, 0.5), (1 / 4, -0.4, 0.7), (3 / 8, -0.4, 1.4),
                  (1.0, 16.6, np.inf), (2.0, 40.5, np.inf), (3.0, 60.0, np.inf)]  # fmt: skip
"""IEC 61260-1:2014 table 1, class 1: octaves from the middle, least and most attenuation, dB."""


@pytest.mark.parametrize(("index", "rate_hz"), [(30, 48000), (29, 44100), (17, 48000), (10, 8000)])
def test_bands_are_class_1(index: int, rate_hz: int) -> None:
    ratio = 10**0.3
    for octaves, least, most in _OCTAVE_POINTS:
        apart = 1 + (ratio ** (1 / 6) - 1) / (ratio**0.5 - 1) * (ratio**octaves - 1)
        for hz in {exact_hz(index) * apart, exact_hz(index) / apart}:
            if hz >= rate_hz / 2:
                continue
            bands = ThirdOctaves(rate_hz)
            wave = np.sin(2 * np.pi * hz * np.arange(2 * rate_hz) / rate_hz)
            bands.settle(wave[:rate_hz] * np.hanning(2 * rate_hz)[:rate_hz])
            bands.feed(wave[rate_hz:])
            square = bands.mean_squares()[NOMINAL[index]]
            assert square is not None
            assert least - 0.02 <= -10 * np.log10(square / 0.5) <= most + 0.02


@pytest.mark.parametrize(
    ("flag", "at", "change"),
    [
        ("overload", 2, lambda x: np.where(np.abs(x) > 0.02, np.sign(x), x)),
        ("stuck", 2, lambda x: np.full_like(x, 0.003)),
        ("stuck", 2, lambda x: np.concatenate([x[:9000], np.full(4000, 0.003), x[13000:]])),
        ("drop-out", 2, lambda x: np.concatenate([x[:9000], np.zeros(960), x[9960:]])),
        ("drop-out", 2, lambda x: np.concatenate([x[:9000], np.full(300, 0.001), x[9300:]])),
        ("dc", 2, lambda x: x + 0.2),
        ("under-range", 2, lambda x: x * 1e-3),
        ("silent", 2, np.zeros_like),
    ],
)
def test_a_flag_stands_on_the_second_it_happened(
    flag: str, at: int, change: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    units = STREET.copy()
    assert flags(capsys, saved(tmp_path, units)) == [set()] * 6
    units[at * RATE : (at + 1) * RATE] = change(units[at * RATE : (at + 1) * RATE])
    found = flags(capsys, saved(tmp_path, units))
    assert [n for n, each in enumerate(found) if flag in each] == [at]


@pytest.mark.parametrize("gain_db", [-12.0, -3.0, 6.0])
@pytest.mark.parametrize("ramp_s", [0.0, 0.1])
def test_a_gain_that_changes_is_flagged(
    gain_db: float, ramp_s: float, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    time = np.arange(len(STREET)) / RATE
    share = np.clip((time - 3.3) / max(ramp_s, 1e-9), 0, 1)
    found = flags(capsys, saved(tmp_path, STREET * 10 ** (gain_db * share / 20)))
    hit = {n for n, each in enumerate(found) if "gain-change" in each}
    assert 3 in hit
    assert hit <= {2, 3, 4}


def test_real_sound_and_passing_vehicles_change_no_gain(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A passing source of the background's own spectrum, and recordings from the street."""
    time = np.arange(len(STREET)) / RATE
    source = 0.05 * RNG.normal(size=len(STREET)) / (1 + ((time - 3) * 2) ** 2)
    assert not any(flags(capsys, saved(tmp_path, STREET + source)))
    for number in (1, 2, 3, 4):
        path = data.shared(f"noise/street_CT10{number}.wav")
        assert not any(flags(capsys, path, "--channel", "all"))


def test_a_switched_on_microphone_is_flagged_and_not_counted(
    capsys: pytest.CaptureFixture[str],
) -> None:
    lines = measure(capsys, data.case("noise/mems_startup_plop.wav"), "--full-scale-peak-db", 120)
    assert [line["flags"] for line in lines[:-1]] == [["start-up"], [], [], [], []]
    assert lines[-1]["LAeq"] == pytest.approx(42.3, abs=0.1)
    assert lines[-1]["LAFmax"] == pytest.approx(42.5, abs=0.1)


def test_a_crossing_is_told_with_background_uncertainty_and_decision(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    loud = np.concatenate([tone(70, 5), tone(94, 1), tone(70, 3)]) / UNIT_PA
    path = saved(tmp_path, loud)
    words = [path, "--full-scale-peak-db", FULL_SCALE_DB, "--events"]
    (found,) = (line for line in measure(capsys, *words) if line["kind"] == "trigger")
    assert found["t"] <= found["t_LAFmax"] <= found["end"]
    assert found["t_LAFmax"] == pytest.approx(6.0, abs=0.05)
    assert found["background"] == pytest.approx(70, abs=0.1)
    assert found["LAFmax_corrected"] == pytest.approx(94, abs=0.05)
    assert (found["decision"], found["flags"]) == ("exceedance", [])
    # 94 dB less twice the uncertainty does not stand above 93.8 dB: counted, no exceedance.
    (found,) = (x for x in measure(capsys, *words, "--limit-db", 93.8) if x["kind"] == "trigger")
    assert found["decision"] == "borderline"


@pytest.mark.parametrize(
    ("before_s", "decision"), [(0.0, "not-valid"), (1.0, "not-valid"), (5.0, "exceedance")]
)
def test_without_a_background_nothing_is_an_exceedance(
    before_s: float, decision: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    signal = np.concatenate([tone(70, before_s), tone(94, 1), tone(70, 3)]) / UNIT_PA
    words = [saved(tmp_path, signal), "--full-scale-peak-db", FULL_SCALE_DB, "--events"]
    (found,) = (line for line in measure(capsys, *words) if line["kind"] == "trigger")
    assert found["decision"] == decision
    assert (found["background"] is None) == (decision == "not-valid")
    assert found.get("reasons") == (["background-not-measured"] if before_s < 5 else None)


@pytest.mark.parametrize("block", [RATE // 20, RATE // 3, 4 * RATE, 12 * RATE])
def test_a_change_of_gain_right_behind_a_passage_is_known_in_any_split(block: int) -> None:
    """It shows half a second later, and then belongs to the passage's last second as well."""
    signal = np.concatenate([STREET, STREET]) * 6.0
    signal[int(4.6 * RATE) :] *= 10 ** (-12 / 20)
    instrument = Instrument(
        PcmFormat("f64le", RATE, 1), UNIT_PA, True, "anyhow", PassageDetector(RATE, 90.0)
    )
    pieces = [signal[at : at + block] for at in range(0, len(signal), block)]
    found = [instrument.feed(piece) for piece in pieces] + [instrument.flush()]
    (passage,) = (passage for each in found for passage in each.passages)
    assert passage.ended_sample < 5 * RATE
    assert passage.flags == {"gain-change"}


@pytest.mark.parametrize("half_slices", range(1, 60, 2))
def test_a_recording_may_end_in_any_slice(half_slices: int) -> None:
    """Where a change of gain is sought there may be one or two slices fewer than that takes."""
    units = STREET[: half_slices * RATE // 40]
    instrument = Instrument(PcmFormat("f64le", RATE, 1), UNIT_PA, True, "anyhow")
    instrument.feed(units)
    instrument.flush()
    assert (instrument.total.samples, instrument.flags) == (len(units), frozenset())


def test_bad_options_are_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = saved(tmp_path, STREET[:RATE])
    for words in (["--channel", "some"], ["--channel", "1"], ["--limit-db", "x"]):
        assert main(["noise", "measure", str(path), *words]) == 2
        captured = capsys.readouterr()
        assert captured.out == ""
        assert len(captured.err.splitlines()) == 1
