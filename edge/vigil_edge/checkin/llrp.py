"""A UHF reader on LLRP: connect, have it read tags, and pass on what it reports."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import suppress
from datetime import datetime, timedelta
from itertools import count
from typing import Final

from vigil_edge.checkin import llrp_codec as codec
from vigil_edge.checkin.errors import (
    LlrpError,
    LlrpTruncated,
    ReaderLost,
    ReaderProtocol,
    ReaderRefused,
    ReaderSilent,
    ReaderUnreachable,
)
from vigil_edge.checkin.settings import LlrpSettings
from vigil_edge.device.seam import PipelineContext

OWN_RO_SPEC: Final = 0x5647
_SILENT_KEEP_ALIVES: Final = 3
_EARLY_BYTES: Final = 16 << 20
"""Of reports that come before a request's answer; a reader hands over what it held back."""
_HELD_BACK: Final = timedelta(days=1)
"""A reader that lost its client keeps its reports for a while; older ones are a broken clock."""


class ReaderClient:
    """One connection."""

    def __init__(self, settings: LlrpSettings, context: PipelineContext) -> None:
        self._settings = settings
        self._context = context
        self._ids = count(1)
        self._stream: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._early: list[codec.Frame] = []
        self._early_bytes = 0
        self._version = 1
        self.capabilities = codec.Capabilities()
        self._reader_clock: tuple[datetime, float] | None = None
        """Its UTC at the greeting, and our monotonic clock then: ours may be set meanwhile."""

    async def open(self) -> None:
        """Connect, ask what the reader can do, and have it report. Raises ``SourceError``."""
        settings = self._settings
        try:
            async with asyncio.timeout(settings.timeout_s):
                self._stream, self._writer = await asyncio.open_connection(
                    settings.host, settings.port
                )
        except (OSError, TimeoutError) as error:
            reason = str(error) or "timed out"
            raise ReaderUnreachable(settings.device, settings.address, reason) from error
        await self._greeting()
        await self._configure()

    def clock_offset(self) -> timedelta | None:
        """What to add to the reader's UTC to get ours; ``None`` where it has no clock."""
        if self._reader_clock is None:
            return None
        utc, moment = self._reader_clock
        passed = timedelta(seconds=self._context.monotonic() - moment)
        return self._context.now() - utc - passed

    async def reports(self) -> AsyncGenerator[list[codec.TagReport], None]:
        """Each ROAccessReport's tags, until the connection ends in a ``SourceError``."""
        for frame in self._early:
            if tags := self._tags(frame):
                yield tags
        self._early.clear()
        self._early_bytes = 0
        silence = max(_SILENT_KEEP_ALIVES * self._settings.keep_alive_s, self._settings.timeout_s)
        while True:
            frame = await self._frame(silence)
            if tags := self._tags(frame):
                yield tags

    async def close(self) -> None:
        """Say goodbye and hang up; what goes wrong with that does not matter any more."""
        writer, self._writer = self._writer, None
        if writer is None:
            return
        with suppress(OSError):
            writer.write(codec.encode(14, next(self._ids), version=self._version))
            writer.close()
            async with asyncio.timeout(1):
                await writer.wait_closed()

    # -- setting up

    async def _greeting(self) -> None:
        """A reader begins with an event that says whether it takes the connection.

        Keep-alives end no silence here: a reader that sends nothing else never reads a tag.
        """
        settings = self._settings
        try:
            async with asyncio.timeout(settings.timeout_s):
                frame = await self._frame(settings.timeout_s)
        except TimeoutError as error:
            raise ReaderSilent(
                settings.device,
                f"{settings.address} does not greet within {settings.timeout_s:g} s",
            ) from error
        event = self._event(frame)
        if event is None or event.connection_attempt is None:
            raise ReaderRefused(
                settings.device,
                f"{settings.address} greets with {frame.name}, not as a reader does",
            )
        if event.connection_attempt != 0:
            why = codec.REFUSALS.get(event.connection_attempt, f"status {event.connection_attempt}")
            raise ReaderRefused(settings.device, f"the reader refuses: {why}")
        if event.utc is not None:
            self._reader_clock = (event.utc, self._context.monotonic())

    async def _configure(self) -> None:
        await self._discover()
        period = round(self._settings.keep_alive_s * 1000)
        await self._ask(3, codec.keep_alive_every(period))
        if self._settings.ro_spec == "own":
            own = OWN_RO_SPEC.to_bytes(4, "big")
            specs = codec.ro_spec_ids((await self._ask(26)).body)
            for number, state in specs:
                if number == OWN_RO_SPEC:
                    await self._ask(21, own)
                elif state != 0:  # one inventory at a time: a reader has one radio
                    await self._ask(25, number.to_bytes(4, "big"))
            await self._ask(20, codec.continuous_inventory(OWN_RO_SPEC))
            await self._ask(24, own)
            await self._ask(22, own)
        self._send(64)

    async def _discover(self) -> None:
        """What it says it can do. A reader that does not answer that may be one all the same."""
        try:
            answer = await self._ask(1, codec.EVERYTHING)
            self.capabilities = codec.capabilities(answer.body)
        except (ReaderRefused, LlrpError):
            self._context.count("llrp-capabilities-unknown")
            return
        if self.capabilities.clock is False:  # its times count from when it was switched on
            self._reader_clock = None

    async def _ask(self, kind: int, body: bytes = b"") -> codec.Frame:
        """The response to one request, which must say success. Reports met on the way are kept."""
        number = self._send(kind, body)
        name, wanted = codec.MESSAGES[kind], codec.MESSAGES[kind + 10]
        try:
            async with asyncio.timeout(self._settings.timeout_s):
                while True:
                    frame = await self._frame(self._settings.timeout_s)
                    if frame.id == number and frame.name in (wanted, "ErrorMessage"):
                        break
                    self._keep_early(frame)
        except TimeoutError as error:
            raise ReaderSilent(self._settings.device, f"no answer to {name}") from error
        try:
            code, description = codec.status(frame.body)
        except LlrpError as error:
            raise self._protocol(error) from error
        if code != 0 or frame.name == "ErrorMessage":
            raise ReaderRefused(
                self._settings.device, f"{name}: status {code} {description}".rstrip()
            )
        return frame

    def _keep_early(self, frame: codec.Frame) -> None:
        self._early_bytes += codec.HEADER_BYTES + len(frame.body)
        if self._early_bytes > _EARLY_BYTES:
            raise ReaderLost(
                self._settings.device,
                f"more than {_EARLY_BYTES >> 20} MiB of reports came in place of an answer",
            )
        self._early.append(frame)

    # -- frames

    def _send(self, kind: int, body: bytes = b"", number: int | None = None) -> int:
        assert self._writer is not None  # noqa: S101  # open() comes first
        number = next(self._ids) if number is None else number
        self._writer.write(codec.encode(kind, number, body, self._version))
        return number

    async def _frame(self, silence_s: float) -> codec.Frame:
        """The next message that is not a keep-alive, which is answered."""
        assert self._writer is not None  # noqa: S101  # open() comes first
        while True:
            try:
                async with asyncio.timeout(silence_s):
                    await self._writer.drain()  # one that reads no answers would have us keep them
                    frame = await self._read()
            except TimeoutError as error:
                raise ReaderSilent(
                    self._settings.device, f"not even a keep-alive for {silence_s:g} s"
                ) from error
            except LlrpError as error:
                raise self._protocol(error) from error
            except OSError as error:
                raise ReaderLost(self._settings.device, f"the connection broke: {error}") from error
            if frame.name != "KeepAlive":
                return frame
            self._send(72, number=frame.id)

    async def _read(self) -> codec.Frame:
        assert self._stream is not None  # noqa: S101  # open() comes first
        try:
            header = await self._stream.readexactly(codec.HEADER_BYTES)
        except asyncio.IncompleteReadError as error:
            if error.partial:
                raise LlrpTruncated("the connection ended inside a header") from error
            raise ReaderLost(self._settings.device, "the reader closed the connection") from error
        length = codec.frame_length(header)
        self._version = header[0] >> 2 & 0x7
        try:
            body = await self._stream.readexactly(length - codec.HEADER_BYTES)
        except asyncio.IncompleteReadError as error:
            raise LlrpTruncated(
                f"the connection ended {len(error.partial)} bytes into a body of"
                f" {length - codec.HEADER_BYTES}"
            ) from error
        return codec.frame(header + body)

    def _tags(self, frame: codec.Frame) -> list[codec.TagReport]:
        """Of a report; other messages only matter where they end the connection."""
        if frame.name == "ROAccessReport":
            tags, unreadable = codec.readable_tag_reports(frame.body)
            if unreadable:
                self._context.count("llrp-report-unreadable", unreadable)
                self._context.report(
                    "degraded", "llrp-report-unreadable", "reports hold tags that cannot be read"
                )
            elif tags:
                self._context.report("ok")
            strange = sum(len(tag.unknown) for tag in tags)
            if strange:
                self._context.count("llrp-unknown-parameter", strange)
            return tags
        event = self._event(frame)
        if event is not None and event.connection_closed:
            raise ReaderLost(self._settings.device, "the reader says that it closes the connection")
        return []

    def _event(self, frame: codec.Frame) -> codec.ReaderEvent | None:
        if frame.name != "ReaderEventNotification":
            return None
        try:
            return codec.reader_event(frame.body)
        except LlrpError as error:
            raise self._protocol(error) from error

    def _protocol(self, error: LlrpError) -> ReaderProtocol:
        """After bytes that are not LLRP there is no telling where the next message begins."""
        return ReaderProtocol(self._settings.device, error)


def seen_at(
    report: codec.TagReport, offset: timedelta | None, now: datetime, tolerance: timedelta
) -> datetime:
    """When a tag was read, on the gateway's clock.

    The reader's own time where its clock agrees with ours or its offset is known; times
    that come out in the future, or older than any report that a reader holds back, are ours.
    """
    stated = report.last_seen or report.first_seen
    if stated is None:
        return now
    if offset is None:
        offset = timedelta(0)
        if abs(now - stated) > tolerance:
            return now
    age = now - stated - (offset if abs(offset) > tolerance else timedelta(0))
    return now - age if timedelta(0) <= age <= _HELD_BACK else now
