"""Where live sound comes from: one shape for a stream and a file; the microphone beside it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Protocol

from vigil_edge.noise.errors import AudioFileFailed, AudioStreamLost
from vigil_edge.noise.sound.ledger import Block
from vigil_edge.noise.sound.pcm import PcmFormat
from vigil_edge.noise.sound.settings import AudioSettings
from vigil_edge.noise.sound.wav import WavFile, open_wav
from vigil_schemas.errors import VigilError

BLOCK_S: Final = 0.1
SILENT_AFTER_S: Final = 5.0
"""A stream that has sent nothing for so long, or lags so much behind, is taken for dead."""
_CLOCKS_DIFFER: Final = 1.05
"""Far more than any sound card's clock is off."""


class AudioSource(Protocol):
    """Live sound. ``blocks`` ends by raising a ``SourceError``, never by itself."""

    @property
    def format(self) -> PcmFormat:
        """Layout of what comes."""

    def blocks(self) -> AsyncGenerator[Block, None]:
        """Sound as it arrives. Raises ``SourceError``."""


def _utc() -> datetime:
    return datetime.now(UTC)


def open_source(
    device: str,
    audio: AudioSettings,
    count: Callable[[str], None],
    monotonic: Callable[[], float] = time.monotonic,
    now: Callable[[], datetime] = _utc,
) -> AudioSource:
    """The source that the settings name. ``count`` is told of overflows; ``now`` is the wall clock
    by which a driver's own times are dated. Raises ``SourceError``."""
    if audio.source == "pcm":
        host, port = audio.host_and_port
        return TcpPcm(device, host, port, audio.layout, monotonic)
    if audio.source == "wav":
        return PacedFile(device, Path(str(audio.address)))
    # Only here: the module needs a system library that a gateway without microphone lacks.
    from vigil_edge.noise.sound.microphone import Microphone

    return Microphone(device, audio.address, audio.layout, count, now)


class TcpPcm:
    """Raw interleaved PCM from a TCP server, such as a microphone array's own computer."""

    def __init__(
        self,
        device: str,
        host: str,
        port: int,
        layout: PcmFormat,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._device = device
        self._host = host
        self._port = port
        self.format = layout
        self._monotonic = monotonic

    async def blocks(self) -> AsyncGenerator[Block, None]:
        """Raises ``AudioStreamLost`` where the server is not there, falls silent or hangs up, and
        where it sends so little that the sound falls behind the time that passes."""
        where = f"{self._host}:{self._port}"
        try:
            async with asyncio.timeout(SILENT_AFTER_S):
                reader, writer = await asyncio.open_connection(self._host, self._port)
        except OSError as error:  # TimeoutError is one
            raise AudioStreamLost(
                self._device, f"PCM stream {where} cannot be reached: {error or 'no answer'}"
            ) from error
        try:
            rest = b""
            behind_s = 0.0
            bytes_per_s = self.format.rate_hz * self.format.frame_bytes
            while True:
                # While others have the word, sound waits in the socket: that is not its lateness.
                asked = self._monotonic()
                async with asyncio.timeout(SILENT_AFTER_S):
                    received = await reader.read(self._chunk)
                behind_s += self._monotonic() - asked
                if not received:
                    raise AudioStreamLost(
                        self._device, f"PCM stream {where} was closed by its server"
                    )
                behind_s = max(0.0, behind_s - _CLOCKS_DIFFER * len(received) / bytes_per_s)
                if behind_s > SILENT_AFTER_S:
                    raise AudioStreamLost(
                        self._device,
                        f"PCM stream {where} lags {behind_s:.0f} s behind: it sends fewer than the"
                        f" {self.format.rate_hz} samples a second that `format` says",
                    )
                payload = rest + received
                # TCP cuts where it likes, also inside a sample.
                whole = len(payload) - len(payload) % self.format.frame_bytes
                rest = payload[whole:]
                if whole:
                    yield Block(self.format.decode(payload[:whole]))
        except OSError as error:
            raise AudioStreamLost(
                self._device, f"PCM stream {where} broke off: {error or 'it fell silent'}"
            ) from error
        finally:
            writer.close()

    @property
    def _chunk(self) -> int:
        return max(4096, int(BLOCK_S * self.format.rate_hz) * self.format.frame_bytes)


class PacedFile:
    """A WAV file played at its own speed, in place of a microphone."""

    def __init__(self, device: str, path: Path) -> None:
        self._device = device
        try:
            self._file: WavFile = open_wav(path)
        except VigilError as error:
            raise AudioFileFailed(device, f"{error.code}: {error}") from error

    @property
    def format(self) -> PcmFormat:
        """The file's own."""
        return self._file.format

    async def blocks(self) -> AsyncGenerator[Block, None]:
        """Raises ``AudioFileFailed`` at the end of the file; the agent then plays it again."""
        loop = asyncio.get_running_loop()
        begun = loop.time()
        played = 0
        try:
            for frames in self._file.blocks(int(BLOCK_S * self.format.rate_hz)):
                played += len(frames)
                await asyncio.sleep(begun + played / self.format.rate_hz - loop.time())
                yield Block(frames)
        except (OSError, VigilError) as error:
            raise AudioFileFailed(self._device, f"{self._file.path.name}: {error}") from error
        raise AudioFileFailed(self._device, f"{self._file.path.name} is played to its end")
