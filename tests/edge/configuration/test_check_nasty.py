"""``vigil-edge check`` over more than slips of the pen: shapes, numbers, secrets, bytes."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.authority import Authority
from edge.configuration.test_config import HEAD, SONDE, check
from vigil_edge.configuration.gateway_file import load
from vigil_edge.registry import DOMAINS

GATEWAY = '[gateway]\nid = "gw-1"\ndata_dir = "data"\n'


def cloud(line: str = "", broker: str = "mqtts://h") -> str:
    return f'{GATEWAY}[cloud]\nbroker = "{broker}"\n{line}\n'


@pytest.mark.parametrize(
    ("text", "place", "word"),
    [
        ("gateway = 3\n[cloud]" + HEAD.partition("[cloud]")[2], "1: gateway:", "as a table"),
        (HEAD.replace("[gateway]", "[[gateway]]"), "1: gateway:", "single brackets"),
        (HEAD + "[[health]]\ninterval_s = 3\n", "7: health:", "single brackets"),
        (HEAD + SONDE.replace("[[water.signal]]", "[water.signal]"), "14: water[0].signal:",
         "double brackets"),
        (HEAD + "[outbox]\nmax_megabytes = inf\n", "8: outbox.max_megabytes:", "finite"),
        (HEAD + "[evidence]\nmax_megabytes = nan\n", "8: evidence.max_megabytes:", "finite"),
        (HEAD + "[outbox]\nmax_rows = " + "9" * 300, "8: outbox.max_rows:", "1000000000"),
        (HEAD + "[outbox]\nmax_rows = " + "9" * 5000, "8:", "digits"),
        (HEAD + "[health]\ninterval_s = true\n", "8: health.interval_s:", "a number"),
        (HEAD + "x = " + "[" * 2000 + "]" * 2000, "1:", "nested"),
        (HEAD.replace('"data"', '""'), "3: gateway.data_dir:", "a file or folder"),
        (HEAD.replace('"data"', '"~/data"'), "3: gateway.data_dir:", "in full"),
        (HEAD.replace('"data"', '"a\\u0000b"'), "3: gateway.data_dir:", "a file or folder"),
        (HEAD.replace('"data"', '"junk"'), "3: gateway.data_dir:", "not a folder"),
        (HEAD.replace('"data"', "5"), "3: gateway.data_dir:", "quotation marks"),
        (cloud(broker="mqtt://h:0"), "5: cloud.broker:", "port 0"),
        (cloud(broker="mqtt://h/topic"), "5: cloud.broker:", "follows the port"),
        (cloud(broker="mqtt://h ost"), "5: cloud.broker:", "blanks"),
        (cloud('url = "http://h:99999"'), "6: cloud.url:", "ort"),
        (cloud('url = "http://h/?a=1"'), "6: cloud.url:", "http://host"),
        (cloud('url = "http://user:pw@h"'), "6: cloud.url:", "credentials"),
        (cloud('token = ""'), "6: cloud.token:", "ASCII"),
        (cloud('token = "密碼"'), "6: cloud.token:", "ASCII"),
        (cloud('token = "s3cret\\nHost: x"'), "6: cloud.token:", "ASCII"),
        (cloud('token_file = "empty"'), "6: cloud.token_file:", "ASCII"),
        (cloud('token_file = "latin"'), "6: cloud.token_file:", "UTF-8"),
        (cloud('password_file = "latin"'), "6: cloud.password_file:", "UTF-8"),
        (cloud('ca_file = "junk"'), "6: cloud.ca_file:", "no certificate"),
        (cloud('certificate_file = "junk"\nkey_file = "junk"'), "6: cloud.certificate_file:",
         "no certificate"),
        (GATEWAY.replace("id", '"a\\nb\\u001b[31m" = 1\nid') + "[cloud]\nbroker = \"mqtt://h\"\n",
         "2: gateway.a b\ufffd[31m:", "unknown key"),
    ],
)  # fmt: skip
def test_it_is_named_and_nothing_breaks(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, place: str, word: str
) -> None:
    (tmp_path / "junk").write_text("no certificate")
    (tmp_path / "latin").write_bytes(b"\xe9\xff\n")
    (tmp_path / "empty").touch()

    status, said = check(tmp_path, text, capsys)

    assert status == 2
    (line,) = said
    assert line.startswith(place)
    assert word in line
    assert "s3cret" not in line
    assert "pw@" not in line


def test_an_encrypted_key_is_a_mistake_and_no_question_at_the_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    authority = Authority(tmp_path)
    authority.issue("gw-1", password=b"only a person knows")
    files = 'certificate_file = "gw-1.pem"\nkey_file = "gw-1-key.pem"'

    status, (line,) = check(tmp_path, cloud(files), capsys)

    assert status == 2
    assert line.startswith("7: cloud.key_file: the key is encrypted")


def test_a_key_of_another_certificate_is_a_mistake(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    authority = Authority(tmp_path)
    authority.issue("gw-1")
    authority.issue("gw-2")
    files = 'certificate_file = "gw-1.pem"\nkey_file = "gw-2-key.pem"'

    status, (line,) = check(tmp_path, cloud(files), capsys)

    assert status == 2
    assert line.startswith("6: cloud.certificate_file: ")


def test_a_scheme_in_capitals_is_the_same_scheme(tmp_path: Path) -> None:
    # Given an author who shouts: TLS must not be lost by it, nor the check of certificates.
    file = tmp_path / "gateway.toml"
    file.write_text(cloud('url = "HTTPS://Cloud.example/"', broker="MQTTS://Broker.example"))

    settings = load(file, DOMAINS).cloud

    assert settings.tls
    assert (settings.host, settings.port) == ("broker.example", 8883)
    assert settings.url == "https://Cloud.example"


def test_a_byte_order_mark_is_no_mistake(tmp_path: Path) -> None:
    file = tmp_path / "gateway.toml"
    file.write_text("\ufeff" + HEAD, encoding="utf-8")

    assert load(file, DOMAINS).gateway.id == "gw-1"
