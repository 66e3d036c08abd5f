"""Plates of other countries among a street's other writing, drawn by the tests: a sample of what
``python -m tests.bench plates_abroad`` measures."""

from __future__ import annotations

import numpy as np
import pytest

from plate_pictures.scene import REGIONS, shown
from vigil_edge.noise.plate.formats import NO_FORMAT, Reading, is_word, likeliest
from vigil_edge.noise.plate.reader import read_plate
from vigil_edge.noise.plate.recogniser import ALPHABET


def reading(text: str) -> Reading:
    rows = np.zeros((len(text), 36))
    for row, letter in zip(rows, text, strict=True):
        row[ALPHABET.index(letter)] = 0.999
    likely = likeliest(rows)
    assert likely is not None
    return likely


def said(text: str) -> bool:
    return is_word(reading(text))


def folded(text: str) -> str:
    return text.replace("O", "0").replace("I", "1")


@pytest.mark.parametrize("region", sorted(REGIONS))
def test_most_are_read_and_none_is_read_wrongly(region: str) -> None:
    exact = 0
    for number in range(6):
        one = shown(region, np.random.default_rng([7, number]))
        read = read_plate(one.picture)
        if read.text is not None:
            assert folded(read.text) in map(folded, one.texts)
            exact += 1
    assert exact >= 4


@pytest.mark.parametrize("text", ["PARKING", "5550199", "TAXI24H", "MAINST12", "ZONE30"])
def test_words_of_a_street_are_no_plates(text: str) -> None:
    assert said(text)


@pytest.mark.parametrize("text", ["ABC1234", "KAUY9653", "AA000AA", "0AAA000"])
def test_a_plates_letters_are_no_word(text: str) -> None:
    assert not said(text)


@pytest.mark.parametrize("text", ["W02FJK", "A123BC", "AB123C"])
def test_what_a_usual_plate_leaves_when_an_end_is_missed_is_of_no_format(text: str) -> None:
    assert reading(text).prior == NO_FORMAT
