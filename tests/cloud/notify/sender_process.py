"""One process that sends notifications until it is killed; its clock runs faster.

``VIGIL_TEST_BEGAN`` (seconds since 1970) and ``VIGIL_TEST_SPEED`` say how much faster: two minutes
of a lease pass in seconds.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from vigil_cloud.config import load
from vigil_cloud.notify.notification_sender import NotificationSender
from vigil_cloud.stores import build_services


def faster(began: float, speed: float) -> Callable[[], datetime]:
    """A clock that every process of a run has alike."""
    start = datetime.fromtimestamp(began, UTC)
    return lambda: start + timedelta(seconds=(time.time() - began) * speed)


if __name__ == "__main__":
    now = faster(float(os.environ["VIGIL_TEST_BEGAN"]), float(os.environ["VIGIL_TEST_SPEED"]))
    NotificationSender(build_services(load(None), now=now)).run(threading.Event())
