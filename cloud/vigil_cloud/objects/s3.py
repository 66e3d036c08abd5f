"""Objects in a bucket of any S3 server, through obstore."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

from obstore.exceptions import BaseError, NotFoundError
from obstore.store import S3Store

if TYPE_CHECKING:
    from obstore.store import S3Config

from vigil_cloud.objects.port import ObjectMissing, ObjectsUnavailable, checked_name

_CHUNK: Final = 1024 * 1024
_PING: Final = "ping"


class S3Objects:
    """The ``Objects`` port over one bucket. S3 shows an object only once it is whole."""

    def __init__(
        self,
        bucket: str,
        *,
        endpoint: str,
        region: str,
        access_key: str,
        secret_key: str,
        timeout_s: float = 30.0,
    ) -> None:
        """Does not connect yet. An empty endpoint is Amazon's own."""
        self._bucket = bucket
        config: S3Config = {
            "region": region,
            "access_key_id": access_key,
            "secret_access_key": secret_key,
        }
        if endpoint:
            config["endpoint"] = endpoint
        self._store = S3Store(
            bucket,
            config=config,
            client_options={
                "allow_http": endpoint.startswith("http://"),
                "timeout": timedelta(seconds=timeout_s),
                "connect_timeout": timedelta(seconds=min(5.0, timeout_s)),
            },
            retry_config={"max_retries": 2, "retry_timeout": timedelta(seconds=timeout_s)},
        )

    def put(self, name: str, path: Path) -> None:
        try:
            self._store.put(checked_name(name), path)
        except (BaseError, FileNotFoundError) as error:  # not found: the bucket
            raise self._unavailable(error) from error

    def size(self, name: str) -> int:
        try:
            return int(self._store.head(checked_name(name))["size"])
        except (NotFoundError, FileNotFoundError) as error:
            raise ObjectMissing(name) from error
        except BaseError as error:
            raise self._unavailable(error) from error

    def read(self, name: str, start: int = 0, length: int | None = None) -> Iterator[bytes]:
        size = self.size(name)  # now, so that a missing object raises here
        stop = size if length is None else min(size, start + length)
        return self._stream(name, start, stop)

    def _stream(self, name: str, start: int, stop: int) -> Iterator[bytes]:
        while start < stop:
            end = min(stop, start + _CHUNK)
            try:
                chunk = bytes(self._store.get_range(name, start=start, end=end))
            except (NotFoundError, FileNotFoundError) as error:
                raise ObjectMissing(name) from error
            except BaseError as error:
                raise self._unavailable(error) from error
            yield chunk
            start = end

    def names(self) -> Iterator[str]:
        try:
            for page in self._store.list():
                for found in page:
                    if found["path"] != _PING:
                        yield found["path"]
        except (BaseError, FileNotFoundError) as error:
            raise self._unavailable(error) from error

    def delete(self, name: str) -> None:
        try:
            self._store.delete(checked_name(name))
        except (NotFoundError, FileNotFoundError):
            return
        except BaseError as error:
            raise self._unavailable(error) from error

    def ping(self) -> None:
        try:
            self._store.put(_PING, b"written by /readyz")
        except (BaseError, FileNotFoundError) as error:
            raise self._unavailable(error) from error

    def _unavailable(self, error: Exception) -> ObjectsUnavailable:
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        return ObjectsUnavailable(f"bucket {self._bucket!r}: {first[:300]}")
