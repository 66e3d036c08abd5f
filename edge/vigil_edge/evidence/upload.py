"""Uploads sealed evidence until the cloud has it: whatever is away, wrong or refuses meanwhile."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from random import Random
from typing import Any, Final

import httpx
import structlog

from vigil_edge.backoff import Backoff
from vigil_edge.evidence.queue import EvidenceQueue

_CHUNK: Final = 256 * 1024
_INVALID: Final = "evidence-invalid"
"""The cloud's code for a zip that is not whole or not what was sealed: it never will be."""
_TOO_NEW: Final = "manifest.json: version:"
"""How the answer of a cloud begins that knows no such version of the manifest yet, and finds
nothing else: it takes the same zip once it is upgraded."""
_TOO_LARGE_S: Final = 600.0
"""Between tries of one that is refused for its size, which a proxy's setting may mend."""
_LONGEST_S: Final = 3600.0
_ALL_WAIT: Final = frozenset({401, 403, 429})
"""Answers about us or the cloud as a whole: the other zips would fare no better."""
_LOOK_S: Final = 30.0
ANSWER_S: Final = 60.0
"""For each piece of the zip, whose number is known, and for the whole answer after the last one.
The client's own time-outs begin anew with each byte of an answer."""
ANSWER_BYTES: Final = 64 * 1024
"""Of an answer's body; the cloud's own are a few hundred."""

_log = structlog.get_logger("evidence")


class Uploader:
    """Sends what the queue holds, one zip at a time, until it is cancelled.

    ``token`` and ``tls`` are asked anew after each failure: a token that was changed, or a
    certificate that was renewed on the disk, is taken up without a restart.
    """

    def __init__(  # noqa: PLR0913 - its parts, by name, given in one place (agent)
        self,
        queue: EvidenceQueue,
        *,
        url: str,
        gateway: str,
        token: Callable[[], str | None],
        tls: Callable[[], ssl.SSLContext | bool],
        rng: Random,
        now: Callable[[], datetime],
        monotonic: Callable[[], float],
        count: Callable[[str], None],
        backoff: Callable[[Random], Backoff] = Backoff,
        answer_s: float = ANSWER_S,
    ) -> None:
        self._answer_s = answer_s
        self._queue = queue
        self._base = f"{url}/api/v1/gateways/{gateway}/evidence"
        self._token = token
        self._tls = tls
        self._rng = rng
        self._now = now
        self._monotonic = monotonic
        self._count = count
        self._new_backoff = backoff
        self._backoff = backoff(rng)
        self._all_wait_s = 0.0
        """What the cloud asked of the whole uploader, by ``Retry-After``."""
        self._not_before: dict[str, tuple[float, Backoff]] = {}
        """Zips that failed wait, each its own time; the others go on."""

    async def run(self) -> None:
        """Until cancelled: upload what waits, and look again after a growing pause."""
        while True:
            try:
                client = self._client()
            except (OSError, ValueError) as error:
                self._count("evidence-credentials-unreadable")
                _log.warning("token or certificate cannot be read", error=str(error))
            else:
                async with client:
                    await self._serve(client)
            await asyncio.sleep(max(self._all_wait_s, self._backoff.next()))
            self._all_wait_s = 0.0

    def _client(self) -> httpx.AsyncClient:
        headers = {"Content-Type": "application/zip", "Accept-Encoding": "identity"}
        if (token := self._token()) is not None:
            headers["Authorization"] = f"Bearer {token}"
        timeout = httpx.Timeout(30, connect=10)
        return httpx.AsyncClient(verify=self._tls(), timeout=timeout, headers=headers)

    async def _serve(self, client: httpx.AsyncClient) -> None:
        """Until there is no use in trying the next one now."""
        while True:
            self._queue.added.clear()
            waiting = await asyncio.to_thread(self._queue.waiting)
            names = {path.name for path in waiting}
            self._not_before = {k: v for k, v in self._not_before.items() if k in names}
            for path in waiting:
                due = self._not_before.get(path.name)
                if due is not None and due[0] > self._monotonic():
                    continue
                if not await self._upload(client, path):
                    return
                self._backoff.reset()
            later = [at - self._monotonic() for at, _ in self._not_before.values()]
            try:
                async with asyncio.timeout(max(0.0, min([*later, _LOOK_S]))):
                    await self._queue.added.wait()
            except TimeoutError:
                continue

    async def _upload(self, client: httpx.AsyncClient, path: Path) -> bool:
        """False where there is no use in trying the next one now."""
        try:
            size = await asyncio.to_thread(lambda: path.stat().st_size)
            response, whole = await self._sent(client, path, size)
        except (httpx.HTTPError, TimeoutError) as error:
            self._count("evidence-unreachable")
            _log.warning("evidence upload failed", sha256=path.stem, error=repr(error))
            self._later(path)
            return False
        except OSError as error:  # of this file: the others may well be whole
            self._count("evidence-unreadable")
            _log.warning("evidence cannot be read", sha256=path.stem, error=str(error))
            self._later(path)
            return True
        return await self._judge(response, whole, path)

    async def _sent(
        self, client: httpx.AsyncClient, path: Path, size: int
    ) -> tuple[httpx.Response, bool]:
        """The answer, and whether its body came whole within the bounds.

        Raises ``httpx.HTTPError``, and ``TimeoutError`` where not even its headers ended in time.
        """
        loop = asyncio.get_running_loop()
        body = bytearray()
        answer: httpx.Response | None = None
        limit = asyncio.timeout(self._answer_s)

        async def content() -> AsyncIterator[bytes]:
            async for chunk in _chunks(path):
                yield chunk
                limit.reschedule(loop.time() + self._answer_s)

        headers = {"Content-Length": str(size)}
        try:
            async with (
                limit,
                client.stream(
                    "PUT", f"{self._base}/{path.stem}", headers=headers, content=content()
                ) as answer,
            ):
                async for part in answer.aiter_raw():
                    body += part
                    if len(body) > ANSWER_BYTES:
                        break
        except (httpx.HTTPError, TimeoutError):
            if answer is None:
                raise
            return httpx.Response(answer.status_code, headers=_plain(answer)), False
        whole = len(body) <= ANSWER_BYTES and "Content-Encoding" not in answer.headers
        kept = bytes(body[:ANSWER_BYTES])
        return httpx.Response(answer.status_code, headers=_plain(answer), content=kept), whole

    async def _judge(self, response: httpx.Response, whole: bool, path: Path) -> bool:
        status = response.status_code
        if response.is_success:
            self._count("evidence-uploaded")
            await self._put_away(path, lambda: path.unlink(missing_ok=True))
            return True
        self._count(f"evidence-http-{status}")
        _log.warning(
            "evidence refused", sha256=path.stem, status=status, answer=response.text[:400]
        )
        if not whole:
            self._count("evidence-answer-cut")
        elif _for_good(response):
            self._count("evidence-refused")
            answer = response.text[:2000]
            await self._put_away(path, lambda: self._queue.refuse(path, answer))
            return True
        if status in _ALL_WAIT:
            self._all_wait_s = _wait_s(response, self._now())
            return False
        # One that the cloud stumbles over must not be the first to be tried again each time.
        self._later(path, max(_wait_s(response, self._now()), self._least_s(response)))
        return status < 500

    def _least_s(self, response: httpx.Response) -> float:
        """Before one that will be taken only after somebody did something is tried again."""
        if _too_new(response):
            self._count("evidence-cloud-too-old")
            _log.error(
                "the cloud knows no evidence of this version; it is kept and offered again",
                code="evidence-cloud-too-old",
                remedy="upgrade the cloud",
            )
            return _LONGEST_S
        return _TOO_LARGE_S if response.status_code == 413 else 0.0

    async def _put_away(self, path: Path, away: Callable[[], None]) -> None:
        try:
            await asyncio.to_thread(away)
        except OSError as error:  # a disk that became read-only: it will be offered again
            _log.warning("evidence cannot be put away", sha256=path.stem, error=str(error))
            self._later(path)

    def _later(self, path: Path, least_s: float = 0.0) -> None:
        _, backoff = self._not_before.get(path.name, (0.0, self._new_backoff(self._rng)))
        pause = max(least_s, backoff.next())
        self._not_before[path.name] = (self._monotonic() + pause, backoff)


