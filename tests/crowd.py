"""Many connections that do as little as they can, and what they do to the one who waits."""

from __future__ import annotations

import resource
import select
import socket
import time
from collections.abc import Iterable
from typing import Self

HANDLES = 1024
"""What a service gets where nobody has said anything else."""


def few_handles(command: list[str], most: int = HANDLES) -> list[str]:
    """The command, run with so many file handles and no right to more."""
    return ["/bin/sh", "-c", f'ulimit -n {most}; exec "$@"', "sh", *command]


def allow_handles(most: int) -> None:
    """Let this process have so many itself."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, hard), hard))


class Crowd:
    """``count`` connections that each send ``first`` and then nothing by themselves."""

    def __init__(
        self, port: int, count: int, first: bytes = b"", *, receive_buffer: int | None = None
    ) -> None:
        self.count = count
        self.sockets: list[socket.socket] = []
        for _ in range(count):
            one = socket.socket()
            if receive_buffer is not None:
                one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
            one.settimeout(60)
            try:
                one.connect(("127.0.0.1", port))
                one.sendall(first)
            except OSError:  # turned away: as good as closed
                one.close()
                continue
            one.setblocking(False)
            self.sockets.append(one)

    def drip(self, more: bytes) -> None:
        """One more piece from each that is still there."""
        for one in self.sockets:
            try:
                one.send(more)
            except OSError:
                continue

    def closed(self) -> int:
        """How many the other side has ended. Reads nothing from those that it has not."""
        poll = select.poll()
        for one in self.sockets:
            poll.register(one, select.POLLRDHUP)
        ended = {handle for handle, _ in poll.poll(0)}
        return self.count - len(self.sockets) + len(ended)

    def close(self) -> None:
        for one in self.sockets:
            one.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def seconds_until_closed(crowds: Iterable[Crowd], share: float, patience_s: float) -> float:
    """Until so large a part of them was ended; ``inf`` where that takes too long."""
    crowds = list(crowds)
    wanted = share * sum(crowd.count for crowd in crowds)
    began = time.monotonic()
    while time.monotonic() - began < patience_s:
        if sum(crowd.closed() for crowd in crowds) >= wanted:
            return time.monotonic() - began
        time.sleep(0.1)
    return float("inf")
