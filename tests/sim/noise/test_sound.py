"""Street sound against theory: Doppler, 1/r, delays between microphones, promised levels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vigil_sim.noise.propagation import SPEED_OF_SOUND, emission_times, propagate
from vigil_sim.noise.sound import (
    HEARD_S,
    StreetSound,
    Vehicle,
    background,
    pascal_per_unit,
    passage,
)
from vigil_sim.noise.vehicle import SAMPLE_RATE, Motion, microphone_array
from vigil_sim.noise.weighting import REFERENCE_PA, LAFmax, a_response, a_weighted, fast_level

HERE = np.zeros((1, 3))
SCOOTER = Vehicle("scooter", 12.5, (5200.0, 8200.0), 97.0, seed=3)


def tone(frequency: float, begins: float, ends: float) -> np.ndarray:
    t = np.arange(round(begins * SAMPLE_RATE), round(ends * SAMPLE_RATE)) / SAMPLE_RATE
    return np.sin(2 * np.pi * frequency * t)


def frequency_of(signal: np.ndarray) -> float:
    """By the phase's slope between quadrature demodulations."""
    size = 1 << 18
    spectrum = np.abs(np.fft.rfft(signal * np.hanning(signal.size), size))
    peak = int(spectrum.argmax())
    a, b, c = np.log(spectrum[peak - 1 : peak + 2])
    return float((peak + 0.5 * (a - c) / (a - 2 * b + c)) * SAMPLE_RATE / size)


@pytest.mark.parametrize("speed", [10.0, 25.0, -25.0])
def test_doppler_shift_is_that_of_theory(speed: float) -> None:
    # Straight at the microphone and straight away from it: f' = f / (1 ∓ v/c).
    motion = Motion((0.0, 0.02, 0.0), (speed, 0.0, 0.0))
    t = np.arange(-2 * SAMPLE_RATE, 2 * SAMPLE_RATE) / SAMPLE_RATE
    heard = propagate(tone(1000, -4, 3), -4.0, SAMPLE_RATE, motion, HERE, t)[:, 0]
    distance = np.abs(speed) * 1.5
    assert distance > 10
    coming, going = heard[:SAMPLE_RATE], heard[-SAMPLE_RATE:]
    mach = abs(speed) / SPEED_OF_SOUND
    assert frequency_of(coming) == pytest.approx(1000 / (1 - mach), rel=1e-3)
    assert frequency_of(going) == pytest.approx(1000 / (1 + mach), rel=1e-3)


@given(x=st.floats(-80, 80), y=st.floats(1, 30), v=st.floats(-40, 40), t=st.floats(-3, 3))
def test_sound_is_heard_when_it_has_travelled_its_way(
    x: float, y: float, v: float, t: float
) -> None:
    motion = Motion((x, y, 0.5), (v, 0.0, 0.0))
    emitted, distance = emission_times(motion, HERE[0], np.array([t]))
    there = np.array([x + v * emitted[0], y, 0.5])
    assert emitted[0] < t
    assert np.linalg.norm(there) == pytest.approx(SPEED_OF_SOUND * (t - emitted[0]), rel=1e-9)
    assert distance[0] == pytest.approx(np.linalg.norm(there), rel=1e-9)


def test_twice_the_distance_is_6_decibels_less() -> None:
    t = np.arange(0, SAMPLE_RATE) / SAMPLE_RATE
    levels = []
    for metres in (5.0, 10.0, 20.0):
        motion = Motion((0.0, metres, 0.0), (0.0, 0.0, 0.0))
        heard = propagate(tone(500, -1, 2), -1.0, SAMPLE_RATE, motion, HERE, t)
        levels.append(20 * np.log10(np.sqrt(np.mean(heard**2))))
    assert np.diff(levels) == pytest.approx([-6.0206, -6.0206], abs=1e-3)
    assert levels[0] == pytest.approx(20 * np.log10(np.sqrt(0.5) / 5.0), abs=1e-2)


