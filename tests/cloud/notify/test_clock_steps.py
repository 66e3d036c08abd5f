"""The server's clock is set by hours: nobody waits for it, and nobody is called twice."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session, sessionmaker

from clocks import Clocks
from cloud_city import GATEWAY, City
from escalation_stage import Stage, answer, fire, put, standing
from vigil_cloud.app import jobs
from vigil_cloud.cases.models import CaseRequest
from vigil_cloud.database.clock import is_moment
from vigil_cloud.database.engine import writing
from vigil_cloud.database.models import ClockMark
from vigil_cloud.database.registry import metadata
from vigil_cloud.jobs.clock import ClockWatch
from vigil_cloud.jobs.port import Turn
from vigil_cloud.notify.models import Channel, Escalation
from vigil_cloud.refusals.models import DeadLetter
from vigil_cloud.retention import retention_job

STEPS = [timedelta(hours=-3), timedelta(hours=3)]


@pytest.fixture
def stage(either_city: City) -> Iterator[Stage]:
    made = Stage(either_city)
    put(either_city)
    yield made
    made.close()


@pytest.mark.parametrize("step", STEPS)
def test_an_alert_goes_its_way_whatever_the_clock_does(stage: Stage, step: timedelta) -> None:
    city, clocks = stage.city, Clocks(stage.city)
    stage.first.status = 503  # refused: it is tried again after a pause
    fire(city)
    stage.later(0)
    assert stage.told == (0, 0, 0)
    clocks.later(2)

    assert clocks.set(step) == step  # 3 s after the fire; the next try is due after 5 s

    stage.first.status = 200
    stage.sender.deliver_due()
    assert stage.told == (0, 0, 0)
    clocks.later(3)  # what the channel and the delivery waited for is over
    stage.sender.deliver_due()
    assert stage.told == (1, 0, 0)
    clocks.later(50)
    stage.sender.deliver_due()
    assert stage.told == (1, 0, 0)  # 56 s after the fire: nobody else yet
    clocks.later(4)
    stage.sender.deliver_due()
    assert stage.told == (1, 1, 0)

    assert clocks.set(-step) == -step  # and back again

    clocks.later(118)
    stage.sender.deliver_due()
    assert stage.told == (1, 1, 0)
    clocks.later(2)
    stage.sender.deliver_due()
    assert stage.told == (1, 1, 1)
    assert "clock-stepped" in standing(city)
    assert answer(city, "maintainer", "accepted")
    clocks.later(3600)
    stage.sender.deliver_due()
    assert stage.told == (1, 1, 1)


@pytest.mark.parametrize("step", STEPS)
def test_a_new_fire_after_a_step_is_told_at_once(stage: Stage, step: timedelta) -> None:
    city, clocks = stage.city, Clocks(stage.city)
    fire(city)
    for _ in range(12):  # the channels have used up what they may send at once
        stage.later(0)
    with writing(city.services.sessions) as session:
        for channel in session.scalars(select(Channel)):
            channel.paced = city.time + timedelta(seconds=60)
            channel.held_until = city.time + timedelta(seconds=4)
    clocks.set(step)
    clocks.later(8)
    fire(city, reference="alarm-0002")
    stage.sender.deliver_due()
    assert sum("Smoke" in title for title in stage.first.titles) == 2


def test_a_clock_set_back_while_nothing_ran(stage: Stage) -> None:
    city, clocks = stage.city, Clocks(stage.city)
    fire(city)
    stage.later(0)
    clocks.later(20)  # the mark is kept every few seconds
    city.time -= timedelta(hours=3)

    clocks.watch = clocks.started_anew()
    Clocks(city)  # a second process, which finds nothing more to move

    clocks.later(41)
    stage.sender.deliver_due()
    assert stage.told == (1, 1, 0)


def test_a_restart_on_a_machine_that_is_a_little_behind_moves_nothing(city: City) -> None:
    clocks = Clocks(city)
    city.time -= timedelta(seconds=20)
    assert ClockWatch(city.services, lambda: clocks.elapsed).look() is None
    assert standing(city) == []


def test_who_had_confirmed_stays_so_and_news_after_it_are_news(stage: Stage) -> None:
    city, clocks = stage.city, Clocks(stage.city)
    fire(city)
    stage.later(0)
    clocks.later(10)
    assert answer(city, "dispatcher", "accepted")
    stage.sender.deliver_due()

    clocks.set(timedelta(hours=-3))

    clocks.later(4000)
    stage.sender.deliver_due()
    assert stage.told == (1, 0, 0)


def test_the_administrator_is_told_for_a_day(either_city: City) -> None:
    city, clocks = either_city, Clocks(either_city)
    assert clocks.set(timedelta(seconds=3)) is None
    assert clocks.set(timedelta(seconds=-3)) is None  # within what clocks differ by
    assert standing(city) == []
    clocks.set(timedelta(hours=-3))
    (alert,) = city.alerts("administrator", domain="platform")
    assert alert["title"] == "The server's clock was set back by 3:00:00"
    assert alert["detail"]["clock_offset_s"] == -10800
    clocks.later(20 * 3600)
    city.sign_in_anew("administrator")
    assert standing(city) == ["clock-stepped"]
    clocks.later(4 * 3600)
    clocks.later(11)
    city.sign_in_anew("administrator")
    assert standing(city) == []


def test_nothing_is_removed_for_its_age_after_a_jump_ahead(city: City) -> None:
    clocks = Clocks(city)
    fire(city, severity="info", active=False)
    turn = Turn(city.services, city.time)
    clocks.set(timedelta(days=4000))
    retention_job().run(turn)
    assert len(city.alerts("administrator", domain="smoke")) == 1
    clocks.set(timedelta(days=-4000))
    retention_job().run(turn)
    assert len(city.alerts("administrator", domain="smoke")) == 1


def test_a_refused_message_and_a_request_outlive_a_clock_that_was_ahead(city: City) -> None:
    clocks = Clocks(city)
    with writing(city.services.sessions) as session:
        session.add(
            DeadLetter(
                gateway=GATEWAY,
                topic=f"vigil/v1/{GATEWAY}/alarm",
                reason="wrong-schema",
                detail="",
                payload=b"{}",
                size=2,
                digest="0" * 64,
                first_received=city.time,
                last_received=city.time,
            )
        )
        session.add(CaseRequest(account="duty", key="k", case_id="c", at=city.time, digest=""))
    clocks.set(timedelta(days=4000))
    turn = Turn(city.services, city.time)
    known = {job.name: job for job in jobs(city.services, ingest=False)}
    for name in ("old-messages-forgotten", "case-requests-forgotten"):
        known[name].run(turn)
    with city.services.sessions() as session:
        assert session.scalar(select(func.count()).select_from(DeadLetter)) == 1
        assert session.scalar(select(func.count()).select_from(CaseRequest)) == 1


def test_a_step_that_the_store_could_not_take_is_noticed_again(either_city: City) -> None:
    city, clocks = either_city, Clocks(either_city)
    with writing(city.services.sessions) as session:
        session.query(ClockMark).delete()
        session.add(ClockMark(id=1, latest=city.time))
    before = ClockMark.__tablename__
    assert before in metadata().tables
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("vigil_cloud.jobs.clock.clock_steps.move", _fails)
        with pytest.raises(RuntimeError):
            clocks.set(timedelta(hours=-3))
    assert clocks.watch.look() == timedelta(hours=-3)


def _fails(*_: object) -> None:
    raise RuntimeError("the store is away")


def test_who_waits_for_the_store_as_it_starts_takes_that_for_no_step(
    either_city: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    city, clocks = either_city, Clocks(either_city)

    @contextmanager
    def after_others(sessions: sessionmaker[Session]) -> Iterator[Session]:
        monkeypatch.undo()
        clocks.later(20)  # others had their turn first, and kept the mark
        with writing(sessions) as session:
            yield session

    monkeypatch.setattr("vigil_cloud.jobs.clock.writing", after_others)
    assert ClockWatch(city.services, lambda: clocks.elapsed).look() is None
    assert clocks.elapsed == 20
    assert standing(city) == []


def test_both_clocks_are_read_at_one_moment(city: City) -> None:
    """A process that is held up between the two, while another keeps the mark."""
    clocks = Clocks(city)
    held_up, late = iter([0.0, 20.0]), city.time + timedelta(seconds=20)

    def elapsed() -> float:
        clocks.elapsed += next(held_up, 0.0)
        if clocks.elapsed == 20.0 and city.time < late:
            clocks.city.time = late
            clocks.watch.look()
        return clocks.elapsed

    watch = ClockWatch(city.services, lambda: clocks.elapsed)
    watch.look()
    watch._elapsed = elapsed
    assert watch.look() is None
    assert city.time == late
    assert standing(city) == []


def test_a_mark_that_was_read_before_a_step_does_not_undo_it(
    either_city: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    city, clocks = either_city, Clocks(either_city)
    other = clocks.started_anew()

    @contextmanager
    def after_a_step(sessions: sessionmaker[Session]) -> Iterator[Session]:
        monkeypatch.undo()
        assert clocks.set(timedelta(hours=-3)) == timedelta(hours=-3)
        with writing(sessions) as session:
            yield session

    clocks.elapsed += 11
    city.later(seconds=11)
    monkeypatch.setattr("vigil_cloud.jobs.clock.writing", after_a_step)
    assert other.look() is None
    assert other.look() is None, "the first has moved everything along with it"


def test_another_machines_clock_that_is_ahead_makes_no_step_larger(city: City) -> None:
    clocks = Clocks(city)
    with writing(city.services.sessions) as session:
        session.get_one(ClockMark, 1).latest = city.time + timedelta(hours=3)
    assert clocks.set(timedelta(seconds=-20)) == timedelta(seconds=-20)


def test_what_another_machine_told_ends_as_well(
    city: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    clocks = Clocks(city)
    with monkeypatch.context() as patch:
        patch.setattr("vigil_cloud.jobs.clock.machine", lambda: "gone-since")
        clocks.set(timedelta(hours=-3))
    assert standing(city) == ["clock-stepped"]
    clocks.later(24 * 3600)
    clocks.later(11)
    city.sign_in_anew("administrator")
    assert standing(city) == []


def test_an_escalation_that_cannot_be_read_holds_up_no_other(stage: Stage) -> None:
    city, clocks = stage.city, Clocks(stage.city)
    stage.first.status = 503
    fire(city)
    fire(city, reference="alarm-0002")
    stage.later(0)
    with writing(city.services.sessions) as session:
        unread = session.scalars(select(Escalation).order_by(Escalation.alert_id)).first()
        assert unread is not None
        unread.state = {"of": "a later release"}
        kept = unread.alert_id
    step = timedelta(hours=-3)
    assert clocks.set(step) == step
    with city.services.sessions() as session:
        rows = {row.alert_id: row.state for row in session.scalars(select(Escalation))}
    assert rows.pop(kept) == {"of": "a later release"}
    (moved,) = rows.values()
    assert datetime.fromisoformat(moved["started"]) < city.time


UNMOVED = {
    # A person chose the moment, and pages show it.
    "alerts.shelved_until", "alerts.out_of_service_until", "alerts.aside_until",
    "alerts.device_shelf_until", "device_shelves.until", "devices.out_of_service_until",
    "gateways.out_of_service_until", "cases.due", "cases.kept_until", "case_access.until",
    "case_deadlines.due", "case_deadlines.remind", "consents.expires", "household_devices.until",
    "household_members.until", "searches.watch_until", "watches.until",
    # The gateway reads the same moment on its own clock.
    "downlinks.expires",
    # Recorded, not waited for.
    "irrigation_orders.may_open", "case_deadlines.overdue", "case_deadlines.reminded",
    "device_shelves.reminded",
}  # fmt: skip
_WAITED_FOR = ("due", "again", "until", "expires", "not_before", "paced", "remind", "may_open")


def test_every_moment_that_may_be_waited_for_is_moved_or_says_why_not() -> None:
    found = {
        f"{table.name}.{column.name}": column.info.get("clock")
        for table in metadata().sorted_tables
        for column in table.columns
        if is_moment(column.type)
    }
    waited_for = {name for name in found if name.rpartition(".")[2].endswith(_WAITED_FOR)}
    unsaid = {name for name in waited_for if found[name] is None} - UNMOVED
    assert not unsaid, "give these columns info=SCHEDULED or SINCE, or a reason in UNMOVED"
    assert {name for name in UNMOVED if found.get(name, "gone")} == set()
