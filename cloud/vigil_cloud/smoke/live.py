"""What becomes of fires, each second: windows that end, people, 119, the case, the voice at home.

Everything that is to be done follows from a fire's row: what its state asks for beyond what is
written down as done. So a process may die anywhere, and any number may look.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

import structlog
from pydantic import TypeAdapter
from sqlalchemy import select
from sqlalchemy.orm import Session

from vigil_cloud.alerts import feed, outbox
from vigil_cloud.alerts.audiences import widen
from vigil_cloud.cases.errors import AlertTaken
from vigil_cloud.cases.opening import Wanted, open_case
from vigil_cloud.cases.port import CaseKinds
from vigil_cloud.cases.service import Desk
from vigil_cloud.database.engine import writing
from vigil_cloud.devices.seen import lock_gateways
from vigil_cloud.emergency import service as emergency
from vigil_cloud.identity import households
from vigil_cloud.identity.cipher import Cipher
from vigil_cloud.identity.reader import Reader
from vigil_cloud.identity.roles import Role
from vigil_cloud.jobs.port import Job, LeaseLost, Turn
from vigil_cloud.services import Services
from vigil_cloud.smoke import decision, fires, homes, hydrants, message, owed, voice
from vigil_cloud.smoke.cases import fire_case
from vigil_cloud.smoke.decision import State
from vigil_cloud.smoke.models import Fire

EVERY: Final = timedelta(seconds=1)
PLATFORM: Final = Reader(0, "platform", frozenset(Role))
"""Who opens a fire's case: nobody's account."""
CALLED_FOR: Final = {"heat": "hot"}
"""Reasons that are signs as well: told of an alarm, "heat" is not yet that 119 is called."""
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Done:
    """What has been done of what a fire's state asks for."""

    spoken: int = 0
    """How often the voice at home was asked for."""
    calls: int = 0
    """Calls to everybody and to 119."""
    called: tuple[datetime, ...] = ()
    """When each was: their messages are named by it."""
    owed: tuple[str, ...] = ()
    """Keys of what 119 was told of its alarms before there was this fire (``owed``)."""
    told: int = 0
    """Calls that everybody has been told of."""
    filed: bool = False
    """Its case was opened, or found."""
    taken_back: int = 0
    clears: int = 0
    past: bool = False
    """Everybody was told of what was over before."""
    comforted: int = 0
    """For how many steps of whoever comes (acknowledged, arrived) the voice at home was asked."""
    clears_spoken: int = 0


DONE: Final = TypeAdapter(Done)


