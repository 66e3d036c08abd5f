"""Adverts and LLRP messages: the commands, and the codecs under them.

What is decoded here was encoded by others: EdgeX's recorded vectors, llrpkit's encoder,
and the simulator's beacons, none of which shares a line with the decoders.
"""

from __future__ import annotations

import base64
import json
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from llrpkit.protocol import messages, params
from llrpkit.protocol.codec import BitStr

from data import shared
from vigil_edge.checkin import advertisement, llrp_codec
from vigil_edge.checkin.errors import LlrpError
from vigil_edge.cli import main
from vigil_sim.checkin.beacons import eddystone_uid_payload, ibeacon_payload

U16 = st.integers(0, 0xFFFF)
I8 = st.integers(-128, 127)
FLAGS = "020106"
BEACON = "1aff4c000215e2c56db5dffb48d2b060d0f5a71096e000010002c5"
UID = "0303aafe1516aafe00e700112233445566778899aabbccddeeff"
IBEACON = {
    "kind": "ibeacon",
    "uuid": "e2c56db5-dffb-48d2-b060-d0f5a71096e0",
    "major": 1,
    "minor": 2,
    "tx_power": -59,
}
EDDYSTONE = {
    "kind": "eddystone-uid",
    "namespace": "00112233445566778899",
    "instance": "aabbccddeeff",
    "tx_power": -25,
}
UNKNOWN = {"kind": "unknown"}
ALTBEACON = {"kind": "altbeacon", "company": 0x118, "id": "11" * 16 + "00010002", "tx_power": -59}
TLM = {
    "kind": "eddystone-tlm",
    "battery_mv": 3000,
    "temperature_c": 21.5,
    "adverts": 7,
    "uptime_s": 12.5,
}


def shown(*beacons: dict[str, Any]) -> dict[str, Any]:
    """What is printed of a payload: the first beacon's fields, and every beacon."""
    return {**(beacons[0] if beacons else UNKNOWN), "beacons": list(beacons)}


def lines(capsys: pytest.CaptureFixture[str], *words: str | Path) -> list[Any]:
    assert main(["checkin", *map(str, words)]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    return [json.loads(line) for line in out.splitlines()]


def refused(capsys: pytest.CaptureFixture[str], code: str, *words: str | Path) -> None:
    assert main(["checkin", *map(str, words)]) == 2
    err = capsys.readouterr().err
    assert err.startswith(f"vigil-edge: {code}: ")
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (FLAGS + BEACON, IBEACON),
        (BEACON, IBEACON),
        ((FLAGS + BEACON).upper(), IBEACON),
        (BEACON[4:], IBEACON),  # bare manufacturer data
        (BEACON[6:], UNKNOWN),  # whose company nobody knows
        (FLAGS + UID, EDDYSTONE),
        (FLAGS + UID.replace("1516aafe", "1716aafe") + "0000", EDDYSTONE),
        (UID[12:], EDDYSTONE),  # bare service data
        (FLAGS + BEACON + "00000000", IBEACON),  # padded
        (FLAGS + "0bff4c0009060304c0a80001", UNKNOWN),  # another of Apple's
        (FLAGS + BEACON.replace("4c00", "1801"), UNKNOWN),  # another company
        (FLAGS + BEACON[:-2], UNKNOWN),  # cut off
        ("19" + BEACON[2:-2], IBEACON | {"tx_power": None}),  # 22 bytes: without its power
        (BEACON[4:-2], IBEACON | {"tx_power": None}),
        ("1bff1801beac" + "11" * 16 + "00010002c500", ALTBEACON),
        # Bytes that a maker added behind, such as its battery, or left out where none are needed.
        ("1b" + BEACON[2:] + "4e", IBEACON),
        (FLAGS + UID.replace("1516aafe", "1816aafe") + "000064", EDDYSTONE),
        ("1aff1801beac" + "11" * 16 + "00010002c5", ALTBEACON),
        ("1216aafe2000" + "0bb8" + "1580" + "00000007" + "0000007d" + "64", TLM),
        ("1116aafe2000" + "0bb8" + "1580" + "00000007" + "0000007d", TLM),
        (
            "1116aafe2000" + "0000" + "8000" + "00000007" + "0000007d",
            TLM | {"battery_mv": None, "temperature_c": None},
        ),
        ("1116aafe2000" + "0bb8" + "fe80" + "00000007" + "0000007d", TLM | {"temperature_c": -1.5}),
        ("1116aafe2001" + "0bb8" + "1580" + "00000007" + "0000007d", UNKNOWN),  # encrypted
        (
            "0d16aafe30e70011223344556677",
            {"kind": "eddystone-eid", "eid": "0011223344556677", "tx_power": -25},
        ),
        (FLAGS + UID.replace("aafe00", "aafe10"), UNKNOWN),  # Eddystone-URL
        (FLAGS, UNKNOWN),
        ("", UNKNOWN),
        ("ff", UNKNOWN),
    ],
)
def test_adverts(capsys: pytest.CaptureFixture[str], payload: str, expected: Any) -> None:
    assert lines(capsys, "decode", payload) == [shown(*[] if expected == UNKNOWN else [expected])]


