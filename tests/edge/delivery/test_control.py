"""ConfigurationV1 from afar: what is paused, what is not, and what is said of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

import servers
from edge.agent_process import PROGRAM, Agent, agent_on
from edge.ingest_stand_in import until
from vigil_schemas.control import CommandV1, Configuration, ConfigurationV1
from vigil_schemas.gateway import (
    CommandResult,
    ConfigurationReport,
    DeviceHealth,
    GatewayBirth,
    GatewayHealth,
)
from vigil_schemas.topics import CONFIG

BRIDGE = '[[water]]\ndevice = "bridge-1"\nothers = ["alarm-1", "alarm-2"]\n'


@pytest.fixture
def agent(tmp_path: Path, mosquitto: servers.Mosquitto) -> Iterator[Agent]:
    with agent_on(mosquitto.port, tmp_path) as made:
        made.configure(mosquitto.port, BRIDGE, interval_s=3600)
        made.start()
        yield made


async def sent(agent: Agent, revision: int, *paused: str) -> Any:
    """The answer to a configuration."""
    configuration = ConfigurationV1(
        revision=revision, health_interval_s=3600, paused_devices=list(paused)
    )
    agent.cloud.send(CONFIG, configuration)
    return await until(lambda: answer(agent, revision))


def answer(agent: Agent, revision: int) -> Any:
    results = agent.cloud.all(CommandResult)
    return next((each for each in results if each.command_id == f"config-{revision}"), None)


def state(agent: Agent) -> tuple[str, str | None]:
    changes = [each for each in agent.cloud.all(DeviceHealth) if each.device == "bridge-1"]
    return (changes[-1].state, changes[-1].code) if changes else ("starting", None)


async def test_one_alarm_does_not_silence_the_others_behind_its_bridge(agent: Agent) -> None:
    await until(lambda: state(agent) == ("ok", None))

    result = await sent(agent, 1, "alarm-1")
    assert (result.accepted, result.code) == (True, "shares-its-source")
    assert "alarm-1" in result.message
    assert "bridge-1" in result.message
    reports = len(agent.cloud.all(GatewayHealth))
    agent.cloud.command(CommandV1(command_id="health-01", action="report_health"))
    await until(lambda: len(agent.cloud.all(GatewayHealth)) > reports)
    (source,) = agent.cloud.all(GatewayHealth)[-1].sources
    assert (source.state, source.restarts) == ("ok", 0)

    result = await sent(agent, 2, "alarm-1", "alarm-2")
    assert result.code == "ok"
    await until(lambda: state(agent) == ("stopped", "paused"))

    await sent(agent, 3)
    await until(lambda: state(agent) == ("ok", None))
    await sent(agent, 4, "bridge-1")
    await until(lambda: state(agent) == ("stopped", "paused"))


async def test_an_older_configuration_is_refused_aloud_and_once(agent: Agent) -> None:
    # Given a cloud that was put back from an old copy and counts its revisions anew.
    await sent(agent, 9)

    result = await sent(agent, 2, "bridge-1")

    assert (result.accepted, result.code) == (False, "older-revision")
    assert "revision 9" in result.message
    agent.cloud.send(CONFIG, ConfigurationV1(revision=2))
    assert (await sent(agent, 10)).accepted
    results = [each.command_id for each in agent.cloud.all(CommandResult)]
    assert results == ["config-9", "config-2", "config-10"]
    assert len(agent.cloud.status(GatewayBirth)) == 1


async def test_a_number_that_is_given_a_second_time_is_refused_aloud(agent: Agent) -> None:
    """A cloud that was put back from an old copy learns what is in force here: its next
    configuration counts, and this one was not lost without a word."""
    await sent(agent, 3)
    reports = len(agent.cloud.all(ConfigurationReport))
    agent.cloud.send(CONFIG, ConfigurationV1(revision=3, health_interval_s=3600))  # the same again
    agent.cloud.send(CONFIG, ConfigurationV1(revision=3, paused_devices=["bridge-1"]))

    refusals = await until(lambda: refused(agent))

    assert [(each.command_id, each.code) for each in refusals] == [("config-3", "older-revision")]
    assert "with other contents" in refusals[0].message
    await until(lambda: len(agent.cloud.all(ConfigurationReport)) > reports)
    assert agent.cloud.all(ConfigurationReport)[-1].revision == 3
    await until(lambda: state(agent) == ("ok", None))
    assert (await sent(agent, 4, "bridge-1")).accepted
    await until(lambda: state(agent) == ("stopped", "paused"))
    assert len(refused(agent)) == 1


async def test_what_the_cloud_sends_again_is_answered_again(agent: Agent) -> None:
    """Its answer was lost with the outbox: a damaged file that was put aside, another disk."""
    first = await sent(agent, 1, "alarm-1")
    wrong = Configuration(revision=2, settings={"bridge-1": {"interval_s": "often"}})
    agent.cloud.send(CONFIG, wrong)
    refusal = await until(lambda: answer(agent, 2))
    assert (first.code, refusal.code) == ("shares-its-source", "bad-configuration")
    agent.processes[-1].kill()
    agent.processes[-1].wait(60)
    for file in (agent.folder / "data").glob("outbox*"):
        file.unlink()
    births = len(agent.cloud.status(GatewayBirth))
    agent.start()
    await until(lambda: len(agent.cloud.status(GatewayBirth)) > births)
    assert answers(agent) == ["config-1", "config-2"], "nobody asked for it"

    agent.cloud.send(CONFIG, wrong)

    await until(lambda: answers(agent) == ["config-1", "config-2", "config-2"])
    again = [each for each in agent.cloud.all(CommandResult) if each.command_id == "config-2"]
    assert again[0] == again[1]
    third = await sent(agent, 3, "alarm-1")
    agent.cloud.send(
        CONFIG,
        ConfigurationV1(revision=3, health_interval_s=3600, paused_devices=["alarm-1"]),
    )
    await until(lambda: answers(agent).count("config-3") == 2)
    assert agent.cloud.all(CommandResult)[-1] == third


def answers(agent: Agent) -> list[str]:
    return [each.command_id for each in agent.cloud.all(CommandResult)]


def refused(agent: Agent) -> list[CommandResult]:
    return [each for each in agent.cloud.all(CommandResult) if not each.accepted]


async def test_a_new_connection_is_told_what_is_in_force(
    tmp_path: Path, mosquitto: servers.Mosquitto
) -> None:
    program = PROGRAM.with_name("telling_agent.py")
    with agent_on(mosquitto.port, tmp_path, program=program) as agent:
        agent.configure(mosquitto.port, BRIDGE, interval_s=3600)
        agent.start()
        await sent(agent, 2)
        await until(
            lambda: [one.revision for one in agent.cloud.all(ConfigurationReport)][-1:] == [2]
        )
        reports = len(agent.cloud.all(ConfigurationReport))

        # The broker ends the connection, as when the city is put back.
        other = Client(
            CallbackAPIVersion.VERSION2,
            client_id=agent.gateway,
            protocol=MQTTProtocolVersion.MQTTv5,
        )
        other.connect("127.0.0.1", mosquitto.port)
        other.disconnect()
        await until(lambda: len(agent.cloud.all(ConfigurationReport)) > reports)
        assert agent.cloud.all(ConfigurationReport)[-1].revision == 2
