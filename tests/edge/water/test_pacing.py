"""A probe is read more often around what happens, and not for ever."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from edge.water.test_pipeline import PH, settings
from vigil_edge.water.judge import Judge
from vigil_edge.water.pacing import Pacing
from vigil_schemas.types import QartodFlag


def test_it_is_fast_while_something_stirs_and_for_a_while_after() -> None:
    pace = Pacing(900, 60, 120, 3600)
    assert pace.interval(0, stirred=False) == 900
    assert pace.interval(900, stirred=True) == 60
    assert [pace.interval(at, stirred=False) for at in (960, 1019, 1020, 1080)] == [
        60,
        60,
        900,
        900,
    ]


def test_what_stays_doubtful_is_read_as_usual_after_a_while() -> None:
    pace = Pacing(900, 60, 120, 600)
    assert [pace.interval(at, stirred=True) for at in (0, 60, 540, 600, 1500)] == [
        *(60, 60, 60, 900, 900)
    ]
    assert pace.interval(2400, stirred=False) == 900
    assert pace.interval(3300, stirred=True) == 60, "it was calm once"


@given(
    st.lists(st.tuples(st.floats(0.1, 2000), st.booleans()), max_size=60),
    st.floats(1, 900),
    st.floats(0, 500),
    st.floats(10, 5000),
)
def test_it_is_never_read_fast_for_longer_than_is_granted(
    steps: list[tuple[float, bool]], fast_s: float, keep_s: float, longest_s: float
) -> None:
    pace, now, began = Pacing(900, fast_s, keep_s, longest_s), 0.0, None
    for step_s, stirred in steps:
        now += step_s
        interval = pace.interval(now, stirred=stirred)
        assert interval in (min(fast_s, 900), 900)
        if interval == 900:
            began = None
            continue
        began = now if began is None else began
        assert now - began < longest_s


def test_without_a_faster_interval_it_is_always_the_same() -> None:
    pace = Pacing(60, None, 900, 3600)
    assert {pace.interval(at, stirred=bool(at % 2)) for at in range(50)} == {60}


def test_a_bound_that_is_about_to_be_crossed_stirs() -> None:
    judge = Judge(settings(1, [PH | {"high": 9.0, "consecutive": 3}]), None)
    at = datetime(2026, 3, 1, tzinfo=UTC)
    stirred = []
    for number, value in enumerate([7.0, 7.1, 9.5, 9.6, 9.7, 7.0, 7.0, 7.0, 7.0]):
        judge.outgoing([(at + timedelta(minutes=number), [value])])
        stirred.append(judge.stirred)
    assert stirred == [False, False, True, True, True, True, True, False, False]


def test_a_suspect_reading_stirs() -> None:
    judge = Judge(settings(1, [PH | {"range_suspect": [6, 8]}]), None)
    at = datetime(2026, 3, 1, tzinfo=UTC)
    (pack,) = judge.outgoing([(at, [8.5])])
    assert isinstance(pack.data, list)
    assert pack.data[0].qf == QartodFlag.SUSPECT
    assert judge.stirred


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ({"fast_interval_s": 60, "interval_s": 60}, "below interval_s"),
        ({"fast_interval_s": 1, "mode": "logger", "interval_s": 60}, "only with mode"),
        ({"position": {}, "mode": "logger"}, "only with mode"),
    ],
)
def test_settings_that_cannot_be(keys: dict[str, object], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        settings(1, [PH], **keys)
