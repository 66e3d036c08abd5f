"""What a satellite receiver says, and what is made of it."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vigil_edge.position.fix import Fix, Nmea, NoFix, NotGpsd, of_gpsd
from vigil_sim.satellites import gga, rmc, tpv

HERE = (23.48231, 120.44107)


@given(st.floats(-89.9, 89.9), st.floats(-179.9, 179.9))
def test_a_place_survives_both_ways_of_saying_it(latitude: float, longitude: float) -> None:
    json = of_gpsd(tpv(latitude, longitude, eph=4.2))
    assert json == Fix(latitude, longitude, 4.2)
    for sentence in (gga(latitude, longitude), rmc(latitude, longitude)):
        said = Nmea().take(sentence)
        assert isinstance(said, Fix)
        assert (said.latitude, said.longitude) == pytest.approx((latitude, longitude), abs=2e-7)


@given(st.binary(max_size=200))
def test_noise_is_no_place(line: bytes) -> None:
    with suppress(NotGpsd):
        assert not isinstance(of_gpsd(line), Fix)
    assert Nmea().take(line) is None


@given(st.integers(0, 60), st.integers(0, 255))
def test_a_sentence_that_was_torn_says_nothing(place: int, byte: int) -> None:
    line = bytearray(gga(*HERE))
    place %= len(line) - 5  # its checksum, and the line's end
    if line[place] != byte:
        line[place] = byte
        assert Nmea().take(bytes(line)) is None


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(tpv(*HERE, mode=1), id="no fix"),
        pytest.param(tpv(*HERE, status=5), id="dead reckoning"),
        pytest.param(tpv(*HERE, status=7), id="surveyed once"),
        pytest.param(tpv(*HERE, status=8), id="simulated"),
        pytest.param(tpv(91, 0), id="north of the pole"),
        pytest.param(tpv(0, 181), id="east of the globe"),
    ],
)
def test_what_gpsd_guesses_is_no_fix(line: bytes) -> None:
    assert of_gpsd(line) == NoFix()


def test_a_number_beyond_all_numbers_is_no_place() -> None:
    line = tpv(*HERE).replace(str(HERE[0]).encode(), b"1" * 400)
    assert of_gpsd(line) == NoFix()


@pytest.mark.parametrize("status", [0, 1, 2, 3, 4, 6, 9])
def test_what_satellites_hold_is_a_fix(status: int) -> None:
    """Also dead reckoning that they correct (6): receivers of cars say so all day."""
    assert of_gpsd(tpv(*HERE, status=status)) == Fix(*HERE)


@pytest.mark.parametrize("line", [b"$GPGGA,1*00\r\n", b"[]\n", b"{}\n", b"\n"])
def test_what_is_no_gpsd_is_told_and_not_passed_over(line: bytes) -> None:
    with pytest.raises(NotGpsd):
        of_gpsd(line)


@pytest.mark.parametrize("quality", [0, 6, 7, 8])
def test_what_a_receiver_guesses_is_no_fix(quality: int) -> None:
    assert Nmea().take(gga(*HERE, quality=quality)) == NoFix()


@pytest.mark.parametrize(("status", "mode"), [("V", "N"), ("A", "E"), ("A", "S")])
def test_a_warning_is_no_fix(status: str, mode: str) -> None:
    assert Nmea().take(rmc(*HERE, status=status, mode=mode)) == NoFix()


def test_the_sentence_that_says_more_counts() -> None:
    nmea = Nmea()
    first = nmea.take(rmc(*HERE))
    assert isinstance(first, Fix)
    assert (first.latitude, first.longitude) == pytest.approx(HERE, abs=1e-6)
    assert first.within_m is None
    said = nmea.take(gga(*HERE, hdop=1.4))
    assert isinstance(said, Fix)
    assert said.within_m == pytest.approx(7.0)
    assert nmea.take(rmc(*HERE)) is None, "it would take the error away again"
