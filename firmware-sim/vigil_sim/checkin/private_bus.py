"""A D-Bus of our own: a ``dbus-daemon`` child on a Unix socket, ended with us."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import shutil
import signal
import string
import sys
from pathlib import Path
from typing import ClassVar, Final

from vigil_schemas.errors import VigilError

_CONFIGURATION: Final = """<!DOCTYPE busconfig PUBLIC
 "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>{address}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>
"""
_SOCKET: Final = "bus"
_LONGEST_SOCKET_PATH: Final = 107
_UNESCAPED: Final = frozenset(f"{string.ascii_letters}{string.digits}-_/.".encode())
_PR_SET_PDEATHSIG: Final = 1
_libc = ctypes.CDLL(None, use_errno=True)


class PrivateBusError(VigilError):
    """The private bus could not be started."""

    code: ClassVar[str] = "private-bus"
    remedy: ClassVar[str] = "Install `dbus-daemon`, and keep `--dir` short."


def fits(directory: Path) -> bool:
    """Whether a Unix socket in this directory has a path that the system can hold."""
    return len(os.fsencode(directory / _SOCKET)) <= _LONGEST_SOCKET_PATH


class PrivateBus:
    """``await start()``, then ``address`` is what goes into ``DBUS_SYSTEM_BUS_ADDRESS``."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._socket = directory / _SOCKET
        self._process: asyncio.subprocess.Process | None = None

    @property
    def address(self) -> str:
        """The bus's D-Bus address."""
        # The D-Bus specification, "Server Addresses": every other byte is written as %XX.
        path = "".join(
            chr(byte) if byte in _UNESCAPED else f"%{byte:02x}"
            for byte in os.fsencode(self._socket)
        )
        return f"unix:path={path}"

    async def start(self) -> None:
        """Returns once the bus accepts connections. Raises ``PrivateBusError``."""
        program = shutil.which("dbus-daemon")
        if program is None:
            raise PrivateBusError("dbus-daemon is not installed: apt-get install dbus")
        if not fits(self._directory):
            raise PrivateBusError(
                f"{self._socket} is too long for a Unix socket: choose a shorter directory"
            )
        self._directory.mkdir(parents=True, exist_ok=True)
        configuration = self._directory / "bus.conf"
        configuration.write_text(_CONFIGURATION.format(address=self.address), encoding="utf-8")
        log = self._directory / "bus.log"
        with log.open("wb") as complaints:
            self._process = await asyncio.create_subprocess_exec(
                program,
                f"--config-file={configuration}",
                "--nofork",
                "--nopidfile",
                "--print-address=1",
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=complaints,
                preexec_fn=_end_with_parent,
            )
        if self._process.stdout is None or not await self._process.stdout.readline():
            await self._process.communicate()
            self._process = None
            said = log.read_text(encoding="utf-8", errors="replace").strip()
            raise PrivateBusError(f"dbus-daemon ended at once: {said}")

    async def stop(self) -> None:
        """End the bus; every client is disconnected."""
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()
        # Reads to the end of its output as well, so that the pipe is closed.
        await self._process.communicate()
        self._process = None


def _end_with_parent() -> None:
    # Runs in the child between fork and exec: a killed simulator leaves no bus behind.
    # Only Linux has this call; elsewhere the bus is ended by ``stop`` alone.
    if sys.platform == "linux":
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
