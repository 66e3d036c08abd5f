"""Adverts and LLRP frames as strangers and broken readers send them."""

from __future__ import annotations

import io
import json
import os
import struct
from contextlib import redirect_stdout
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data import shared
from vigil_edge.cli import main

FLAGS = "020106"
NAME = "0709" + b"amulet".hex()
POWER = "020a04"
SERVICES = "0303aafe"
BEACON = "1aff4c000215e2c56db5dffb48d2b060d0f5a71096e0fffe0102{power:02x}"
UID = "1516aafe00{power:02x}00112233445566778899aabbccddeeff"
UUID = "e2c56db5-dffb-48d2-b060-d0f5a71096e0"


def beacon(power: int = -59) -> str:
    return BEACON.format(power=power & 0xFF)


def uid(power: int = -25) -> str:
    return UID.format(power=power & 0xFF)


def ibeacon_line(power: int = -59) -> dict[str, Any]:
    line = {"kind": "ibeacon", "uuid": UUID, "major": 65534, "minor": 258, "tx_power": power}
    return {**line, "beacons": [line]}


def uid_line(power: int = -25) -> dict[str, Any]:
    line = {
        "kind": "eddystone-uid",
        "namespace": "00112233445566778899",
        "instance": "aabbccddeeff",
        "tx_power": power,
    }
    return {**line, "beacons": [line]}


def ran(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, list[Any], list[str]]:
    status = main(["checkin", *map(str, words)])
    out, err = capsys.readouterr()
    return status, [json.loads(line) for line in out.splitlines()], err.splitlines()


def decoded(capsys: pytest.CaptureFixture[str], payload: str) -> Any:
    status, (line,), err = ran(capsys, "decode", payload)
    assert (status, err) == (0, [])
    return line


def test_structures_in_any_order(capsys: pytest.CaptureFixture[str]) -> None:
    for order in permutations([FLAGS, NAME, POWER, beacon()]):
        assert decoded(capsys, "".join(order)) == ibeacon_line()
    for order in permutations([FLAGS, NAME, SERVICES, uid()]):
        assert decoded(capsys, "".join(order)) == uid_line()


@pytest.mark.parametrize("power", [-128, -1, 0, 4, 127])
def test_power_has_a_sign(capsys: pytest.CaptureFixture[str], power: int) -> None:
    assert decoded(capsys, FLAGS + beacon(power)) == ibeacon_line(power)
    assert decoded(capsys, FLAGS + SERVICES + uid(power)) == uid_line(power)


@pytest.mark.parametrize(
    ("payload", "kind"),
    [
        (FLAGS + beacon() + "0000", "ibeacon"),
        (FLAGS + beacon() + "09ff4c00", "ibeacon"),  # what follows it is cut off
        (FLAGS + beacon() + NAME + "30" * 90, "ibeacon"),  # a scan response, an extended advert
        (FLAGS + "1c" + beacon()[2:] + "beef", "ibeacon"),  # longer manufacturer data
        (FLAGS + beacon().replace("1aff", "1bff"), "unknown"),  # lengths that lie
        (FLAGS + beacon().replace("1aff", "19ff"), "ibeacon"),
        (FLAGS + beacon().replace("1aff", "1aff", 1)[:-2], "unknown"),
        (FLAGS + beacon().replace("4c00", "5900"), "unknown"),  # another company
        (FLAGS + beacon().replace("4c00", "004c"), "unknown"),
        (FLAGS + beacon().replace("0215", "0214"), "unknown"),
        (FLAGS + "1bff1801beac" + "11" * 16 + "00010002c500", "altbeacon"),
        (FLAGS + SERVICES + uid() + "09ff", "eddystone-uid"),
        (FLAGS + SERVICES + uid().replace("1516", "1716") + "0000", "eddystone-uid"),
        (FLAGS + SERVICES + "0a16aafe10e700aabbcc07", "unknown"),  # Eddystone-URL
        (FLAGS + SERVICES + "1116aafe20000bb815000000000100000001", "eddystone-tlm"),
        (FLAGS + SERVICES + "0d16aafe30e70011223344556677", "eddystone-eid"),
        (FLAGS + SERVICES + uid().replace("aafe", "aafd"), "unknown"),
        (FLAGS + SERVICES + "0316aafe", "unknown"),
        ("0116", "unknown"),
        ("01ff", "unknown"),
        ("00" * 31, "unknown"),
        ("ff" * 255, "unknown"),
    ],
)
def test_what_is_a_beacon_and_what_is_not(
    capsys: pytest.CaptureFixture[str], payload: str, kind: str
) -> None:
    assert decoded(capsys, payload)["kind"] == kind


def test_bytes_as_people_and_tools_write_them(capsys: pytest.CaptureFixture[str]) -> None:
    payload = FLAGS + beacon()
    pairs = [payload[at : at + 2] for at in range(0, len(payload), 2)]
    for text in (
        payload.upper(),
        f"0x{payload}",
        f"0X{payload.upper()}",
        " ".join(pairs),
        ":".join(pairs),
        "-".join(pairs).upper(),
        ", ".join(f"0x{pair}" for pair in pairs),
        f"  {payload}\n",
    ):
        assert decoded(capsys, text) == ibeacon_line()


