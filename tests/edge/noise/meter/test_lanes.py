"""The compiled weightings, sections side by side or one by one, against SciPy."""

from __future__ import annotations

import itertools
from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vigil_edge.noise.meter.chain import Chain, Found, Shape, Shapes

LANES_AT = (44100, 48000)


def _sound(samples: int) -> np.ndarray:
    """On a converter's steps, with zeros, a held value and runs of equal samples in it."""
    sound = np.round(np.random.default_rng(3).normal(size=samples) * 40) / 256
    sound[200:260] = 0.0
    sound[1000:1004] = 1.5
    return sound


@pytest.mark.parametrize("rate_hz", [8000, 16000, *LANES_AT, 96000])
def test_the_compiled_chain_gives_what_scipy_gives(rate_hz: int) -> None:
    assert (Chain(rate_hz)._lanes is not None) == (rate_hz in LANES_AT), "which loop is tried"
    sound = _sound(rate_hz)
    edges = np.array([0, 1, 2, 3, 5, 9, 300, 1002, 1003, rate_hz // 2, rate_hz])
    for kind, results in ((Chain, Found), (Shape, Shapes)):
        if kind is Chain:
            one, other = (
                Chain(rate_hz, compiled=compiled)(sound, 0.5, edges) for compiled in (True, False)
            )
        else:
            one, other = (Shape(compiled=compiled)(sound, edges) for compiled in (True, False))  # type: ignore[assignment]
        for each in fields(results):
            wanted = getattr(other, each.name)
            np.testing.assert_allclose(
                getattr(one, each.name), wanted, rtol=1e-9, atol=1e-11 * np.abs(wanted).max()
            )


@pytest.mark.parametrize("rate_hz", LANES_AT)
@settings(deadline=None, max_examples=60)
@given(cuts=st.lists(st.integers(1, 2999), max_size=12, unique=True))
def test_blocks_of_any_length_give_the_same(rate_hz: int, cuts: list[int]) -> None:
    sound = _sound(3000)
    whole = Chain(rate_hz)(sound, 1.0, np.array([0, len(sound)]))
    chain, shape = Chain(rate_hz), Shape()
    bounds = [0, *sorted(cuts), len(sound)]
    parts = [sound[begin:end] for begin, end in itertools.pairwise(bounds)]
    found = [chain(part, 1.0, np.array([0, len(part)])) for part in parts]
    np.testing.assert_array_equal(np.concatenate([one.LAF for one in found]), whole.LAF)
    np.testing.assert_array_equal(np.concatenate([one.C for one in found]), whole.C)
    assert sum(one.squares_Z[0] for one in found) == pytest.approx(whole.squares_Z[0], rel=1e-12)
    looks = Shape()(sound, np.array(bounds))
    apart = Shapes.joined([shape(part, np.array([0, len(part)])) for part in parts])
    for each in fields(Shapes):
        np.testing.assert_allclose(
            getattr(apart, each.name), getattr(looks, each.name), rtol=1e-12, atol=1e-12
        )
