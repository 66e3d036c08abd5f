"""TCP ports of this machine, and what answers on them."""

from __future__ import annotations

import fcntl
import functools
import itertools
import os
import socket
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final

ON_DISK: Final = Path("/tmp") if Path("/tmp").is_dir() else Path(tempfile.gettempdir())
"""Not ``$TMPDIR``, which is memory and another one for each run: for what is large, and for what
runs at the same time must share."""
FIRST: Final = 20_000
"""Below what Linux gives to outgoing connections and to port 0 (32768 to 60999)."""
IN_BLOCK: Final = 200
BLOCKS: Final = 60


def free_port(host: str = "127.0.0.1") -> int:
    """A TCP port that nobody listens on now, and that nobody else is given.

    A port of the system's choice may be taken by any connection between our asking and the
    server's start. Each test process therefore has a block of its own, in turn: what it
    gave away comes last again.
    """
    _, ports = _own()
    for port in itertools.islice(ports, IN_BLOCK):
        with socket.socket() as probe:
            try:
                probe.bind((host, port))
            except OSError:
                continue
            return port
    raise RuntimeError(f"all of this process's {IN_BLOCK} ports are in use")


@functools.cache
def _own() -> tuple[IO[bytes], Iterator[int]]:
    """This process's block: a file that stays locked until it ends, and the block's ports."""
    folder = ON_DISK / f"vigil-test-ports-{os.getuid()}"
    folder.mkdir(exist_ok=True)
    for block in range(BLOCKS):
        lock = (folder / str(block)).open("wb")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.close()
            continue
        first = FIRST + block * IN_BLOCK
        return lock, itertools.cycle(range(first, first + IN_BLOCK))
    raise RuntimeError(f"{BLOCKS} processes test on this machine already")


def listening(port: int, host: str = "127.0.0.1") -> bool:
    """Whether something accepts connections there."""
    try:
        with socket.create_connection((host, port), timeout=0.5):
            return True
    except OSError:
        return False


def http_ok(url: str) -> bool:
    """Whether a request is answered, be it with a refusal."""
    try:
        with urllib.request.urlopen(url, timeout=2) as response:
            return bool(response.status < 500)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code < 500
    except OSError:
        return False
