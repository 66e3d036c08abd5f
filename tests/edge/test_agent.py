"""The agent as a process: killed at any moment, its sources failing, told what to do, stopped."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import servers
from edge.agent_process import Agent, agent_on, values
from edge.ingest_stand_in import until
from vigil_schemas.control import CommandV1, ConfigurationV1
from vigil_schemas.gateway import (
    CommandResult,
    DeviceHealth,
    GatewayBirth,
    GatewayDeath,
    GatewayHealth,
)
from vigil_schemas.topics import CONFIG
from vigil_schemas.water import WaterExcursion

SEED = int(os.environ.get("VIGIL_SEED", "20260101"))


@pytest.fixture
def agent(tmp_path: Path, mosquitto: servers.Mosquitto) -> Iterator[Agent]:
    with agent_on(mosquitto.port, tmp_path) as made:
        yield made


async def test_kill_9_at_any_moment_loses_nothing(
    agent: Agent, mosquitto: servers.Mosquitto, tmp_path: Path
) -> None:
    total = 20_000
    ledger = tmp_path / "ledger"
    agent.configure(
        mosquitto.port,
        f'[[water]]\ndevice = "counter-1"\ntotal = {total}\nbatch = 20\nledger = "{ledger}"\n',
    )
    rng = random.Random(SEED)
    print(f"VIGIL_SEED={SEED}")
    kills = 0
    while kills < 8:
        process = agent.start()
        upto = len(ledger.read_text().splitlines()) if ledger.exists() else 0
        # Each kill may come between the outbox and the ledger: so many lines may be missing.
        goal = min(upto + rng.randrange(1, 120), total // 20 - 8)

        def reached(goal: int = goal) -> bool:
            return ledger.exists() and len(ledger.read_text().splitlines()) >= goal

        await until(reached)
        process.kill()
        process.wait(60)
        kills += 1
    accepted = int(ledger.read_text().split()[-1])
    assert accepted > 0

    agent.start()
    await until(lambda: len(values(agent.cloud)) >= total, 90)
    await until(lambda: len(agent.cloud.all(WaterExcursion)) >= total // 10, 60)

    assert values(agent.cloud) == [float(n) for n in range(total)]  # each once, in order
    ids = [each.excursion_id for each in agent.cloud.all(WaterExcursion)]
    assert ids == [f"counter-1-{n:08d}" for n in range(0, total, 10)]
    stored = {source: sorted(numbers) for source, numbers in agent.cloud.stored.items()}
    for source, numbers in stored.items():
        assert numbers == list(range(1, len(numbers) + 1)), source
    assert len({source.epoch for source in stored}) > 1, "each opening has its own numbers"


async def test_failing_sources_are_told_and_the_others_go_on(
    agent: Agent, mosquitto: servers.Mosquitto
) -> None:
    kinds = ("never", "source-error", "crash", "once", "ends")
    agent.configure(
        mosquitto.port,
        "".join(
            f'[[water]]\ndevice = "{kind}-1"\nfails = "{kind}"\ntotal = 50\n' for kind in kinds
        ),
    )
    agent.start()

    def newest() -> dict[str, tuple[str, str | None]]:
        return {each.device: (each.state, each.code) for each in agent.cloud.all(DeviceHealth)}

    await until(lambda: len(newest()) == 5 and newest()["once-1"][0] == "ok")
    assert newest() == {
        "never-1": ("ok", None),
        "source-error-1": ("failed", "unplugged"),
        "crash-1": ("failed", "source-crashed"),
        "once-1": ("ok", None),
        "ends-1": ("stopped", "source-ended"),
    }
    await until(lambda: len(values(agent.cloud)) >= 100)
    await until(lambda: (agent.cloud.all(GatewayHealth) or [None])[-1])

    def restarts() -> dict[str, int]:
        reports = agent.cloud.all(GatewayHealth)
        return {each.device: each.restarts for each in reports[-1].sources}

    await until(lambda: restarts()["source-error-1"] >= 2)
    assert restarts()["never-1"] == restarts()["ends-1"] == 0
    changes = [each for each in agent.cloud.all(DeviceHealth) if each.device == "source-error-1"]
    assert len(changes) == 1, "a source that keeps failing in one way is told once"


async def test_commands_and_a_configuration_from_afar(
    agent: Agent, mosquitto: servers.Mosquitto
) -> None:
    agent.configure(
        mosquitto.port,
        '[[water]]\ndevice = "ends-1"\nfails = "ends"\n[[water]]\ndevice = "fine-1"\n',
        interval_s=3600,
    )
    agent.start()
    cloud = agent.cloud
    await until(lambda: cloud.status(GatewayBirth))

    def result(command_id: str) -> Any:
        return next((r for r in cloud.all(CommandResult) if r.command_id == command_id), None)

    cloud.command(CommandV1(command_id="restart-1", action="restart_source", device="ends-1"))
    cloud.command(CommandV1(command_id="restart-2", action="restart_source", device="nobody-1"))
    cloud.command(CommandV1(command_id="birth-001", action="resend_birth"))
    cloud.command(CommandV1(command_id="birth-001", action="resend_birth"))
    await until(lambda: result("birth-001"))
    assert result("restart-1").accepted
    assert (result("restart-2").accepted, result("restart-2").code) == (False, "unknown-device")
    await until(lambda: len(cloud.status(GatewayBirth)) == 2)

    reports = len(cloud.all(GatewayHealth))
    cloud.command(CommandV1(command_id="health-01", action="report_health"))
    await until(lambda: len(cloud.all(GatewayHealth)) > reports)

    cloud.send(CONFIG, ConfigurationV1(revision=7, health_interval_s=1, paused_devices=["fine-1"]))
    await until(lambda: result("config-7"))
    await until(
        lambda: ("fine-1", "paused") in {(h.device, h.code) for h in cloud.all(DeviceHealth)}
    )
    await until(lambda: len(cloud.all(GatewayHealth)) > reports + 3)

    # And it holds after a restart, where the retained message is no news.
    agent.processes[-1].kill()
    agent.processes[-1].wait(60)
    agent.start()
    before = len(cloud.all(GatewayHealth))

    def states() -> dict[str, str]:
        return {each.device: each.state for each in cloud.all(GatewayHealth)[-1].sources}

    await until(lambda: len(cloud.all(GatewayHealth)) > before)
    await until(lambda: states()["fine-1"] == "stopped")
    assert [r.command_id for r in cloud.all(CommandResult)].count("config-7") == 1
    assert [r.command_id for r in cloud.all(CommandResult)].count(
        "birth-001"
    ) == 2  # repeated, and answered again


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_it_says_goodbye_and_ends(
    agent: Agent, mosquitto: servers.Mosquitto, number: signal.Signals
) -> None:
    agent.configure(
        mosquitto.port,
        '[[water]]\ndevice = "fine-1"\ntotal = 10\n'
        '[[water]]\ndevice = "stuck-1"\nfails = "stuck"\n',
    )
    process = agent.start()
    (birth,) = await until(lambda: agent.cloud.status(GatewayBirth))
    await until(lambda: len(values(agent.cloud)) == 10)

    process.send_signal(number)
    status = await asyncio.to_thread(process.wait, 60)

    assert status == 0, agent.log()
    (death,) = await until(lambda: agent.cloud.status(GatewayDeath))
    assert (death.session, death.clean) == (birth.session, True)


async def test_a_killed_agent_leaves_its_last_will(
    agent: Agent, mosquitto: servers.Mosquitto
) -> None:
    agent.configure(mosquitto.port, "")
    process = agent.start()
    await until(lambda: agent.cloud.status(GatewayBirth))

    process.kill()
    process.wait(60)

    (death,) = await until(lambda: agent.cloud.status(GatewayDeath))
    assert not death.clean


async def test_one_folder_one_agent(agent: Agent, mosquitto: servers.Mosquitto) -> None:
    agent.configure(mosquitto.port, "")
    agent.start()
    await until(lambda: agent.cloud.status(GatewayBirth))

    second = agent.start()

    assert await asyncio.to_thread(second.wait, 60) == 2
    assert "data-dir-unusable" in agent.log()


async def test_at_rest_it_is_small(agent: Agent, mosquitto: servers.Mosquitto) -> None:
    agent.configure(
        mosquitto.port,
        "".join(f'[[water]]\ndevice = "counter-{n}"\ntotal = 25\n' for n in range(4)),
    )
    agent.start()

    await until(lambda: len(agent.cloud.all(GatewayHealth)) >= 4)

    last = agent.cloud.all(GatewayHealth)[-1]
    assert last.resident_bytes < 200e6
    assert last.disk_free_bytes > 0
    assert {depth.lane.value for depth in last.outbox} == {"alarm", "event", "observation"}


def test_the_wrong_configuration_is_not_run(tmp_path: Path) -> None:
    file = tmp_path / "gateway.toml"
    file.write_text("[gateway]\n")

    done = subprocess.run(
        [sys.executable, "-m", "vigil_edge", "run", "--config", str(file)],
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert done.returncode == 2
    assert f"{file}:1: gateway.id: is missing" in done.stderr


def test_a_machine_that_has_nothing_left_is_no_mistake_of_the_file(tmp_path: Path) -> None:
    """Exit 2 would keep systemd from starting the agent again (RestartPreventExitStatus)."""
    file = tmp_path / "gateway.toml"
    file.write_text(
        f'[gateway]\nid = "gw-1"\ndata_dir = "{tmp_path}"\n[cloud]\nbroker = "mqtt://127.0.0.1:1"\n'
    )
    words = f"{sys.executable} -m vigil_edge run --config {file}"

    done = subprocess.run(
        ["/bin/sh", "-c", f"ulimit -n 5; exec {words}"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert "Too many open files" in done.stderr
    assert done.returncode == 1
