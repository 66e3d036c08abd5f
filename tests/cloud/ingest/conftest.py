"""Processes of ingest over a real broker, and a gateway that speaks to them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import servers
from cloud.ingest.processes import Cloud
from gateways import (
    Gateway,
)


@pytest.fixture
def build_cloud(tmp_path: Path, mosquitto: servers.Mosquitto) -> Iterator[Callable[..., Cloud]]:
    clouds: list[Cloud] = []

    def build(**variables: str) -> Cloud:
        clouds.append(Cloud(tmp_path, mosquitto.port, **variables))
        return clouds[-1]

    yield build
    for cloud in clouds:
        for process in cloud.running:
            process.stop()


@pytest.fixture
def gateway(mosquitto: servers.Mosquitto) -> Iterator[Gateway]:
    connected = Gateway(mosquitto.port)
    yield connected
    connected.publish("status", b"", retain=True)
    connected.close()
