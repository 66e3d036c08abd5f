"""Smoke that comes with a self test: how long it may last before it is a fire. Pure.

By a monotonic clock; a restart in between counts as time that passed.
"""

from __future__ import annotations

from typing import Final

from vigil_edge.smoke.condition import Known

AFTER_TEST_S: Final = 60.0
IN_ALL_S: Final = 180.0
"""Smoke that lasts longer than the test by this, or this long in all, is a fire."""
ASKED_S: Final = 30.0
"""Smoke that begins so soon after we asked for a test comes with it, also where the device calls
it none: a test must not reach the public."""
STUCK_S: Final = 600.0
"""No test takes so long: a button or a bit is stuck, and smoke is smoke."""


def is_running(known: Known, moment: float) -> bool:
    """Whether smoke that begins now comes with a test."""
    if known.test_asked is not None and 0 <= moment - known.test_asked <= ASKED_S:
        return True
    test = known.active.get("test")
    return test is not None and moment - test.moment <= STUCK_S


def is_stuck(known: Known, moment: float) -> bool:
    """Whether what it calls a test lasts too long to be one."""
    return "test" in known.active and not is_running(known, moment)


def is_outlasted(known: Known, moment: float) -> bool:
    """Whether smoke that came with a test is a fire after all."""
    for active in known.active.values():
        if not active.during_test or active.unconfirmed_us is not None:
            continue
        # A test that was over before this smoke began is another one.
        over = max(active.moment, known.test_over or active.moment)
        if moment - active.moment >= IN_ALL_S:
            return True
        if "test" not in known.active and moment - over >= AFTER_TEST_S:
            return True
    return False
