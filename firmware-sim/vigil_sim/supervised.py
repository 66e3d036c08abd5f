"""Tasks that go on until they are cancelled: one that fails is noticed at once.

A device whose loop has died looks like a quiet device; nobody may count against that.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, ClassVar, Final

from vigil_schemas.errors import VigilError

_MARK: Final = "vigil_supervised"


class DeviceFailed(VigilError):
    """A simulated device broke down, not as its scenario says but for good."""

    code: ClassVar[str] = "device-failed"
    remedy: ClassVar[str] = "This is a mistake in the simulator: report it with the message."


def start_supervised(work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
    """Run until cancelled. An error that it ends with goes to the loop's exception handler."""
    task = asyncio.get_running_loop().create_task(work, name=name)
    task.add_done_callback(_report_failure)
    return task


def _report_failure(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        told = {"message": f"{task.get_name()} has failed", "exception": error, "task": task}
        task.get_loop().call_exception_handler({**told, _MARK: task.get_name()})


async def cancel_and_wait(task: asyncio.Task[None] | None) -> None:
    """Cancel a supervised task and wait for its end; an error that it ended with has been told."""
    if task is None:
        return
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def every(period_s: float, act: Callable[[], None]) -> None:
    """Call ``act`` once per period, without creeping, until cancelled.

    A late round is not made up for: ``act`` looks at the clock itself.
    """
    loop = asyncio.get_running_loop()
    due = loop.time()
    while True:
        act()
        due = max(due + period_s, loop.time())
        await asyncio.sleep(due - loop.time())


def first_failure() -> asyncio.Future[None]:
    """Raises ``DeviceFailed`` once any supervised task of the running loop fails."""
    loop = asyncio.get_running_loop()
    failure: asyncio.Future[None] = loop.create_future()

    def handle(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        if _MARK not in context:
            loop.default_exception_handler(context)
        elif not failure.done():
            error = context["exception"]
            failure.set_exception(DeviceFailed(f"{context[_MARK]}: {error!r}"))

    loop.set_exception_handler(handle)
    return failure
