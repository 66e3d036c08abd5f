"""A damaged alarm of a cabinet is a call where it may be one, and never refused."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateways import event
from ingest_bench import NOW
from vigil_cloud.ingest.decode import Decoder, Fact
from vigil_cloud.ingest.times import Limits
from vigil_schemas.aed import AedCall, AedRemoval
from vigil_schemas.smoke import SmokeAlarm, SmokeAlarmV1
from vigil_schemas.types import Model

GATEWAY, CABINET = "gw-a", "aed-1"
TOPIC = f"vigil/v1/{GATEWAY}/alarm"
PRESSED = NOW - timedelta(seconds=3)
CALL = AedCall(call_id="call-0001", pressed=PRESSED, presses=2, door_open=True)
FIRE = SmokeAlarm(alarm_id="alarm-0001", condition="smoke", active=True, since=PRESSED)
TAKEN = AedRemoval(removal_id="removal-1", phase="taken", taken=PRESSED, opened=False)


def sent(data: Model) -> bytes:
    return event(GATEWAY, 5, data, subject=CABINET, time=NOW, lane="alarm")


def decoded(payload: bytes) -> Any:
    return Decoder(Limits()).decode(TOPIC, payload, NOW)


def damaged(model: Model, type_: str | None = None, **data: Any) -> bytes:
    """With keys of its data replaced, or dropped (``...``)."""
    message = json.loads(sent(model))
    changed = message["data"] | data
    message["data"] = {key: value for key, value in changed.items() if value is not ...}
    return json.dumps(message | ({} if type_ is None else {"type": type_})).encode()


@pytest.mark.parametrize(
    ("payload", "doubt"),
    [
        (damaged(CALL, pressed="soon"), "pressed"),
        (damaged(CALL, pressed=...), "pressed"),
        (damaged(CALL, call_id=...), "call_id"),
        (damaged(CALL, call_id=7), "call_id"),
        (damaged(CALL, presses=-1), "presses"),
        (damaged(CALL, door_open="ajar"), "door_open"),
        (damaged(CALL, colour="red"), "colour"),
        (damaged(CALL, "city.vigil.aed.c\u0000ll.v1"), "NUL"),
        (damaged(CALL, "city.vigil.aed.cull.v1"), "city.vigil.aed.cull.v1"),
        (damaged(TAKEN, AedCall.TYPE), "call_id"),
    ],
)
def test_a_damaged_call_is_a_call(payload: bytes, doubt: str) -> None:
    found = decoded(payload)

    assert isinstance(found, Fact)
    assert isinstance(found.data, AedCall)
    assert found.envelope.subject == CABINET
    assert NOW - timedelta(minutes=1) <= found.data.pressed <= NOW
    assert any(doubt in one for one in found.marks["shape_doubtful"])


def test_what_is_sound_of_a_damaged_call_stays() -> None:
    found = decoded(damaged(CALL, presses="many", colour="red"))

    assert found.data == CALL.model_copy(update={"presses": 1})


@pytest.mark.parametrize("opened", ["perhaps", 3, ...])
@pytest.mark.parametrize("phase", ["tak\u00e9n", None, ...])
def test_a_damaged_removal_is_one_that_nobody_saw(opened: Any, phase: Any) -> None:
    found = decoded(damaged(TAKEN, opened=opened, phase=phase))

    assert isinstance(found.data, AedRemoval)
    assert (found.data.phase, found.data.opened) == ("taken", None)
    assert found.data.removal_id == TAKEN.removal_id
    assert found.marks["shape_doubtful"]


def test_only_what_plainly_says_so_is_back_in_its_place() -> None:
    back = TAKEN.model_copy(update={"phase": "returned", "returned": NOW})

    assert decoded(damaged(back, colour="red")).data.phase == "returned"
    assert decoded(damaged(back, phase="returning")).data.phase == "taken"


def test_the_same_damaged_call_again_is_one_and_another_is_another() -> None:
    first = damaged(CALL, call_id=...)
    message = json.loads(first)
    other = json.dumps(message | {"id": "another", "data": message["data"] | {"presses": 1}})

    assert decoded(first).data.call_id == decoded(first).data.call_id
    assert decoded(first).data.call_id != decoded(other.encode()).data.call_id


def in_the_town(gateway: str, device: str | None) -> str | None:
    """What a cloud that knows this gateway says of its devices."""
    return "aed" if gateway == GATEWAY else None


BREAKING = [b"", b'"', b"{", b"}", b":", b",", b"\\", b"\x00", b"\xff", b"Z", b"\n"]


@pytest.mark.parametrize("broken", BREAKING)
def test_whatever_byte_of_a_call_is_lost_or_damaged_it_is_a_call(broken: bytes) -> None:
    """No fire, no dead letter, and of its own cabinet unless that name itself is damaged."""
    good = sent(CALL)
    named = good.index(CABINET.encode()) - len('"subject":"'), good.index(CABINET.encode())
    for place in range(len(good)):
        payload = good[:place] + broken + good[place + 1 :]
        found = decoded(payload)
        assert isinstance(found, Fact), (place, payload)
        assert isinstance(found.data, AedCall), (place, payload)
        if place < named[0] - 1 or place > named[1] + len(CABINET):
            assert found.envelope.subject == CABINET, (place, payload)


@given(st.data())
def test_a_call_that_was_cut_off_or_is_garbage_is_a_call_of_a_gateway_of_cabinets(
    data: st.DataObject,
) -> None:
    good = bytearray(sent(CALL))
    place = data.draw(st.integers(0, len(good) - 1))
    if data.draw(st.booleans()):
        del good[max(place, 1) :]
    else:
        end = data.draw(st.integers(place, len(good)))
        good[place:end] = data.draw(st.binary(max_size=8))
    decoder = Decoder(Limits(), in_the_town)

    (found, *_) = decoder.decode_all(TOPIC, bytes(good) or b"?", NOW)

    if b"{" not in good and not isinstance(found, Fact):
        return  # no sign of a message at all: refused, which is an alert of its own
    assert isinstance(found, Fact)
    assert isinstance(found.data, AedCall)


@pytest.mark.parametrize("broken", [b'"', b"}", b""])
def test_a_damaged_message_of_another_domain_stays_its_own(broken: bytes) -> None:
    good = event(GATEWAY, 5, FIRE, subject="aed-hall", time=NOW, lane="alarm")
    for place in range(len(good)):
        found = decoded(good[:place] + broken + good[place + 1 :])
        assert isinstance(found, Fact), place
        assert isinstance(found.data, SmokeAlarm | SmokeAlarmV1), (place, found.data)
