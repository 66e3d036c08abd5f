"""What docs/people quotes is there: commands that programs take, words that stand on screens."""

from __future__ import annotations

import argparse
import re
from importlib import util
from pathlib import Path
from typing import Any

import pytest

from people_pages import (
    FOLDER,
    PROGRAMS,
    ROOT,
    WHO,
    all_blocks,
    blocks,
    commands,
    interface_words,
    page,
    screen_words,
)
from vigil_cloud import cli as cloud_cli
from vigil_edge import cli as edge_cli
from vigil_edge.configuration import gateway_file
from vigil_edge.registry import DOMAINS
from vigil_sim import cli as sim_cli
from vigil_sim import registry as sim_registry
from vigil_sim.scenario import load

LANGUAGES = ("en", "zh-TW")


def parser_of(program: str) -> argparse.ArgumentParser:
    if program == "vigil-edge":
        return edge_cli._whole(DOMAINS)
    if program == "vigil-cloud":
        return cloud_cli._parser()
    return sim_cli._parser(load, sim_registry.DOMAINS)


@pytest.fixture(scope="module")
def parsers() -> dict[str, argparse.ArgumentParser]:
    return {program: parser_of(program) for program in PROGRAMS}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("who", WHO)
def test_every_command_is_one(
    who: str, language: str, parsers: dict[str, argparse.ArgumentParser]
) -> None:
    tried = 0
    for words in commands(page(who, language)):
        program, *rest = words
        if program in parsers:
            tried += 1
            parsers[program].parse_args(rest)  # ends the test where it is none
        elif program == "vigil-cloud-admin":  # of the package; it adds the service's settings
            parsers["vigil-cloud"].parse_args([*rest, "--config", "/etc/vigil-cloud/cloud.toml"])
        else:
            check_other(words)
    assert tried or who == "family"


DOCUMENTS = sorted(
    path
    for path in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    if "decisions" not in path.parts
)


def test_every_command_in_a_block_of_any_document_is_one(
    parsers: dict[str, argparse.ArgumentParser],
) -> None:
    """As far as a parser can tell: names of commands and options, and how many words they take."""
    tried = 0
    for file in DOCUMENTS:
        for line in all_blocks(file.read_text("utf-8")):
            program, *rest = re.sub(r"\[[^\]]*\]", "", "\0".join(line)).split("\0")
            rest = [word for word in rest if word]  # what may be left out is left out
            if program in parsers:
                tried += 1
                try:
                    parsers[program].parse_args(rest)
                except SystemExit as ended:
                    if ended.code == 0:  # --help
                        continue
                    pytest.fail(f"{file.relative_to(ROOT)}: {' '.join(line)}")
    assert tried > 60


def check_other(words: list[str]) -> None:
    """Commands of the system: the things of ours that they name."""
    match words:
        case ["apt-get", "install", file]:
            name, version, arch = re.fullmatch(r"\./(.+)_(.+)_(.+)\.deb", file).groups()  # type: ignore[union-attr]
            assert name in packages()
            assert f'version = "{version}"' in (ROOT / "pyproject.toml").read_text("utf-8")
            assert arch in {"amd64", "arm64"}
        case ["systemctl", *_, unit] | ["journalctl", "-u", unit]:
            homes = ("docs/deployment/debian", "cloud/vigil_cloud/units")
            units = {path.stem for home in homes for path in (ROOT / home).rglob("*.service")}
            assert unit in units
        case ["make", target, *_]:
            assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
        case ["cc" | "python3", *rest]:
            files = [word for word in rest if word.startswith("firmware-sim/")]
            assert files
            assert all((ROOT / file).is_file() for file in files)
        case ["reading" | "alarm" | "conform:", _]:
            pass  # what one types to a client, and what a watcher says (tests/contract)
        case _:
            raise AssertionError(f"nobody tries this command: {' '.join(words)}")


def packages() -> set[str]:
    spec = util.spec_from_file_location("build", ROOT / "docs/deployment/debian/build.py")
    assert spec is not None
    assert spec.loader is not None
    module: Any = util.module_from_spec(spec)
    import sys

    sys.modules["build"] = module
    try:
        spec.loader.exec_module(module)
    finally:
        del sys.modules["build"]
    return set(module.PACKAGES)


@pytest.mark.parametrize("who", WHO)
def test_both_languages_quote_the_same_commands(who: str) -> None:
    english, chinese = page(who), page(who, "zh-TW")
    assert blocks(english) == blocks(chinese)
    assert len(interface_words(english, "en")) == len(interface_words(chinese, "zh-TW"))
    ours = [sorted(" ".join(words) for words in commands(text)) for text in (english, chinese)]
    assert ours[0] == ours[1]


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_said_to_stand_on_a_screen_stands_there(language: str) -> None:
    there = screen_words(language)
    patterns = [re.compile(re.sub(r"\\\{\w+\\\}", r"\\d+", re.escape(word))) for word in there]
    for who in WHO:
        for word in interface_words(page(who, language), language):
            assert word in there or any(one.fullmatch(word) for one in patterns), f"{who}: {word}"


def sections(language: str) -> list[str]:
    name = "hardware.md" if language == "en" else "hardware.zh-TW.md"
    text = (ROOT / "docs" / name).read_text("utf-8")
    return re.findall(r"^```toml\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("number", range(len(sections("en"))))
def test_every_section_of_the_hardware_page_is_right(number: int, tmp_path: Path) -> None:
    head = f'[gateway]\nid = "gw-a"\ndata_dir = "{tmp_path}"\n'
    head += '[cloud]\nbroker = "mqtt://127.0.0.1:1883"\n'
    file = tmp_path / "gateway.toml"
    file.write_text(head + sections("en")[number], "utf-8")
    assert gateway_file.load(file, DOMAINS, checking=True).sections


def test_both_hardware_pages_have_the_same_sections() -> None:
    assert len(sections("en")) >= 9
    assert sections("en") == sections("zh-TW")


def test_every_link_leads_somewhere() -> None:
    for file in [*FOLDER.glob("*.md"), *(ROOT / "docs").glob("hardware*.md")]:
        for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", file.read_text("utf-8")):
            assert "://" in target or (file.parent / target).exists(), f"{file.name}: {target}"
