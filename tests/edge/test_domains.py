"""A domain describes itself once: what is shipped, and one that exists in the tests alone."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import TypeAdapter

import servers
from edge.agent_process import agent_on, values
from edge.ingest_stand_in import until
from edge.toy_agent import CONTRACT, KEY, LanternLit
from vigil_edge.cli import main
from vigil_edge.configuration.device import DeviceSettings
from vigil_edge.domain import EdgeDomain
from vigil_edge.registry import DOMAINS
from vigil_schemas.contract import contracts, registered
from vigil_schemas.gateway import GatewayBirth

TOY = Path(__file__).with_name("toy_agent.py")
SECTION = """
[[lantern]]
device = "lantern-1"
name = "At the gate"
brightness = 0.75
"""


@pytest.mark.parametrize("domain", DOMAINS, ids=lambda domain: domain.key)
def test_a_shipped_domain_keeps_its_promises(domain: EdgeDomain) -> None:
    assert domain.title
    assert domain.title_zh
    assert domain.contract in contracts()
    schema = TypeAdapter(domain.settings()).json_schema()
    sections = schema.get("oneOf") or [schema]
    for section in sections:
        found = (
            schema["$defs"][section["$ref"].rsplit("/", 1)[-1]] if "$ref" in section else section
        )
        assert set(DeviceSettings.model_fields) <= set(found["properties"])


def test_no_two_domains_share_a_word() -> None:
    assert len({domain.key for domain in DOMAINS}) == len(DOMAINS)


def test_reading_the_registry_loads_no_driver() -> None:
    loaded = subprocess.check_output(
        [sys.executable, "-c", "import sys, vigil_edge.cli; print(*sys.modules)"], text=True
    ).split()
    heavy = {"scipy", "numpy", "cv2", "bleak", "pymodbus", "sounddevice", "paho"}
    assert heavy & set(loaded) == set()


@pytest.mark.parametrize("word", ["check", "run"])
def test_a_section_of_no_domain_is_named(
    word: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "gateway.toml"
    file.write_text(
        '[gateway]\nid = "gw-1"\ndata_dir = "d"\n[cloud]\nbroker = "mqtt://h:1"\n' + SECTION
    )
    assert main([word, "--config", str(file)]) == 2
    assert "lantern: unknown section" in capsys.readouterr().err


def toy(*words: str) -> subprocess.CompletedProcess[str]:
    return servers.run([sys.executable, str(TOY), *words], text=True)


def test_a_domain_of_the_tests_alone_is_checked_and_has_its_commands(tmp_path: Path) -> None:
    file = tmp_path / "gateway.toml"
    head = '[gateway]\nid = "gw-1"\ndata_dir = "d"\n[cloud]\nbroker = "mqtt://h:1"\n'
    file.write_text(head + SECTION)

    checked = toy("check", "--config", str(file))
    assert json.loads(checked.stdout)["domain"] == KEY
    assert toy("lantern", "shine").stdout == "shining\n"
    assert "lantern" in toy("--help").stdout

    file.write_text(head + SECTION.replace("0.75", "7.5"))
    refused = toy("check", "--config", str(file))
    assert refused.returncode == 2
    assert "lantern[0].brightness" in refused.stderr


async def test_a_domain_of_the_tests_alone_reaches_the_cloud(
    mosquitto: servers.Mosquitto, tmp_path: Path
) -> None:
    with registered(CONTRACT), agent_on(mosquitto.port, tmp_path, program=TOY) as agent:
        agent.configure(mosquitto.port, SECTION)
        agent.start()
        cloud = agent.cloud
        assert cloud is not None

        await until(lambda: cloud.status(GatewayBirth))
        birth = cloud.status(GatewayBirth)[0]
        assert [(each.device, each.domain) for each in birth.devices] == [("lantern-1", KEY)]
        await until(lambda: cloud.all(LanternLit) and values(cloud))
        assert cloud.all(LanternLit)[0].lit
        assert values(cloud) == [0.75]
