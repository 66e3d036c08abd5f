"""A microphone through PortAudio (``sounddevice``)."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import ModuleType
from typing import Any, Final

from vigil_edge import portaudio
from vigil_edge.noise.errors import MicrophoneLost, PortAudioMissing
from vigil_edge.noise.sound.ledger import Block
from vigil_edge.noise.sound.pcm import PcmFormat

LOST_AFTER_S: Final = 2.0
"""An unplugged microphone gives no error; it gives nothing."""
FIRST_WITHIN_S: Final = 10.0
"""A sound server first has to wake a device that it had put to sleep."""
_LOOKS: Final = 4
"""So often it is looked within that time: where this process stood still for longer, which
is not the microphone's fault, only one look is lost, and the sound comes with the next."""
OPEN_WITHIN_S: Final = 15.0
QUEUE_BLOCKS: Final = 100
_LATEST_S: Final = 5.0
"""A capture time further from now than this is none."""
_DTYPES: Final = {"s16le": "int16", "s24le": "int24", "s32le": "int32", "f32le": "float32"}


class Microphone:
    """One input device. PortAudio's callback only copies; everything else runs in the loop."""

    def __init__(
        self,
        device: str,
        address: str | int,
        layout: PcmFormat,
        count: Callable[[str], None],
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        if layout.encoding not in _DTYPES:
            raise MicrophoneLost(device, f"sound cards do not deliver {layout.encoding}")
        self._device = device
        self._address = address
        self.format = layout
        self._count = count
        self._now = now

    async def blocks(self) -> AsyncGenerator[Block, None]:
        """Raises ``MicrophoneLost`` where it cannot be opened or falls silent."""
        loop = asyncio.get_running_loop()
        arrivals = _Arrivals(self.format, self._count)

        def callback(indata: Any, frames: int, times: Any, status: Any) -> None:
            # Called from PortAudio's thread; after the loop has closed there is nobody to tell.
            overflow = bool(status.input_overflow)
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(
                    arrivals.deliver,
                    bytes(indata),
                    arrivals.dated(frames, times, self._now()),
                    overflow,
                )

        stream = await self._opened(callback)
        try:
            patience_s = FIRST_WITHIN_S
            while True:
                yield await self._next(arrivals.queue, patience_s)
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

    async def _next(self, queue: asyncio.Queue[Block], patience_s: float) -> Block:
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


@dataclass(frozen=True, slots=True)
class _Dated:
    """What PortAudio's clock says of a block."""

    captured: datetime | None
    gap: int
    """Samples that passed between the block before it and this one."""


@dataclass(slots=True)
class _Arrivals:
    """Blocks on their way from PortAudio's thread to the loop, each with what is missing before
    it: those that found no room, and those that PortAudio's clock misses after an overflow."""

    format: PcmFormat
    count: Callable[[str], None]
    queue: asyncio.Queue[Block] = field(init=False)
    _dropped: int = field(init=False, default=0)
    _overflowed: bool = field(init=False, default=False)
    _ended_s: float | None = field(init=False, default=None)
    """Of the block before, by the stream's clock; touched by PortAudio's thread alone."""

    def __post_init__(self) -> None:
        self.queue = asyncio.Queue(QUEUE_BLOCKS)

    def dated(self, frames: int, times: Any, now: datetime) -> _Dated:
        """In PortAudio's thread. A host that knows no capture time says 0."""
        began_s, current_s = float(times.inputBufferAdcTime), float(times.currentTime)
        ended_s = began_s + frames / self.format.rate_hz
        before_s, self._ended_s = self._ended_s, ended_s
        if began_s <= 0.0 or not 0.0 <= current_s - began_s <= _LATEST_S:
            self._ended_s = None
            return _Dated(None, 0)
        gap = 0 if before_s is None else round((began_s - before_s) * self.format.rate_hz)
        return _Dated(now - timedelta(seconds=current_s - ended_s), max(0, gap))

    def deliver(self, payload: bytes, dated: _Dated, overflow: bool) -> None:
        """In the loop."""
        if overflow:
            self.count("input-overflow")
        # Between two blocks PortAudio's clock also wavers: it counts where samples were lost.
        missing = self._dropped + (dated.gap if overflow else 0)
        frames = self.format.decode(payload)
        block = Block(frames, dated.captured, missing, overflow or self._overflowed)
        try:
            self.queue.put_nowait(block)
        except asyncio.QueueFull:
            self.count("blocks-dropped")
            self._dropped, self._overflowed = missing + len(frames), block.overflow
            return
        self._dropped, self._overflowed = 0, False


def _close_late(opening: asyncio.Future[Any]) -> None:
    if not opening.cancelled() and opening.exception() is None:
        threading.Thread(target=portaudio.close, args=(opening.result(),), daemon=True).start()
