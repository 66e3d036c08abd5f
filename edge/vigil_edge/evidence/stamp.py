"""A time stamp (RFC 3161) of what is about to be sealed: an authority of its own says since when it
has existed, whatever the gateway's clock says.

Asked for the digest of ``SHA256SUMS``, a file of the package that anybody checks with
``sha256sum -c`` and ``openssl ts -verify``. It may take ``wait_s`` and no longer: the alarm was
told before, and a package without a stamp is better than none. One that is missing is counted
(``timestamp-missing``) and told in the log, and the authority is then left alone for a while.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Final

import httpx
import structlog
from cryptography import x509

from vigil_schemas.evidence import LARGEST_STAMP
from vigil_schemas.time_stamp import in_order

MEDIA_QUERY: Final = "application/timestamp-query"
MEDIA_REPLY: Final = "application/timestamp-reply"
PAUSE_S: Final = 60.0
"""An authority that failed is not asked for so long: cases in a row do not all wait for it."""
_GRANTED: Final = 0

_log = structlog.get_logger("evidence")


class NoStamp(Exception):
    """Why there is none, as one sentence for the log."""


class TimeStamps:
    """Asks one authority. ``ca_file``: authorities that its certificate must come from, PEM; where
    none is given its answers are kept as they are, and whoever verifies the package judges."""

    def __init__(
        self,
        url: str,
        ca_file: Path | None,
        wait_s: float,
        monotonic: Callable[[], float],
        count: Callable[[str], None],
    ) -> None:
        self._url, self._ca_file, self._wait_s = url, ca_file, wait_s
        self._monotonic, self._count = monotonic, count
        self._not_before = -float("inf")

    async def ask(self, text: bytes) -> bytes | None:
        """The authority's answer for ``text``, DER; ``None`` where there is none, which is told."""
        try:
            if self._monotonic() < self._not_before:
                raise NoStamp("it failed less than a minute ago and was not asked again")
            return await self.stamp(text)
        except NoStamp as why:
            self._missing(str(why))
            return None

    async def stamp(self, text: bytes) -> bytes:
        """As ``ask``, but raises ``NoStamp`` where there is none, and tells nobody."""
        try:
            async with asyncio.timeout(self._wait_s):
                return await self._asked(text)
        except TimeoutError as error:
            raise NoStamp(f"it did not answer within {self._wait_s:g} s") from error
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            raise NoStamp(f"it cannot be reached: {error!r}") from error

    def _missing(self, why: str) -> None:
        if self._monotonic() >= self._not_before:
            self._not_before = self._monotonic() + PAUSE_S
        self._count("timestamp-missing")
        _log.warning(
            "the package is sealed without a time stamp",
            code="timestamp-missing",
            authority=self._url,
            why=why,
        )

    async def _asked(self, text: bytes) -> bytes:
        try:
            from rfc3161_client import HashAlgorithm, TimestampRequestBuilder
        except ImportError as error:
            raise NoStamp("the package rfc3161-client is not installed") from error
        request = TimestampRequestBuilder().data(text).hash_algorithm(HashAlgorithm.SHA256).build()
        reply = in_order(await self._sent(request.as_bytes()))
        await asyncio.to_thread(self._examine, reply, text, request.nonce)
        return reply

    async def _sent(self, query: bytes) -> bytes:
        headers = {"Content-Type": MEDIA_QUERY, "Accept-Encoding": "identity"}
        body = bytearray()
        async with (
            httpx.AsyncClient(timeout=self._wait_s, trust_env=False) as client,
            client.stream("POST", self._url, content=query, headers=headers) as answer,
        ):
            if answer.status_code != 200:
                raise NoStamp(f"it answered {answer.status_code}")
            async for part in answer.aiter_raw():
                body += part
                if len(body) > LARGEST_STAMP:
                    raise NoStamp(f"its answer is longer than {LARGEST_STAMP} bytes")
        return bytes(body)

    def _examine(self, reply: bytes, text: bytes, nonce: int | None) -> None:
        """Whether it is a stamp of this text, asked for now. Raises ``NoStamp``."""
        from rfc3161_client import VerificationError, VerifierBuilder, decode_timestamp_response

        try:
            response = decode_timestamp_response(reply)
            status, told = response.status, response.status_string
            said_of = response.tst_info if status == _GRANTED else None
        except ValueError as error:
            raise NoStamp("its answer is no time stamp") from error
        if said_of is None:
            said = "; ".join(told) or f"status {status}"
            raise NoStamp(f"it refused: {said[:200]}")
        if said_of.nonce != nonce:
            raise NoStamp("its answer is to another question")
        if said_of.message_imprint.message != hashlib.sha256(text).digest():
            raise NoStamp("its answer is about something else")
        if self._ca_file is None:
            return
        try:
            roots = x509.load_pem_x509_certificates(self._ca_file.read_bytes())
            VerifierBuilder(roots=roots, nonce=nonce).build().verify_message(response, text)
        except (VerificationError, ValueError) as error:
            raise NoStamp(f"its stamp does not hold: {error}") from error
