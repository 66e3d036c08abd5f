"""Every sample accounted for: what was lost is filled in, flagged and told, and times stay true."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.noise.tones import tone
from vigil_edge.noise.event import Place, exceedance
from vigil_edge.noise.listening import Listener, Recorded
from vigil_edge.noise.meter.levels import pascal_per_unit
from vigil_edge.noise.meter.signs import CLOCK_UNSETTLED, DROP_OUT
from vigil_edge.noise.sound import microphone
from vigil_edge.noise.sound.clock import STEP_S, SampleClock
from vigil_edge.noise.sound.ledger import MOST_FILLED_S, Block, Entry, Ledger, summed
from vigil_edge.noise.sound.pcm import PcmFormat
from vigil_edge.noise.sound.settings import AudioSettings

RATE = 8000
BEGIN = datetime(2026, 3, 1, tzinfo=UTC)
FULL_SCALE_DB = 120.0
LAYOUT = PcmFormat.parse(f"s16le:{RATE}:2")
BLOCK = RATE // 20


def listener() -> Listener:
    audio = AudioSettings.model_validate(
        {
            "source": "pcm",
            "address": "tcp://127.0.0.1:9",
            "format": f"s16le:{RATE}:2",
            "full_scale_peak_db": FULL_SCALE_DB,
        }
    )
    return Listener(LAYOUT, audio, 86.0, 3.0, 2.0, 3.0, others=(1,))


def street(loud_s: float = 1.0) -> np.ndarray:
    """A loud second from 6 s on."""
    sound = np.concatenate([tone(60, 6, RATE), tone(95, loud_s, RATE), tone(60, 10, RATE)])
    units = np.round(sound / pascal_per_unit(FULL_SCALE_DB) * 32768).astype(np.int16)
    return np.repeat(units[:, None], 2, axis=1)


def heard(lost: range, *, said: bool = True) -> tuple[list[Recorded], Listener]:
    """Of the street without those samples; ``said``: their number is known."""
    frames, ear, found = street(), listener(), list[Recorded]()
    missing = 0
    for first in range(0, len(frames), BLOCK):
        here = np.arange(first, first + BLOCK)
        kept = here[~np.isin(here, lost)]
        now = BEGIN + timedelta(seconds=(first + BLOCK) / RATE)
        missing += BLOCK - len(kept)
        if not len(kept):
            continue
        block = Block(frames[kept], now, missing if said else 0, overflow=bool(missing))
        found += ear.hear(block, now + timedelta(seconds=0.2)).recorded
        missing = 0
    return [*found, *ear.flush().recorded], ear


def test_lost_blocks_are_filled_in_flagged_and_told_and_the_times_stay() -> None:
    lost = range(5 * RATE, 5 * RATE + 3 * BLOCK)
    (passage,), ear = heard(lost)
    (whole,), _ = heard(range(0))
    assert (ear.ledger.lost, ear.ledger.filled, ear.ledger.overflows) == (1200, 1200, 1)
    assert ear.clock.stepped == 0
    assert passage.passage.started_sample == whole.passage.started_sample
    assert abs((passage.started - whole.started).total_seconds()) < 1e-3
    at = 5 * RATE - RATE - passage.first_sample  # the first second is not measured
    assert not passage.frames[at : at + 1200].any()
    assert np.array_equal(passage.frames[at + 1200 :], whole.frames[at + 1200 :])
    # It lies before the passage, none of which is doubtful; the recording says so all the same.
    event = exceedance(Place("gw", "mic", 86.0, calibrated=True), passage)
    assert event.audio is not None
    assert (event.audio.lost, event.audio.filled, event.audio.overflows) == (1200, 1200, 1)
    assert event.audio.captured + event.audio.filled >= len(passage.frames)


@pytest.mark.parametrize("said", [True, False])
@pytest.mark.parametrize("count", [8, 3 * BLOCK])
def test_no_case_rests_on_a_passage_that_lost_samples(count: int, said: bool) -> None:
    """However few: 1 ms of zeros is no sign by itself."""
    at = 6 * RATE + RATE // 2
    (passage,), _ = heard(range(at, at + count), said=said)
    assert DROP_OUT in passage.passage.flags
    event = exceedance(Place("gw", "mic", 86.0, calibrated=True), passage)
    assert event.judgement is not None
    assert event.judgement.decision == "not-valid"
    assert DROP_OUT in event.judgement.reasons


def test_other_seconds_are_not_flagged() -> None:
    frames, ear, flags = street(), listener(), list[frozenset[str]]()
    for first in range(0, len(frames), BLOCK):
        now = BEGIN + timedelta(seconds=(first + BLOCK) / RATE)
        block = Block(frames[first : first + BLOCK], now, overflow=first == 8 * RATE + BLOCK)
        flags += [levels.flags for _, levels in ear.hear(block, now).seconds]
    assert [DROP_OUT in found for found in flags] == [second == 7 for second in range(len(flags))]


def test_a_gap_of_minutes_is_not_filled_and_the_clock_steps_over_it() -> None:
    ear, quiet = listener(), street()[: 5 * RATE]
    gap_s = 2 * MOST_FILLED_S
    now = BEGIN
    for number in range(400):
        now += timedelta(seconds=BLOCK / RATE)
        lost = 0
        if number == 200:
            now += timedelta(seconds=gap_s)
            lost = round(gap_s * RATE)
        at = number % 100 * BLOCK
        ear.hear(Block(quiet[at : at + BLOCK], now, lost), now)
    for number in range(400):
        now += timedelta(seconds=BLOCK / RATE)
        at = number % 100 * BLOCK
        ear.hear(Block(quiet[at : at + BLOCK], now), now)
    assert (ear.ledger.lost, ear.ledger.filled) == (round(gap_s * RATE), 0)
    assert ear.clock.stepped == 1
    end = ear.clock.snapshot().at(800 * BLOCK - RATE)
    assert abs((end - now).total_seconds()) < 0.01


@pytest.mark.parametrize("gap_s", [2.0, 2 * MOST_FILLED_S])
def test_after_a_loss_of_unknown_length_times_are_right_at_once_and_flagged_until_sure(
    gap_s: float,
) -> None:
    """``gap_s``: told by the driver without a number, or too long to be filled."""
    ear, now, found = listener(), BEGIN, list[Recorded]()
    quiet, loud = street()[:BLOCK], street()[6 * RATE : 6 * RATE + BLOCK]
    begun: list[datetime] = []
    for number in range(1200):
        now += timedelta(seconds=BLOCK / RATE)
        lost, overflow = 0, False
        if number == 300:
            now += timedelta(seconds=gap_s)
            overflow = gap_s < MOST_FILLED_S
            lost = 0 if overflow else round(gap_s * RATE)
        sounds = number % 300 in range(80, 90) and number >= 300
        if sounds and number % 300 == 80:
            begun.append(now - timedelta(seconds=BLOCK / RATE))
        found += ear.hear(Block(loud if sounds else quiet, now, lost, overflow), now).recorded
    found += ear.flush().recorded
    assert [CLOCK_UNSETTLED in one.passage.flags for one in found] == [True, False, False]
    for one, at in zip(found, begun, strict=True):
        assert abs((one.time.at(one.passage.started_sample) - at).total_seconds()) < 0.1
    assert ear.clock.stepped == 1
    event = exceedance(Place("gw", "mic", 86.0, calibrated=True), found[0])
    assert event.judgement is not None
    assert CLOCK_UNSETTLED in event.judgement.reasons


@given(
    st.lists(
        st.tuples(st.integers(1, 5000), st.integers(0, 9000), st.booleans()),
        min_size=1,
        max_size=60,
    ),
    st.integers(0, 200_000),
)
def test_the_ledger_adds_up(blocks: list[tuple[int, int, bool]], until: int) -> None:
    ledger, at, entries = Ledger(), 0, []
    for samples, lost, overflow in blocks:
        filled = lost if lost <= 4000 else 0
        entries.append(Entry(at, samples + filled, lost, filled, overflow, BEGIN))
        ledger.add(entries[-1])
        at += samples + filled
    assert ledger.captured + ledger.filled == at
    assert ledger.between(0, at) == tuple(entries)
    told = summed(entries, 1e-5)
    assert (told.captured, told.lost, told.filled) == (ledger.captured, ledger.lost, ledger.filled)
    assert told.drift_ppm == 10.0
    ledger.forget(until)
    assert all(each.first_sample + each.samples > until for each in ledger.between(0, at))


def arrivals(counted: Counter[str], room: int) -> microphone._Arrivals:
    found = microphone._Arrivals(LAYOUT, lambda name: counted.update([name]))
    found.queue = asyncio.Queue(room)
    return found


def times(began_s: float, current_s: float) -> SimpleNamespace:
    return SimpleNamespace(inputBufferAdcTime=began_s, currentTime=current_s)


def test_blocks_that_found_no_room_are_missing_before_the_next() -> None:
    counted: Counter[str] = Counter()
    found = arrivals(counted, 1)
    payload = bytes(BLOCK * 4)
    for number in range(4):
        began_s = 10.0 + number * BLOCK / RATE
        dated = found.dated(BLOCK, times(began_s, began_s + 0.08), BEGIN)
        found.deliver(payload, dated, overflow=False)
    first = found.queue.get_nowait()
    assert (first.lost, first.overflow) == (0, False)
    assert first.captured == BEGIN - timedelta(seconds=0.08 - BLOCK / RATE)
    found.deliver(payload, found.dated(BLOCK, times(0.0, 0.0), BEGIN), overflow=False)
    last = found.queue.get_nowait()
    assert (last.lost, last.captured) == (3 * BLOCK, None)
    assert counted == {"blocks-dropped": 3}


def test_an_overflow_counts_what_the_streams_clock_misses() -> None:
    counted: Counter[str] = Counter()
    found = arrivals(counted, 9)
    payload = bytes(BLOCK * 4)
    began = [5.0, 5.0 + BLOCK / RATE, 5.0 + 2 * BLOCK / RATE + 0.125]
    for number, began_s in enumerate(began):
        dated = found.dated(BLOCK, times(began_s, began_s + 0.05), BEGIN)
        found.deliver(payload, dated, overflow=number == 2)
    told = [found.queue.get_nowait() for _ in began]
    assert [(block.lost, block.overflow) for block in told] == [
        (0, False),
        (0, False),
        (round(0.125 * RATE), True),
    ]


@pytest.mark.parametrize("ppm", [-100.0, 20.0, 100.0])
def test_the_audio_clocks_drift_is_found_and_times_stay_within_milliseconds(ppm: float) -> None:
    clock, rng = SampleClock(RATE), np.random.default_rng(3)
    worst = 0.0
    for number in range(1, 36_000):
        samples = number * RATE // 10
        true_s = samples / RATE * (1 + ppm * 1e-6)
        now = BEGIN + timedelta(seconds=true_s + float(rng.exponential(0.008)))
        clock.arrived(samples, now, may_step=True)
        if number > 3000:
            said = (clock.snapshot().at(samples) - BEGIN).total_seconds()
            worst = max(worst, abs(said - true_s))
    assert clock.drift is not None
    assert clock.drift * 1e6 == pytest.approx(ppm, abs=3.0)
    assert worst < 0.002
    assert clock.stepped == 0


def test_a_clock_that_was_set_forgets_the_drift_of_before() -> None:
    clock = SampleClock(RATE)
    for second in range(1, 200):
        jump_s = 0.0 if second < 100 else 7.0
        clock.arrived(second * RATE, BEGIN + timedelta(seconds=second + jump_s), may_step=True)
    assert clock.stepped == 1
    assert clock.drift == pytest.approx(0.0, abs=1e-9)
    assert clock.snapshot().at(0) == BEGIN + timedelta(seconds=7.0)
    assert STEP_S < 7.0