def test_every_beacon_of_an_extended_advert(capsys: pytest.CaptureFixture[str]) -> None:
    assert lines(capsys, "decode", FLAGS + BEACON + UID) == [shown(IBEACON, EDDYSTONE)]
    assert lines(capsys, "decode", FLAGS + UID + BEACON) == [shown(EDDYSTONE, IBEACON)]


def test_one_line_for_each_payload(capsys: pytest.CaptureFixture[str]) -> None:
    assert lines(capsys, "decode", FLAGS + BEACON, FLAGS, FLAGS + UID) == [
        *(shown(IBEACON), shown(), shown(EDDYSTONE))
    ]


@pytest.mark.parametrize("text", ["zz", "abc", "0x0x", "02 01 0", "é"])
def test_what_is_not_hexadecimal_is_refused(capsys: pytest.CaptureFixture[str], text: str) -> None:
    refused(capsys, "not-hexadecimal", "decode", FLAGS, text)


@given(st.uuids(), U16, U16, I8)
def test_every_ibeacon_of_another_encoder_comes_back(
    uuid: UUID, major: int, minor: int, power: int
) -> None:
    found = advertisement.decode(ibeacon_payload(str(uuid), major, minor, power))
    assert found == [advertisement.IBeacon(uuid, major, minor, power)]


@given(st.binary(min_size=10, max_size=10), st.binary(min_size=6, max_size=6), I8)
def test_every_eddystone_uid_of_another_encoder_comes_back(
    namespace: bytes, instance: bytes, power: int
) -> None:
    payload = eddystone_uid_payload(namespace.hex(), instance.hex(), power)
    assert advertisement.decode(payload) == [advertisement.EddystoneUid(namespace, instance, power)]


@given(st.binary(max_size=255))
def test_any_payload_is_a_beacon_or_nothing(payload: bytes) -> None:
    for beacon in advertisement.decode(payload):
        json.dumps(beacon.as_json())


@given(st.binary(max_size=30), st.integers(0, 60))
def test_a_beacon_cut_anywhere_is_never_half_a_beacon(rest: bytes, cut: int) -> None:
    payload = bytes.fromhex(FLAGS + BEACON)
    if cut < len(payload):
        assert advertisement.decode(payload[:cut]) == []


# -- LLRP


