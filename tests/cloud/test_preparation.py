"""Before a database is migrated, systemd is told to wait for it."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from cloud_city import City
from vigil_cloud.serving import await_database


def test_a_start_that_migrates_is_not_given_up(
    city: City, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(30)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        await_database(city.services, always=True)
        said = manager.recv(4096).decode()
    assert "EXTEND_TIMEOUT_USEC=3600000000" in said
