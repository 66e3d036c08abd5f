"""A restore that kills its own process (SIGKILL) as it tells of something."""

import os
import signal
import sys
from pathlib import Path

from vigil_cloud.backup import restoring
from vigil_cloud.config import load
from vigil_cloud.stores import build_services

folder, backup, secret, word, count = sys.argv[1:]
left = int(count)


def told(line: str) -> None:
    global left
    left -= word in line
    if not left:
        os.kill(os.getpid(), signal.SIGKILL)


services = build_services(load(None, data_dir=Path(folder), secret_key=secret))
restoring.restore(services, Path(backup), by="operator", told=told)
