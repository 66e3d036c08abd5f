"""What HTTP services answered to Apprise, which tells it to nobody.

Apprise's services call ``requests`` and keep of the answer a line in a log. Whether to try again,
when, and whether a message may have arrived depend on the status, on Retry-After and on where a
time-out struck. So ``requests.Session.send`` is observed, in the context that asked for it alone:
the way OpenTelemetry's instrumentation goes (docs/decisions/0017-what-services-answer.md).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import wraps
from typing import Any, Final

import requests
import urllib3

from vigil_cloud.deadline import deadline
from vigil_cloud.notify import page_answers
from vigil_cloud.notify.hook_signatures import HookSigning

BODY_BYTES: Final = 64 * 1024
BODY_S: Final = 10.0
"""So much of an answer's body is read. The status is the answer, and a body may have no end (an
event stream under the address of a hook)."""
REDIRECTIONS: Final = 5
_heard: Final = ContextVar["list[Exchange] | None"]("exchanges", default=None)
_signing: Final = ContextVar["HookSigning | None"]("signing", default=None)
_key: Final = ContextVar["str | None"]("idempotency_key", default=None)
_bounded: Final = ContextVar[bool]("bodies_are_bounded", default=False)


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and what came of it."""

    status: int | None = None
    """``None``: no answer."""
    retry_after: timedelta | None = None
    sent: bool = True
    """Whether the service may have got the request."""
    timed_out: bool = False
    elsewhere: str = ""
    """Why its answer, however good, is not the service's (``page_answers``)."""
    page: bool = False
    """It answered well, with a page for people, of which nothing says that it is not its own."""


@contextmanager
def overheard(
    signing: HookSigning | None = None, key: str | None = None
) -> Iterator[list[Exchange]]:
    """The exchanges that this context makes while the block runs. ``signing``: their requests
    are signed with it, which Apprise cannot do: it is done where the body is known. ``key``: what
    tells a service that a request is a repetition (``Idempotency-Key``,
    draft-ietf-httpapi-idempotency-key-header): whatever became of it before, it is acted on once.
    """
    exchanges: list[Exchange] = []
    before, unsigned = _heard.set(exchanges), _signing.set(signing)
    key_before = _key.set(key)
    try:
        yield exchanges
    finally:
        _heard.reset(before)
        _signing.reset(unsigned)
        _key.reset(key_before)


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


def _observing(plain: Callable[..., requests.Response]) -> Callable[..., requests.Response]:
    @wraps(plain)
    def send(
        self: requests.Session, request: requests.PreparedRequest, **options: Any
    ) -> requests.Response:
        exchanges = _heard.get()
        if exchanges is None:
            return plain(self, request, **options)
        if (signing := _signing.get()) is not None:
            request.headers.update(signing.headers(_body(request), datetime.now(UTC)))
        if (key := _key.get()) is not None:
            request.headers.setdefault("Idempotency-Key", f'"{key}"')
        whole = _heard.set(None)  # the requests of its redirections are part of it
        within = _bounded.set(True)
        self.max_redirects = min(self.max_redirects, REDIRECTIONS)
        # Headers may come a byte at a time: each within its time-out, all together without end.
        with deadline(_longest_s(options.get("timeout"))) as limit:
            try:
                response = plain(self, request, **options)
                if limit.over:  # what was cut off may look whole
                    raise requests.ReadTimeout("the answer did not end in time")
            except requests.RequestException as error:
                exchanges.append(Exchange(timed_out=True) if limit.over else _broken(error))
                raise
            finally:
                _heard.reset(whole)
                _bounded.reset(within)
        exchanges.append(_answered(request, response))
        return response

    return send


def _answered(request: requests.PreparedRequest, response: requests.Response) -> Exchange:
    elsewhere, page = "", False
    body = response._content if isinstance(response._content, bytes) else b""
    if response.request.method != request.method:
        # A redirection made another request of it (POST became GET).
        elsewhere = page_answers.REDIRECTED
    elif 200 <= response.status_code < 300 and page_answers.is_page(
        response.headers.get("Content-Type", ""), body
    ):
        asked, answered = request.url or "", response.url or ""
        elsewhere = page_answers.not_of_the_service(asked, answered, body)
        page = not elsewhere
    given = retry_after(response.headers.get("Retry-After"), datetime.now(UTC))
    return Exchange(response.status_code, given, elsewhere=elsewhere, page=page)


def _body(request: requests.PreparedRequest) -> bytes:
    body = request.body
    if isinstance(body, str):
        return body.encode()
    return body if isinstance(body, bytes) else b""


def _bounding(plain: Callable[..., requests.Response]) -> Callable[..., requests.Response]:
    """Of each request by itself: ``requests`` reads the body of a redirection to its end."""

    @wraps(plain)
    def send(
        self: requests.adapters.HTTPAdapter,
        request: requests.PreparedRequest,
        stream: bool = False,
        *rest: Any,
        **options: Any,
    ) -> requests.Response:
        if stream or not _bounded.get():
            return plain(self, request, stream, *rest, **options)
        response = plain(self, request, True, *rest, **options)
        _read_body(response)
        return response

    return send


def _longest_s(timeout: Any) -> float:
    """For a request with its redirections, by the time-outs it was given: all of them once."""
    given = timeout if isinstance(timeout, tuple) else (timeout, timeout)
    return BODY_S + sum(part if isinstance(part, int | float) else BODY_S for part in given)


def _read_body(response: requests.Response) -> None:
    """As ``requests`` does it, within bounds. What breaks off was answered all the same."""
    ends = time.monotonic() + BODY_S
    body = bytearray()
    with suppress(urllib3.exceptions.HTTPError, OSError):
        while len(body) < BODY_BYTES and time.monotonic() < ends:
            if not (part := response.raw.read1(BODY_BYTES - len(body), decode_content=True)):
                break
            body += part
    response.close()  # not read further, it cannot be used again
    response._content, response._content_consumed = bytes(body), True


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


for _owner, _observed in (
    (requests.Session, _observing),
    (requests.adapters.HTTPAdapter, _bounding),
):
    if not hasattr(_owner.send, "__wrapped__"):  # the module was loaded a second time
        setattr(_owner, "send", _observed(_owner.send))  # noqa: B010  # see the module's text
