"""Which addresses a page may send this gateway to.

By default those of private networks alone (RFC 1918, RFC 4193, link-local and this machine): a
gateway stands in somebody's network, and nobody with an account is to look around in the internet
through it. A serial port has to be one by its name as well: what is written to another device file
is no question to it.
"""

from __future__ import annotations

import ipaddress
import re
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field

_SERIAL: Final = re.compile(r"/dev/(tty[A-Z]+[0-9]+|ttymxc[0-9]+|rfcomm[0-9]+|pts/[0-9]+)")
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class DiscoverySettings(BaseModel):
    """``[discovery]``: whether, and how far, the cloud may have this gateway look for devices."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    enabled: bool = True
    networks: Annotated[list[Network], Field(max_length=50)] | None = None
    """Where addresses that are typed on a page may lie; private networks where absent."""
    serial_ports: bool = True
    """Whether a serial port may be named there."""


def refusal(address: str, settings: DiscoverySettings) -> str | None:
    """Why this address is not looked at; ``None`` where it may be."""
    if address.startswith("/"):
        return _of_port(address, settings)
    parts = urlsplit(address if "://" in address else f"//{address}")
    try:
        host, _ = parts.hostname, parts.port
    except ValueError:
        return "is no address: write host:port"
    if parts.username is not None or parts.password is not None:
        return "holds a user or a password: keep them in the gateway's file"
    try:
        where = ipaddress.ip_address(host or "")
    except ValueError:
        return "is no numeric address: write it as 192.0.2.10:502"
    return _of_network(where, settings.networks)


def _of_network(
    where: ipaddress.IPv4Address | ipaddress.IPv6Address, networks: Sequence[Network] | None
) -> str | None:
    mapped = where.ipv4_mapped if isinstance(where, ipaddress.IPv6Address) else None
    where = mapped or where
    if where.is_multicast or where.is_unspecified:
        return "is no device's address"
    if networks is None:
        return None if where.is_private else "lies outside of the private networks"
    if any(where in network for network in networks if network.version == where.version):
        return None
    return "lies outside of `[discovery] networks` of the gateway's file"


def _of_port(address: str, settings: DiscoverySettings) -> str | None:
    if not settings.serial_ports:
        return "serial ports are not looked at: `[discovery] serial_ports` of the gateway's file"
    try:
        path = Path(address).resolve(strict=True)
        kind = path.stat().st_mode
    except (OSError, RuntimeError):
        return "there is no such serial port"
    if not _SERIAL.fullmatch(str(path)) or not stat.S_ISCHR(kind):
        return "is no serial port"
    return None
