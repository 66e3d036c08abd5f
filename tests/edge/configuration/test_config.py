"""``vigil-edge check``: every mistake, on its line, under its key."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
import tomlkit
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vigil_edge.cli import main
from vigil_edge.configuration.gateway_file import load
from vigil_edge.registry import DOMAINS
from vigil_schemas.toml_lines import lines_of

HEAD = """\
[gateway]
id = "gw-1"
data_dir = "data"

[cloud]
broker = "mqtt://broker.example:1883"
"""

SONDE = """
[[water]]
device = "sonde-1"
driver = "modbus-tcp"
address = "127.0.0.1:5020"
name = "Canal"

[[water.signal]]
name = "temperature"
register = 0
unit = "Cel"
"""


def check(folder: Path, text: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, list[str]]:
    """Exit status, and what was said of the file, without the file's own name."""
    file = folder / "gateway.toml"
    file.write_text(text, encoding="utf-8")
    status = main(["check", "--config", str(file)])
    said = capsys.readouterr()
    if status == 0:
        assert said.err == ""
        return status, said.out.splitlines()
    assert said.out == ""
    lines = said.err.splitlines()
    assert all(line.startswith(f"{file}:") for line in lines)
    return status, [line.removeprefix(f"{file}:") for line in lines]


def test_a_right_file_gives_one_line_per_device(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, lines = check(tmp_path, HEAD + SONDE, capsys)

    assert status == 0
    (device,) = [json.loads(line) for line in lines]
    assert device["device"] == "sonde-1"
    assert device["domain"] == "water"
    assert device["driver"] == "modbus-tcp"
    assert device["parameters"] == ["temperature"]


def test_every_mistake_has_its_line_and_key(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = """\
[gateway]
id = "GW 1"
data_dirr = "data"

[cloud]
broker = "http://broker"
ca_file = "missing.pem"
key_file = "also-missing.pem"

[outbox]
max_rows = 5
[helth]
interval_s = 1

[[water]]
device = "sonde-1"
driver = "modbus-tpc"
address = "127.0.0.1:5020"
[[water.signal]]
name = "temperature"
range_fail = [1, "hot"]
[[water.signal]]
nam = "pH"
range_fail = 3
"""
    status, said = check(tmp_path, text, capsys)

    assert status == 2
    assert [line.split(": ")[:2] for line in said] == [
        ["1", "gateway.data_dir"],
        ["2", "gateway.id"],
        ["3", "gateway.data_dirr"],
        ["6", "cloud.broker"],
        ["7", "cloud.ca_file"],
        ["8", "cloud.key_file"],
        ["11", "outbox.max_rows"],
        ["12", "helth"],
        ["17", "water[0].driver"],
        ["21", "water[0].signal[0].range_fail[1]"],
        ["22", "water[0].signal[1].name"],
        ["23", "water[0].signal[1].nam"],
        ["24", "water[0].signal[1].range_fail"],
    ]
    joined = "\n".join(said)
    assert "gateway.data_dirr: unknown key; did you mean 'data_dir'?" in joined
    assert "helth: unknown section; did you mean 'health'?" in joined
    assert "water[0].signal[1].nam: unknown key; did you mean 'name'?" in joined
    assert "there is no file" in joined


def test_two_sections_cannot_be_one_device(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, said = check(tmp_path, HEAD + SONDE + SONDE, capsys)

    assert status == 2
    (line,) = said
    assert line == "20: water[1].device: device 'sonde-1' is already in water[0].device (line 9)"


def test_broken_toml_is_named_and_the_rest_still_checked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = HEAD + "keepalive_s = = 3\n[outbox]\nmax_rows = 1\nwindow == 3\n"

    status, said = check(tmp_path, text, capsys)

    assert status == 2
    assert [line.split(": ")[0] for line in said] == ["7", "9", "10"]
    assert said[0].startswith("7: not TOML: ")
    assert said[1].startswith("9: outbox.max_rows: ")


@pytest.mark.parametrize("text", ['[gateway]\nid = "never closed\n', "x = [1,\n", '"""', "\x00"])
def test_hopeless_toml_gives_a_line_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    status, said = check(tmp_path, text, capsys)

    assert status == 2
    assert said
    assert "not TOML" in "\n".join(said)


def test_a_missing_file_is_a_mistake(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status = main(["check", "--config", str(tmp_path / "none.toml")])

    assert status == 2
    assert "none.toml:1: cannot be read" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("cloud", "key", "word"),
    [
        ('broker = "mqtt://user:pw@host"', "cloud.broker", "password_file"),
        ('broker = "mqtt://host:99999"', "cloud.broker", "ort"),
        (
            'broker = "mqtts://h"\ncertificate_file = "here"',
            "cloud.certificate_file",
            "belong together",
        ),
        ('broker = "mqtts://h"\nkey_file = "here"', "cloud.key_file", "belong together"),
        (
            'broker = "mqtt://h"\ncertificate_file = "here"\nkey_file = "here"',
            "cloud.certificate_file",
            "mqtts://",
        ),
        ('broker = "mqtt://h"\ntoken = "a"\ntoken_file = "here"', "cloud.token_file", "not both"),
        ('broker = "mqtt://h"\nurl = "ftp://h"', "cloud.url", "http://host"),
    ],
)
def test_cloud_keys_that_do_not_fit(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], cloud: str, key: str, word: str
) -> None:
    (tmp_path / "here").write_text("secret\n")
    text = f'[gateway]\nid = "gw-1"\ndata_dir = "d"\n[cloud]\n{cloud}\n'

    status, said = check(tmp_path, text, capsys)

    assert status == 2
    (line,) = said
    assert f": {key}: " in line
    assert word in line
    assert ":pw@" not in line


def test_a_single_bracket_section_is_explained(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, said = check(tmp_path, HEAD + '[water]\ndevice = "a"\n', capsys)

    assert (status, said) == (2, ["7: water: write [[water]], in double brackets"])


def test_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("  s3cret \nrest")
    file = tmp_path / "gateway.toml"
    file.write_text(HEAD + 'token_file = "token"\n')

    config = load(file, DOMAINS)

    assert config.gateway.data_dir == tmp_path / "data"
    assert config.cloud.bearer() == "s3cret"
    assert (config.cloud.host, config.cloud.port, config.cloud.tls) == (
        "broker.example",
        1883,
        False,
    )


def test_a_token_is_never_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, said = check(tmp_path, HEAD + "token = 123456789\n", capsys)

    assert "123456789" not in "\n".join(said)


def paths_of(value: Any, at: tuple[str | int, ...] = ()) -> set[tuple[str | int, ...]]:
    found = {at}
    if isinstance(value, dict):
        for key, inner in value.items():
            found |= paths_of(inner, (*at, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            found |= paths_of(inner, (*at, index))
    return found


NASTY = r"""
# [comment] = "no"
top.dotted."quo.ted" = 'it''s' # not this
[a.b]
multi = '''
[not.a.table]
k = 1
'''
arr = [ 1, # one ]
  [2, "]"], { x = 1, y.z = [3] },
]
basic = "esc \" [ # ]"
long = "" "
[[t]]
k = 1
  [[t.u]]
  n = 1979-05-27T07:32:00Z
  [[t.u]]
[[t]]
[t.u2]
e = []
""".replace("it''s", "its").replace('"" "', '""')


def test_lines_of_awkward_but_valid_toml() -> None:
    lines = lines_of(NASTY)
    rows = NASTY.split("\n")

    assert set(lines) == paths_of(tomllib.loads(NASTY))
    assert "multi" in rows[lines["a", "b", "multi"] - 1]
    assert "basic" in rows[lines["a", "b", "basic"] - 1]
    assert rows[lines["t", 1] - 1] == "[[t]]"
    assert lines["t", 1] > lines["t", 0, "u", 1] > lines["t", 0, "u", 0]
    assert "y.z" in rows[lines["a", "b", "arr", 2, "y", "z"] - 1]


scalars = st.one_of(
    st.integers(-(2**62), 2**62), st.booleans(), st.text(max_size=12), st.floats(allow_nan=False)
)
keys = st.text(st.characters(blacklist_categories=["Cs", "Cc"]), min_size=1, max_size=6)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=12,
)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.dictionaries(keys, values, max_size=5))
def test_lines_of_finds_every_key(document: dict[str, Any]) -> None:
    text = tomlkit.dumps(document)
    parsed = tomllib.loads(text)

    assert paths_of(parsed) <= set(lines_of(text))
