"""The middle level of a picture, counted."""

from __future__ import annotations

import numpy as np
import pytest

from vigil_edge.noise.pictures.street import middle_level


@pytest.mark.parametrize("shape", [(1, 1), (1, 2), (3, 5), (270, 480)])
@pytest.mark.parametrize("most", [1, 2, 30, 256])
def test_it_is_the_median(shape: tuple[int, int], most: int) -> None:
    picture = np.random.default_rng(most).integers(0, most, shape, dtype=np.uint8)
    assert middle_level(picture) == np.median(picture)
    assert middle_level(255 - picture) == np.median(255 - picture)
