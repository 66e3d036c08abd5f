"""What stands is told once more on a new connection, at a bounded cost."""

from __future__ import annotations

from vigil_edge.device.told_again import AT_ONCE, EACH_S, LONGEST_S, Key, ToldAgain


def test_one_round_for_each_connection() -> None:
    again = ToldAgain()
    assert again.due(0, 0.0, lambda: [("a",)]) == [], "none was made yet"
    assert again.due(1, 1.0, lambda: [("a",)]) == [("a",)]
    assert again.due(1, 1.0, lambda: [("b",)]) == [("a",)], "until it is on the disk"
    again.told()
    assert again.due(1, 2.0, lambda: [("b",)]) == []
    assert again.due(2, 1.0 + EACH_S, lambda: [("b",)]) == [("b",)]


def test_a_link_that_flaps_with_thousands_standing() -> None:
    again, standing = ToldAgain(), [(str(number),) for number in range(20_000)]
    told: list[Key] = []
    for second in range(3600):
        some = again.due(second + 1, float(second), lambda: standing)
        assert len(some) <= AT_ONCE
        told += some
        again.told()
    assert told[:20_000] == standing
    assert len(told) <= 20_000 * (3600 / LONGEST_S)
