"""What no single message shows: numbers, receipts, births and deaths, answers. Times are given."""

from __future__ import annotations

import uuid
from datetime import timedelta

from cloud.conform.messages import (
    GATEWAY,
    NOW,
    Bench,
    alarm,
    born,
    changed,
    command,
    died,
    health,
    readings,
)
from gateways import EPOCH, event
from vigil_cloud.ingest.progress import Progress
from vigil_cloud.ingest.subscriber import receipt_message
from vigil_schemas.control import RefusalReason
from vigil_schemas.gateway import CommandResult

OTHER = "0badcafe"


def receipt(
    stored: int, lane: str = "event", *beyond: tuple[int, int], epoch: str = EPOCH
) -> bytes:
    source = f"/{GATEWAY}/{lane}/{epoch}"
    return receipt_message(GATEWAY, source, Progress(stored, beyond), NOW)


def answer(sequence: int, name: str, *, accepted: bool = True) -> bytes:
    said = CommandResult(command_id=name, accepted=accepted, code="ok" if accepted else "failed")
    return event(GATEWAY, sequence, said, subject=GATEWAY, time=NOW)


def test_right_conduct_has_no_fault() -> None:
    bench = Bench(birth=False)
    bench.send("status", born(session=1), retain=True)
    kept = [health(number) for number in (1, 2, 3)]
    for payload in kept:
        bench.send("event", payload)
    bench.send("receipt", receipt(1))
    bench.send("receipt", receipt(1, "event", (3, 3)))  # the second was lost on its way
    bench.later(3)
    bench.send("event", kept[1])
    bench.send("receipt", receipt(3))
    bench.send("command", command("command-1"))
    bench.send("event", answer(4, "command-1"))
    bench.send("status", died(session=1), retain=True)  # the broker, as its last will
    bench.send("status", born(session=2), retain=True)
    bench.later(1)
    bench.send("event", bench_resent := health(5))
    bench.send("event", bench_resent)
    bench.send("receipt", receipt(5))
    bench.later(600)
    bench.end()

    assert bench.faults() == []
    assert bench.watch.counts["event"] == 7


def test_numbers_that_are_left_out() -> None:
    bench = Bench()
    for number in (1, 2, 5, 9):
        bench.send("event", health(number))
    assert bench.later(10) == []
    bench.send("event", health(4))

    found = bench.later(100)

    assert [(one.code, one.what) for one in found] == [
        ("numbers-missing", "number 3 was left out"),
        ("numbers-missing", "numbers 6 to 8 were left out"),
    ]
    assert bench.end() == []


def test_an_epoch_that_does_not_begin_at_one() -> None:
    bench = Bench(birth=False)
    bench.send("status", born(session=4), retain=True)
    bench.send("event", health(7))  # may have begun before the watch
    assert bench.faults() == []
    bench.send("status", died(session=4), retain=True)
    bench.send("status", born(epoch=OTHER, session=5), retain=True)
    bench.send("event", health(3, epoch=OTHER))
    assert bench.faults() == ["numbers-begin-late"]


def test_a_number_used_again_and_a_repeat_with_other_contents() -> None:
    bench = Bench()
    first = health(1, event_id="one")
    bench.send("event", first)
    bench.send("event", first)
    assert bench.faults() == []
    bench.send("event", changed(first, data__state="failed"))
    bench.send("event", health(2))
    bench.send("event", changed(health(1), data__state="degraded"))
    assert bench.faults() == ["repeat-differs", "numbers-go-back"]


def test_an_id_used_for_two_events() -> None:
    bench = Bench()
    bench.send("event", health(1, event_id="same"))
    bench.send("event", changed(health(2, event_id="same"), data__state="failed"))
    assert bench.faults() == ["id-used-again"]


def test_an_epoch_that_returns_and_one_that_the_birth_does_not_say() -> None:
    bench = Bench()
    bench.send("event", health(1))
    bench.send("event", health(1, epoch=OTHER))
    bench.send("event", health(2))
    assert bench.faults() == ["epoch-unlike-birth", "epoch-returns"]


def test_a_receipt_that_is_ignored() -> None:
    bench = Bench()
    kept = health(1)
    bench.send("event", kept)
    bench.send("receipt", receipt(1))
    for _ in range(2):
        bench.later(10)
        bench.send("event", kept)
    assert bench.faults() == ["receipt-ignored"]
    bench.later(10)
    bench.send("event", kept)
    assert bench.faults() == ["receipt-ignored"], "told once"


def test_what_was_not_receipted_is_not_dropped() -> None:
    bench = Bench()
    for number in (1, 2, 3):
        bench.send("event", health(number))
    bench.later(1)
    bench.send("receipt", receipt(1, "event", (3, 3)))

    found = bench.later(100)

    assert [(one.code, one.what) for one in found] == [
        ("not-sent-again", "number 2 was never receipted, and not sent again")
    ]


def test_a_new_connection_sends_again_what_was_not_receipted() -> None:
    bench = Bench()
    bench.send("alarm", alarm(1))
    bench.send("status", died(), retain=True)
    bench.later(1)
    bench.send("status", born(session=2), retain=True)
    assert bench.later(11) == []

    found = bench.end()

    assert [one.code for one in found] == ["not-sent-again"]


