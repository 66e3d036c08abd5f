"""A passage as it is told: which limit held, what the level comes to, and what bars a case."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time

import numpy as np
import pytest

from vigil_edge.noise.event import Place, exceedance
from vigil_edge.noise.limits import LimitSettings, limit_at
from vigil_edge.noise.listening import Recorded
from vigil_edge.noise.passage import Passage
from vigil_edge.noise.settings import NoiseSettings
from vigil_edge.noise.sound.clock import StreamTime
from vigil_schemas.noise import NoiseExceedance, founds_a_case

RATE = 48000
NOON = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)
"""Monday noon in Taipei."""
PASSAGE = Passage(
    started_sample=4 * RATE,
    ended_sample=6 * RATE,
    LAFmax=91.0,
    LAFmax_sample=5 * RATE,
    LAE=93.0,
    background_db=61.0,
    overload=False,
    background_LA95_db=60.0,
    background_scatter_db=0.8,
)
PLACE = Place("gw-1", "mic-1", threshold_db=86.0, calibrated=True)


def told(passage: Passage = PASSAGE, place: Place = PLACE) -> NoiseExceedance:
    clock = StreamTime(RATE, NOON.timestamp() - 5.0)
    frames = np.zeros((10 * RATE, 1), np.int16)
    return exceedance(place, Recorded(passage, clock, frames, 0, [60.0, 91.0, 60.0], 0))


def test_an_exceedance_stands_above_the_limit_by_more_than_its_uncertainty() -> None:
    event = told()
    judgement = event.judgement
    assert judgement is not None
    assert (judgement.decision, judgement.reasons) == ("exceedance", [])
    assert judgement.limit_db == 86.0, "the threshold stands in for a limit"
    assert judgement.limit_basis is None
    assert judgement.LAFmax_corrected == 91.0
    assert judgement.background_LA95_db == 60.0
    assert judgement.uncertainty_db == pytest.approx(0.88, abs=0.02)
    assert founds_a_case(event)
    assert event.phase == "measured"
    assert event.LAFmax_time == NOON


@pytest.mark.parametrize(
    ("change", "decision", "reasons"),
    [
        ({"LAFmax": 86.5}, "borderline", []),
        ({"LAFmax": 86.5, "flags": frozenset({"clipping"})}, "not-valid", ["clipping"]),
        ({"overload": True}, "not-valid", ["overload"]),
        ({"background_LA95_db": 89.0}, "not-valid", ["background"]),
        ({"background_LA95_db": None}, "not-valid", ["background-not-measured"]),
        # Seven decibels above the background: 1.0 dB is taken off.
        ({"LAFmax": 87.5, "background_LA95_db": 80.5}, "borderline", []),
    ],
)
def test_what_founds_no_case_says_why(
    change: dict[str, object], decision: str, reasons: list[str]
) -> None:
    event = told(replace(PASSAGE, **change))  # type: ignore[arg-type]  # by the table
    assert event.judgement is not None
    assert (event.judgement.decision, event.judgement.reasons) == (decision, reasons)
    assert not founds_a_case(event)


def test_a_level_that_nobody_calibrated_says_nothing() -> None:
    event = told(place=replace(PLACE, calibrated=False))
    assert event.judgement is not None
    assert event.judgement.decision == "not-valid"
    assert event.judgement.reasons == ["not-calibrated"]


NIGHT = LimitSettings(limit_db=80.0, basis="night", since=time(22), until=time(6))
WORK = LimitSettings(
    limit_db=84.0, basis="work", days=("mon", "tue"), since=time(7), until=time(19)
)
FROM_MAY = LimitSettings(limit_db=85.0, basis="50 km/h", valid_from=date(2026, 5, 1))
OLD = LimitSettings(limit_db=90.0, basis="70 km/h", valid_until=date(2026, 4, 30))


@pytest.mark.parametrize(
    ("local", "basis"),
    [
        ("2026-03-02T12:00", "work"),
        ("2026-03-02T19:00", "70 km/h"),
        ("2026-03-02T22:00", "night"),
        ("2026-03-03T05:59:59", "night"),
        ("2026-03-04T12:00", "70 km/h"),
        ("2026-04-30T20:00", "70 km/h"),
        ("2026-05-01T20:00", "50 km/h"),
    ],
)
def test_the_limit_by_date_day_and_hour(local: str, basis: str) -> None:
    found = limit_at((NIGHT, WORK, FROM_MAY, OLD), datetime.fromisoformat(f"{local}+08:00"))
    assert found is not None
    assert found.basis == basis


def test_a_night_belongs_to_the_day_on_which_it_began() -> None:
    sunday = LimitSettings(limit_db=80.0, days=("sun",), since=time(22), until=time(6))
    assert limit_at([sunday], datetime.fromisoformat("2026-03-02T05:00+08:00")) is sunday
    assert limit_at([sunday], datetime.fromisoformat("2026-03-02T22:30+08:00")) is None


@pytest.mark.parametrize(
    ("threshold_db", "distance", "refused"),
    [
        (80.0, None, None),
        (80.1, None, "at most 80.0"),
        # 7.5 m away and stated for 5 m: 3.52 dB louder there.
        (76.4, (7.5, 5.0), None),
        (80.0, (7.5, 5.0), "at most 76.5"),
        (84.0, (5.0, 7.5), "at most 83.5"),
    ],
)
def test_nothing_above_a_limit_stays_below_the_trigger(
    threshold_db: float, distance: tuple[float, float] | None, refused: str | None
) -> None:
    section: dict[str, object] = {
        "device": "mic-1",
        "threshold_db": threshold_db,
        "audio": {"source": "wav", "address": "street.wav"},
        "limits": [{"limit_db": 86.0}, {"limit_db": 80.0, "since": "22:00", "until": "06:00"}],
    }
    if distance is not None:
        names = ("measured_m", "reference_m")
        section["distance"] = dict(zip(names, distance, strict=True)) | {"uncertainty_m": 0.1}
    if refused is None:
        assert NoiseSettings.model_validate(section).limits
        return
    with pytest.raises(ValueError, match=refused):
        NoiseSettings.model_validate(section)


def test_a_distance_that_makes_levels_higher_needs_limits() -> None:
    distance = {"measured_m": 7.5, "uncertainty_m": 0.1, "reference_m": 5.0}
    audio = {"source": "wav", "address": "street.wav"}
    with pytest.raises(ValueError, match="needs limits"):
        NoiseSettings.model_validate({"device": "mic-1", "audio": audio, "distance": distance})


def test_the_limit_that_holds_is_told_with_the_event() -> None:
    event = told(place=replace(PLACE, limits=(NIGHT, WORK)))
    assert event.judgement is not None
    assert (event.judgement.limit_db, event.judgement.limit_basis) == (84.0, "work")
