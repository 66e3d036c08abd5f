"""Structured logs on standard error: a JSON object a line, or columns for people."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable
from typing import Final, Literal

import structlog

from vigil_cloud.metrics import LOGGED

STRANGERS: Final = ("uvicorn.error", "asyncio")
"""What these say, anybody who can connect can make them say."""


class NotTooOften(logging.Filter):
    """The first few lines of a kind in each period; the next one tells how many were left out."""

    def __init__(
        self,
        most: int = 10,
        period_s: float = 60.0,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__()
        self._most = most
        self._period_s = period_s
        self._monotonic = monotonic
        self._kinds: dict[str, tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """By the text before its values are filled in."""
        kind, now = str(record.msg)[:100], self._monotonic()
        began, count = self._kinds.get(kind, (now, 0))
        left_out = 0
        if now - began >= self._period_s:
            left_out, began, count = max(0, count - self._most), now, 0
        if len(self._kinds) > 1000:
            self._kinds.clear()
        self._kinds[kind] = (began, count + 1)
        if left_out:
            record.msg = f"{record.msg} ({left_out} more like it were not written)"
        return count < self._most


_COUNTED: Final = frozenset({"warning", "error", "critical"})


def count(
    _logger: object, _method: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    """Whatever our own code says of trouble is a figure, too: nobody reads a log all day."""
    level = str(event.get("level", ""))
    if level in _COUNTED:
        LOGGED.labels(level, str(event.get("event", ""))[:60]).inc()
    return event


def set_up_logging(level: str = "info", shown: Literal["json", "console"] = "json") -> None:
    """Route structlog and the standard library's loggers (uvicorn, SQLAlchemy) the same way."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        # Columns show a traceback by themselves, line by line.
        *([] if shown == "console" else [structlog.processors.format_exc_info]),
    ]
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
        if shown == "console"
        else structlog.processors.JSONRenderer(ensure_ascii=False)
    )
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            count,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                renderer,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in STRANGERS:
        logging.getLogger(name).filters[:] = [NotTooOften()]
    # One line per request or per HTTP connection is metrics' work, not the log's.
    for noisy in ("alembic", "httpx", "httpcore", "urllib3", "uvicorn.access", "iotcore.broker"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
