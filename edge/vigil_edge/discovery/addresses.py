"""Typed addresses, by what they say of who speaks there. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from urllib.parse import urlsplit


def spoken(addresses: Iterable[str], scheme: str, port: int, *, bare: bool = True) -> Iterator[str]:
    """``host:port`` of those that may speak a protocol: with its scheme, or (``bare``) with none
    and its own port, or no port at all."""
    for address in addresses:
        if address.startswith("/"):
            continue
        named, _, rest = address.rpartition("://")
        if named != scheme and (named or not bare):
            continue
        parts = urlsplit(f"//{rest}")
        if not named and parts.port not in (None, port):
            continue
        host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
        yield f"{host}:{parts.port or port}"


def unclaimed(addresses: Iterable[str], ports: Iterable[int]) -> Iterator[str]:
    """Those without a scheme whose port is of none of these protocols."""
    for address in addresses:
        if "://" in address or address.startswith("/"):
            continue
        if urlsplit(f"//{address}").port not in (None, *ports):
            yield address
