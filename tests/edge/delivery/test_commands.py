"""A command is done at most once, before it expires, and answered, whatever happens to it."""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.ingest_stand_in import until
from vigil_edge.clock import Clock
from vigil_edge.delivery.control import Asked, Control
from vigil_edge.delivery.outbox import AGENT, Limits, Outbox
from vigil_edge.delivery.refusal import CommandRefused
from vigil_schemas.control import Command, CommandV1
from vigil_schemas.envelope import decode
from vigil_schemas.gateway import CommandResult
from vigil_schemas.types import ClockQuality, Lane


@dataclass
class Gateway:
    """A control over a real outbox; ``done`` is what was really done."""

    control: Control
    outbox: Outbox
    done: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def answers(self) -> list[CommandResult]:
        found = await self.outbox.fetch(Lane.EVENT, 0, 1000)
        return [decode(each.payload).data for each in found]  # type: ignore[misc]

    async def answered(self, number: int) -> list[CommandResult]:
        found = await self.answers()
        while len(found) < number:
            await self.changed.wait()
            self.changed.clear()
            found = await self.answers()
        return found


@asynccontextmanager
async def gateway(
    folder: Path,
    perform: Callable[[Asked], str | Awaitable[str]] = lambda _: "done",
    offset_s: float = 0.0,
) -> AsyncIterator[Gateway]:
    outbox = await Outbox.open(
        folder / "outbox.sqlite",
        "gw-1",
        Limits(10_000, 10**8, 64),
        new_epoch=lambda: uuid.uuid4().hex[:16],
        new_id=lambda: str(uuid.uuid4()),
        now_us=lambda: time.time_ns() // 1000,
    )
    done: list[str] = []
    counts: Counter[str] = Counter()

    async def performed(asked: Asked) -> str:
        done.append(asked.id)
        answer = perform(asked)
        return answer if isinstance(answer, str) else await answer

    control = Control("gw-1", outbox, Clock(), performed, lambda name: counts.update([name]))
    control.clock_offset_s = lambda: offset_s
    running = asyncio.create_task(control.run())
    try:
        made = Gateway(control, outbox, done, counts)
        outbox.on_change = made.changed.set
        async with asyncio.timeout(60):
            yield made
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await outbox.close()


def command(name: str = "command-1", in_s: float = 60.0, device: str | None = None) -> Command:
    return Command(
        command_id=name,
        action="sample_now",
        device=device,
        expires=datetime.now(UTC) + timedelta(seconds=in_s),
    )


async def test_a_command_is_done_and_answered(tmp_path: Path) -> None:
    async with gateway(tmp_path, lambda _: "sampled") as under_test:
        under_test.control.take(command(), retained=False)
        (answer,) = await under_test.answered(1)
    assert under_test.done == ["command-1"]
    assert (answer.accepted, answer.code, answer.message) == (True, "ok", "sampled")


async def test_a_repeated_command_is_answered_again_and_not_done_again(tmp_path: Path) -> None:
    async with gateway(tmp_path) as under_test:
        for _ in range(3):
            under_test.control.take(command(), retained=False)
        answers = await under_test.answered(3)
    assert under_test.done == ["command-1"]
    assert {(each.accepted, each.code) for each in answers} == {(True, "ok")}
    assert under_test.counts["commands-repeated"] == 2

    async with gateway(tmp_path) as restarted:  # also across a restart
        restarted.control.take(command(), retained=False)
        await restarted.answered(4)
        assert restarted.done == []


async def test_a_retained_command_is_refused(tmp_path: Path) -> None:
    async with gateway(tmp_path) as under_test:
        under_test.control.take(command(), retained=True)
        (answer,) = await under_test.answered(1)
    assert under_test.done == []
    assert (answer.accepted, answer.code) == (False, "retained")


@pytest.mark.parametrize(
    ("in_s", "offset_s", "code"),
    [
        (-1, 0, "expired"),
        (60, 0, "ok"),
        (-60, -3600, "expired"),  # a clock an hour behind the cloud's, and it is known
        (60, -3600, "ok"),
        (60, 3600, "ok"),
        (-60, 3600, "expired"),
    ],
)
async def test_a_command_is_not_begun_after_it_expired(
    tmp_path: Path, in_s: float, offset_s: float, code: str
) -> None:
    """``in_s`` by the cloud's clock, which is ours minus the offset."""
    async with gateway(tmp_path, offset_s=offset_s) as under_test:
        under_test.control.take(command(in_s=in_s - offset_s), retained=False)
        (answer,) = await under_test.answered(1)
    assert (answer.code, under_test.done) == (code, ["command-1"] if code == "ok" else [])