class Watch:
    """Looks each second. Knows, by a clock that nobody sets, how long each home has been asked."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._seen: dict[tuple[str, int], tuple[float, timedelta]] = {}
        """By fire and how often its home was asked: when this process saw it first, and how long
        it had been asked by then."""

    def job(self) -> Job:
        """Of every process; one works at a time."""
        return Job("fires", EVERY, self._run, waiting=self.waiting)

    def waiting(self, session: Session, now: datetime) -> bool:
        """Whether anything is to be done. A read, asked each second by every process."""
        return any(self._due(row, now) for row in _open(session)) or bool(owed.found(session))

    def _run(self, turn: Turn) -> None:
        self.look(turn.services)

    def look(self, services: Services) -> None:
        """One round. Every fire by itself, so that one that fails holds up no other; and 119 of
        all fires first, so that nothing that fails behind a call undoes it."""
        now = services.now()
        failed = _open_owed(services)
        with services.sessions() as session:
            found = [row.id for row in _open(session) if self._due(row, now)]
            self._forget(session)
        for act in (self._call_119, self._go_on, _speak_at_home):
            for fire_id in found:
                try:
                    with writing(services.sessions) as session:
                        failed += act(session, services, fire_id)
                except LeaseLost:
                    raise
                except Exception as error:  # noqa: BLE001 - one fire's trouble must not keep the others waiting
                    _log.exception("fire-not-led", fire=fire_id)
                    failed.append(error)
                    continue
                services.changed.announce()
        with writing(services.sessions) as session:
            if homes.unlock(session, now):
                services.changed.announce()
        if failed:
            raise failed[0]  # the job is shown as failing

    def _call_119(self, session: Session, services: Services, fire_id: str) -> list[Exception]:
        feed.lock(session)
        row, now = fires.load(session, fire_id, lock=True), services.now()
        state = fires.state_of(row)
        fires.put(session, row, decision.tick(state, now, self._waited(row, state, now)), now)
        _call(session, services, row)
        return []

    def _go_on(self, session: Session, services: Services, fire_id: str) -> list[Exception]:
        feed.lock(session)
        row = fires.load(session, fire_id, lock=True)
        return _carry_out(session, services, row, services.now())

    def _due(self, row: Fire, now: datetime) -> bool:
        try:
            state, done = fires.state_of(row), DONE.validate_python(row.done)
        except ValueError:  # of a later release: it fails by itself, and visibly
            return True
        return (
            _undone(state, done)
            or decision.tick(state, now, self._waited(row, state, now)) != state
        )

    def _waited(self, row: Fire, state: State, now: datetime) -> timedelta:
        """How long the home has been asked, by our clock until this process saw it first."""
        key = (row.id, state.asked)
        if key not in self._seen:
            before = min(max(now - state.opened, timedelta()), state.window)
            self._seen[key] = (self._monotonic(), before)
        since, before = self._seen[key]
        return before + timedelta(seconds=self._monotonic() - since)

    def _forget(self, session: Session) -> None:
        standing = {row.id for row in _open(session)}
        self._seen = {key: seen for key, seen in self._seen.items() if key[0] in standing}


def _open_owed(services: Services) -> list[Exception]:
    """Fires that could not be opened as their alarms came; what went wrong again."""
    with services.sessions() as session:
        references = owed.found(session)
    failed: list[Exception] = []
    for reference in references:
        for act in (owed.open_fire, owed.call_119):
            try:
                with writing(services.sessions) as session:
                    act(session, services, reference)
            except LeaseLost:
                raise
            except Exception as error:  # noqa: BLE001 - 119 is called whatever the fire's rows do, and no other fire waits
                _log.exception("fire-owed", alarm=reference)
                failed.append(error)
            else:
                services.changed.announce()
                break
    return failed


def _open(session: Session) -> Sequence[Fire]:
    query = select(Fire).where(Fire.to_do).order_by(Fire.opened, Fire.id)
    return session.scalars(query).all()


def _undone(state: State, done: Done) -> bool:
    return (
        done.calls < state.calls
        or done.told < state.calls
        or (state.calls > 0 and not done.filed)
        or done.taken_back < min(state.taken_back, len(done.called))
        or done.clears < state.clears
        or (state.phase == "past" and not done.past)
        or _unsaid(state, done)
    )


def _unsaid(state: State, done: Done) -> bool:
    """Whether anything is to be said aloud at home."""
    return (
        (state.phase == "asking" and done.spoken < state.asked)
        or done.comforted < _coming(state)
        or done.clears_spoken < state.clears
    )


def _speak_at_home(session: Session, services: Services, fire_id: str) -> list[Exception]:
    """What is said aloud, in a transaction of its own: a command is written under its gateway's
    row, which ingest locks before the feed. So here the gateways come first, and no feed."""
    row, now = fires.load(session, fire_id), services.now()
    if not _unsaid(fires.state_of(row), DONE.validate_python(row.done)):
        return []
    lock_gateways(session, {one.gateway for one in voice.speakers(session, row, now)})
    row = fires.load(session, fire_id, lock=True)
    state, failed = fires.state_of(row), list[Exception]()
    done = _speak(session, row, state, DONE.validate_python(row.done), now, failed)
    _keep(row, state, done)
    return failed


def _keep(row: Fire, state: State, done: Done) -> None:
    row.done = DONE.dump_python(done, mode="json")
    row.to_do = row.phase in {"asking", "false-alarm"} or _undone(state, done)


def _speak(
    session: Session, row: Fire, state: State, done: Done, now: datetime, failed: list[Exception]
) -> Done:
    """What is said aloud at home, each once: later it is of no use. Whatever becomes of it,
    nothing else waits."""
    steps: list[Callable[[], object]] = []
    if state.phase == "asking" and done.spoken < state.asked:
        steps.append(lambda: voice.ask_home(session, row, now))
        done = replace(done, spoken=state.asked)
    if done.comforted < _coming(state):
        steps.append(lambda: voice.say(session, row, "help_coming", now))
        done = replace(done, comforted=_coming(state))
    if done.clears_spoken < state.clears:
        if _is_clear(state):
            steps.append(lambda: voice.say(session, row, "all_clear", now))
        done = replace(done, clears_spoken=state.clears)
    for act in steps:
        error = _apart(session, row, act)
        failed += [error] if error is not None else []
    return done


def _is_clear(state: State) -> bool:
    """Whether the home is told aloud that it is over: nobody may go back in for a code, or while
    an alarm still rings."""
    return state.phase == "over" and state.ended_by == "all-clear" and not state.ringing


def _coming(state: State) -> int:
    """Steps of whoever comes that the home is told of aloud: while they are called."""
    if state.phase != "called":
        return 0
    return sum(step is not None for step in (state.acknowledged, state.arrived))


def _carry_out(session: Session, services: Services, row: Fire, now: datetime) -> list[Exception]:
    """What the state asks for beside the call to 119, in the order in which lives depend on it;
    what went wrong and is tried again."""
    state, done = fires.state_of(row), DONE.validate_python(row.done)
    failed: list[Exception] = []
    if done.told < state.calls:
        reason = state.reason or "leader"
        _widen(session, row, CALLED_FOR.get(reason, reason), state.calls, now)
        done = replace(done, told=state.calls)
    if state.phase == "past" and not done.past:
        _widen(session, row, "past", 0, now)
        done = replace(done, past=True)
    if done.taken_back < state.taken_back:
        done = _take_back(session, services, row, state, done, now)
    if done.clears < state.clears:
        _tell_clear(session, row, state, now)
        done = replace(done, clears=state.clears)
    if state.phase == "over":
        emergency.stop(session, f"smoke:{row.id}:")
        for key in done.owed:
            emergency.stop_one(session, key)
    # Who was taken back comes no more: of whoever is called next it is said anew.
    done = replace(done, comforted=min(done.comforted, _coming(state)))
    if (state.calls > 0 or done.past) and not done.filed:
        error = _apart(session, row, lambda: _open_case(session, services, row, now))
        done = replace(done, filed=error is None)
        failed += [error] if error is not None else []
    _keep(row, state, done)
    session.flush()
    feed.append(session, fires.NEWS, row.id, now)
    return failed


def _apart(session: Session, row: Fire, act: Callable[[], object]) -> Exception | None:
    """What people and 119 do not hang on fails alone."""
    try:
        with session.begin_nested():
            act()
    except Exception as error:  # noqa: BLE001 - the job is shown as failing
        _log.exception("fire-not-led", fire=row.id)
        return error
    return None


def home_of(session: Session, services: Services, row: Fire) -> message.Home:
    """What is known of the place: the home's own word, else the device's; and water close by."""
    home = _home_of(session, services, row)
    return replace(home, water=hydrants.near(session, home.latitude, home.longitude))


def _home_of(session: Session, services: Services, row: Fire) -> message.Home:
    if row.household is None:
        return message.Home("", "", row.latitude, row.longitude, homes.Particulars())
    cipher = Cipher(services.settings.secret)
    try:
        described = households.find(session, cipher, services.now(), row.household).described
    except households.UnknownHousehold:
        return message.Home("", "", row.latitude, row.longitude, homes.Particulars())
    latitude, longitude = described.position or (row.latitude, row.longitude)
    known = homes.particulars(session, cipher, row.household)
    return message.Home(described.name, described.address, latitude, longitude, known)


def call_key(row: Fire, number: int) -> str:
    """Of the emergency line's ``number``-th call of a fire."""
    return f"smoke:{row.id}:{number}"


