"""A table of limits as text: what a page writes is what the gateway's file would hold."""

from __future__ import annotations

from datetime import date, time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from vigil_edge.noise import limit_text
from vigil_edge.noise.limits import DAYS, LimitSettings
from vigil_edge.noise.settings import NoiseSettings

MINUTES = st.builds(time, st.integers(0, 23), st.integers(0, 59))
LINES = st.builds(
    LimitSettings,
    limit_db=st.integers(400, 1300).map(lambda tenths: tenths / 10),
    basis=st.lists(st.sampled_from(["Zhongshan", "Road", "50", "km/h"]), max_size=4).map(
        lambda words: " ".join(["by", *words]) if words else ""
    ),
    valid_from=st.none() | st.dates(date(2020, 1, 1), date(2030, 1, 1)),
    valid_until=st.none() | st.dates(date(2020, 1, 1), date(2030, 1, 1)),
    days=st.just(DAYS) | st.lists(st.sampled_from(DAYS), min_size=1, unique=True).map(tuple),
    since=MINUTES,
    until=MINUTES,
)


@given(st.lists(LINES, max_size=5))
def test_what_is_written_is_read_back(lines: list[LimitSettings]) -> None:
    # Both ends the same mean all day, whatever they are.
    plain = [
        line.model_copy(update={"since": time(0), "until": time(0)})
        if line.since == line.until
        else line
        for line in lines
    ]
    text = limit_text.write(plain)
    assert [LimitSettings.model_validate(one) for one in limit_text.read(text)] == plain


def settings(**keys: Any) -> NoiseSettings:
    audio = {"source": "pcm", "address": "tcp://127.0.0.1:9"}
    given_ = {"device": "mic-1", "audio": audio, "threshold_db": 70.0, **keys}
    return NoiseSettings.model_validate(given_)


def test_the_digest_of_settings_is_the_same_however_they_were_written() -> None:
    table = [{"limit_db": 82.0, "since": "22:00", "until": "06:00", "basis": "night"}]
    assert settings(limits=table).digest() == settings(limits="82 22:00-06:00 night").digest()


def test_one_number_is_one_limit() -> None:
    assert settings(limits=76) == settings(limits=[{"limit_db": 76.0}])


@pytest.mark.parametrize("text", ["loud", "76; loud", "76 25:00-06:00", "999"])
def test_what_is_no_table_is_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        settings(limits=text)


def test_a_threshold_above_a_limit_is_refused_as_in_the_file() -> None:
    with pytest.raises(ValidationError, match="threshold_db must be at most 60"):
        settings(limits="60 all road")