def test_the_array_hears_a_source_with_the_delays_of_its_geometry() -> None:
    microphones = microphone_array(4)
    assert np.linalg.norm(microphones - microphones.mean(axis=0), axis=1) == pytest.approx(0.05)
    motion = Motion((30.0, 2.0, 0.5), (0.0, 0.0, 0.0))
    t = np.arange(0, SAMPLE_RATE // 2) / SAMPLE_RATE
    noise = np.random.default_rng(1).standard_normal(2 * SAMPLE_RATE)
    sound = np.convolve(noise, np.hanning(24), "same")
    heard = propagate(sound, -1.0, SAMPLE_RATE, motion, microphones, t)
    source = np.array(motion.nearest)
    for channel in (1, 2, 3):
        spectrum = np.fft.rfft(heard[:, channel]) * np.conj(np.fft.rfft(heard[:, 0]))
        lags = np.fft.irfft(spectrum, 16 * len(t))  # sixteen steps to a sample
        lag = int(lags.argmax())
        lag = lag if lag < len(lags) / 2 else lag - len(lags)
        path = np.linalg.norm(source - microphones[channel]) - np.linalg.norm(
            source - microphones[0]
        )
        assert lag / 16 == pytest.approx(path / SPEED_OF_SOUND * SAMPLE_RATE, abs=0.07)


@pytest.mark.parametrize(
    ("frequency", "decibels"), [(1000, 0.0), (100, -19.1), (31.5, -39.4), (4000, 1.0), (8000, -1.1)]
)
def test_a_weighting_is_the_standard_s(frequency: float, decibels: float) -> None:
    exact = 1000 * 10 ** (round(10 * np.log10(frequency / 1000)) / 10)
    value = 20 * np.log10(np.abs(a_response(np.array([exact]))[0]))
    assert value == pytest.approx(decibels, abs=0.06)


def test_fast_level_of_a_calibrator_is_94() -> None:
    pressure = tone(1000, 0, 2) * np.sqrt(2) * REFERENCE_PA * 10 ** (94 / 20)
    assert fast_level(pressure, SAMPLE_RATE)[-1] == pytest.approx(94.0, abs=0.02)


@settings(max_examples=6, deadline=None)
@given(
    kind=st.sampled_from(["scooter", "car", "van"]),
    wanted=st.floats(60, 105),
    speed=st.floats(6, 25),
    away=st.booleans(),
    seed=st.integers(0, 2**40),
)
def test_a_passage_is_as_loud_as_promised(
    kind: str, wanted: float, speed: float, away: bool, seed: int
) -> None:
    vehicle = Vehicle(kind, speed, (2000.0, 3000.0), wanted, away, seed)  # type: ignore[arg-type]  # hypothesis gives str
    pressure = passage(vehicle, 2).astype(np.float64)
    assert LAFmax(pressure[:, 0], SAMPLE_RATE) == pytest.approx(wanted, abs=0.01)
    # The other microphone stands 8 cm away: nearly the same level.
    assert LAFmax(pressure[:, 1], SAMPLE_RATE) == pytest.approx(wanted, abs=0.5)
    loudest = fast_level(pressure[:, 0], SAMPLE_RATE).argmax() / SAMPLE_RATE - HEARD_S
    assert abs(loudest) < 1.0


def test_the_same_seed_gives_the_same_sound_and_another_another() -> None:
    assert np.array_equal(passage(SCOOTER, 1), passage(SCOOTER, 1))
    other = Vehicle("scooter", 12.5, (5200.0, 8200.0), 97.0, seed=4)
    assert not np.array_equal(passage(SCOOTER, 1), passage(other, 1))


def test_the_scooter_s_pitch_rises_with_its_engine_and_keeps_its_harmonics() -> None:
    steady = Vehicle("scooter", 0.001, (6000.0, 6000.0), 90.0, seed=1)
    sound = passage(steady, 1)[4 * SAMPLE_RATE : 12 * SAMPLE_RATE, 0].astype(np.float64)
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(sound.size)))
    hertz = np.fft.rfftfreq(sound.size, 1 / SAMPLE_RATE)
    # One cylinder, four strokes: it fires at rpm/120 = 50 Hz.
    for harmonic in (2, 5, 10, 20):
        near = np.abs(hertz - 50 * harmonic) < 2
        between = np.abs(hertz - 50 * (harmonic + 0.5)) < 2
        assert spectrum[near].max() > 5 * spectrum[between].max()


def test_the_background_has_its_level_and_no_seam() -> None:
    loop = background(54.0, 2, seed=5)
    twice = np.concatenate([loop[:, 0], loop[:, 0]])
    weighted = a_weighted(twice, SAMPLE_RATE)[SAMPLE_RATE:]
    level = 10 * np.log10(np.mean(weighted**2) / REFERENCE_PA**2)
    assert level == pytest.approx(54.0, abs=0.2)
    jumps = np.abs(np.diff(twice))
    assert jumps[len(loop) - 1] <= jumps[: len(loop) - 1].max()


class TestStreetSound:
    @staticmethod
    def street(full_scale: float = 130.0) -> StreetSound:
        return StreetSound(channels=1, full_scale_peak_db=full_scale, background_db=50.0, seed=9)

    def test_blocks_join_to_one_stream_however_they_are_cut(self) -> None:
        street = self.street()
        street.add(500_000, passage(SCOOTER, 1))
        whole = street.block(100_000, 9_000)
        parts = b"".join(street.block(first, 1_500) for first in range(100_000, 109_000, 1_500))
        assert parts == whole

    def test_the_quiet_street_repeats_without_work(self) -> None:
        street = self.street()
        round_trip = 12 * SAMPLE_RATE
        assert street.block(123, 1000) == street.block(123 + round_trip, 1000)
        across = street.block(round_trip - 300, 1000)
        assert across == street.block(round_trip - 300, 300) + street.block(0, 700)

    def test_levels_survive_the_converter(self) -> None:
        street = self.street()
        middle = round(HEARD_S * SAMPLE_RATE)
        street.add(middle, passage(SCOOTER, 1))
        samples = np.frombuffer(street.block(0, 2 * middle), "<i2") / 32768
        assert np.abs(samples).max() < 0.99
        pressure = samples * pascal_per_unit(130.0)
        assert LAFmax(pressure, SAMPLE_RATE) == pytest.approx(97.0, abs=0.05)

    def test_too_loud_clips_as_a_converter_does(self) -> None:
        street = self.street(full_scale=100.0)
        middle = round(HEARD_S * SAMPLE_RATE)
        street.add(middle, passage(SCOOTER, 1))
        samples = np.frombuffer(street.block(0, 2 * middle), "<i2")
        assert samples.max() == 32767
        assert samples.min() == -32768

    def test_what_is_over_is_forgotten(self) -> None:
        street = self.street()
        middle = round(HEARD_S * SAMPLE_RATE)
        street.add(middle, passage(SCOOTER, 1))
        loud = street.block(middle, 100)
        street.forget_before(2 * middle)
        assert street.block(middle, 100) != loud
