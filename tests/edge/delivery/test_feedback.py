"""What receipts tell a gateway of itself: its clock, and why messages are refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from vigil_edge.delivery.feedback import AGAIN_S, CLOCK_OFF_S, SHOWN_S, Feedback
from vigil_schemas.control import Receipt, ReceiptV1, RefusalReason

TRUE = datetime(2026, 5, 1, tzinfo=UTC)


class Box:
    """A gateway whose clock is off by so many seconds."""

    def __init__(self, offset_s: float = 0.0) -> None:
        self.offset_s = offset_s
        self.elapsed_s = 0.0
        self.feedback = Feedback(
            lambda: TRUE + timedelta(seconds=self.elapsed_s + self.offset_s),
            lambda: self.elapsed_s,
        )

    def receipt(self, *reasons: RefusalReason, up_s: float = 0.1, down_s: float = 0.1) -> None:
        """One message and its receipt."""
        self.elapsed_s += up_s
        time = TRUE + timedelta(seconds=self.elapsed_s)
        self.elapsed_s += down_s
        receipt = Receipt(source="/gw/alarm/x", stored=1, time=time, reasons=list(reasons))
        self.feedback.receipt(receipt, up_s + down_s)


@pytest.mark.parametrize("offset_s", [3600.0, -3600.0, 45.0, -1.7e9])
def test_a_wrong_clock_is_told_until_it_is_right(offset_s: float) -> None:
    box = Box(offset_s)

    with capture_logs() as logs:
        for _ in range(50):
            box.receipt()

    assert box.feedback.clock_offset_s == pytest.approx(offset_s, abs=0.2)
    assert [entry["code"] for entry in logs] == ["clock-wrong"], "once, not with each receipt"
    box.offset_s = 0.0
    box.receipt()
    assert box.feedback.clock_offset_s is None


@given(
    offset_s=st.floats(-CLOCK_OFF_S, CLOCK_OFF_S),
    up_s=st.floats(0, 7200),
    down_s=st.floats(0, 7200),
)
def test_a_slow_way_is_no_wrong_clock(offset_s: float, up_s: float, down_s: float) -> None:
    box = Box(offset_s * 0.999)

    box.receipt(up_s=up_s, down_s=down_s)

    assert box.feedback.clock_offset_s is None


@given(offset_s=st.floats(61, 1e9), up_s=st.floats(0, 15), down_s=st.floats(0, 15))
def test_a_clock_a_minute_off_is_found_over_a_slow_way(
    offset_s: float, up_s: float, down_s: float
) -> None:
    for sign in (1, -1):
        box = Box(sign * offset_s)
        box.receipt(up_s=up_s, down_s=down_s)
        assert box.feedback.clock_offset_s == pytest.approx(sign * offset_s, abs=15.2)


def test_a_receipt_whose_way_is_unknown_says_nothing_of_the_clock() -> None:
    box = Box(3600)

    box.feedback.receipt(Receipt(source="/gw/alarm/x", stored=1, time=TRUE), None)

    assert box.feedback.clock_offset_s is None


def refusal(reason: str, count: int) -> RefusalReason:
    return RefusalReason(reason=reason, count=count, detail=f"{reason} in detail")


def test_reasons_are_logged_now_and_then_and_shown_for_an_hour() -> None:
    box = Box()
    with capture_logs() as logs:
        for count in range(1, 101):
            box.receipt(refusal("unknown-gateway", count), refusal("future-dated", 1))

    assert [entry["code"] for entry in logs] == ["unknown-gateway", "future-dated"]
    assert "vigil-cloud gateway add" in logs[0]["remedy"]
    shown = {each.reason: each.count for each in box.feedback.refusals()}
    assert shown == {"unknown-gateway": 100, "future-dated": 1}

    box.elapsed_s += AGAIN_S
    with capture_logs() as logs:
        box.receipt(refusal("unknown-gateway", 101), refusal("future-dated", 1))
    assert [entry["code"] for entry in logs] == ["unknown-gateway"]
    box.elapsed_s += SHOWN_S + 1
    assert box.feedback.refusals() == []


def test_a_stranger_is_told_for_as_long_as_nothing_of_it_is_stored() -> None:
    box = Box()
    told = Receipt(
        source="/gw/alarm/x", stored=0, time=TRUE, reasons=[refusal("unknown-gateway", 1)]
    )

    with capture_logs() as logs:
        for _ in range(2 * int(SHOWN_S / 30) + 1):
            box.feedback.receipt(told, None)
            assert [each.reason for each in box.feedback.refusals()] == ["unknown-gateway"]
            box.elapsed_s += 30

    assert len(logs) == 2 * SHOWN_S / AGAIN_S + 1


def test_a_cloud_of_before_tells_that_something_was_refused() -> None:
    box = Box()

    box.feedback.receipt(ReceiptV1(source="/gw/event/x", stored=4, refused=2), 0.1)

    (only,) = box.feedback.refusals()
    assert (only.reason, only.count) == ("refused", 2)
