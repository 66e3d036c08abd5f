"""Structured logs on standard error: JSON for machines, columns for a person at a terminal."""

from __future__ import annotations

import logging
import sys

import structlog

from vigil_edge.configuration import variables


def configure(log_format: str | None, level: str) -> None:
    """Once, at the entrance. ``log_format`` is ``json``, ``console`` or ``None`` (by terminal)."""
    console = log_format == "console" or (log_format is None and sys.stderr.isatty())
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer() if console else structlog.processors.JSONRenderer()
    )
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    if not console:
        shared.append(structlog.processors.format_exc_info)
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level.upper())),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    # Libraries log through the standard module; only their warnings matter to an operator.
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(name)s: %(message)s")


def tell_unread() -> None:
    """What stands in the environment as if it were a setting."""
    for slip in variables.unread():
        structlog.get_logger("agent").warning("variable-unknown", reason=slip)
