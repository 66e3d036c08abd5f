"""Between OpenCV and an RTSP camera, on this gateway's loopback: every byte goes on as it comes,
and what RTP and RTCP say of the time is read on the way, which OpenCV does not tell.

Works where RTP comes interleaved in the RTSP connection (RFC 2326, 10.12), as OpenCV asks for; else
no report is seen and pictures are dated by their arrival.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections import Counter
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final, Self
from urllib.parse import urlsplit, urlunsplit

from vigil_edge.noise.pictures.rtcp import SenderClock, rtp_time, sender_reports

CONNECT_WITHIN_S: Final = 5.0
_CHUNK: Final = 64 * 1024
_MOST_TEXT: Final = 256 * 1024
"""Of an RTSP answer; a camera's are a few thousand bytes."""


@dataclass(slots=True)
class InterleavedReader:
    """Cuts a camera's bytes into RTSP answers, which are skipped, and RTP and RTCP packets."""

    senders: dict[int, SenderClock] = field(init=False, default_factory=dict)
    """By SSRC."""
    bytes_of: Counter[int] = field(init=False, default_factory=Counter)
    broken: bool = field(init=False, default=False)
    """It is no RTSP that can be followed: nothing more is read of it."""
    _rest: bytearray = field(init=False, default_factory=bytearray)
    _skip: int = field(init=False, default=0)
    """Of the body of an answer."""

    def feed(self, data: bytes) -> None:
        """Some more bytes of the camera."""
        if self.broken:
            return
        self._rest += data
        while self._rest and self._one():
            pass
        if len(self._rest) > _MOST_TEXT:
            self.broken = True
            self._rest.clear()

    @property
    def video(self) -> SenderClock | None:
        """Of the sender with the most bytes: of picture and sound it is the picture."""
        most = self.bytes_of.most_common(1)
        return self.senders[most[0][0]] if most else None

    def _one(self) -> bool:
        rest = self._rest
        if self._skip:
            taken = min(self._skip, len(rest))
            del rest[:taken]
            self._skip -= taken
            return True
        if rest[0] == 0x24:  # $
            return self._packet()
        end = rest.find(b"\r\n\r\n")
        if end < 0:
            return False
        head = bytes(rest[:end])
        del rest[: end + 4]
        self._skip = _length(head)
        return True

    def _packet(self) -> bool:
        rest = self._rest
        if len(rest) < 4:
            return False
        size = int.from_bytes(rest[2:4], "big")
        if len(rest) < 4 + size:
            return False
        channel, packet = rest[1], bytes(rest[4 : 4 + size])
        del rest[: 4 + size]
        if channel % 2:
            for report in sender_reports(packet):
                self.senders.setdefault(report.ssrc, SenderClock()).told(report)
            return True
        said = rtp_time(packet)
        if said is not None:
            self.senders.setdefault(said[0], SenderClock()).packet(said[1])
            self.bytes_of[said[0]] += size
        return True


def _length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length" and value.strip().isdigit():
            digits = value.strip().lstrip(b"0")[:12]  # of thousands Python makes no number
            return min(int(digits or b"0"), _MOST_TEXT)
    return 0


class RtspRelay:
    """One connection to ``address`` (rtsp://), offered at ``local`` to one player. Raises
    ``OSError`` where the camera cannot be reached."""

    def __init__(self, address: str) -> None:
        parts = urlsplit(address)
        self._lock = threading.Lock()
        self._reader = InterleavedReader()
        self._camera = socket.create_connection(
            (parts.hostname or "", parts.port or 554), CONNECT_WITHIN_S
        )
        self._camera.settimeout(None)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._player: socket.socket | None = None
        port = self._listening.getsockname()[1]
        login = parts.netloc.rpartition("@")[0]
        netloc = f"{login}@127.0.0.1:{port}" if login else f"127.0.0.1:{port}"
        self.local = urlunsplit(parts._replace(netloc=netloc))
        """What the player is to open."""
        threading.Thread(target=self._serve, daemon=True, name="rtsp relay").start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def wall_s(self, since_first_s: float) -> float | None:
        """As ``SenderClock.wall_s``, of the video."""
        with self._lock:
            video = self._reader.video
            return None if video is None else video.wall_s(since_first_s)

    def close(self) -> None:
        """End both connections, and with them the threads."""
        for each in (self._listening, self._camera, self._player):
            if each is not None:
                with contextlib.suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)
                each.close()

    def _serve(self) -> None:
        try:
            player, _ = self._listening.accept()
        except OSError:  # closed before anybody came
            return
        self._player = player
        self._listening.close()
        threading.Thread(
            target=_pump, args=(player, self._camera, None), daemon=True, name="rtsp relay up"
        ).start()
        _pump(self._camera, player, self._read)

    def _read(self, data: bytes) -> None:
        with self._lock:
            self._reader.feed(data)


def _pump(source: socket.socket, sink: socket.socket, seen: object) -> None:
    """Until either end closes; then the other one is closed as well."""
    with contextlib.suppress(OSError):
        while data := source.recv(_CHUNK):
            if callable(seen):
                seen(data)
            sink.sendall(data)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_RDWR)
