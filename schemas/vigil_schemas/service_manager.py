"""What a service tells systemd: that it is ready, that it lives, what it does, that it ends.

The protocol of ``sd_notify(3)``: a datagram of lines to the Unix socket that ``$NOTIFY_SOCKET``
names. Where there is none (a terminal, a container) nothing is told.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from typing import Final

_LONGEST_STATUS: Final = 200


class ServiceManager:
    """The one that started this process, or nobody."""

    def __init__(self, address: str = "", watchdog_s: float | None = None) -> None:
        """``address``: a path, or ``@name`` in the abstract namespace; empty: nobody listens."""
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self.watchdog_s = watchdog_s
        """So often it wants to hear ``alive``, in seconds; ``None`` where it does not watch."""

    @classmethod
    def of(cls, environment: Mapping[str, str] = os.environ) -> ServiceManager:
        """As systemd tells it. A watchdog that is meant for another process is none of ours."""
        address = environment.get("NOTIFY_SOCKET", "")
        watched = environment.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        wanted = environment.get("WATCHDOG_USEC", "")
        watchdog_s = int(wanted) / 1e6 if address and watched and wanted.isdecimal() else None
        return cls(address, watchdog_s or None)

    def ready(self, status: str = "") -> None:
        """The service does its work from now on. Raises ``OSError``."""
        self._say("READY=1", *_status(status))

    def alive(self, status: str = "") -> None:
        """It still does; missing for ``watchdog_s``, it is killed and started anew. Raises
        ``OSError``."""
        self._say("WATCHDOG=1", *_status(status))

    def waiting(self, seconds: float, status: str) -> None:
        """Not ready yet, and not to be given up for so many seconds more. Raises ``OSError``."""
        self._say(f"EXTEND_TIMEOUT_USEC={int(seconds * 1e6)}", *_status(status))

    def stopping(self) -> None:
        """It puts down what it holds. Raises ``OSError``."""
        self._say("STOPPING=1")

    def _say(self, *lines: str) -> None:
        if not self._address:
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as out:
            out.setblocking(False)  # a manager that does not read must not hold up an alarm
            out.sendto("\n".join(lines).encode(), self._address)


def _status(text: str) -> tuple[str, ...]:
    """One line, whatever a message holds: a second one would be an instruction."""
    return (f"STATUS={' '.join(text.split())[:_LONGEST_STATUS]}",) if text else ()
