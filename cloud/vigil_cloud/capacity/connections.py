"""How many may be connected over HTTP and how long each may keep us waiting.

Connections cost file handles, and the same process needs handles for its database, its time
series, its objects and its broker: HTTP gets what is left above a reserve, never all.
"""

from __future__ import annotations

import resource
from pathlib import Path
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

AUTOMATIC_MOST: Final = 512
SELECT_SETS: Final = 1024
"""paho-mqtt waits with ``select``, which cannot take a handle above this (FD_SETSIZE): where
ingest runs in the same process, HTTP must leave it handles below."""
RESERVE_MOST: Final = 256
RESERVE_LEAST: Final = 32
LEAST: Final = 8
_PER_CLIENT: Final = 4
_PER_CLIENT_LEAST: Final = 16


class HttpLimits(BaseModel):
    """``[http_limits]`` or ``VIGIL_HTTP_LIMITS__…``. Deadlines are seconds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    connections: Annotated[int, Field(ge=0)] = 0
    """At once; 0: what the file handles allow, at most 512. Above it the one that has kept us
    waiting for longest makes room."""
    connections_per_client: Annotated[int, Field(ge=0)] = 0
    """At once from one address (IPv6: its /64); 0: a quarter of all. Does not count for the
    proxies that ``FORWARDED_ALLOW_IPS`` names, behind which many people are."""
    head_s: Annotated[float, Field(gt=0)] = 10.0
    """From the connection to the end of the request's header."""
    keep_alive_s: Annotated[float, Field(gt=0)] = 15.0
    """Between an answer and the next request."""
    body_s: Annotated[float, Field(gt=0)] = 20.0
    """For a body, and as much again as ``least_bytes_per_s`` makes of what has arrived."""
    stall_s: Annotated[float, Field(gt=0)] = 30.0
    """A reader that takes less than ``least_bytes_per_s`` of its answer for so long has gone."""
    least_bytes_per_s: Annotated[int, Field(gt=0)] = 500


def most_connections(wanted: int, handles: int, in_use: int) -> int:
    """How many connections leave ``handles`` enough over for everything else; at least 8."""
    reserve = max(RESERVE_LEAST, min(RESERVE_MOST, handles // 4))
    return max(LEAST, min(wanted or AUTOMATIC_MOST, handles - in_use - reserve))


def most_per_client(wanted: int, most: int) -> int:
    """How many of ``most`` one address may have."""
    return min(most, wanted or max(_PER_CLIENT_LEAST, most // _PER_CLIENT))


def file_handles(*, selects: bool) -> tuple[int, int]:
    """How many this process may have, and has. ``selects``: it waits with ``select`` as well."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    handles = SELECT_SETS if soft == resource.RLIM_INFINITY else soft
    if selects:
        handles = min(handles, SELECT_SETS)
    folder = Path("/proc/self/fd")
    return handles, len(list(folder.iterdir())) if folder.is_dir() else RESERVE_LEAST
