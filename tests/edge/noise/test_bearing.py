"""Bearings of sources whose place is known; the sound is rendered by the simulators' physics."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from vigil_edge.cli import main
from vigil_edge.noise.bearing.array import ArrayDescription, MicrophoneArray, load_description
from vigil_edge.noise.bearing.estimate import Bearing, Estimator, bearings
from vigil_edge.noise.errors import ArrayUnusable
from vigil_edge.noise.sound.wav import write_wav
from vigil_sim.noise.propagation import SPEED_OF_SOUND, emission_times, propagate
from vigil_sim.noise.vehicle import Motion, source_signal

Array = npt.NDArray[np.float64]
RATE = 48_000
SQUARE = 0.04 * np.array([[1.0, 1, 0], [-1, 1, 0], [-1, -1, 0], [1, -1, 0]])
TETRAHEDRON = 0.2 / np.sqrt(8) * np.array([[1.0, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]])
RING = np.array([[np.cos(a), np.sin(a), 0] for a in np.arange(8) * np.pi / 4]) * 0.1
LINE = np.array([[-0.06, 0, 0], [0.06, 0, 0]])


def described(positions: Array, **more: float) -> ArrayDescription:
    given = [(float(x), float(y), float(z)) for x, y, z in positions]
    return ArrayDescription.model_validate(
        {"positions": given, "speed_of_sound": SPEED_OF_SOUND, **more}
    )


def diffuse(positions: Array, samples: int, rng: np.random.Generator) -> Array:
    """Plane waves from all over the sphere, each on its own, root mean square 1."""
    hz = np.fft.rfftfreq(samples, 1 / RATE)
    spectra = np.zeros((hz.size, len(positions)), complex)
    for _ in range(40):
        way = rng.standard_normal(3)
        way /= np.linalg.norm(way)
        wave = np.fft.rfft(rng.standard_normal(samples))[:, np.newaxis]
        spectra += wave * np.exp(2j * np.pi * np.outer(hz, positions @ way) / SPEED_OF_SOUND)
    sound = np.fft.irfft(spectra, samples, axis=0)
    return np.asarray(sound / sound.std())


def heard(positions: Array, motion: Motion, seconds: float, seed: int) -> tuple[Array, Array]:
    """A car 10 dB above a diffuse field, and its azimuth for each sample when it is heard."""
    rng = np.random.default_rng(seed)
    t = np.arange(round(seconds * RATE)) / RATE
    early = 0.3
    source_t = np.arange(round((seconds + early) * RATE)) / RATE
    source = source_signal("car", (2000.0, 2400.0), source_t, rng)
    sound = propagate(source, -early, RATE, motion, positions, t)
    noise = diffuse(positions, t.size, rng) * sound.std() * 10 ** (-10 / 20)
    emitted, _ = emission_times(motion, np.zeros(3), t)
    place = np.array(motion.nearest) + np.outer(emitted, np.array(motion.velocity))
    return sound + noise, np.degrees(np.arctan2(place[:, 1], place[:, 0]))


def errors(found: list[Bearing], azimuth: Array) -> Array:
    told = [
        (each.azimuth - azimuth[int(each.t * RATE)] + 180) % 360 - 180
        for each in found
        if each.azimuth is not None
    ]
    return np.abs(told)


def measured(positions: Array, sound: Array, **more: float) -> list[Bearing]:
    array = MicrophoneArray.of(described(positions, **more))
    return list(bearings(array, RATE, [sound.astype(np.float32)]))


@pytest.mark.parametrize("positions", [SQUARE, TETRAHEDRON, RING], ids=["square", "tetra", "ring"])
def test_a_standing_source_10_db_above_a_diffuse_field(positions: Array) -> None:
    motion = Motion((-6.0, 5.0, -3.0), (0.0, 0.0, 0.0))
    sound, azimuth = heard(positions, motion, 1.0, 3)
    found = measured(positions, sound)
    assert [each.t for each in found[:3]] == [0.02, 0.06, 0.1]
    assert len(found) == 25
    wrong = errors(found, azimuth)
    assert len(wrong) >= 0.9 * len(found)
    assert np.median(wrong) <= 0.5
    assert np.quantile(wrong, 0.95) <= 1.5


def test_a_far_source_of_a_large_array_in_space() -> None:
    """Its four microphones tell a direction and how bent the wave front is, and nothing more."""
    positions = np.array([[0.5, 0, 0], [-0.5, 0, 0.2], [0, 0.5, 0.1], [0, -0.5, 0.4]])
    sound, azimuth = heard(positions, Motion((-16.0, 44.0, -3.0), (0.0, 0.0, 0.0)), 1.0, 3)
    wrong = errors(measured(positions, sound), azimuth)
    assert len(wrong) >= 22
    assert np.median(wrong) <= 0.3


def test_a_source_that_passes() -> None:
    motion = Motion((-8.0, 5.0, -3.0), (14.0, 0.0, 0.0))
    sound, azimuth = heard(SQUARE, motion, 1.2, 4)
    found = measured(SQUARE, sound)
    wrong = errors(found, azimuth)
    assert len(wrong) >= 0.9 * len(found)
    assert np.median(wrong) <= 0.5
    assert np.quantile(wrong, 0.95) <= 1.5


def test_it_abstains_in_a_diffuse_field_and_in_silence() -> None:
    rng = np.random.default_rng(5)
    for noise in (diffuse(SQUARE, RATE, rng), rng.standard_normal((RATE, 4))):
        found = measured(SQUARE, noise)
        assert sum(each.azimuth is None for each in found) >= 0.9 * len(found)
    assert all(each.azimuth is None for each in measured(SQUARE, np.zeros((RATE // 2, 4))))


def test_the_bearings_do_not_depend_on_the_blocks() -> None:
    sound, _ = heard(SQUARE, Motion((4.0, 5.0, -3.0), (0.0, 0.0, 0.0)), 1.0, 6)
    whole = measured(SQUARE, sound)
    estimator = Estimator(MicrophoneArray.of(described(SQUARE)), RATE)
    parts: list[Bearing] = []
    for block in np.array_split(sound.astype(np.float32), [1, 500, 7001, 30000]):
        parts += estimator.feed(block)
    assert parts + estimator.flush() == whole


def test_microphones_of_unequal_gain() -> None:
    sound, azimuth = heard(SQUARE, Motion((4.0, 5.0, -3.0), (0.0, 0.0, 0.0)), 1.0, 7)
    wrong = errors(measured(SQUARE, sound * np.array([1.0, 0.5, 2.0, 0.8])), azimuth)
    assert len(wrong) >= 22
    assert np.median(wrong) <= 0.5


def test_a_line_tells_both_sides_and_answers_on_the_one_it_faces() -> None:
    sound, azimuth = heard(LINE, Motion((5.0, 5.0, 0.0), (0.0, 0.0, 0.0)), 0.6, 8)
    for facing, sign in ((90.0, 1), (-90.0, -1)):
        found = measured(LINE, sound, facing=facing)
        assert np.median(errors(found, sign * azimuth)) <= 1.0
        for each in found:
            if each.azimuth is not None and each.mirror is not None:
                # The mirror is of the single bearing, the azimuth is smoothed.
                assert abs((each.azimuth + each.mirror + 180) % 360 - 180) < 1.0


@pytest.mark.parametrize(
    ("positions", "words"),
    [
        ([[0, 0, 0]], "positions"),
        ([[0, 0, 0], [0, 0, 0.1]], "above each other"),
        ([[0, 0, 0], [0, 0, 0]], "0.0 mm apart"),
        ([[0, 0, 0], [80, 0, 0]], "80.0 m apart"),
    ],
)
def test_arrays_that_tell_no_azimuth(positions: list[list[float]], words: str) -> None:
    with pytest.raises((ArrayUnusable, ValueError), match=words):
        MicrophoneArray.of(ArrayDescription.model_validate({"positions": positions}))


@pytest.mark.parametrize("text", ["speed_of_sound = " + "9" * 5000, "positions = " + "[" * 100_000])
def test_numbers_and_lists_without_end_describe_no_array(tmp_path: Path, text: str) -> None:
    (tmp_path / "array.toml").write_text(text, "utf-8")
    with pytest.raises(ArrayUnusable, match=r"array\.toml"):
        load_description(tmp_path / "array.toml")


def test_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sound, azimuth = heard(SQUARE, Motion((4.0, -5.0, -3.0), (0.0, 0.0, 0.0)), 0.5, 9)
    recording, array = tmp_path / "four.wav", tmp_path / "array.toml"
    scaled = (sound / np.abs(sound).max() * 20000).astype(np.int16)
    write_wav(recording, scaled, RATE)
    array.write_text(
        f"speed_of_sound = {SPEED_OF_SOUND}\npositions = {json.dumps(SQUARE.tolist())}\n"
    )
    assert main(["noise", "bearing", str(recording), "--array", str(array)]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(lines) == 12
    assert set(lines[0]) == {"t", "azimuth", "confidence"}
    told = [line["azimuth"] for line in lines if line["azimuth"] is not None]
    assert np.median(told) == pytest.approx(azimuth[0] % 360, abs=0.5)

    array.write_text("positions = [[0, 0, 0], [0.1, 0, 0]]\n")
    assert main(["noise", "bearing", str(recording), "--array", str(array)]) == 2
    assert "4 channels" in capsys.readouterr().err
    array.write_text("positions = [[0, 0")
    assert main(["noise", "bearing", str(recording), "--array", str(array)]) == 2
    assert capsys.readouterr().err.count("\n") == 1

    scaled[:, 2] = 0
    write_wav(recording, scaled, RATE)
    array.write_text(f"positions = {json.dumps(SQUARE.tolist())}\n")
    assert main(["noise", "bearing", str(recording), "--array", str(array)]) == 0
    captured = capsys.readouterr()
    assert "no sound on channel 2" in captured.err
    told = [line["azimuth"] for line in map(json.loads, captured.out.splitlines())]
    assert np.median([each for each in told if each is not None]) == pytest.approx(
        azimuth[0] % 360, abs=2.0
    )
