"""Passages, the stream's clock, and what the listener keeps around a passage."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.noise.tones import Signal, silence, tone
from vigil_edge.noise.listening import Heard, Listener, Recorded
from vigil_edge.noise.meter.levels import Meter
from vigil_edge.noise.passage import LONGEST_S, Passage, PassageDetector
from vigil_edge.noise.sound.clock import STEP_S, SampleClock
from vigil_edge.noise.sound.pcm import PcmFormat
from vigil_edge.noise.sound.settings import AudioSettings

RATE = 48000
BEGIN = datetime(2026, 3, 1, 20, 0, tzinfo=UTC)


def passages(signal: Signal, cuts: list[int] | None = None) -> list[Passage]:
    meter, detector = Meter(RATE, 1.0), PassageDetector(RATE, 86.0)
    found: list[Passage] = []
    for a, b in pairwise([0, *(cuts or []), len(signal)]):
        slices = meter.feed(signal[a:b])
        if slices is not None:
            found += detector.feed(slices)
    last = detector.flush()
    return [*found, last] if last else found


def test_a_passage_has_its_levels_and_background() -> None:
    signal = np.concatenate([tone(60, 10), tone(97, 2), tone(60, 5)])
    (found,) = passages(signal)
    assert found.LAFmax == pytest.approx(97, abs=0.05)
    assert abs(found.LAE - 100) < 0.05
    assert found.background_db == pytest.approx(60, abs=0.1)
    # From 97 down to 83 dB at 34.7 dB/s.
    assert found.ended_sample / RATE == pytest.approx(12 + 14 / 34.7, abs=0.01)
    assert found.started_sample < found.LAFmax_sample < found.ended_sample


def test_flutter_around_the_threshold_is_one_passage() -> None:
    parts = [tone(60, 2), *[tone(level, 0.4) for level in (88, 85, 88, 84.5, 88)], tone(60, 3)]
    assert len(passages(np.concatenate(parts))) == 1


def test_two_vehicles_are_two_passages() -> None:
    parts = [tone(60, 2), tone(92, 0.5), tone(60, 3), tone(95, 0.5), tone(60, 3)]
    first, second = passages(np.concatenate(parts))
    assert first.LAFmax < second.LAFmax


def test_no_passage_below_the_threshold() -> None:
    assert passages(tone(85.9, 5)) == []


def test_a_lasting_noise_is_cut_once_and_not_repeated() -> None:
    parts = [tone(60, 2), tone(90, LONGEST_S + 20), tone(60, 2), tone(90, 1), tone(60, 2)]
    first, second = passages(np.concatenate(parts))
    assert first.ended_sample - first.started_sample <= (LONGEST_S + 0.1) * RATE
    assert second.started_sample > (LONGEST_S + 20) * RATE


def test_background_is_unknown_where_nothing_was_heard_before() -> None:
    (found,) = passages(np.concatenate([tone(97, 1), tone(60, 3)]))
    assert found.background_db is None


@settings(max_examples=15, deadline=None)
@given(
    cuts=st.lists(st.integers(0, 9 * RATE), max_size=20),
    levels=st.lists(st.sampled_from([60, 84, 87, 95]), min_size=9, max_size=9),
)
def test_passages_do_not_depend_on_block_sizes(cuts: list[int], levels: list[int]) -> None:
    signal = np.concatenate([tone(level, 1) for level in levels])
    assert passages(signal, sorted(cuts)) == passages(signal)


def listener(channels: int = 1, **audio: object) -> Listener:
    layout = f"f32le:{RATE}:{channels}"
    settings_ = AudioSettings.model_validate(
        {"source": "sounddevice", "format": layout, "pascal_per_unit": 1.0} | audio
    )
    return Listener(PcmFormat.parse(layout), settings_, 86.0, 3.0, 3.0, 3.0)


def listened(ear: Listener, signal: Signal, block: int = 4800) -> list[Heard]:
    frames = np.stack([signal * (n + 1) for n in range(ear.format.channels)], axis=1)
    heard = []
    for at in range(0, len(frames), block):
        part = frames[at : at + block].astype(np.float32)
        now = BEGIN + timedelta(seconds=(at + len(part)) / RATE)
        heard.append(ear.feed(part, now))
    return heard


def recorded(heard: list[Heard]) -> list[Recorded]:
    return [item for each in heard for item in each.recorded]


_LIVE = """
import sys
from datetime import UTC, datetime
import numpy as np
from dataclasses import replace
from edge.noise.test_passage import listener
ear = replace(listener(channels=2), others=(1,))
ear.feed(np.zeros((96_000, 2), dtype=np.float32), datetime.now(UTC))
sys.exit("numba" in sys.modules)
"""


def test_a_live_stream_loads_no_compiler() -> None:
    """It would be 100 MB of a gateway's memory: half of what an agent at rest may take."""
    tests = str(Path(__file__).parents[2])
    done = subprocess.run(
        [sys.executable, "-c", _LIVE], env={**os.environ, "PYTHONPATH": tests}, check=False
    )
    assert done.returncode == 0