async def test_an_agent_that_dies_over_a_command_does_not_do_it_again(tmp_path: Path) -> None:
    # Given an agent that is killed while it does the command.
    async with gateway(tmp_path) as under_test:
        never = asyncio.Event()

        async def hangs(asked: Asked) -> str:
            under_test.done.append(asked.id)
            await never.wait()
            return ""

        under_test.control._perform = hangs
        under_test.control.take(command(), retained=False)
        await until(lambda: under_test.done)

    # When it is started anew and the cloud sends the command again.
    async with gateway(tmp_path) as restarted:
        restarted.control.take(command(), retained=False)
        (answer,) = await restarted.answered(1)

    # Then it says so.
    assert restarted.done == []
    assert (answer.accepted, answer.code) == (False, "interrupted")


@pytest.mark.parametrize(
    ("raised", "code"),
    [
        (CommandRefused("unsupported", "no"), "unsupported"),
        (ZeroDivisionError("a mistake"), "command-crashed"),
    ],
)
async def test_whatever_goes_wrong_is_the_answer(
    tmp_path: Path, raised: Exception, code: str
) -> None:
    def fails(_: Asked) -> str:
        raise raised

    async with gateway(tmp_path, fails) as under_test:
        under_test.control.take(command(), retained=False)
        (answer,) = await under_test.answered(1)
        under_test.control.take(command("command-2"), retained=False)
        await under_test.answered(2)
    assert (answer.accepted, answer.code) == (False, code)


async def test_what_the_disk_does_not_remember_is_not_done(tmp_path: Path) -> None:
    async with gateway(tmp_path) as under_test:
        database = under_test.outbox._store._db
        database.execute("PRAGMA query_only = ON")
        under_test.control.take(command(), retained=False)
        await until(lambda: under_test.counts["command-not-kept"])
        database.execute("PRAGMA query_only = OFF")
        assert under_test.done == []
        under_test.control.take(command(), retained=False)  # the cloud sends it again
        (answer,) = await under_test.answered(1)
    assert (answer.code, under_test.done) == ("ok", ["command-1"])


async def test_a_flood_of_commands_is_bounded_and_counted(tmp_path: Path) -> None:
    async with gateway(tmp_path) as under_test:
        for number in range(150):
            under_test.control.take(command(f"command-{number}"), retained=False)
        assert under_test.counts["commands-dropped"] == 50
        await under_test.answered(100)


async def test_a_device_that_does_not_answer_keeps_no_other_waiting(tmp_path: Path) -> None:
    answers = asyncio.Event()

    async def slow(asked: Asked) -> str:
        if asked.device == "probe-1":
            await answers.wait()
        return "done"

    async with gateway(tmp_path, slow) as under_test:
        under_test.control.take(command("sample-01", device="probe-1"), retained=False)
        under_test.control.take(command("sample-02", device="probe-1"), retained=False)
        under_test.control.take(command("speak-001", device="horn-1"), retained=False)
        under_test.control.take(command("health-01"), retained=False)
        told = await under_test.answered(2)
        assert {each.command_id for each in told} == {"speak-001", "health-01"}
        assert "sample-02" not in under_test.done, "of one device, one after the other"
        answers.set()
        told = await under_test.answered(4)
    assert [each.command_id for each in told[2:]] == ["sample-01", "sample-02"]
    assert under_test.counts["commands-dropped"] == 0


async def test_what_an_agent_of_0_1_did_is_not_done_again(tmp_path: Path) -> None:
    async with gateway(tmp_path) as before:
        kept = {"commands": json.dumps(["command-1"]).encode()}
        await before.outbox.accept(AGENT, [], kept, ClockQuality.SYNCHRONISED)
    async with gateway(tmp_path) as under_test:
        first = CommandV1(command_id="command-1", action="report_health")
        under_test.control.take(first, retained=False)
        under_test.control.take(first.model_copy(update={"command_id": "command-2"}), False)
        await under_test.answered(2)
    assert under_test.done == ["command-2"]


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans(), st.booleans()), max_size=30))
@settings(max_examples=25, deadline=None)
def test_no_order_of_deliveries_does_anything_twice(
    tmp_path_factory: pytest.TempPathFactory, deliveries: list[tuple[int, bool, bool]]
) -> None:
    """Each delivery: which command, whether retained, whether the agent is restarted before."""

    async def play() -> None:
        folder = tmp_path_factory.mktemp("control")
        done: list[str] = []
        sessions: list[list[tuple[int, bool]]] = [[]]
        for number, retained, restarted in deliveries:
            if restarted:
                sessions.append([])
            sessions[-1].append((number, retained))
        total = 0
        for session in sessions:
            async with gateway(folder) as under_test:
                for number, retained in session:
                    under_test.control.take(command(f"command-{number}"), retained)
                total += len(session)
                answers = await under_test.answered(total)
                done += under_test.done
        assert len(done) == len(set(done))
        first: dict[str, bool] = {}
        for number, retained, _ in deliveries:
            first.setdefault(f"command-{number}", retained)
        assert set(done) == {name for name, retained in first.items() if not retained}
        assert {each.command_id for each in answers} == set(first)

    if deliveries:
        asyncio.run(play())
