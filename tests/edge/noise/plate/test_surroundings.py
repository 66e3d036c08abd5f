"""What stands beside a plate: a reflector, a bolt, a line that is none."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from vigil_edge.noise.plate.candidates import Plate
from vigil_edge.noise.plate.reader import PlateRead, read_plate
from vigil_edge.noise.plate.recogniser import _OTHER, ALPHABET, _merging
from vigil_edge.noise.plate.votes import Clear, _voted
from vigil_sim.noise.plate import plate

ROW = Clear(0, Plate(0, 0, 100, 30, 1.0), lambda: None)


def read(text: str, confidence: float) -> tuple[Clear, PlateRead]:
    return ROW, PlateRead(text, confidence, None, (0.9,) * len(text), text)


def doubted(text: str, confidence: float = 0.39) -> tuple[Clear, PlateRead]:
    return ROW, PlateRead(None, confidence, None, (0.9,) * len(text), text, doubted=True)


def test_what_is_doubted_speaks_for_no_text() -> None:
    """One picture of five missed the stacked letters that four saw: another vehicle's plate."""
    found = _voted([read("12345", 0.98), *[doubted("12345")] * 4], ROW)
    assert (found.text, found.abstained) == (None, "unsure")
    assert found.votes == 1
    assert found.confidence < 0.6
    assert _voted([doubted("12345")] * 5, ROW).abstained == "unsure"


@pytest.mark.parametrize(("doubts", "answered"), [(0, True), (1, True), (2, False), (3, False)])
def test_from_half_on_doubts_are_no_answer(doubts: int, answered: bool) -> None:
    found = _voted([*[read("ABC1234", 0.98)] * 2, *[doubted("BC1234")] * doubts], ROW)
    assert found.text == ("ABC1234" if answered else None)
    # What is too small or blurred to be read speaks neither for a text nor against it.
    blurred = _voted([*[read("ABC1234", 0.98)] * 2, *[doubted("BC1234", 0.1)] * doubts], ROW)
    assert blurred.text == "ABC1234"


def beside(text: str, mark: str, *, above: bool) -> npt.NDArray[np.uint8]:
    """A scooter's plate with one character in its size above or below; "0" is a reflector."""
    flat = plate(text, scooter=True)
    small = cv2.resize(flat, (180, 97), interpolation=cv2.INTER_AREA)
    ground = np.full((97, 174, 3), 240, np.uint8)
    ink = (30, 30, 30)
    if mark == "0":
        cv2.ellipse(ground, (87, 48), (19, 29), 0, 0, 360, ink, 8, cv2.LINE_AA)
    else:
        where = (64, 77)
        cv2.putText(ground, mark, where, cv2.FONT_HERSHEY_SIMPLEX, 2.7, ink, 7, cv2.LINE_AA)
    noise = np.random.default_rng(1).normal(95, 3, (360, 640, 3))
    picture = np.clip(noise, 0, 255).astype(np.uint8)
    picture[150:247, 230:410] = small
    top = 57 if above else 243
    picture[top : top + 97, 233:407] = ground
    return picture


@pytest.mark.parametrize("text", ["ABC-123", "ABC-1234", "AB-1234"])
@pytest.mark.parametrize("mark", ["0", "8"])
def test_a_reflector_below_is_no_line_of_the_plate(text: str, mark: str) -> None:
    read = read_plate(beside(text, mark, above=False))
    assert read.text == text.replace("-", "")


@pytest.mark.parametrize("mark", ["0", "8", "S"])
def test_one_character_above_may_be_a_district_s_and_is_not_left_out(mark: str) -> None:
    """``S`` above ``AB 1234`` is Stuttgart's, and a reflector there looks no different."""
    for text in ("ABC-123", "AB-1234"):
        read = read_plate(beside(text, mark, above=True))
        assert read.text is None
        assert read.doubted
    # Seven of a usual format are whole, whatever stands above.
    assert read_plate(beside("ABC-1234", mark, above=True)).text == "ABC1234"


def test_a_letter_that_is_two_as_a_capital_is_none() -> None:
    merged = _merging(["S", "ß", "ä", "ﬁ"], 6)
    assert [int(each) for each in merged[ALPHABET.index("S")]] == [1]
    assert [int(each) for each in merged[ALPHABET.index("A")]] == [3]
    assert {2, 4} <= set(merged[_OTHER].tolist())
