"""A networked microphone array: raw interleaved s16le PCM at 48 kHz to whoever connects.

Every client gets the stream from now on, as fast as it happens and no faster.
A client that does not keep up loses whole blocks, and they are counted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from vigil_sim.faults import Faults
from vigil_sim.noise.clock import StreetClock
from vigil_sim.noise.serving import Broadcast
from vigil_sim.noise.sound import StreetSound
from vigil_sim.noise.vehicle import SAMPLE_RATE

BLOCK = 2400
"""Samples in a block: 50 ms."""
BEHIND_BYTES = 512 * 1024
"""More than this unsent to a client (over a second of four channels), and blocks are dropped."""
_CATCH_UP_S = 2.0
_FLIPPED_BYTES = 64


class Microphone:
    """One array. ``await start()``, then ``address`` is where the gateway connects.

    Faults: drop loses blocks, drift changes the gain (dB), reboot closes every
    connection and refuses new ones, corrupt_frame flips bytes of a block.
    """

    def __init__(
        self,
        sound: StreetSound,
        clock: StreetClock,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        world_time: Callable[[], float] | None = None,
        faults: Faults | None = None,
    ) -> None:
        self.sound = sound
        self.dropped_blocks = 0
        self._clock = clock
        self._world_time = world_time or clock.now
        self._faults = faults or Faults()
        self._server = Broadcast(
            host, port, _welcome, lambda: self._faults.rebooting(self._world_time())
        )

    @property
    def address(self) -> str:
        """``tcp://host:port``."""
        return f"tcp://{self._server.address}"

    @property
    def clients(self) -> int:
        """How many are connected."""
        return len(self._server.listeners)

    async def start(self) -> None:
        """Listen, and begin to convert."""
        await self._server.start(self._tick(), "microphone")

    async def stop(self) -> None:
        """Close every connection and the port."""
        await self._server.stop()

    async def _tick(self) -> None:
        first = int(self._clock.now() * SAMPLE_RATE)
        while True:
            due = (first + BLOCK) / SAMPLE_RATE - self._clock.now()
            if due > 0:
                await asyncio.sleep(due)
            elif due < -_CATCH_UP_S:
                # The whole process was stopped: the converter did not wait for it.
                first = int(self._clock.now() * SAMPLE_RATE)
            self._send(first)
            first += BLOCK
            self.sound.forget_before(first)

    def _send(self, first: int) -> None:
        world = self._world_time()
        if self._faults.rebooting(world):
            self._server.hang_up()
        if not self._server.listeners or self._faults.drops(world):
            return
        data = self.sound.block(first, BLOCK, self._faults.drift(world, "gain"))
        if self._faults.corruption(world):
            broken = bytearray(data)
            for _ in range(_FLIPPED_BYTES):
                broken[self._faults.random.randrange(len(broken))] ^= 0xFF
            data = bytes(broken)
        self.dropped_blocks += self._server.send(data, BEHIND_BYTES)


async def _welcome(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> bool:
    return True