def _call(session: Session, services: Services, row: Fire) -> None:
    state, done = fires.state_of(row), DONE.validate_python(row.done)
    if done.calls >= state.calls:
        return
    settings, home = services.settings, home_of(session, services, row)
    told = message.alert(row, state, home, settings.emergency_sender, emergency.status_of(settings))
    cipher = Cipher(settings.secret)
    emergency.ask(session, cipher, call_key(row, state.calls), row.alert_id, told)
    moments = (*done.called, *([told.sent] * (state.calls - len(done.called))))
    done = replace(done, calls=state.calls, called=moments)
    row.done = DONE.dump_python(done, mode="json")
    session.flush()


def _take_back(
    session: Session, services: Services, row: Fire, state: State, done: Done, now: datetime
) -> Done:
    settings, cipher = services.settings, Cipher(services.settings.secret)
    home = home_of(session, services, row)
    for number in range(done.taken_back + 1, state.taken_back + 1):
        of = message.Told(
            message.identifier(row.id, number),
            settings.emergency_sender,
            done.called[number - 1],
            emergency.status_of(settings),
        )
        key = call_key(row, number)
        told = message.cancel(row, of, home, now)
        emergency.take_back(session, cipher, f"{key}:cancel", key, told)
    owed.take_back(session, services, row, done.owed, now)
    return replace(done, taken_back=state.taken_back)


def _widen(session: Session, row: Fire, reason: str, number: int, now: datetime) -> None:
    """Neighbours, guardians and whoever works on fires: everybody who may hear of it."""
    for alert in fires.told_of(session, row.id):
        widen(session, alert, "all", f"{reason} #{_mark(row, number)}", now)


def _mark(row: Fire, number: int) -> str:
    """Of the ``number``-th news of this fire: one alert may belong to several fires, one after
    the other, and is told of each."""
    return f"{row.id[:8]}.{number}"


def _tell_clear(session: Session, row: Fire, state: State, now: datetime) -> None:
    word = "all-clear" if state.ended_by == "all-clear" else "no-fire"
    for alert in fires.told_of(session, row.id):
        outbox.announce(
            session, alert, now, "stood-down", step=f"{word} #{_mark(row, state.clears)}"
        )
    session.flush()


def _open_case(session: Session, services: Services, row: Fire, now: datetime) -> None:
    if row.case_id is not None:
        return
    cipher = Cipher(services.settings.secret)
    kinds = CaseKinds([fire_case()])
    desk = Desk(session, cipher, kinds, PLATFORM, now, services.settings.retention.cases_days)
    ids = [alert.id for alert in fires.alerts_of(session, row.id)]
    for alert_id in ids:
        try:
            row.case_id = open_case(desk, Wanted(fire_case().name, [alert_id])).id
            return
        except AlertTaken as error:  # a counted alert has its case already
            _log.info("fire-case-there", fire=row.id, case=str(error))
