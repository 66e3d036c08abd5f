"""Heavy work as a process of its own can import it."""

from __future__ import annotations

import os
import time
from typing import Any

from vigil_cloud.timeseries.port import TimeSeriesUnavailable


def square(number: int) -> tuple[int, int]:
    """The result and the process that computed it."""
    return number * number, os.getpid()


def dies(_number: int) -> None:
    """As the kernel kills a process that needs too much memory."""
    os._exit(9)


def hangs(_number: int) -> Any:
    time.sleep(600)


def raises(number: int) -> None:
    raise ValueError(f"no square of {number}")


def reads_what_is_away(_number: int) -> object:
    """The time series' own error has to come back whole from another process."""
    raise TimeSeriesUnavailable("time series /nowhere: unable to open database file")