def _plain(answer: httpx.Response) -> list[tuple[str, str]]:
    """Its headers without those about a body that is kept as it came, and in part."""
    about = ("content-encoding", "content-length", "transfer-encoding")
    return [(name, value) for name, value in answer.headers.multi_items() if name not in about]


def _for_good(response: httpx.Response) -> bool:
    """Whether the same zip would be refused for ever.

    Everything else may pass: a key that the cloud has not met yet, a gateway that is added
    later, a token that was changed, a proxy that is set wrongly. An answer that names a time
    to come again is none for ever either.
    """
    if response.status_code != 422 or "Retry-After" in response.headers or _too_new(response):
        return False
    return bool(_problem(response).get("code", _INVALID) == _INVALID)


def _too_new(response: httpx.Response) -> bool:
    """Whether a later version of the cloud would take the same zip."""
    said = _problem(response)
    detail = said.get("detail")
    return said.get("code") == _INVALID and isinstance(detail, str) and detail.startswith(_TOO_NEW)


def _problem(response: httpx.Response) -> dict[str, Any]:
    """Of an answer (RFC 9457); empty where it holds none."""
    try:
        said = response.json()
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def _wait_s(response: httpx.Response, now: datetime) -> float:
    """What ``Retry-After`` asks for (RFC 9110, 10.2.3: seconds or a date), in seconds.

    0 where it says neither; a date counts from the answer's own ``Date``, else from ``now``.
    """
    asked = response.headers.get("Retry-After", "")
    if asked.isascii() and asked.isdigit():
        return min(float(asked), _LONGEST_S)
    until = _http_date(asked)
    if until is None:
        return 0.0
    said = _http_date(response.headers.get("Date", "")) or now
    return min(max((until - said).total_seconds(), 0.0), _LONGEST_S)


def _http_date(text: str) -> datetime | None:
    try:
        found = parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return None
    return found if found.tzinfo is not None else None


async def _chunks(path: Path) -> AsyncIterator[bytes]:
    file = await asyncio.to_thread(path.open, "rb")
    try:
        while chunk := await asyncio.to_thread(file.read, _CHUNK):
            yield chunk
    finally:
        file.close()