STRUCTURE = st.builds(
    lambda kind, data: bytes([1 + len(data), kind]) + data,
    st.integers(0, 255).filter(lambda kind: kind not in (0x16, 0xFF)),
    st.binary(max_size=40),
)


@given(
    before=st.lists(STRUCTURE, max_size=4),
    after=st.lists(STRUCTURE, max_size=4),
    cut=st.integers(0, 60),
    which=st.sampled_from([(beacon(), ibeacon_line()), (uid(), uid_line())]),
    text=st.sampled_from([str, str.upper, lambda t: f"0x{t}", lambda t: bytes.fromhex(t).hex(":"),
                          lambda t: bytes.fromhex(t).hex(" ")]),
)  # fmt: skip
def test_a_beacon_among_any_structures_in_any_writing(
    before: list[bytes], after: list[bytes], cut: int, which: tuple[str, Any], text: Any
) -> None:
    """What follows it may be cut off anywhere."""
    payload, expected = which
    tail = b"".join(after)
    whole = b"".join(before) + bytes.fromhex(payload) + tail[: len(tail) - min(cut, len(tail))]
    out = io.StringIO()
    with redirect_stdout(out):
        assert main(["checkin", "decode", text(whole.hex())]) == 0
    assert json.loads(out.getvalue()) == expected


def test_one_bad_argument_and_nothing_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    for bad in ("zz", "abc", "0:20106", "020106:", "-02", "0x", "２０"):
        status, lines, err = ran(capsys, "decode", FLAGS, "--", bad)
        if bad == "0x":
            assert (status, lines) == (0, [{"kind": "unknown", "beacons": []}] * 2)
            continue
        assert (status, lines, len(err)) == (2, [], 1), bad


# -- LLRP


def tlv(kind: int, body: bytes) -> bytes:
    return struct.pack(">HH", kind, 4 + len(body)) + body


def tv(kind: int, body: bytes) -> bytes:
    return bytes([0x80 | kind]) + body


def message(kind: int, body: bytes, version: int = 1) -> bytes:
    return struct.pack(">HII", version << 10 | kind, 10 + len(body), 77) + body


def tags(*bodies: bytes) -> bytes:
    return b"".join(tlv(240, body) for body in bodies)


EPC = tv(13, bytes.fromhex("300833b2ddd9014000000001"))


def read_llrp(
    capsys: pytest.CaptureFixture[str], folder: Path, data: bytes, *options: str
) -> tuple[int, list[Any], list[str]]:
    path = folder / "a.bin"
    path.write_bytes(data)
    return ran(capsys, "decode-llrp", path, *options)


@pytest.mark.parametrize(
    ("body", "tag"),
    [
        (EPC, {"epc": "300833b2ddd9014000000001"}),
        (EPC + tv(1, b"\1\0") + tv(6, b"\x04"), {"antenna": 256, "rssi": 4}),
        (EPC + tv(6, b"\x80"), {"rssi": -128}),
        (EPC + tv(2, (1_600_000_000_000_001).to_bytes(8, "big")),
         {"first_seen": "2020-09-13T12:26:40.000001Z"}),
        (EPC + tv(3, bytes(8)) + tv(4, bytes(8)) + tv(5, bytes(8)), {"first_seen": None}),
        (EPC + tv(2, b"\xff" * 8), {"first_seen": None}),
        (tlv(241, b"\0\x80" + bytes(range(16))), {"epc": bytes(range(16)).hex()}),
        (tlv(241, b"\0\x21" + b"\xe2\0\0\0\x80"), {"epc": "e200000080"}),  # 33 bits
        (tlv(241, b"\0\0"), {"epc": ""}),
        (EPC + tlv(1023, struct.pack(">II", 25882, 9) + b"impinj"), {"antenna": None}),
        (EPC + tv(7, b"\0\1") + tv(8, b"\0\2") + tv(9, bytes(4)) + tv(14, b"\0\1")
         + tv(16, bytes(4)) + tv(12, b"\x30\0") + tv(11, b"\0\0") + tv(1, b"\0\2"), {"antenna": 2}),
        (b"", {"epc": None}),
    ],
)  # fmt: skip
@pytest.mark.parametrize("version", [1, 2])
def test_tags_as_readers_report_them(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    body: bytes,
    tag: dict[str, Any],
    version: int,
) -> None:
    whole = message(61, tags(body, EPC), version)
    for data, options in ((whole, ()), (whole[10:], ("--body", "ROAccessReport"))):
        status, (line,), err = read_llrp(capsys, tmp_path, data, *options)
        assert (status, err) == (0, [])
        assert list(line) == ["message", "tags"]
        assert line["message"] == "ROAccessReport"
        assert len(line["tags"]) == 2
        found = line["tags"][0]
        assert list(found) == [
            *("epc", "epc_bits", "antenna", "rssi", "first_seen", "last_seen", "count")
        ]
        assert found | tag == found


