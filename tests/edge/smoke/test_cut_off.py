"""Messages that were cut off: a fire in them is read, and no all clear."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from edge.smoke.test_reported import GS524N, HEIMAN, UPLINK
from vigil_edge.cli import main
from vigil_edge.smoke import chirpstack, matter, zigbee2mqtt
from vigil_edge.smoke.errors import PayloadMalformed
from vigil_edge.smoke.report import AlarmReport

TWO_CELLS = '{"battery": 90, "smoke_alarm_1": false, "test": false, "smoke_alarm_2": true}'


@pytest.mark.parametrize("within", [False, True], ids=["zigbee2mqtt", "in-an-object"])
def test_a_message_that_was_cut_off_ends_no_fire_and_no_test(within: bool) -> None:
    """Of an alarm with two cells, one of which rings."""

    def read(text: str) -> AlarmReport:
        if within:
            return chirpstack.read(json.dumps({**UPLINK, "deviceInfo": HEIMAN, "object": text}))
        return zigbee2mqtt.read(text)

    for length in range(1, len(TWO_CELLS)):
        try:
            found = read(TWO_CELLS[:length])
        except PayloadMalformed:
            assert length < TWO_CELLS.index("true}") + 1, TWO_CELLS[:length]
            continue
        assert (found.smoke is not False, found.test) == (True, None), TWO_CELLS[:length]
        assert found.has_fire_key is (found.smoke is True)
    assert read(TWO_CELLS).smoke is True
    single_quotes = "{'battery': 90, 'smoke': False, 'test': False}"
    assert (read(single_quotes).smoke, read(single_quotes).test) == (False, False)


def test_a_frame_in_a_message_that_was_cut_off_is_read_where_it_is_whole(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The device's decoder failed or there is none: its words are in the frame alone."""
    info = {"deviceProfileName": "GS524N", "devEui": "24e124136b000001"}
    whole = json.dumps({**UPLINK, "deviceInfo": info, "data": GS524N, "rxInfo": [{"rssi": -60}]})
    said = whole.index(GS524N) + len(GS524N) + 1
    for length in range(len(whole)):
        code = main(["smoke", "decode", "--codec", "chirpstack", whole[:length]])
        told = capsys.readouterr()
        assert code == (0 if length >= said else 2), whole[:length]
        if length >= said:
            assert json.loads(told.out)["smoke"] is True
        else:
            assert told.err.count("\n") == 1
    well = base64.b64encode(bytes.fromhex("221764001c47")).decode()
    assert main(["smoke", "decode", "--codec", "chirpstack", whole.replace(GS524N, well)]) == 0
    assert json.loads(capsys.readouterr().out)["smoke"] is False
    cut = whole.replace(GS524N, well)[:-1]
    assert main(["smoke", "decode", "--codec", "chirpstack", cut]) == 2, "no all-clear of it"


def test_a_frame_in_other_letters_than_base64_is_told_as_that(
    capsys: pytest.CaptureFixture[str],
) -> None:
    info = {"deviceProfileName": "GS524N", "devEui": "24e124136b000001"}
    text = json.dumps({**UPLINK, "deviceInfo": info, "data": "煙"})
    assert main(["smoke", "decode", "--codec", "chirpstack", text]) == 2
    assert "is no base64" in capsys.readouterr().err


def test_of_nodes_in_a_message_that_was_cut_off_the_one_that_burns_is_named() -> None:
    """By its id, which comes first; what it says beside that ends nothing."""

    def nodes(first: dict[str, int], last: dict[str, int]) -> str:
        both = [{"node_id": 7, "attributes": first}, {"node_id": 8, "attributes": last}]
        return json.dumps({"nodes": both})[:-3]

    def burning(text: str) -> list[tuple[str | None, bool | None, bool | None]]:
        reports = [(matter.node_of(one), matter.read_value(one)) for one in found(text)]
        return [(name, report.smoke, report.co) for name, report in reports]

    def found(text: str) -> list[Any]:
        return matter.nodes(matter.value_of(text))

    assert burning(nodes({"1/92/1": 2, "1/92/2": 0}, {"1/92/1": 0})) == [("7", True, None)]
    assert burning(nodes({"1/92/1": 0}, {"1/92/2": 1})) == [("8", None, True)]
    assert burning(nodes({"1/92/1": 1}, {"1/92/1": 1})) == [("7", True, None), ("8", True, None)]
    assert burning('{"attributes": {"1/92/1": 2}, "node_id": 7, "x') == [("7", True, None)]
    assert matter.read(nodes({"1/92/1": 2, "1/92/5": 1}, {})).test is True


def test_an_event_that_was_cut_off_ends_no_other_fire() -> None:
    text = json.dumps({**UPLINK, "deviceInfo": HEIMAN, "object": {"co": False, "smoke": True}})
    found = chirpstack.read(text[:-1])
    assert (found.smoke, found.co) == (True, None)
