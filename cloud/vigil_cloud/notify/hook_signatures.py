"""How a web hook's messages and its answers are signed: HMAC-SHA256 over time and body.

``X-Vigil-Timestamp``: seconds since 1970; ``X-Vigil-Signature``: ``v1=`` and the hexadecimal HMAC
of ``{timestamp}.{body}`` under the channel's secret, the same way in both directions.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar, Final

from vigil_cloud.api_errors import ApiError
from vigil_cloud.identity.sessions import same_secret

TIMESTAMP: Final = "X-Vigil-Timestamp"
SIGNATURE: Final = "X-Vigil-Signature"
REPLY_TOKEN: Final = "X-Vigil-Reply-Token"  # noqa: S105 - a header's name
TOLERANCE: Final = timedelta(minutes=5)
SECRET_CHARACTERS: Final = 32
SECRET_COLUMN: Final = "channel.hook_secret"  # noqa: S105 - a column's purpose


class SignatureWrong(ApiError):
    """The channel, its secret or the signature does not fit; which of them is not told."""

    code: ClassVar[str] = "signature-wrong"
    remedy: ClassVar[str] = (
        "Sign `{timestamp}.{body}` with the secret of this channel; see the page on operation."
    )
    status: ClassVar[int] = 401


class SignatureStale(ApiError):
    """It was signed too long ago, or in the future."""

    code: ClassVar[str] = "signature-stale"
    remedy: ClassVar[str] = "Synchronise the clock, and sign each request when it is sent."
    status: ClassVar[int] = 401


@dataclass(frozen=True, slots=True)
class HookSigning:
    """What the messages of one channel are signed with, and the way to answer this one."""

    secret: str
    reply_token: str | None = None

    def headers(self, body: bytes, now: datetime) -> Mapping[str, str]:
        """For a request that carries this body."""
        timestamp = str(int(now.timestamp()))
        found = {TIMESTAMP: timestamp, SIGNATURE: sign(self.secret, timestamp, body)}
        return found | ({REPLY_TOKEN: self.reply_token} if self.reply_token else {})


def sign(secret: str, timestamp: str, body: bytes) -> str:
    """The value of ``X-Vigil-Signature``."""
    content = timestamp.encode() + b"." + body
    return "v1=" + hmac.new(secret.encode(), content, hashlib.sha256).hexdigest()


def check(secret: str, timestamp: str, signature: str, body: bytes, now: datetime) -> None:
    """Raises ``SignatureWrong``, and of what fits ``SignatureStale``."""
    if not same_secret(sign(secret, timestamp, body), signature):
        raise SignatureWrong("The signature does not fit.")
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 12):
        raise SignatureStale("The time stamp is no number of seconds.")
    if abs(now.timestamp() - int(timestamp)) > TOLERANCE.total_seconds():
        raise SignatureStale(f"Signed more than {TOLERANCE.total_seconds():.0f} s from now.")