def cuts(data: bytes) -> list[int]:
    """After every byte in the long form (``VIGIL_FULL=1``); else within the header, before the end,
    and after every seventh, each file beginning at another."""
    if os.environ.get("VIGIL_FULL") == "1":
        return list(range(len(data)))
    some = range(len(data) % 7, len(data), 7)
    return sorted({*range(min(12, len(data))), *some, max(0, len(data) - 1)})


def test_recorded_bodies_with_a_header_and_cut_at_every_byte(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    kinds = {
        "ROAccessReport": 61,
        "CloseConnectionResponse": 4,
        "GetROSpecsResponse": 36,
        "GetReaderConfigResponse": 12,
        "ReaderEventNotification": 63,
    }
    every = b""
    names = []
    for file in sorted(shared("checkin/llrp").glob("*.bytes")):
        name = file.stem.split("_")[-1].split("-")[0]
        body = file.read_bytes()
        whole = message(kinds[name], body)
        _, bare, _ = read_llrp(capsys, tmp_path, body, "--body", name)
        status, framed, _ = read_llrp(capsys, tmp_path, whole)
        assert status == 0
        assert framed == bare
        every += whole
        names.append(name)
        for cut in cuts(whole):
            status, lines, err = read_llrp(capsys, tmp_path, whole[:cut])
            assert (status, lines, len(err)) == (2, [], 1)
            assert "llrp-truncated" in err[0] or cut == 0
        for cut in cuts(body):
            status, lines, err = read_llrp(capsys, tmp_path, body[:cut], "--body", name)
            assert (status, len(lines), len(err)) in ((0, 1, 0), (2, 0, 1))
    _, lines, _ = read_llrp(capsys, tmp_path, every)
    assert [line["message"] for line in lines] == names
    # What is whole before a bad message is printed, then where the capture is cut.
    status, lines, err = read_llrp(capsys, tmp_path, every + every[:11])
    assert (status, len(lines), len(err)) == (2, len(names), 1)
    assert f"at byte {len(every)} " in err[0]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (message(61, tags(tlv(241, b"\0"))), "llrp-truncated"),
        (message(61, tags(tlv(241, b"\xff\xff\0"))), "llrp-truncated"),
        (message(61, tags(tv(13, b"\0"))), "llrp-truncated"),
        (message(61, struct.pack(">HH", 240, 3)), "llrp-bad-length"),
        (message(61, struct.pack(">HH", 240, 99)), "llrp-truncated"),
        (message(61, b"\0\xf0"), "llrp-truncated"),
        (message(61, b"", version=5), "llrp-bad-version"),
        (message(61, b"", version=0), "llrp-bad-version"),
        (b"\x04\x3d\0\0\0\0\0\0\0\1", "llrp-bad-length"),
        (b"\x04\x3d\xff\xff\xff\xff\0\0\0\1", "llrp-oversized"),
    ],
)
def test_frames_that_contradict_themselves(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, data: bytes, code: str
) -> None:
    status, lines, err = read_llrp(capsys, tmp_path, data)
    assert (status, lines, len(err)) == (2, [], 1)
    assert err[0].startswith(f"vigil-edge: {code}: ")


def test_a_message_that_cannot_be_read_costs_only_itself(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    half = message(61, tags(tlv(241, b"\0"), EPC))
    after = message(61, tags(EPC)) + message(62, b"")
    status, lines, err = read_llrp(capsys, tmp_path, message(500, b"any") + half + after)
    assert status == 2
    assert [line["message"] for line in lines] == ["ROAccessReport", "ROAccessReport", "KeepAlive"]
    assert lines[0]["unreadable_parts"] == 1
    assert lines[0]["tags"] == lines[1]["tags"]
    assert [line.split(": ")[1] for line in err] == ["llrp-unknown-message", "llrp-truncated"]


def test_a_capture_of_what_nobody_knows_says_so_in_a_few_lines(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """A line each, and each kept until the end: 100 MB took all memory."""
    data = b"".join(message(kind, b"") for kind in range(500, 800)) + message(62, b"")
    status, lines, err = read_llrp(capsys, tmp_path, data)
    assert (status, len(lines), len(err)) == (2, 1, 22)
    assert "type 500 " in err[0]
    assert err[-2] == "vigil-edge: 279 more messages that cannot be read"
    assert "type 799 " in err[-1]


def test_messages_of_makers_are_named_and_those_nobody_knows_refused(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    known = message(1023, b"any") + message(62, b"")
    status, lines, _ = read_llrp(capsys, tmp_path, known)
    assert status == 0
    assert lines == [{"message": name, "tags": []} for name in ("CustomMessage", "KeepAlive")]
    for kind in (0, 5, 73, 999, 1022):
        status, lines, err = read_llrp(capsys, tmp_path, known + message(kind, b"\xff\xff"))
        assert (status, len(lines)) == (2, 2)
        said = f"vigil-edge: llrp-unknown-message: LLRP has no message of type {kind} (id 77)"
        assert err == [said]


def test_what_is_no_file(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "absent", "/dev/zero", "/dev/null"):
        status, lines, err = ran(capsys, "decode-llrp", path)
        assert (status, lines, len(err)) == (2, [], 1)
        assert err[0].startswith("vigil-edge: file-unreadable: ")