def test_edgex_vectors(capsys: pytest.CaptureFixture[str]) -> None:
    folder = shared("checkin/llrp")
    files = sorted(folder.glob("*.bytes"))
    assert files
    for file in files:
        name = file.stem.split("_")[-1].split("-")[0]
        source = json.loads(file.with_suffix(".json").read_text())
        (found,) = lines(capsys, "decode-llrp", file, "--body", name)
        assert found["message"] == name
        expected = [
            {
                "epc": base64.b64decode(tag["EPC96"]["EPC"]).hex(),
                "epc_bits": 96,
                "antenna": tag["AntennaID"],
                "rssi": tag["PeakRSSI"],
                "first_seen": tag["FirstSeenUTC"],
                "last_seen": tag["LastSeenUTC"],
                "count": tag["TagSeenCount"],
            }
            for tag in source.get("TagReportData") or []
        ]
        for tag in found["tags"]:
            for key in ("first_seen", "last_seen"):
                if tag[key] is not None:
                    assert tag[key].endswith("Z")
                    since = datetime.fromisoformat(tag[key]) - datetime(1970, 1, 1, tzinfo=UTC)
                    tag[key] = since // timedelta(microseconds=1)
        assert found["tags"] == expected


def report(*tags: params.TagReportData) -> bytes:
    return messages.RO_ACCESS_REPORT(tag_report_datas=list(tags)).to_bytes(message_id=7)


def tag(epc: bytes = b"0" * 12, **keys: Any) -> params.TagReportData:
    return params.TagReportData(epc_parameter=params.EPC_96(epc=epc), **keys)


def test_a_file_of_several_messages(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    odd = params.TagReportData(epc_parameter=params.EPCData(epc=BitStr.from_bytes(b"\xe2\x80" * 8)))
    path.write_bytes(
        messages.KEEPALIVE().to_bytes(message_id=1)
        + report(tag(bytes(range(12)), antenna_id=params.AntennaID(antenna_id=3)), odd)
        + messages.CLOSE_CONNECTION().to_bytes(message_id=2)
        + report()
    )
    found = lines(capsys, "decode-llrp", path)
    nothing = dict.fromkeys(("antenna", "rssi", "first_seen", "last_seen", "count"))
    assert [message["message"] for message in found] == [
        *("KeepAlive", "ROAccessReport", "CloseConnection", "ROAccessReport")
    ]
    assert found[1]["tags"] == [
        {"epc": "000102030405060708090a0b", "epc_bits": 96} | nothing | {"antenna": 3},
        {"epc": "e280" * 8, "epc_bits": 128} | nothing,
    ]
    assert lines(capsys, "decode-llrp", "--uris", path)[1]["epc_uris"] == [
        "urn:epc:raw:96.x000102030405060708090A0B",
        "urn:epc:raw:128.x" + "E280" * 8,
    ]
    assert found[0]["tags"] == found[3]["tags"] == []


def test_both_spellings_of_a_name(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(report(tag())[10:])
    for name in ("ROAccessReport", "RO_ACCESS_REPORT", "roaccessreport"):
        assert lines(capsys, "decode-llrp", path, "--body", name)[0]["message"] == "ROAccessReport"


WHOLE = report(tag(antenna_id=params.AntennaID(antenna_id=1)))


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (WHOLE[:9], "llrp-truncated"),
        (WHOLE[:-1], "llrp-truncated"),
        (WHOLE + WHOLE[:15], "llrp-truncated"),
        (WHOLE[:2] + (9).to_bytes(4, "big") + WHOLE[6:], "llrp-bad-length"),
        (WHOLE[:2] + (1 << 30).to_bytes(4, "big") + WHOLE[6:], "llrp-oversized"),
        (b"HTTP/1.1 200 OK\r\n\r\n", "llrp-bad-version"),
        (WHOLE[:12] + b"\x00\x02" + WHOLE[14:], "llrp-bad-length"),
        (WHOLE[:12] + b"\xff\xff" + WHOLE[14:], "llrp-truncated"),
        (b"", "file-unreadable"),
    ],
)
def test_broken_frames_have_stable_codes(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, data: bytes, code: str
) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(data)
    refused(capsys, code, "decode-llrp", path)


