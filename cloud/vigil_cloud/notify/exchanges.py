"""What HTTP services answered to Apprise, which tells it to nobody.

Apprise's services call ``requests`` and keep of the answer a line in a log. Whether to try again,
when, and whether a message may have arrived depend on the status, on Retry-After and on where a
time-out struck. So ``requests.Session.send`` is observed, in the context that asked for it alone:
the way OpenTelemetry's instrumentation goes (docs/decisions/0017-what-services-answer.md).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import wraps
from typing import Any, Final

import requests
import urllib3

_heard: Final = ContextVar["list[Exchange] | None"]("exchanges", default=None)


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and what came of it."""

    status: int | None = None
    """``None``: no answer."""
    retry_after: timedelta | None = None
    sent: bool = True
    """Whether the service may have got the request."""
    timed_out: bool = False
    turned: bool = False
    """A redirection made another request of it (POST became GET): nothing was delivered."""


@contextmanager
def overheard() -> Iterator[list[Exchange]]:
    """The exchanges that this context makes while the block runs."""
    exchanges: list[Exchange] = []
    before = _heard.set(exchanges)
    try:
        yield exchanges
    finally:
        _heard.reset(before)


def retry_after(value: str | None, now: datetime) -> timedelta | None:
    """RFC 9110, 10.2.3: seconds or a date. What is neither counts as not given."""
    if value is None:
        return None
    value = value.strip()
    if value.isascii() and value.isdigit():
        return timedelta(seconds=min(int(value), 10**9)) if len(value) < 12 else timedelta(days=1)
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, TypeError):
        return None
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    return max(moment - now, timedelta())


def _observe() -> None:
    plain = requests.Session.send
    if hasattr(plain, "__wrapped__"):  # the module was loaded a second time
        return

    @wraps(plain)
    def send(
        self: requests.Session, request: requests.PreparedRequest, **options: Any
    ) -> requests.Response:
        exchanges = _heard.get()
        if exchanges is None:
            return plain(self, request, **options)
        whole = _heard.set(None)  # the requests of its redirections are part of it
        try:
            response = plain(self, request, **options)
        except requests.RequestException as error:
            exchanges.append(_broken(error))
            raise
        finally:
            _heard.reset(whole)
        exchanges.append(
            Exchange(
                response.status_code,
                retry_after(response.headers.get("Retry-After"), datetime.now(UTC)),
                turned=response.request.method != request.method,
            )
        )
        return response

    requests.Session.send = send  # type: ignore[method-assign]  # see the module's text


def _broken(error: requests.RequestException) -> Exchange:
    """Before a connection stands nothing can have arrived; afterwards it may have."""
    if isinstance(error, requests.ReadTimeout):
        return Exchange(timed_out=True)
    cause: BaseException | None = error.args[0] if error.args else None
    if isinstance(cause, urllib3.exceptions.MaxRetryError):
        cause = cause.reason
    before = (
        urllib3.exceptions.NewConnectionError,
        urllib3.exceptions.ConnectTimeoutError,
        urllib3.exceptions.SSLError,
        urllib3.exceptions.ProxyError,
    )
    never = isinstance(cause, before) or isinstance(
        error, requests.ConnectTimeout | requests.exceptions.SSLError
    )
    return Exchange(sent=not never and isinstance(error, requests.ConnectionError))


_observe()
