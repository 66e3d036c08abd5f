"""A clock that is set far ahead for a minute: nothing that people rely on goes for its age."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from clocks import Clocks
from cloud_city import GATEWAY, City
from vigil_cloud.aed import on_call
from vigil_cloud.aed.models import AedVolunteer
from vigil_cloud.alerts.models import FeedEntry
from vigil_cloud.app import jobs
from vigil_cloud.checkin.models import StationAddress, StationHost
from vigil_cloud.database.clock import ages_hold
from vigil_cloud.database.engine import writing
from vigil_cloud.devices.models import Gateway
from vigil_cloud.enrolment import codes
from vigil_cloud.enrolment.models import EnrolmentCode
from vigil_cloud.identity import sessions
from vigil_cloud.identity.cipher import Cipher
from vigil_cloud.identity.models import Account, AccountSession
from vigil_cloud.ingest.models import Watermark
from vigil_cloud.jobs.port import Turn
from vigil_cloud.notify.models import EndTold
from vigil_cloud.water import condition, velocities
from vigil_cloud.water.models import ProbeHour, Reach, VelocityReading

FAR = timedelta(days=3650)
MODELS = {
    "ends-told": EndTold,
    "feed-pruned": FeedEntry,
    "host-addresses": StationAddress,
    "outbox-marks-folded": Watermark,
    "sign-in": AccountSession,
    "velocities": VelocityReading,
    "probe hours": ProbeHour,
    "codes": EnrolmentCode,
}


def _sign_in(city: City, session: Session) -> None:
    sessions.begin(session, session.scalars(select(Account).limit(1)).one(), city.time)


def _new_code(city: City, session: Session) -> None:
    wanted = codes.Wanted(gateway="gw-another", lasts=timedelta(hours=1))
    cipher = Cipher(city.services.settings.secret)
    codes.new_code(session, cipher, wanted, by="administrator", now=city.time)


def _hours(city: City, session: Session) -> None:
    condition.store(session, {"device": "probe-1"}, [], city.time)


ACTS: dict[str, Callable[[City, Session], object]] = {
    "sign-in": _sign_in,
    "velocities": lambda city, session: velocities.put(session, [], city.time),
    "probe hours": _hours,
    "codes": _new_code,
}


def _fill(city: City) -> None:
    now, cipher = city.time, Cipher(city.services.settings.secret)
    with writing(city.services.sessions) as session:
        account = session.scalars(select(Account).limit(1)).one()
        _sign_in(city, session)
        own = {"account_id": account.id, "step": "day", "told": "sent", "tries": 0}
        session.add(EndTold(what="consent 1", ends=now, at=now, **own))
        session.add(FeedEntry(number=1_000_000, at=now, kind="alert", key="a"))
        sealed = cipher.seal_bytes("station.address", b"somebody@example.org")
        kept = {"nonce": "n", "made": now, "made_by": "administrator"}
        session.add(StationHost(device="d", status_sha256="s", host_sha256="h", **kept))
        session.flush()
        asked = {"asked": now, "sent": now, "tries": 9, "again": now + 9 * FAR}
        told = {"language": "en", "nonce": "n", "sha256": "x", **asked}
        session.add(StationAddress(device="d", address=sealed, **told))
        ends = {"from_node": "a", "to_node": "b", "line": [[121.0, 25.0], [121.001, 25.0]]}
        session.add(Reach(id="r", name="", name_zh="", length_m=100.0, updated=now, **ends))
        session.flush()
        source = f"/{GATEWAY}/event/{uuid.uuid4()}"
        session.execute(update(Gateway).values(epoch=str(uuid.uuid4())))
        session.add(Watermark(source=source, gateway=GATEWAY, updated=now))
        session.add(VelocityReading(reach="r", at=now, velocity_m_s=0.4))
        hour = {"readings": 1, "good": 1, "longest_gap_s": 0.0, "flat": []}
        session.add(ProbeHour(device="probe-1", hour=now, **hour))
        codes.new_code(
            session,
            cipher,
            codes.Wanted(gateway="gw-new", lasts=timedelta(hours=1)),
            by="administrator",
            now=now,
        )


def _count(city: City, name: str) -> int:
    with city.services.sessions() as session:
        query = select(func.count()).select_from(MODELS[name])
        if name == "feed-pruned":  # the step itself is told there
            query = query.where(FeedEntry.key == "a")
        return session.scalar(query) or 0


def _act(city: City, name: str) -> None:
    if name in ACTS:
        with writing(city.services.sessions) as session:
            ACTS[name](city, session)
    else:
        known = {job.name: job for job in jobs(city.services, ingest=False)}
        known[name].run(Turn(city.services, city.time))


MADE = {"sign-in": 1, "codes": 1}
"""What the act itself adds."""


@pytest.mark.parametrize("name", MODELS)
def test_it_outlives_a_clock_that_was_far_ahead_for_a_minute(city: City, name: str) -> None:
    clocks = Clocks(city)
    _fill(city)
    before = _count(city, name)
    assert before
    assert clocks.set(FAR) == FAR
    _act(city, name)
    clocks.later(60)
    assert clocks.set(-FAR) == -FAR
    assert _count(city, name) == before + MADE.get(name, 0)


@pytest.mark.parametrize("name", MODELS)
def test_it_goes_once_its_time_is_over(city: City, name: str) -> None:
    clocks = Clocks(city)
    _fill(city)
    for _ in range(2):
        clocks.later(FAR.total_seconds() / 2)
    _act(city, name)
    assert _count(city, name) == MADE.get(name, 0)


def test_velocities_of_now_are_taken_while_the_clock_is_ahead(city: City) -> None:
    clocks = Clocks(city)
    _fill(city)
    true = city.time
    clocks.set(FAR)
    with writing(city.services.sessions) as session:
        told = [velocities.Velocity(2, "r", true - timedelta(hours=1), 0.5)]
        assert velocities.put(session, told, city.time) == 1
    assert _count(city, "velocities") == 2


def test_where_a_volunteer_is_outlives_the_jump_for_as_long_as_it_is_kept(city: City) -> None:
    clocks = Clocks(city)
    with writing(city.services.sessions) as session:
        account = session.scalars(select(Account).limit(1)).one().id
        own = {"position": b"sealed", "located": city.time, "on_call": True}
        session.add(AedVolunteer(account_id=account, **own))

    def kept() -> bool:
        with writing(city.services.sessions) as session:
            if on_call.stale(session, city.time):
                on_call.forget_stale(session, city.time)
        with city.services.sessions() as session:
            return session.get_one(AedVolunteer, account).position is not None

    clocks.set(FAR)
    assert kept()
    clocks.later(60)
    assert kept()
    clocks.set(-FAR)
    assert kept()
    clocks.set(timedelta(hours=3))
    assert kept()
    before = city.time
    city.time += FAR  # a second step, which no process has seen yet
    assert kept()
    city.time = before
    clocks.later(on_call.FRESH.total_seconds() + 1)
    assert not kept()


def test_a_step_that_nobody_has_noticed_yet_counts_as_well(city: City) -> None:
    clocks = Clocks(city)
    _fill(city)
    before: datetime = city.time
    city.time += FAR  # within the second: no process has looked
    with city.services.sessions() as session:
        assert ages_hold(session, before)
        assert not ages_hold(session, city.time)
    _act(city, "ends-told")
    assert _count(city, "ends-told") == 1
    clocks.elapsed += 1
    assert clocks.watch.look() == FAR - timedelta(seconds=1)


def test_what_goes_by_days_does_not_wait_for_a_step_of_minutes(city: City) -> None:
    clocks = Clocks(city)
    assert clocks.set(timedelta(minutes=5)) == timedelta(minutes=5)
    with city.services.sessions() as session:
        assert not ages_hold(session, city.time)
        assert ages_hold(session, city.time, timedelta(hours=1))
        assert not ages_hold(session, city.time + timedelta(hours=2), timedelta(hours=1))
