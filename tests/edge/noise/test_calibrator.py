"""A calibrator's tone is recognised by itself; nothing of a street is taken for one."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.noise.test_event import NOON, PASSAGE, PLACE, RATE
from edge.noise.tones import tone
from vigil_edge.cli import main
from vigil_edge.noise.calibrations import CalibrationSettings, Standing, log, restored
from vigil_edge.noise.event import exceedance
from vigil_edge.noise.instrument import Instrument
from vigil_edge.noise.listening import Listener, Recorded
from vigil_edge.noise.meter.calibrator import CALIBRATOR, Calibration, CalibratorWatch
from vigil_edge.noise.meter.levels import pascal_per_unit
from vigil_edge.noise.sound.clock import StreamTime
from vigil_edge.noise.sound.pcm import PcmFormat
from vigil_edge.noise.sound.settings import AudioSettings
from vigil_edge.noise.sound.wav import write_wav
from vigil_schemas.noise import FieldCalibration
from vigil_sim.noise.clips.scene import SOURCES, clip

HZ = 16_000
FULL_SCALE_DB = 125.0
PASCAL = pascal_per_unit(FULL_SCALE_DB)


def heard(
    sound: np.ndarray, rate_hz: int = HZ, *, calibrated: bool = True, nominal: float = 94.0
) -> list[Calibration]:
    layout = PcmFormat("f64le", rate_hz, 1)
    watch = CalibratorWatch(rate_hz, PASCAL, calibrated, nominal)
    one = Instrument(layout, PASCAL, True, "switched-on", compiled=False, calibrator=watch)
    units = sound / PASCAL
    for first in range(0, len(units), rate_hz // 5):
        one.feed(units[first : first + rate_hz // 5])
    one.flush()
    return one.calibrations


def noise(level_db: float, seconds: float, rate_hz: int = HZ) -> np.ndarray:
    rng = np.random.default_rng(round(level_db))
    white = rng.standard_normal(round(seconds * rate_hz))
    return np.asarray(white * 20e-6 * 10 ** (level_db / 20))


def put_on(level_db: float, seconds: float = 10, hz: float = 1000.0) -> np.ndarray:
    """A quiet street, the calibrator, the street again."""
    sound = np.concatenate([noise(55, 3.3), tone(level_db, seconds, HZ, hz), noise(55, 3)])
    return np.asarray(sound + noise(50, len(sound) / HZ)[: len(sound)])


@settings(max_examples=25, deadline=None)
@given(
    st.sampled_from([94.0, 114.0]),
    st.floats(-1.5, 1.5),
    st.floats(990.0, 1010.0),
)
def test_it_tells_level_drift_and_frequency(nominal: float, off_db: float, hz: float) -> None:
    (found,) = heard(put_on(nominal + off_db, hz=hz))
    assert found.nominal_db == nominal
    assert found.drift_db == pytest.approx(off_db, abs=0.02)
    assert found.frequency_hz == pytest.approx(hz, abs=0.1)
    corrected = found.level_db + 20 * np.log10(found.pascal_per_unit / PASCAL)
    assert corrected == pytest.approx(nominal, abs=1e-6)


@pytest.mark.parametrize("rate_hz", [8000, 44_100, 48_000])
def test_at_any_rate(rate_hz: int) -> None:
    sound = np.concatenate([noise(50, 3, rate_hz), tone(94.2, 8, rate_hz), noise(50, 3, rate_hz)])
    (found,) = heard(sound, rate_hz)
    assert found.drift_db == pytest.approx(0.2, abs=0.02)


def test_an_unknown_scale_takes_it_for_what_is_said() -> None:
    (found,) = heard(put_on(71.0), calibrated=False, nominal=114.0)
    assert found.nominal_db == 114.0
    assert found.pascal_per_unit / PASCAL == pytest.approx(10 ** (43 / 20), rel=1e-3)


def test_a_tone_that_goes_on_is_told_once() -> None:
    (found,) = heard(put_on(94.0, seconds=80))
    assert found.samples >= 28 * HZ


@pytest.mark.parametrize(
    "sound",
    [
        put_on(94.0, seconds=3),
        put_on(104.0),
        put_on(94.0, hz=1100.0),
        put_on(94.0) + noise(82, 16.3),
        np.concatenate([tone(92 + step, 2, HZ) for step in range(5)]),
        np.concatenate([tone(94.0, 1, HZ, 985.0 + 7 * step) for step in range(5)] * 4),
        tone(94.0, 20, HZ) * (1 + 0.05 * np.sin(2 * np.pi * 0.7 * np.arange(20 * HZ) / HZ)),
    ],
    ids=["short", "between", "other frequency", "in noise", "steps", "warbling", "swelling"],
)
def test_what_is_no_calibrator(sound: np.ndarray) -> None:
    assert heard(sound) == []


@pytest.mark.parametrize("kind", sorted(SOURCES))
def test_no_sound_of_a_street_is_one(kind: str) -> None:
    for seed in range(4):
        sound = clip(kind, seed, HZ, seconds=8.0)
        loud = 20e-6 * 10 ** (94 / 20) * sound / np.sqrt(np.mean(sound**2) + 1e-12)
        assert heard(loud) == []


def test_measure_says_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "tone.wav"
    write_wav(file, (put_on(94.3) / PASCAL).astype(np.float32)[:, None], HZ)
    words = ["noise", "measure", str(file)]
    assert main([*words, "--full-scale-peak-db", str(FULL_SCALE_DB), "--channel", "all"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    (found,) = (line for line in lines if line["kind"] == "calibration")
    assert found["channel"] == 0
    assert found["nominal"] == 94.0
    assert found["drift"] == pytest.approx(0.3, abs=0.02)
    assert 3.3 <= found["t"] <= 5.5
    assert 11.0 <= found["end"] <= 13.5
    # Without a scale it is what sets one.
    assert main([*words, "--calibrator-db", "114"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    (found,) = (line for line in lines if line["kind"] == "calibration")
    assert found["nominal"] == 114.0
    assert found["pascal_per_unit"] == pytest.approx(PASCAL * 10 ** (19.7 / 20), rel=0.005)
    assert main([*words, "--calibrator-db", "104"]) == 2
    assert "94 or 114" in capsys.readouterr().err


def test_live_its_tone_founds_no_case_and_what_it_said_is_told() -> None:
    audio = AudioSettings.model_validate(
        {
            "source": "pcm",
            "address": "tcp://127.0.0.1:9",
            "format": f"f64le:{HZ}:1",
            "full_scale_peak_db": FULL_SCALE_DB,
        }
    )
    ear = Listener(audio.layout, audio, 86.0, 3.0, 2.0, 3.0)
    begin, found, passages = datetime(2026, 3, 1, tzinfo=UTC), [], []
    units = (put_on(94.1, seconds=9) / PASCAL)[:, None]
    for first in range(0, len(units), HZ // 10):
        now = begin + timedelta(seconds=(first + HZ // 10) / HZ)
        told = ear.feed(units[first : first + HZ // 10], now)
        found += told.calibrations
        passages += told.recorded
    told = ear.flush()
    found += told.calibrations
    passages += told.recorded
    ((at, calibration),) = found
    assert calibration.drift_db == pytest.approx(0.1, abs=0.02)
    assert abs((at - begin).total_seconds() - 12) < 2
    assert passages
    assert all(CALIBRATOR in one.passage.flags for one in passages)


def told(standing: Standing) -> tuple[str, list[str]]:
    clock = StreamTime(RATE, NOON.timestamp() - 5.0)
    frames = np.zeros((10 * RATE, 1), np.int16)
    recorded = Recorded(PASSAGE, clock, frames, 0, [60.0, 91.0, 60.0], 0)
    event = exceedance(PLACE, recorded, standing)
    assert event.judgement is not None
    assert event.calibration == standing.newest
    return event.judgement.decision, event.judgement.reasons


def by_calibrator(hours_before: float, drift_db: float = 0.05) -> FieldCalibration:
    return FieldCalibration(
        time=NOON - timedelta(hours=hours_before),
        by="calibrator",
        frequency_hz=1000.0,
        level_db=94.0 + drift_db,
        nominal_db=94.0,
        drift_db=drift_db,
    )


@pytest.mark.parametrize(
    ("hours", "drift_db", "reasons"),
    [
        (71.9, 0.05, []),
        (72.1, 0.05, ["calibration-expired"]),
        (1.0, -0.51, ["calibration-drifted"]),
        (100.0, 0.9, ["calibration-expired", "calibration-drifted"]),
        (-2.0, 0.0, ["calibration-expired"]),
    ],
)
def test_no_case_rests_on_a_calibration_that_is_over(
    hours: float, drift_db: float, reasons: list[str]
) -> None:
    standing = Standing(CalibrationSettings(), by_calibrator(hours, drift_db))
    decision = "not-valid" if reasons else "exceedance"
    assert told(standing) == (decision, reasons)


def test_where_none_is_known_the_settings_decide() -> None:
    assert told(Standing()) == ("exceedance", [])
    required = CalibrationSettings(required=True)
    assert told(Standing(required)) == ("not-valid", ["calibration-expired"])
    by_hand = CalibrationSettings(required=True, at=NOON - timedelta(hours=3))
    assert told(Standing(by_hand)) == ("exceedance", [])
    # The later of the two counts: a new sensitivity begins anew.
    drifted = by_calibrator(5.0, 0.9)
    assert told(Standing(by_hand, drifted)) == ("exceedance", [])
    assert told(Standing(by_hand, by_calibrator(1.0, 0.9)))[0] == ("not-valid")


def test_it_survives_a_restart_and_is_logged(tmp_path: Path) -> None:
    found = Calibration(0, 8 * HZ, 1000.1, 94.07, 94.0, 12.5)
    standing = Standing().heard(found, NOON)
    in_force = 12.5 * 10 ** (0.07 / 20)
    assert restored(standing.settings, standing.kept(), in_force) == standing
    assert restored(standing.settings, None, in_force).last is None
    assert restored(standing.settings, b"{", in_force).last is None
    for _ in range(2):
        log(tmp_path, standing, found)
    lines = (tmp_path / "calibrations.jsonl").read_text().splitlines()
    assert len(lines) == 2
    said = json.loads(lines[0])
    assert (said["drift_db"], said["pascal_per_unit"]) == (0.07, 12.5)


def test_a_sensitivity_changed_since_the_tone_is_a_drift() -> None:
    heard_then = Standing().heard(Calibration(0, 8 * HZ, 1000.0, 94.6, 94.0, 12.5), NOON)
    assert told(heard_then)[1] == ["calibration-drifted"]
    # As the tone said it: the same calibration now bears the new sensitivity out.
    mended = restored(CalibrationSettings(), heard_then.kept(), 12.5)
    assert mended.last is not None
    assert (mended.last.level_db, mended.last.drift_db) == (94.0, 0.0)
    assert told(mended) == ("exceedance", [])
    # Otherwise: what it reads is 3 dB wrong, and no case rests on it.
    wrong = restored(CalibrationSettings(), mended.kept(), 12.5 * 10 ** (3 / 20))
    assert wrong.last is not None
    assert (wrong.last.level_db, wrong.last.drift_db) == (97.0, 3.0)
    assert told(wrong) == ("not-valid", ["calibration-drifted"])
    absurd = restored(CalibrationSettings(), mended.kept(), 12.5e9)
    assert absurd.last is not None
    assert absurd.last.drift_db == 20.0


def test_on_a_microphone_without_a_scale_a_tone_says_the_sensitivity_and_no_drift() -> None:
    (found,) = heard(put_on(71.0), calibrated=False)
    standing = Standing().heard(found, NOON, calibrated=False)
    assert standing.last is not None
    assert standing.last.drift_db is None
    assert standing.pascal_per_unit == pytest.approx(PASCAL * 10 ** (23 / 20), rel=1e-3)
    again = restored(CalibrationSettings(), standing.kept(), None)
    assert again == standing
    set_by_it = restored(CalibrationSettings(), standing.kept(), standing.pascal_per_unit)
    assert set_by_it.last is not None
    assert set_by_it.last.drift_db == 0.0
