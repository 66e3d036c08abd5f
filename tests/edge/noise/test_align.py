"""A camera's delay and how it looks, by simulated claps and flashes whose truth is known."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import numpy as np
import pytest

from edge.noise.clapping import (
    BEGAN_S,
    HEIGHT_M,
    PLACES,
    RATE_HZ,
    VIEW,
    Clapping,
    array,
    asked,
    distance_m,
    truth,
)
from edge.noise.street import mjpeg_camera, pcm_server
from vigil_edge.cli import main
from vigil_edge.noise.align import looking
from vigil_edge.noise.align.command import Aligned, Asked, align, lines
from vigil_edge.noise.align.onsets import onsets
from vigil_edge.noise.align.recording import NotAligned, read, record
from vigil_edge.noise.bearing.array import ArraySettings
from vigil_edge.noise.errors import ArrayUnusable
from vigil_edge.noise.pictures.settings import CameraSettings, ViewSettings
from vigil_edge.noise.pictures.view import View as EdgeView
from vigil_edge.noise.settings import NoiseSettings
from vigil_edge.noise.sound.wav import write_wav
from vigil_sim.noise import clapper
from vigil_sim.noise.vehicle import microphone_array


def found(folder: Path, clapping: Clapping, given: Asked | None = None) -> Aligned:
    given = given or Asked(distance_m=distance_m(), height_m=HEIGHT_M)
    name = f"{clapping} {given}"
    if name not in _FOUND:  # several tests ask for other things of the same answer
        _FOUND[name] = align(read(clapping.write(folder)), given)
    return _FOUND[name]


_FOUND: dict[str, Aligned] = {}


NEAR = (PLACES[0],)


def hardest(most: object, *others: object) -> list[object]:
    """The others make the same claim: in the long form."""
    return [most, *(pytest.param(each, marks=pytest.mark.full) for each in others)]


@pytest.mark.parametrize("delay_s", hardest(1.4, 0.0, 0.08, 0.134))
def test_flashes_tell_the_delay_within_ten_milliseconds(tmp_path: Path, delay_s: float) -> None:
    told = found(tmp_path, Clapping(delay_s=delay_s, places=NEAR)).delay
    assert told.seen == "flash"
    assert told.seconds == pytest.approx(delay_s, abs=0.010)
    assert told.uncertainty_s <= 0.010


@pytest.mark.parametrize("delay_s", hardest(0.9, 0.05, 0.134))
def test_claps_tell_the_delay_within_twenty_milliseconds(tmp_path: Path, delay_s: float) -> None:
    clapping = Clapping("clap", 16, delay_s, places=NEAR)
    told = found(tmp_path, clapping).delay
    assert told.seen == "clap"
    assert told.seconds == pytest.approx(delay_s, abs=0.020)


@pytest.mark.parametrize("jitter_seed", hardest(0, 1, 2, 3))
@pytest.mark.parametrize("seed", hardest(0, 1, 2, 3))
def test_it_is_told_as_sure_as_it_is(tmp_path: Path, seed: int, jitter_seed: int) -> None:
    """Pictures that come unevenly: the error stays within three times its uncertainty. ``seed``: of
    when somebody claps."""
    clapping = Clapping(
        delay_s=0.2, jitter_s=0.01, seed=seed, count=14, places=NEAR, jitter_seed=jitter_seed
    )
    told = found(tmp_path, clapping).delay
    assert abs(told.seconds - 0.2) <= 3 * max(told.uncertainty_s, 0.004)


def test_the_sounds_way_is_taken_off_by_where_each_flash_is_seen(tmp_path: Path) -> None:
    given = asked()
    told = found(tmp_path, Clapping(), given)
    assert told.delay.seconds == pytest.approx(0.134, abs=0.010)
    ways = [distance_m(place) / array().speed_of_sound for place in PLACES]
    assert told.travel_s == pytest.approx(np.median(ways), abs=0.006)


@pytest.mark.parametrize("kind", hardest("flash", "clap"))
def test_a_camera_that_was_turned_is_found(tmp_path: Path, kind: str) -> None:
    clapping = Clapping() if kind == "flash" else Clapping("clap", 16)
    told = found(tmp_path, clapping, asked(azimuth=truth().azimuth + 7.0))
    assert told.looked is not None, told.why_not_looked
    assert told.looked.view.azimuth == pytest.approx(truth().azimuth, abs=1.0)
    assert told.looked.residual_deg < 2.0


def test_a_wrong_angle_of_view_is_found_where_the_events_stand_far_apart(tmp_path: Path) -> None:
    told = found(tmp_path, Clapping(), asked(azimuth=truth().azimuth - 4.0, field=40.0))
    assert told.looked is not None, told.why_not_looked
    assert told.looked.field_told
    assert told.looked.view.field == pytest.approx(truth().field, abs=2.0)
    assert told.looked.view.azimuth == pytest.approx(truth().azimuth, abs=1.0)


def test_the_fit_alone_finds_a_view_among_wrong_bearings() -> None:
    rng = np.random.default_rng(5)
    places = np.column_stack([rng.uniform(8, 14, 16), rng.uniform(0, 4, 16), np.full(16, HEIGHT_M)])
    pixels = VIEW.project(places)
    centre = microphone_array().mean(axis=0)
    away = places - centre
    azimuths = np.degrees(np.arctan2(away[:, 1], away[:, 0])) + rng.normal(0, 0.4, 16)
    azimuths[[2, 9]] += 80.0  # an echo of a wall
    wrong = truth().model_copy(update={"azimuth": -3.0})
    view = EdgeView(wrong, VIEW.width, VIEW.height)
    looked = looking.look(view, pixels, azimuths, np.zeros(3), HEIGHT_M)
    assert looked is not None
    assert looked.view.azimuth == pytest.approx(truth().azimuth, abs=0.5)
    assert looked.events == 14
    assert looking.look(view, pixels[:3], azimuths[:3], np.zeros(3), HEIGHT_M) is None


def test_evenly_spaced_events_are_refused(tmp_path: Path) -> None:
    """They agree about several delays."""
    with pytest.raises(NotAligned, match="evenly"):
        found(tmp_path, Clapping(even=True, count=8, places=NEAR))


def test_too_few_are_refused(tmp_path: Path) -> None:
    with pytest.raises(NotAligned, match="at least"):
        found(tmp_path, Clapping(count=3, places=NEAR))


def test_a_street_in_which_nobody_claps_is_refused(tmp_path: Path) -> None:
    folder = Clapping(count=12, places=NEAR).write(tmp_path)
    silent = Clapping(count=12, places=((400.0, 300.0, 1.5),), noise_pa=2.0)
    write_wav(folder / "audio.wav", silent.sound(), RATE_HZ)
    with pytest.raises(NotAligned):
        align(read(folder), Asked(distance_m=5.0))


def test_onsets_are_told_to_a_millisecond() -> None:
    events = clapper.claps(8, NEAR, "clap", 3)
    heard = clapper.sound(events, microphone_array()[:1], 40.0, RATE_HZ, 3)
    way = np.linalg.norm(np.asarray(NEAR[0]) - microphone_array()[0]) / 346.1
    told = onsets(heard[:, 0].astype(float), RATE_HZ)
    assert told == pytest.approx([event.at_s + way for event in events], abs=0.001)
    assert len(onsets(np.zeros(100), RATE_HZ)) == 0


def test_the_lines_are_settings(tmp_path: Path) -> None:
    told = found(tmp_path, Clapping(), asked(azimuth=truth().azimuth + 7.0))
    text = "\n".join(lines(told, "arrival"))
    said = tomllib.loads(text.replace("[noise.camera]", "[[noise]]\n[noise.camera]", 1))
    camera = said["noise"][0]["camera"]
    assert camera["delay_s"] == pytest.approx(0.134, abs=0.010)
    assert abs(camera["delay_s"] - 0.134) <= camera["delay_within_s"] <= 0.05
    ViewSettings.model_validate(camera["view"])
    CameraSettings.model_validate({"source": "mjpeg", "address": "http://c.local/s", **camera})


def test_of_a_camera_that_dates_its_pictures_its_error_and_its_delay_are_told(
    tmp_path: Path,
) -> None:
    """By the delay its clock is watched from then on."""
    clapping = Clapping(delay_s=0.09, dated="sender", places=NEAR, offset_s=0.2)
    folder = clapping.write(tmp_path)
    given = Asked(distance_m=distance_m(), height_m=HEIGHT_M)
    recording = read(folder)
    told = align(recording, given)
    text = "\n".join(lines(told, "sender", offset_s=recording.offset_s))
    assert "off by +0.0" in text
    camera = tomllib.loads(text)["noise"]["camera"]
    # Its pictures come 0.2 s after it says that they were taken, which is 0.09 s after they were.
    assert camera["delay_s"] == pytest.approx(0.29, abs=0.010)
    assert 0.03 <= camera["delay_within_s"] <= 0.1
    CameraSettings.model_validate({"source": "mjpeg", "address": "http://c.local/s", **camera})
    # By a distance that is wrong they would have come before they were taken: none is known then.
    early = "\n".join(lines(told, "sender", offset_s=-0.2))
    assert "Pictures came 0.1" in early
    assert "delay_s =" not in early
    # A recording of an earlier version did not keep how late they came.
    assert "delay_s =" not in "\n".join(lines(told, "sender"))


def test_the_command_prints_lines_and_says_what_is_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = Clapping(places=NEAR).write(tmp_path / "flashes")
    words = ["noise", "align", str(folder), "--distance-m", f"{distance_m():.2f}"]
    assert main(words) == 0
    said = capsys.readouterr().out
    assert tomllib.loads(said)["noise"]["camera"]["delay_s"] == pytest.approx(0.134, abs=0.010)

    few = Clapping(count=3, places=NEAR).write(tmp_path / "few")
    assert main(["noise", "align", str(few)]) == 1
    assert "noise-not-aligned" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({}, ["--distance-m", "5"]),
        ({"align.json": b"{}", "frames.json": b"{}"}, []),
        ({"align.json": b"[]", "frames.json": b"[]"}, []),
        ({}, ["--seconds", "2"]),
        ({}, ["--height-m", "-1"]),
        ({}, ["--distance-m", "nan"]),
    ],
    ids=str,
)
def test_what_cannot_be_read_is_told_in_a_line(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    content: dict[str, bytes],
    words: list[str],
) -> None:
    for name, text in content.items():
        (tmp_path / name).write_bytes(text)
    assert main(["noise", "align", str(tmp_path), *words]) == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 1


def test_pictures_of_another_size_and_damaged_ones_are_left_out(tmp_path: Path) -> None:
    folder = Clapping(places=NEAR).write(tmp_path)
    (folder / "frames" / "00010.jpg").write_bytes(b"no picture")
    told = json.loads((folder / "frames.json").read_text())
    told["frames"].append(["../../audio.wav", BEGAN_S])
    (folder / "frames.json").write_text(json.dumps(told))
    recording = read(folder)
    assert len(recording.pictures) == len(told["frames"]) - 2
    assert align(recording, Asked(distance_m=distance_m())).delay.seconds == pytest.approx(
        0.134, abs=0.015
    )


def test_an_array_of_another_microphone_count_is_told(tmp_path: Path) -> None:
    folder = Clapping().write(tmp_path)
    many = ArraySettings(positions=tuple((0.1 * n, 0.0, 0.1 * (n % 2)) for n in range(6)))
    with pytest.raises(ArrayUnusable, match="has no channel 5"):
        align(read(folder), Asked(distance_m=5.0, array=many, view=truth()))


async def test_a_recording_is_made_from_the_microphone_and_the_camera_of_the_settings(
    tmp_path: Path,
) -> None:
    """Over real sockets, as the live pipeline reads both."""
    sound = 0.2 * np.random.default_rng(1).standard_normal(12 * RATE_HZ)
    async with (
        pcm_server(sound, pascal_per_unit=20.0) as audio_port,
        mjpeg_camera(stamped=False) as camera_port,
    ):
        settings = NoiseSettings.model_validate(
            {
                "device": "mic-1",
                "audio": {
                    "source": "pcm",
                    "address": f"tcp://127.0.0.1:{audio_port}",
                    "format": f"s16le:{RATE_HZ}:2",
                    "full_scale_peak_db": 120.0,
                },
                "camera": {
                    "source": "mjpeg",
                    "address": f"http://127.0.0.1:{camera_port}/",
                    "delay_s": 0.4,
                },
            }
        )
        await record(settings, 2.0, tmp_path)
    kept = read(tmp_path)
    assert (kept.dated, kept.sound.format.channels) == ("arrival", 2)
    assert len(kept.pictures) >= 10
    # The delay of the settings is not taken off: it is what is measured anew.
    assert kept.pictures_s[0] >= kept.sound_started_s


async def test_without_a_camera_nothing_is_recorded(tmp_path: Path) -> None:
    settings = NoiseSettings.model_validate(
        {"device": "mic-1", "audio": {"source": "wav", "address": str(tmp_path / "no.wav")}}
    )
    with pytest.raises(NotAligned, match="has no camera"):
        await record(settings, 2.0, tmp_path)
