"""What the README shows is what the programs do."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import servers
from edge.authority import Authority

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")


def test_the_gateway_of_the_readme_is_right(tmp_path: Path) -> None:
    block = re.search(r"```toml\n(.*?)```", README, re.DOTALL)
    assert block is not None
    certificate, key = Authority(tmp_path).issue("gw-zhongshan")
    assert certificate == tmp_path / "gw-zhongshan.pem"
    key.rename(tmp_path / "gw-zhongshan.key")
    (tmp_path / "token").write_text("a-token-of-the-cloud\n", "utf-8")
    configuration = tmp_path / "gateway.toml"
    configuration.write_text(block[1], "utf-8")
    done = run("vigil-edge", "check", "--config", str(configuration))
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["smoke", "decode", "--codec", "zigbee2mqtt", '{"smoke":true,"battery":97}'],
    ],
)
def test_a_command_of_the_readme_works(arguments: list[str]) -> None:
    assert arguments[-1] in README
    done = run("vigil-edge", *arguments)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith('{"smoke": true')


def test_every_page_that_the_readme_links_to_exists() -> None:
    for name in ("README.md", "README.zh-TW.md"):
        text = (ROOT / name).read_text("utf-8")
        for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text):
            assert (ROOT / target).exists(), f"{name}: {target}"


def run(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", program.replace("-", "_"), *arguments]
    return servers.run(command, text=True, timeout=60)
