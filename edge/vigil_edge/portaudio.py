"""PortAudio (``sounddevice``), shared by whatever records and plays in this process.

PortAudio lists its devices once, when it begins: one plugged in since is not found until it
begins anew, and that would end every open stream. So all streams are opened and closed here.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import ModuleType
from typing import Any, Final

import structlog

CLOSE_WITHIN_S: Final = 2.0

_log = structlog.get_logger("portaudio")
_opening = threading.Lock()
_streams: set[int] = set()
"""Identities of the streams that are open in this process."""


def library() -> ModuleType:
    """Raises ``OSError`` where PortAudio is not installed, ``ImportError`` for sounddevice."""
    import sounddevice

    module: ModuleType = sounddevice
    return module


def address_of(configured: str | int) -> str | int | None:
    """A device's name or index as PortAudio takes it; ``None`` is the system's default."""
    if isinstance(configured, str):
        return int(configured) if configured.isdecimal() else configured or None
    return configured


def start(sounddevice: ModuleType, make: Callable[[], Any]) -> Any:
    """The stream that ``make`` makes, running. Raises what PortAudio raises."""
    with _opening:
        if not _streams:
            sounddevice._terminate()
            sounddevice._initialize()
        stream = make()
        try:
            stream.start()
        except BaseException:
            stream.close(ignore_errors=True)
            raise
        _streams.add(id(stream))
    return stream


def require_output(sounddevice: ModuleType, address: str | int | None) -> None:
    """That something plays at this address now. Raises what PortAudio raises."""
    with _opening:
        if not _streams:
            sounddevice._terminate()
            sounddevice._initialize()
        sounddevice.query_devices(address, "output")


def close(stream: Any) -> None:
    """Abort and close; where the driver hangs on a vanished device, it is left behind."""

    def end() -> None:
        try:
            stream.abort(ignore_errors=True)
            stream.close(ignore_errors=True)
        except Exception as error:  # noqa: BLE001 - whatever closing a vanished device says, it is gone
            _log.info("a device did not close in order", error=repr(error))

    closer = threading.Thread(target=end, daemon=True, name="close-sound-device")
    closer.start()
    closer.join(CLOSE_WITHIN_S)
    # Only now: without a stream PortAudio may begin anew, which frees what is still being closed.
    _streams.discard(id(stream))
