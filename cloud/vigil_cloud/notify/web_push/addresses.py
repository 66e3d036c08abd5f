"""Where a browser is told: its subscription, and which services may be asked at all. Pure.

Any account may hand in a subscription, and the cloud posts to the address in it. So only services
that the operator names are posted to (``push_services``): nobody can have the cloud ask a machine
of its own network.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Final
from urllib.parse import SplitResult, urlsplit

from cryptography.hazmat.primitives.asymmetric import ec

from vigil_cloud.notify.web_push.encryption import CURVE, KEY_ID_BYTES

SCHEME: Final = "webpush:"
"""How the address of such a channel begins; the subscription follows as JSON."""
LONGEST_ENDPOINT: Final = 2000
_AUTH_BYTES: Final = 16
_PORTS: Final = {"https": 443, "http": 80}


@dataclass(frozen=True, slots=True)
class Subscription:
    """As the browser gives it (Push API, ``PushSubscription.toJSON``)."""

    endpoint: str
    p256dh: str
    auth: str

    @property
    def public(self) -> bytes:
        """The browser's key."""
        return unpadded(self.p256dh)

    @property
    def secret(self) -> bytes:
        """What it authenticates messages with."""
        return unpadded(self.auth)

    def address(self) -> str:
        """As a channel keeps it, sealed."""
        return SCHEME + json.dumps(asdict(self))


@dataclass(frozen=True, slots=True)
class Target:
    """A subscription with everything that a message to it needs."""

    subscription: Subscription
    private: bytes
    """Our key; see ``vapid``."""
    contact: str
    services: tuple[str, ...]


def is_address(url: str) -> bool:
    """Whether a channel's address is a browser's subscription."""
    return url.startswith(SCHEME)


def opened(address: str) -> Subscription:
    """The opposite of ``Subscription.address``."""
    return Subscription(**json.loads(address.removeprefix(SCHEME)))


def unpadded(text: str) -> bytes:
    """base64url with or without padding. Raises ``ValueError``."""
    try:
        return base64.b64decode(
            text.rstrip("=") + "=" * (-len(text.rstrip("=")) % 4), altchars=b"-_", validate=True
        )
    except binascii.Error as error:
        raise ValueError("no base64url") from error


def amiss(subscription: Subscription, services: Sequence[str]) -> str:
    """Why a subscription cannot be used; empty where it can."""
    if not is_allowed(subscription.endpoint, services):
        return "its push service is not one of those that this city uses"
    try:
        ec.EllipticCurvePublicKey.from_encoded_point(CURVE, subscription.public)
        fits = len(subscription.public) == KEY_ID_BYTES
        if not fits or len(subscription.secret) != _AUTH_BYTES:
            return "its keys have the wrong length"
    except ValueError:
        return "its keys are none of P-256"
    return ""


def is_allowed(endpoint: str, services: Sequence[str]) -> bool:
    """Whether the address lies at one of the services: ``https://host[:port]``, with ``*.`` in
    front of the host for any name below it. Scheme, host and port are compared as they are
    connected to; an address that can be read in two ways is none."""
    if len(endpoint) > LONGEST_ENDPOINT or not endpoint.isascii() or not endpoint.isprintable():
        return False
    if any(sign in endpoint for sign in " \\#@"):
        return False
    try:
        asked = _origin(urlsplit(endpoint))
        return any(_is_of(asked, _origin(urlsplit(service))) for service in services)
    except ValueError:
        return False


def _is_of(asked: tuple[str, str, int], service: tuple[str, str, int]) -> bool:
    scheme, host, port = service
    if host.startswith("*."):
        below = asked[1].endswith(host[1:]) and len(asked[1]) > len(host[1:])
        return below and (asked[0], asked[2]) == (scheme, port)
    return asked == service


def _origin(parts: SplitResult) -> tuple[str, str, int]:
    if parts.scheme not in _PORTS or not parts.hostname or parts.username is not None:
        raise ValueError("no address of a push service")
    return parts.scheme, parts.hostname.lower(), parts.port or _PORTS[parts.scheme]
