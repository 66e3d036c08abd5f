"""A reader's open event stream of a test's city."""

from __future__ import annotations

import json
import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import httpx

from cloud_city import City


class Event(NamedTuple):
    kind: str
    id: int | None
    data: dict[str, Any]


class Stream:
    """A reader's open stream; a thread reads it, so that waiting has a deadline."""

    def __init__(self, response: httpx.Response) -> None:
        self._events: queue.Queue[Event | None] = queue.Queue()
        self.opened = threading.Event()
        self._thread = threading.Thread(target=self._read, args=(response,), daemon=True)
        self._thread.start()

    def _read(self, response: httpx.Response) -> None:
        fields: dict[str, str] = {}
        try:
            for line in response.iter_lines():
                if line.startswith(": connected"):
                    self.opened.set()
                if line:
                    name, _, value = line.partition(": ")
                    fields[name] = value
                elif "data" in fields:
                    number = int(fields["id"]) if "id" in fields else None
                    self._events.put(Event(fields["event"], number, json.loads(fields["data"])))
                    fields = {}
                else:
                    fields = {}
        except (httpx.HTTPError, httpx.StreamError):
            pass
        self._events.put(None)

    @property
    def over(self) -> bool:
        return not self._thread.is_alive()

    def next(self, *kinds: str) -> Event | None:
        """The next event of these kinds; ``None`` when the stream is over."""
        while True:
            event = self._events.get(timeout=60)
            if event is None or event.kind in kinds:
                return event


@contextmanager
def stream(city: City, username: str, after: int | None = None) -> Iterator[Stream]:
    headers = {} if after is None else {"Last-Event-ID": str(after)}
    signed_in = city.client(username)
    with (
        httpx.Client(base_url=city.serve(), cookies=signed_in.cookies, trust_env=False) as client,
        client.stream("GET", "/api/v1/stream", headers=headers, timeout=None) as response,
    ):
        assert response.status_code == 200, response.read()
        assert response.headers["content-type"].startswith("text/event-stream")
        reader = Stream(response)
        assert reader.opened.wait(60)
        yield reader
