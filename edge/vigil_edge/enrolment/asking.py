"""What is asked of the cloud over HTTPS, and what its answers and failures mean.

A whole answer must come within ``ANSWER_S`` and be no larger than ``ANSWER_BYTES``. Plain HTTP is
spoken to this very machine alone: a code or a token on the network is whoever's reads it.
"""

from __future__ import annotations

import json
import ssl
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Final
from urllib.parse import urlsplit

import httpx

from vigil_edge.enrolment.errors import (
    ClockWrong,
    CloudCertificateWrong,
    CloudUnreachable,
    EnrolmentFailed,
)

ANSWER_S: Final = 30.0
ANSWER_BYTES: Final = 256 * 1024
LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})
CLOCK_OFF: Final = timedelta(minutes=5)
_NOT_YET_VALID: Final = 9
_HAS_EXPIRED: Final = 10
"""OpenSSL's ``X509_V_ERR_…``."""


def address_of(cloud: str) -> str:
    """Of the cloud, without a path. Raises ``EnrolmentFailed``."""
    whole = cloud if "://" in cloud else f"https://{cloud}"
    try:
        parts = urlsplit(whole)
        httpx.URL(f"{parts.scheme}://{parts.netloc}")
        _ = parts.port  # one that is none
    except (ValueError, httpx.InvalidURL) as error:
        said = f"{cloud!r} is no address ({error}): write https://vigil.example"
        raise EnrolmentFailed(said) from error
    if parts.scheme not in {"https", "http"} or not parts.hostname:
        raise EnrolmentFailed(f"{cloud!r} is no address: write https://vigil.example")
    if parts.scheme == "http" and parts.hostname not in LOOPBACK:
        raise EnrolmentFailed(
            f"{cloud} is not encrypted: whoever listens would have the code; write https://"
        )
    return f"{parts.scheme}://{parts.netloc}"


def post(
    address: str,
    path: str,
    body: Mapping[str, Any],
    *,
    trusted: Callable[[], ssl.SSLContext],
    token: str = "",
) -> dict[str, Any]:
    """The cloud's answer. ``trusted``: whom to believe that it is the cloud.

    Raises ``EnrolmentFailed`` and its subclasses.
    """
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        verify: ssl.SSLContext | bool = trusted() if address.startswith("https:") else False
        timeout = httpx.Timeout(ANSWER_S, connect=10)
        with (
            httpx.Client(verify=verify, timeout=timeout, headers=headers) as client,
            client.stream("POST", f"{address}/api/v1{path}", json=dict(body)) as answer,
        ):
            content = _whole(answer)
    except httpx.HTTPError as error:
        raise _meaning(address, error) from error
    except (OSError, ValueError) as error:
        raise CloudUnreachable(f"{address}: {error}") from error
    return _taken(address, answer, content)


def _whole(answer: httpx.Response) -> bytes:
    content = bytearray()
    ends = time.monotonic() + ANSWER_S  # the clock may be set meanwhile, by years
    for part in answer.iter_bytes():
        content += part
        if len(content) > ANSWER_BYTES:
            raise CloudUnreachable("the answer is too long to be the cloud's")
        if time.monotonic() > ends:
            raise CloudUnreachable(f"the answer did not end within {ANSWER_S:.0f} s")
    return bytes(content)


def _meaning(address: str, error: httpx.HTTPError) -> EnrolmentFailed:
    """One sentence for whatever TLS or the network says."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, ssl.SSLCertVerificationError):
        cause = cause.__cause__ or cause.__context__
    if cause is None:
        said = str(error) or type(error).__name__
        return CloudUnreachable(f"{address} does not answer: {said}")
    here = datetime.now(UTC)
    if cause.verify_code in {_NOT_YET_VALID, _HAS_EXPIRED}:
        when = "is not valid yet" if cause.verify_code == _NOT_YET_VALID else "has ended"
        return CloudCertificateWrong(
            f"the certificate of {address} {when} by this box's clock, which says"
            f" {here:%Y-%m-%d %H:%M} UTC: set the clock, or have the certificate renewed"
        )
    return CloudCertificateWrong(
        f"what answers at {address} does not prove to be the cloud: {cause.verify_message}"
    )


def _taken(address: str, answer: httpx.Response, content: bytes) -> dict[str, Any]:
    try:
        said = json.loads(content)
    except (ValueError, RecursionError):
        said = None
    if not isinstance(said, dict):
        raise CloudUnreachable(
            f"{address} answers {answer.status_code} and no JSON: is this the cloud's address?"
        )
    if answer.is_success:
        return said
    detail = str(said.get("detail") or said.get("title") or f"HTTP {answer.status_code}")
    refused = EnrolmentFailed(detail)
    refused.cloud_code = str(said.get("code") or "")
    refused.status = answer.status_code
    check_clock(_sent(answer))
    raise refused


def _sent(answer: httpx.Response) -> datetime | None:
    """When, as its head says; something on the way may write there what it likes."""
    try:
        return parsedate_to_datetime(answer.headers.get("Date", ""))
    except (ValueError, OverflowError):
        return None


def check_clock(cloud: datetime | None) -> None:
    """Raises ``ClockWrong`` where this box's clock is too far off the cloud's."""
    if cloud is None:
        return
    here = datetime.now(UTC)
    off = here - (cloud if cloud.tzinfo else cloud.replace(tzinfo=UTC))
    if abs(off) > CLOCK_OFF:
        side = "ahead of" if off > timedelta() else "behind"
        raise ClockWrong(
            f"this box's clock says {here:%Y-%m-%d %H:%M} UTC and the cloud's"
            f" {cloud:%Y-%m-%d %H:%M}: it is {_spoken(abs(off))} {side} it"
        )


def _spoken(span: timedelta) -> str:
    minutes = round(span.total_seconds() / 60)
    if minutes < 120:
        return f"{minutes} minutes"
    return f"{round(minutes / 60)} hours" if minutes < 2880 else f"{round(minutes / 1440)} days"
