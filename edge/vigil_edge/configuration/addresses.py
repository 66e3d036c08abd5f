"""Addresses as a configuration writes them: checked once, so that nothing below guesses."""

from __future__ import annotations

from typing import Annotated, Final
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator

_MQTT: Final = "write mqtt://host:port, or mqtts://host:port for TLS"
_HTTP: Final = "write http://host:port or https://host"


def _parts(value: str, schemes: tuple[str, str], wanted: str) -> SplitResult:
    if not value.isprintable() or " " in value:
        raise ValueError(f"{wanted}, without blanks")
    parts = urlsplit(value)
    if parts.scheme not in schemes or not parts.hostname or parts.query or parts.fragment:
        raise ValueError(wanted)
    if parts.port == 0:  # a port beyond 65535 is a ValueError of its own
        raise ValueError(f"{wanted}; no one listens on port 0")
    return parts


def _mqtt(value: str) -> str:
    parts = _parts(value, ("mqtt", "mqtts"), _MQTT)
    if parts.username is not None or parts.password is not None:
        raise ValueError("keep credentials out of the address: use username and password_file")
    if parts.path.strip("/"):
        raise ValueError(f"{_MQTT}; nothing follows the port")
    return f"{parts.scheme}://{parts.netloc}"


def _http(value: str) -> str:
    parts = _parts(value, ("http", "https"), _HTTP)
    if parts.username is not None or parts.password is not None:
        raise ValueError("keep credentials out of the address: use token or token_file")
    return f"{parts.scheme}://{parts.netloc}{parts.path}".rstrip("/")


def host_port(value: str) -> str:
    """The address as it is. Raises ``ValueError`` where it is none."""
    if not value.isprintable() or " " in value:
        raise ValueError("write host:port, without blanks")
    parts = urlsplit(f"//{value}")
    if not parts.hostname or parts.netloc != value or "@" in value or parts.port == 0:
        raise ValueError("write host:port")
    return value


def host_and_port(value: str, default: int) -> tuple[str, int]:
    """The two parts of a ``HostPort``."""
    parts = urlsplit(f"//{value}")
    return parts.hostname or "", parts.port or default


HostPort = Annotated[str, AfterValidator(host_port)]
"""``host[:port]``; an IPv6 address in brackets."""
MqttAddress = Annotated[str, AfterValidator(_mqtt)]
"""``mqtt://host[:port]`` or ``mqtts://…``; the scheme in small letters, whoever wrote it how."""
HttpAddress = Annotated[str, AfterValidator(_http)]
"""``http://host[:port][/path]`` or ``https://…``, without a closing slash."""
