"""A microphone through PortAudio (``sounddevice``)."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncGenerator, Callable
from types import ModuleType
from typing import Any, Final

from vigil_edge import portaudio
from vigil_edge.noise.errors import MicrophoneLost, PortAudioMissing
from vigil_edge.noise.sound.pcm import Frames, PcmFormat

LOST_AFTER_S: Final = 2.0
"""An unplugged microphone gives no error; it gives nothing."""
FIRST_WITHIN_S: Final = 10.0
"""A sound server first has to wake a device that it had put to sleep."""
_LOOKS: Final = 4
"""So often it is looked within that time: where this process stood still for longer, which
is not the microphone's fault, only one look is lost, and the sound comes with the next."""
OPEN_WITHIN_S: Final = 15.0
QUEUE_BLOCKS: Final = 100
_DTYPES: Final = {"s16le": "int16", "s24le": "int24", "s32le": "int32", "f32le": "float32"}


class Microphone:
    """One input device. PortAudio's callback only copies; everything else runs in the loop."""

    def __init__(
        self, device: str, address: str | int, layout: PcmFormat, count: Callable[[str], None]
    ) -> None:
        if layout.encoding not in _DTYPES:
            raise MicrophoneLost(device, f"sound cards do not deliver {layout.encoding}")
        self._device = device
        self._address = address
        self.format = layout
        self._count = count

    async def blocks(self) -> AsyncGenerator[Frames, None]:
        """Raises ``MicrophoneLost`` where it cannot be opened or falls silent."""
        loop = asyncio.get_running_loop()
        queue: asyncio.Queue[bytes] = asyncio.Queue(QUEUE_BLOCKS)

        def deliver(payload: bytes, overflow: bool) -> None:
            if overflow:
                self._count("input-overflow")
            try:
                queue.put_nowait(payload)
            except asyncio.QueueFull:
                self._count("blocks-dropped")

        def callback(indata: Any, _frames: int, _time: Any, status: Any) -> None:
            # Called from PortAudio's thread; after the loop has closed there is nobody to tell.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(deliver, bytes(indata), bool(status.input_overflow))

        stream = await self._opened(callback)
        try:
            patience_s = FIRST_WITHIN_S
            while True:
                yield self.format.decode(await self._next(queue, patience_s))
                patience_s = LOST_AFTER_S
        finally:
            # In a thread: where the driver hangs, the other sensors need not wait with it.
            await asyncio.to_thread(portaudio.close, stream)

    async def _opened(self, callback: Callable[..., None]) -> Any:
        opening = asyncio.ensure_future(asyncio.to_thread(self._open, callback))
        try:
            async with asyncio.timeout(OPEN_WITHIN_S):
                return await asyncio.shield(opening)
        except TimeoutError as error:
            raise MicrophoneLost(
                self._device, f"{self._name} did not open within {OPEN_WITHIN_S:.0f} s"
            ) from error
        finally:
            if not opening.done():
                # Nobody waits any more; left open, it would hold the device from the next try.
                opening.add_done_callback(_close_late)

    async def _next(self, queue: asyncio.Queue[bytes], patience_s: float) -> bytes:
        for _ in range(_LOOKS):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(patience_s / _LOOKS):
                    return await queue.get()
        raise MicrophoneLost(self._device, f"{self._name} stopped delivering; is it plugged in?")

    @property
    def _name(self) -> str:
        return f"sound device {self._address!r}" if self._address != "" else "default microphone"

    def _open(self, callback: Callable[..., None]) -> Any:
        sounddevice = self._portaudio()
        try:
            return portaudio.start(
                sounddevice,
                lambda: sounddevice.RawInputStream(
                    samplerate=self.format.rate_hz,
                    channels=self.format.channels,
                    dtype=_DTYPES[self.format.encoding],
                    device=portaudio.address_of(self._address),
                    blocksize=self.format.rate_hz // 20,
                    latency="high",
                    callback=callback,
                ),
            )
        except (sounddevice.PortAudioError, ValueError) as error:
            raise MicrophoneLost(
                self._device, f"{self._name} cannot be opened: {' '.join(str(error).split())}"
            ) from error

    def _portaudio(self) -> ModuleType:
        try:
            return portaudio.library()
        except OSError as error:
            raise PortAudioMissing(
                self._device, "PortAudio is not installed: apt-get install libportaudio2"
            ) from error
        except ImportError as error:
            raise PortAudioMissing(
                self._device, "sounddevice is not installed: pip install 'WHEEL[edge-noise]'"
            ) from error


def _close_late(opening: asyncio.Future[Any]) -> None:
    if not opening.cancelled() and opening.exception() is None:
        threading.Thread(target=portaudio.close, args=(opening.result(),), daemon=True).start()
