"""From a level to a decision: corrections, their uncertainties, and when nothing may be decided."""

from __future__ import annotations

import math

import pytest

from vigil_edge.noise.decision import Budget, Distance, judged


@pytest.mark.parametrize(
    ("background_db", "corrected"),
    [(80.0, 90.0), (84.0, 88.74), (87.0, 86.98), (87.1, None), (95.0, None)],
)
def test_a_background_is_taken_off_as_energy(background_db: float, corrected: float | None) -> None:
    found = judged(90.0, background_db, 0.5, 60.0)
    assert found.LAFmax_corrected == (
        None if corrected is None else pytest.approx(corrected, abs=0.01)
    )
    assert (found.decision, found.reasons) == (
        ("not-valid", ("background",)) if corrected is None else ("exceedance", ())
    )


@pytest.mark.parametrize("limit_db", [40.0, 93.9])
def test_what_has_no_background_founds_nothing(limit_db: float) -> None:
    found = judged(94.0, None, None, limit_db)
    assert (found.decision, found.reasons) == ("not-valid", ("background-not-measured",))
    assert found.LAFmax_corrected == 94.0


def test_any_flag_founds_nothing_and_is_named() -> None:
    found = judged(94.0, 60.0, 0.5, 60.0, flags=frozenset({"overload", "dc"}))
    assert (found.decision, found.reasons) == ("not-valid", ("dc", "overload"))


def test_an_exceedance_stands_above_the_limit_by_more_than_twice_the_uncertainty() -> None:
    found = judged(90.0, 70.0, 0.5, 89.0)
    assert found.expanded_db == pytest.approx(2 * found.uncertainty_db)
    assert found.decision == "exceedance"
    for over, decision in ((0.01, "exceedance"), (-0.01, "borderline")):
        limit_db = 90.0 - found.expanded_db - over
        assert judged(90.0, 70.0, 0.5, limit_db).decision == decision


def test_distance_and_every_component_count() -> None:
    """Twice as far as it is stated for: 6 dB more, and 5 % of doubt are 0.43 dB."""
    twice = Distance(measured_m=15.0, uncertainty_m=0.75, reference_m=7.5)
    found = judged(90.0, 84.0, 1.0, 60.0, budget=Budget(0.2, 0.3, 0.1), distance=twice)
    assert found.LAFmax_corrected == pytest.approx(88.74 + 6.02, abs=0.01)
    assert found.components["distance"] == pytest.approx(0.434, abs=0.001)
    # A background of ±1 dB, 6 dB below: r / (1 - r) of it.
    assert found.components["background"] == pytest.approx(0.335, abs=0.001)
    squares = math.fsum(one**2 for one in found.components.values())
    assert found.uncertainty_db == pytest.approx(math.sqrt(squares))
