"""An agent that starts while broker, cloud, disk or key is away: it waits, and says so."""

from __future__ import annotations

import asyncio
import hashlib
import signal
import subprocess
from pathlib import Path

import pytest

import servers
from edge.agent_process import Agent, agent_on, values
from edge.evidence.evidence_cloud import evidence_cloud
from edge.evidence.test_evidence import exceedance, queue_in
from edge.ingest_stand_in import until
from vigil_schemas.gateway import GatewayBirth, GatewayHealth

COUNTER = '[[water]]\ndevice = "counter-1"\ntotal = 50\n'


def is_running(process: subprocess.Popen[bytes]) -> bool:
    return process.poll() is None


async def test_a_disk_that_is_mounted_later_is_waited_for(
    tmp_path: Path, mosquitto: servers.Mosquitto
) -> None:
    # Given a data folder on a disk that is not mounted yet, and then one with a broken outbox.
    disk = tmp_path / "disk"
    (tmp_path / "data").symlink_to(disk)
    with agent_on(mosquitto.port, tmp_path) as agent:
        agent.configure(mosquitto.port, COUNTER)
        process = agent.start()
        await until(lambda: "data-dir-unusable" in agent.log())
        assert is_running(process)

        (disk / "outbox.sqlite").mkdir(parents=True)
        await until(lambda: "outbox-failed" in agent.log(), 60)
        assert is_running(process)

        (disk / "outbox.sqlite").rmdir()
        await until(lambda: len(values(agent.cloud)) == 50, 90)
        assert is_running(process)
        assert "Traceback" not in agent.log()


async def test_it_can_be_stopped_while_it_waits(
    tmp_path: Path, mosquitto: servers.Mosquitto
) -> None:
    (tmp_path / "data").symlink_to(tmp_path / "disk")
    with agent_on(mosquitto.port, tmp_path) as agent:
        agent.configure(mosquitto.port, COUNTER)
        process = agent.start()
        await until(lambda: "data-dir-unusable" in agent.log())

        process.send_signal(signal.SIGTERM)

        assert await asyncio.to_thread(process.wait, 60) == 0


async def test_the_log_is_as_the_file_says(tmp_path: Path, mosquitto: servers.Mosquitto) -> None:
    disk = tmp_path / "disk"
    (tmp_path / "data").symlink_to(disk)
    with agent_on(mosquitto.port, tmp_path) as agent:
        agent.configure(mosquitto.port, COUNTER)
        file = tmp_path / "gateway.toml"
        wanted = 'data_dir = "data"\nlog_format = "console"\nlog_level = "warning"\n'
        file.write_text(file.read_text().replace('data_dir = "data"\n', wanted))
        agent.start()
        await until(lambda: "data-dir-unusable" in agent.log())
        disk.mkdir()
        await until(lambda: len(values(agent.cloud)) == 50, 90)

        assert not agent.log().lstrip().startswith("{"), "columns for people"
        assert "connected to the broker" not in agent.log(), "which is told at `info`"


async def test_a_folder_that_will_never_serve_ends_it_at_once(
    tmp_path: Path, mosquitto: servers.Mosquitto
) -> None:
    with agent_on(mosquitto.port, tmp_path) as agent:
        agent.configure(mosquitto.port, COUNTER)
        file = tmp_path / "gateway.toml"
        file.write_text(file.read_text().replace('"data"', '"gateway.toml/data"'))

        process = agent.start()

        assert await asyncio.to_thread(process.wait, 60) == 2
        assert "data-dir-unusable: " in agent.log()


async def test_broker_and_cloud_that_come_later_find_everything(tmp_path: Path) -> None:
    # Given evidence from before a power cut, and neither broker nor cloud anywhere.
    queue = queue_in(tmp_path / "data")
    reference = await queue.deposit(*exceedance(tmp_path / "files"))
    port, http_port = servers.free_port(), servers.free_port()
    agent = Agent(tmp_path, "gw-1", None)
    agent.configure(port, COUNTER, url=f"http://127.0.0.1:{http_port}")
    process = agent.start()
    try:
        await until(lambda: "no connection to the broker" in agent.log())
        await until(lambda: "evidence upload failed" in agent.log())
        broker = servers.mosquitto(tmp_path / "broker", port=port)
        with agent.listened_to(port), evidence_cloud(http_port) as cloud:
            await until(lambda: len(values(agent.cloud)) == 50, 90)
            await until(lambda: reference.sha256 in cloud.bodies, 90)
            body = cloud.bodies[reference.sha256]
            assert hashlib.sha256(body).hexdigest() == reference.sha256
            assert is_running(process)
        broker.stop()
    finally:
        agent.close()


@pytest.mark.parametrize("damage", [b"", b"-----BEGIN PRIVATE KEY-----\ncut"])
async def test_a_damaged_key_costs_the_evidence_alone(
    tmp_path: Path, mosquitto: servers.Mosquitto, damage: bytes
) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "evidence-key.pem").write_bytes(damage)
    with agent_on(mosquitto.port, tmp_path) as agent:
        agent.configure(mosquitto.port, COUNTER)
        agent.start()

        (birth,) = await until(lambda: agent.cloud.status(GatewayBirth))
        assert len(birth.public_key) == 64
        await until(lambda: len(values(agent.cloud)) == 50)
        (health, *_) = await until(lambda: agent.cloud.all(GatewayHealth))
        assert health.counters["evidence-key-replaced"] == 1
        assert (tmp_path / "data" / "evidence-key.pem.damaged").read_bytes() == damage
