"""One suite over every object store: what ``objects/port.py`` promises."""

from __future__ import annotations

import os
import threading
import time
import uuid
from pathlib import Path

import pytest

import servers
from vigil_cloud.objects.folder import FolderObjects
from vigil_cloud.objects.port import (
    InvalidObjectName,
    ObjectMissing,
    Objects,
    ObjectsUnavailable,
)
from vigil_cloud.objects.s3 import S3Objects


def s3(server: servers.S3, **changed: str) -> S3Objects:
    arguments = {
        "endpoint": server.endpoint,
        "region": "us-east-1",
        "access_key": server.access_key,
        "secret_key": server.secret_key,
        **changed,
    }
    return S3Objects(arguments.pop("bucket", server.bucket), timeout_s=60, **arguments)


@pytest.fixture(params=["folder", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Objects:
    if request.param == "folder":
        return FolderObjects(tmp_path / "objects")
    return s3(request.getfixturevalue("versitygw"))


@pytest.fixture
def name() -> str:
    return f"evidence/gw-a/{uuid.uuid4().hex}.zip"


def a_file(tmp_path: Path, content: bytes) -> Path:
    path = tmp_path / uuid.uuid4().hex
    path.write_bytes(content)
    return path


def test_what_was_put_is_read(store: Objects, name: str, tmp_path: Path) -> None:
    content = bytes(range(256)) * 12_345  # more than one chunk of any store
    store.put(name, a_file(tmp_path, content))

    assert store.size(name) == len(content)
    assert b"".join(store.read(name)) == content


@pytest.mark.parametrize(
    ("start", "length", "expected"),
    [(0, 3, b"012"), (4, 2, b"45"), (7, None, b"789"), (8, 100, b"89"), (3, 0, b"")],
)
def test_a_range(
    store: Objects, name: str, tmp_path: Path, start: int, length: int | None, expected: bytes
) -> None:
    store.put(name, a_file(tmp_path, b"0123456789"))

    assert b"".join(store.read(name, start, length)) == expected


def test_putting_again_replaces(store: Objects, name: str, tmp_path: Path) -> None:
    store.put(name, a_file(tmp_path, b"first and longer"))
    store.put(name, a_file(tmp_path, b"second"))

    assert b"".join(store.read(name)) == b"second"


def test_an_empty_object(store: Objects, name: str, tmp_path: Path) -> None:
    store.put(name, a_file(tmp_path, b""))

    assert store.size(name) == 0
    assert b"".join(store.read(name)) == b""


def test_what_is_missing_says_so_before_the_first_byte(store: Objects, name: str) -> None:
    with pytest.raises(ObjectMissing):
        store.size(name)
    with pytest.raises(ObjectMissing):
        store.read(name)


def test_a_folder_is_no_object(store: Objects, name: str, tmp_path: Path) -> None:
    store.put(name, a_file(tmp_path, b"x"))

    with pytest.raises(ObjectMissing):
        b"".join(store.read("evidence/gw-a"))


def test_every_object_has_its_name_in_the_list(store: Objects, name: str, tmp_path: Path) -> None:
    assert name not in set(store.names())
    store.put(name, a_file(tmp_path, b"1"))
    store.put(f"{name}.later", a_file(tmp_path, b"2"))
    store.ping()

    names = list(store.names())

    assert {name, f"{name}.later"} <= set(names)
    assert all(there.startswith("evidence/") for there in names)
    store.delete(name)
    assert name not in set(store.names())


def test_deleting_twice_is_no_error(store: Objects, name: str, tmp_path: Path) -> None:
    store.put(name, a_file(tmp_path, b"x"))
    store.delete(name)
    store.delete(name)

    with pytest.raises(ObjectMissing):
        store.size(name)


@pytest.mark.parametrize(
    "bad", ["", "/etc/passwd", "../outside", "a/../b", "a//b", "A", "a b", ".hidden", "a/.b", "a/"]
)
def test_names_that_could_leave_the_store_are_refused(store: Objects, bad: str) -> None:
    with pytest.raises(InvalidObjectName):
        store.size(bad)
    with pytest.raises(InvalidObjectName):
        store.delete(bad)


def test_two_writers_leave_one_whole_object(store: Objects, name: str, tmp_path: Path) -> None:
    contents = [bytes([n]) * 300_000 for n in range(4)]
    paths = [a_file(tmp_path, content) for content in contents]
    threads = [threading.Thread(target=store.put, args=(name, path)) for path in paths]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert b"".join(store.read(name)) in contents


def test_ping_of_a_working_store(store: Objects) -> None:
    store.ping()


def test_a_server_that_is_away(tmp_path: Path, name: str) -> None:
    away = S3Objects(
        "vigil",
        endpoint=f"http://127.0.0.1:{servers.free_port()}",
        region="us-east-1",
        access_key="a",
        secret_key="b",
        timeout_s=1,
    )
    with pytest.raises(ObjectsUnavailable):
        away.ping()
    with pytest.raises(ObjectsUnavailable):
        away.put(name, a_file(tmp_path, b"x"))
    with pytest.raises(ObjectsUnavailable):
        away.size(name)


@pytest.mark.parametrize("change", [{"secret_key": "wrong"}, {"bucket": "elsewhere"}])
def test_a_wrong_setting_is_unavailable(versitygw: servers.S3, change: dict[str, str]) -> None:
    with pytest.raises(ObjectsUnavailable):
        s3(versitygw, **change).ping()


def test_a_folder_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ObjectsUnavailable):
        FolderObjects(tmp_path / "file" / "objects").ping()


def test_what_a_killed_process_left_half_written_goes(tmp_path: Path, name: str) -> None:
    arriving = tmp_path / "objects" / ".arriving"
    arriving.mkdir(parents=True)
    abandoned, growing = arriving / "abandoned", arriving / "growing"
    for path in (abandoned, growing):
        path.write_bytes(b"half")
    two_days_ago = time.time() - 2 * 86400
    os.utime(abandoned, (two_days_ago, two_days_ago))

    FolderObjects(tmp_path / "objects").put(name, a_file(tmp_path, b"x"))

    assert not abandoned.exists()
    assert growing.exists()