def test_other_refusals(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    refused(capsys, "file-unreadable", "decode-llrp", path)
    path.write_bytes(WHOLE[10:-1])
    refused(capsys, "llrp-truncated", "decode-llrp", path, "--body", "ROAccessReport")
    refused(capsys, "llrp-unknown-message", "decode-llrp", path, "--body", "Nonsense")


@given(
    epc=st.binary(min_size=12, max_size=12),
    long_epc=st.binary(max_size=62),
    antenna=st.none() | U16,
    rssi=st.none() | I8,
    first=st.none() | st.integers(0, 4_000_000_000_000_000),
    count=st.none() | U16,
)
def test_every_report_of_another_encoder_comes_back(
    epc: bytes,
    long_epc: bytes,
    antenna: int | None,
    rssi: int | None,
    first: int | None,
    count: int | None,
) -> None:
    keys: dict[str, Any] = {
        "antenna_id": None if antenna is None else params.AntennaID(antenna_id=antenna),
        "peak_rssi": None if rssi is None else params.PeakRSSI(peak_rssi=rssi),
        "tag_seen_count": None if count is None else params.TagSeenCount(tag_count=count),
        "first_seen_timestamp_utc": None
        if first is None
        else params.FirstSeenTimestampUTC(microseconds=first),
        "channel_index": params.ChannelIndex(channel_index=9),
    }
    bits = params.EPCData(epc=BitStr.from_bytes(long_epc))
    data = report(tag(epc, **keys), params.TagReportData(epc_parameter=bits, **keys))
    (frame,) = llrp_codec.frames(data)
    one, two = llrp_codec.tag_reports(frame.body)
    assert (one.epc, two.epc) == (epc.hex(), long_epc.hex())
    for found in (one, two):
        assert (found.antenna, found.rssi, found.seen_count) == (antenna, rssi, count)
        since = None if first is None else datetime(1970, 1, 1, tzinfo=UTC) + timedelta(0, 0, first)
        assert found.first_seen == since


@given(st.binary(max_size=200), st.integers(0, 1023))
def test_arbitrary_bytes_raise_nothing_but_the_declared_errors(data: bytes, kind: int) -> None:
    for decode in (
        lambda: list(llrp_codec.frames(data)),
        lambda: llrp_codec.as_json(llrp_codec.Frame(kind, 0, data)),
        lambda: llrp_codec.tag_reports(data),
        lambda: llrp_codec.tag_reports(llrp_codec.tlv(240, data)),
        lambda: llrp_codec.reader_event(llrp_codec.tlv(246, data)),
        lambda: llrp_codec.status(data),
        lambda: llrp_codec.ro_spec_ids(data),
    ):
        with suppress(LlrpError):
            decode()


@given(st.integers(0, len(WHOLE) - 1), st.integers(0, 255))
def test_a_flipped_byte_is_an_error_or_another_message(at: int, byte: int) -> None:
    with suppress(LlrpError):
        for frame in llrp_codec.frames(WHOLE[:at] + bytes([byte]) + WHOLE[at + 1 :]):
            json.dumps(llrp_codec.as_json(frame))


def test_what_we_ask_of_a_reader_is_understood_by_another_decoder() -> None:
    from llrpkit.protocol import decode_message

    body = llrp_codec.continuous_inventory(99)
    added = decode_message(llrp_codec.encode(20, 5, body))
    assert isinstance(added, messages.ADD_ROSPEC)
    spec = added.ro_spec
    assert spec.ro_spec_id == 99
    (inventory,) = (one for one in spec.spec_parameters if isinstance(one, params.AISpec))
    assert inventory.antenna_ids == [0]
    assert spec.ro_report_spec is not None
    chosen = spec.ro_report_spec.tag_report_content_selector
    assert chosen.enable_antenna_id
    assert chosen.enable_peak_rssi
    assert chosen.enable_first_seen_timestamp
    assert chosen.enable_last_seen_timestamp
    assert chosen.enable_tag_seen_count
    assert not chosen.enable_channel_index
    config = decode_message(llrp_codec.encode(3, 6, llrp_codec.keep_alive_every(2500)))
    assert isinstance(config, messages.SET_READER_CONFIG)
    assert config.keepalive_spec is not None
    assert config.keepalive_spec.periodic_trigger_value == 2500