def test_what_moved_to_a_new_epoch_was_not_dropped() -> None:
    bench = Bench()
    bench.send("event", health(1, event_id="kept"))
    bench.send("observation", readings(1))
    bench.send("status", died(), retain=True)
    bench.later(1)
    bench.send("status", born(epoch=OTHER, session=2), retain=True)
    bench.send("event", health(1, event_id="kept", epoch=OTHER))
    bench.send("receipt", receipt(1, epoch=OTHER))
    bench.later(200)
    assert bench.faults() == []


def test_births_that_are_missing_not_retained_old_or_go_back() -> None:
    bench = Bench(birth=False)
    bench.send("event", health(1))
    assert bench.faults() == ["birth-missing"]

    bench = Bench(birth=False)
    bench.send("status", born(), retain=False)
    bench.later(11)
    assert bench.faults() == ["birth-not-retained"]

    bench = Bench(birth=False)  # of a broker that does not tell who set retain
    bench.send("status", born(), retain=False)
    bench.send("status", born(), retain=True, stock=True)
    bench.end()
    assert bench.faults() == []

    bench = Bench(birth=False)
    old = born(at=NOW - timedelta(days=500))
    bench.send("status", old, retain=True, stock=True)
    assert "birth-old" in bench.faults()

    bench = Bench(birth=False)
    bench.send("status", born(session=5), retain=True)
    bench.send("status", born(session=4), retain=True)
    assert bench.faults() == ["session-goes-back"]

    bench = Bench(birth=False)
    assert [one.code for one in bench.end()] == ["nothing-heard"]


def test_deaths_that_are_missing_not_retained_or_of_another_session() -> None:
    bench = Bench(birth=False)
    bench.send("status", born(session=1), retain=True)
    bench.send("status", born(session=2), retain=True)
    assert bench.faults() == ["death-missing"]

    bench = Bench()
    bench.send("status", died(), retain=False)
    bench.send("event", health(1))
    bench.end()
    assert bench.faults() == ["sends-after-death", "death-not-retained"]

    bench = Bench(birth=False)
    bench.send("status", born(session=3), retain=True)
    bench.send("status", died(session=1), retain=True)
    assert bench.faults() == ["death-of-another-session"]


def test_our_own_broken_connection_is_no_fault_of_the_gateway() -> None:
    bench = Bench(birth=False)
    bench.send("status", born(session=1), retain=True)
    bench.send("event", health(1))
    bench.watch.broken()
    bench.send("status", born(session=2), retain=True, stock=True)
    bench.send("event", health(9))
    bench.later(200)
    assert bench.faults() == []


def test_what_must_not_be_retained_and_quality_of_service_0() -> None:
    bench = Bench()
    bench.send("event", health(1), retain=True)
    bench.send("event", health(2), qos=0)
    assert bench.faults() == ["retained", "qos"]
    bench = Bench()
    bench.send("alarm", alarm(7), retain=True, stock=True)
    bench.send("alarm", b"", retain=True)
    assert bench.faults() == ["retained"]


def test_devices_that_no_birth_describes_and_units_that_change() -> None:
    bench = Bench()
    bench.send("event", changed(health(1), subject="probe-9", data__device="probe-9"))
    bench.send("observation", readings(1))
    bench.send("observation", changed(readings(2), data__0__u="K"))
    bench.send("observation", changed(readings(3), type="city.vigil.noise.observation.v1"))
    assert bench.faults() == ["device-undescribed", "unit-changes", "device-of-another-domain"]


def test_a_command_without_an_answer_and_two_answers() -> None:
    bench = Bench()
    bench.send("command", command("command-1"))
    bench.send("command", command("command-2"))
    bench.send("event", answer(1, "command-1"))
    bench.send("event", answer(2, "command-1", accepted=False))

    found = bench.later(61)

    assert bench.faults() == ["answers-differ", "command-unanswered"]
    assert "command-2" in found[0].what


def test_a_gateway_that_speaks_as_the_cloud_does() -> None:
    bench = Bench()
    bench.send("command", health(1))
    bench.send("receipt", b"ok")
    assert bench.faults() == ["speaks-as-cloud", "speaks-as-cloud"]


def test_what_only_the_cloud_can_know_is_told() -> None:
    bench = Bench()
    reason = RefusalReason(reason="unknown-gateway", count=3, detail="never added")
    said = receipt_message(GATEWAY, f"/{GATEWAY}/event/{EPOCH}", Progress(), NOW, [reason])
    bench.send("receipt", said)
    bench.send("receipt", said)
    assert [(one.code, one.what) for one in bench.told] == [
        ("cloud-refuses", "unknown-gateway: never added")
    ]


def test_one_lane_alone() -> None:
    bench = Bench(lanes=("alarm",))
    bench.send("event", b"rubbish")
    bench.send("alarm", alarm(1, event_id=uuid.uuid4().hex))
    bench.end()
    assert bench.faults() == []
