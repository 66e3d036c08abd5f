"""PortAudio begins anew only where no stream is open, being closed included."""

from __future__ import annotations

import threading
from types import ModuleType
from typing import Any

import pytest

from servers import eventually
from vigil_edge import portaudio


class Library(ModuleType):
    """What is told to PortAudio."""

    def __init__(self) -> None:
        super().__init__("sounddevice")
        self.began = 0

    def _terminate(self) -> None:
        """Ends every stream, and frees it."""

    def _initialize(self) -> None:
        self.began += 1


class Stream:
    """One whose driver takes its time to close."""

    def __init__(self) -> None:
        self.closing = threading.Event()
        self.may_close = threading.Event()

    def start(self) -> None:
        """Runs."""

    def abort(self, **_: Any) -> None:
        self.closing.set()

    def close(self, **_: Any) -> None:
        self.may_close.wait(60)


def test_a_stream_that_is_being_closed_still_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(portaudio, "CLOSE_WITHIN_S", 120.0)
    monkeypatch.setattr(portaudio, "_streams", set())
    library, slow, others = Library(), Stream(), [Stream(), Stream()]
    portaudio.start(library, lambda: slow)
    assert library.began == 1
    closing = threading.Thread(target=portaudio.close, args=(slow,))
    closing.start()
    eventually(slow.closing.is_set, "the stream is being closed")

    portaudio.start(library, lambda: others[0])
    assert library.began == 1, "it would free what is being closed"

    slow.may_close.set()
    closing.join(60)
    others[0].may_close.set()
    portaudio.close(others[0])
    portaudio.start(library, lambda: others[1])
    assert library.began == 2, "one that was plugged in since is found"
    others[1].may_close.set()
    portaudio.close(others[1])
