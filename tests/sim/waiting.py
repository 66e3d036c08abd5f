"""Waiting on a condition inside a running event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


async def until(condition: Callable[[], object], what: str, deadline_s: float = 60.0) -> None:
    """Let the loop run until the condition is true; fails with ``what`` after the deadline."""
    try:
        async with asyncio.timeout(deadline_s):
            # What is waited for changes in other tasks and processes, which set no event.
            while not condition():  # noqa: ASYNC110
                await asyncio.sleep(0.01)
    except TimeoutError:
        raise AssertionError(f"{what} did not come true within {deadline_s:.0f} s") from None