def test_three_seconds_before_and_after_are_kept_of_every_channel() -> None:
    signal = np.concatenate([tone(60, 8), tone(97, 1), tone(60, 6)])
    (kept,) = recorded(listened(listener(channels=2), signal))
    passage = kept.passage
    length = passage.ended_sample - passage.started_sample + 6 * RATE
    assert kept.frames.shape == (length, 2)
    begin = kept.first_sample + RATE  # the first second settles the converter
    np.testing.assert_array_equal(kept.frames[:, 0], signal[begin : begin + length].astype("f4"))
    np.testing.assert_allclose(kept.frames[:, 1], 2 * kept.frames[:, 0])
    assert max(kept.curve) == pytest.approx(passage.LAFmax)
    assert abs(len(kept.curve) - length / (RATE / 20)) <= 2


def test_what_shows_behind_a_passage_is_known_when_it_is_recorded() -> None:
    """A change of gain right behind it is known two seconds later."""
    noise = np.random.default_rng(7).normal(size=13 * RATE)
    noise[int(5.6 * RATE) :] *= 10 ** (-12 / 20)
    heard = listened(listener(), noise, block=RATE // 20)
    (kept,) = recorded(heard)
    assert kept.passage.flags == {"gain-change"}


def test_the_listener_says_since_when_pictures_are_wanted() -> None:
    ear = listener()

    def kept_since() -> datetime | None:
        return ear.kept_since

    listened(ear, tone(60, 8))
    assert kept_since() is None
    frames = tone(97, 1).astype(np.float32)[:, None]
    ear.feed(frames, BEGIN + timedelta(seconds=9))
    since = kept_since()
    assert since is not None
    assert abs((since - BEGIN).total_seconds() - 5.0098) < 0.003


def test_a_passage_is_dated_by_the_sample_count() -> None:
    signal = np.concatenate([tone(60, 8), tone(97, 1), tone(60, 6)])
    (kept,) = recorded(listened(listener(), signal))
    dated = kept.time.at(kept.passage.started_sample)
    assert abs((dated - BEGIN).total_seconds() - 8.0098) < 0.003


def test_a_cut_stream_still_gives_its_passage() -> None:
    ear = listener()
    assert recorded(listened(ear, np.concatenate([tone(60, 6), tone(97, 1)]))) == []
    (kept,) = ear.flush().recorded
    assert kept.passage.LAFmax == pytest.approx(97, abs=0.05)
    assert 3.9 * RATE < len(kept.frames) < 4.1 * RATE


def test_memory_stays_bounded() -> None:
    ear = listener()
    listened(ear, silence(60))
    held = sum(len(frames) for _, frames in ear._ring)
    assert held <= (3.0 + 1.0 + 0.2) * RATE


def test_a_plop_at_the_start_is_not_measured() -> None:
    signal = np.concatenate([tone(120, 0.05), tone(60, 5)])
    assert recorded(listened(listener(), signal)) == []


def test_nan_of_a_driver_does_not_poison_what_follows() -> None:
    signal = tone(70, 6)
    signal[3 * RATE] = np.nan
    heard = listened(listener(), signal)
    assert [s for each in heard for s in each.seconds][-1][1].LAeq == pytest.approx(70, abs=0.05)


@pytest.mark.parametrize("broken", [np.nan, np.inf, -np.inf, 3e38])
@pytest.mark.parametrize("at_s", [0.5, 3.0])
def test_a_drivers_broken_floats_stay_inside_the_contract(broken: float, at_s: float) -> None:
    """Also in the second in which the filters settle; levels end at 220 dB."""
    signal = tone(70, 12)
    signal[int(at_s * RATE)] = broken
    ear = listener()
    heard = listened(ear, signal)
    seconds = [levels for each in heard for _, levels in each.seconds]
    found = [item.passage for item in [*recorded(heard), *ear.flush().recorded]]
    assert all(levels.LAFmax < 200 for levels in seconds)
    assert all(passage.LAE < 220 and passage.overload for passage in found)
    # After a click of 200 dB C and A take a while to forget it.
    assert seconds[-1].LAeq == pytest.approx(70, abs=0.05)


def test_clock_ignores_late_blocks_and_follows_drift() -> None:
    clock = SampleClock(RATE)
    rng = np.random.default_rng(1)
    for second in range(1, 3601):
        true_s = second * (1 + 20e-6)  # a converter that is 20 ppm slow
        late_s = float(rng.exponential(0.02))
        now = BEGIN + timedelta(seconds=true_s + late_s)
        clock.arrived(second * RATE, now, may_step=True)
    error_s = (clock.snapshot().at(3600 * RATE) - BEGIN).total_seconds() - 3600 * (1 + 20e-6)
    assert abs(error_s) < 0.02
    assert clock.stepped == 0


def test_clock_steps_only_between_events() -> None:
    clock = SampleClock(RATE)
    for second in range(1, 40):
        jump_s = 5.0 if second >= 15 else 0.0
        before = clock.snapshot().at(0) if second > 1 else None
        now = BEGIN + timedelta(seconds=second + jump_s)
        clock.arrived(second * RATE, now, may_step=second >= 30)
        if before is not None and second < 30:
            assert abs((clock.snapshot().at(0) - before).total_seconds()) < STEP_S
    assert clock.stepped == 1
    assert clock.snapshot().at(0) == BEGIN + timedelta(seconds=5)
