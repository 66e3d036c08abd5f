"""Compiling loops over samples with numba, with a cache that may fail but never stops a meter."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, TypeVar

import numba

_log = logging.getLogger("vigil.noise")
"""Not structlog: of a tool's output on standard output every line is a record."""
_Function = TypeVar("_Function", bound=Callable[..., Any])


def compiled(signature: str, *, fast: bool = False) -> Callable[[_Function], _Function]:
    """``numba.njit`` for one signature, kept on disk where numba finds a folder to write to.

    A cache must never keep a microphone from listening: one that cannot be written (a full disk)
    or was torn (a power loss; numba syncs nothing) is told of and left aside.

    ``fast`` lets sums be reordered: always the same way for slices of the same length.
    """
    options: dict[str, Any] = {
        "fastmath": {"contract", "reassoc", "nsz"} if fast else {"contract"},
        "nogil": True,
        "error_model": "numpy",
    }

    def compile_(function: _Function) -> _Function:
        try:
            return numba.njit(signature, cache=True, **options)(function)  # type: ignore[return-value]
        except RuntimeError:  # neither the package nor a home can be written to
            _log.info("the meter is compiled at each start: set NUMBA_CACHE_DIR to a folder")
        except Exception as error:  # noqa: BLE001 - unpickling a torn file raises whatever it likes
            _log.warning(
                "the cache of the compiled meter is of no use, %s is compiled anew (remove *.nbi"
                " and *.nbc in __pycache__ beside the meter, or in NUMBA_CACHE_DIR): %s: %s",
                function.__name__,
                type(error).__name__,
                error,
            )
        return numba.njit(signature, **options)(function)  # type: ignore[return-value]

    return compile_
