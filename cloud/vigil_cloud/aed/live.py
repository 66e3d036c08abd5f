"""What becomes of pressed buttons, each second: the case, the emergency line, the volunteers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Final

import structlog
from sqlalchemy.orm import Session

from vigil_cloud.aed import calls, dispatch_files, ending, on_call, register, summons, thanks
from vigil_cloud.aed.cases import call_case
from vigil_cloud.aed.dispatch import Aed, Plan, dispatch
from vigil_cloud.aed.models import AedCallRow
from vigil_cloud.aed.service import LATE, late_titles
from vigil_cloud.alerts import feed
from vigil_cloud.alerts.amendments import Amendment, amend
from vigil_cloud.alerts.models import AlertRow
from vigil_cloud.api_errors import ApiError
from vigil_cloud.cases.errors import AlertTaken
from vigil_cloud.cases.opening import Wanted, open_case
from vigil_cloud.cases.port import CaseKinds
from vigil_cloud.cases.service import Desk
from vigil_cloud.city_time import CITY_ZONE
from vigil_cloud.database.clock import jumped_ahead
from vigil_cloud.database.engine import writing
from vigil_cloud.emergency import service as emergency
from vigil_cloud.emergency.cap import CapMessage, CapText
from vigil_cloud.identity.cipher import Cipher
from vigil_cloud.identity.reader import Reader
from vigil_cloud.identity.roles import Role
from vigil_cloud.jobs.port import Job, LeaseLost, Turn
from vigil_cloud.services import Services

if TYPE_CHECKING:
    from vigil_cloud.aed.streets import Network

EVERY: Final = timedelta(seconds=1)
STREETS: Final = "streets.geojson"
"""In the data folder: the city's streets, for ways as people go them."""
PLATFORM: Final = Reader(0, "platform", frozenset(Role))
"""Who opens a call's case: nobody's account."""
_WORDS: Final = (
    "請派遣救護車。附近受訓志工同時召集。",
    "Send an ambulance. Trained volunteers nearby are being called.",
)
_LATE_WORDS: Final = (
    "此求救延遲送達，請先向現場確認。並未召集志工。",
    "Told late: ask at the place whether an ambulance is needed. No volunteers are called.",
)
_log = structlog.get_logger(__name__)


def jobs() -> Sequence[Job]:
    """Periodic work of this domain."""
    # Whoever works on calls loads what that needs at its start: no call waits for it, and who
    # could not must not start as if it could.
    import vigil_cloud.aed.streets
    import vigil_cloud.notify.sending  # noqa: F401

    return (
        Job("aed-calls", EVERY, lambda turn: look(turn.services), waiting=waiting),
        Job(
            "aed-summons",
            EVERY,
            _summon,
            longest=timedelta(minutes=5),
            waiting=summons.waiting,
        ),
        Job(
            "aed-positions-ending",
            timedelta(minutes=1),
            _tell_ending,
            longest=timedelta(minutes=5),
            waiting=ending.waiting,
        ),
        Job(
            "aed-thanks",
            timedelta(seconds=30),
            _thank,
            longest=timedelta(minutes=5),
            waiting=thanks.waiting,
        ),
        Job("aed-positions-forgotten", timedelta(minutes=1), _forget, waiting=on_call.stale),
    )


def waiting(session: Session, now: datetime) -> bool:
    """Whether a round would do anything."""
    return bool(calls.due(session, now))


def look(services: Services) -> None:
    """One round: new calls begin, due phases are called, ended calls end."""
    with services.sessions() as session:
        found = calls.due(session, services.now())
    failed: Exception | None = None
    for call_id, state in found:
        try:
            changed = _STEPS.get(state, _go_on)(services, call_id)
        except LeaseLost:
            raise
        except Exception as error:  # noqa: BLE001 - one call's trouble must not keep the others waiting
            _log.exception("aed-call-not-led", call=call_id)
            failed = failed or error
            continue
        if changed:
            services.changed.announce()
    if failed is not None:
        raise failed  # the job is shown as failing


def _summon(turn: Turn) -> None:
    summons.send_waiting(turn.services, turn.stopping)


def _tell_ending(turn: Turn) -> None:
    ending.send_waiting(turn.services, turn.stopping)


def _thank(turn: Turn) -> None:
    thanks.send_waiting(turn.services, turn.stopping)


def _forget(turn: Turn) -> None:
    with writing(turn.services.sessions) as session:
        on_call.forget_stale(session, turn.now)


def _go_on(services: Services, call_id: str) -> bool:
    now = services.now()
    with writing(services.sessions) as session:
        feed.lock(session)
        row = session.get(AedCallRow, call_id, with_for_update=True, populate_existing=True)
        if row is None or row.state not in ("calling", "late-told"):
            return False
        before = row.filed
        failed = _file(session, services, row, now)
        changed = calls.finish(session, row, now) or calls.advance(session, row, now)
        changed |= row.filed != before
    if failed is not None:
        raise failed
    return changed


def _begin(services: Services, call_id: str) -> bool:
    """119 and the case first, whatever the plan takes."""
    now = services.now()
    with writing(services.sessions) as session:
        feed.lock(session)
        row = session.get(AedCallRow, call_id, with_for_update=True, populate_existing=True)
        if row is None or row.state != "new":
            return False
        late = now - row.received > LATE and not jumped_ahead(session)
        _tell_emergency(session, services, row, late=late)
        _file(session, services, row, now)
        if late:
            _too_late(session, row, now)
            return True
    with services.sessions() as session:
        row = session.get_one(AedCallRow, call_id)
        plan, trouble = _plan(session, services, row)
    with writing(services.sessions) as session:
        feed.lock(session)
        row = session.get_one(AedCallRow, call_id, with_for_update=True, populate_existing=True)
        if row.state != "new":
            return False
        calls.begin(session, row, plan, services.now())
        if trouble:
            change = Amendment(detail={"dispatch_trouble": trouble[:200]}, reason="dispatch")
            amend(session, row.alert_id, change, services.now())
    return True


def _too_late(session: Session, row: AedCallRow, now: datetime) -> None:
    """A press that was taken in time and stayed lying here: 119 decides, and nobody runs to it."""
    row.state = "late-told"
    titles = late_titles(row.place, row.place_zh, now - row.received)
    change = Amendment(
        title=titles[0], title_zh=titles[1], detail={"late": True}, reason="dispatch"
    )
    amend(session, row.alert_id, change, now)


def _tell_late(services: Services, call_id: str) -> bool:
    """Nobody is sent by itself: its case is opened for whoever is told of it."""
    with writing(services.sessions) as session:
        feed.lock(session)
        row = session.get(AedCallRow, call_id, with_for_update=True, populate_existing=True)
        if row is None or row.state != "late":
            return False
        _file(session, services, row, services.now())
        row.state = "late-told"
    return True


_STEPS: Final = {"new": _begin, "late": _tell_late}


def _plan(session: Session, services: Services, row: AedCallRow) -> tuple[Plan, str]:
    """The plan, and what was wrong: without streets it is guessed, without a place nobody can
    be chosen, and a mistake of ours must not keep the call from being told."""
    if row.latitude is None or row.longitude is None:
        return Plan(), "nobody knows where the cabinet stands: enter it in the register"
    try:
        return _chosen(session, services, row, (row.longitude, row.latitude))
    except Exception as error:  # noqa: BLE001 - a mistake of ours must not keep a call untold
        _log.exception("aed-dispatch-failed", call=row.id)
        return Plan(), f"nobody could be chosen: {type(error).__name__}"


def _chosen(
    session: Session, services: Services, row: AedCallRow, patient: tuple[float, float]
) -> tuple[Plan, str]:
    troubles: list[str] = []
    moment = row.received.astimezone(CITY_ZONE)
    people = on_call.to_call(session, Cipher(services.settings.secret), services.now())
    aeds: Sequence[Aed] = ()
    try:
        aeds, unreadable = register.to_fetch(session, services.now())
    except Exception as error:  # noqa: BLE001 - whoever can give CPR is called all the same
        _log.exception("aed-register-unreadable", call=row.id)
        troubles.append(f"the register cannot be used, no AED is fetched: {type(error).__name__}")
    else:
        if unreadable:
            troubles.append(f"not fetched, their hours cannot be read: {', '.join(unreadable)}")
    try:
        streets = _streets(services)
    except (ApiError, dispatch_files.BadDispatchFile, OSError, ValueError) as error:
        streets = None
        troubles.append(f"streets cannot be used, ways are guessed: {error}")
    try:
        plan = dispatch(patient, moment, people, aeds, streets)
    except Exception as error:  # noqa: BLE001 - a mistake of ours must not keep a call untold
        _log.exception("aed-dispatch-failed", call=row.id)
        troubles.append(f"ways are guessed: {type(error).__name__}")
        plan = dispatch(patient, moment, people, aeds, None)
    return plan, "; ".join(troubles)


def _streets(services: Services) -> Network | None:
    path = services.settings.data_dir / STREETS
    if not path.is_file():
        return None
    return _network(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=2)
def _network(path: Path, _changed: int) -> Network:
    """Built once for the whole file, around its middle: a city is plane enough."""
    from vigil_cloud.aed.streets import network  # scipy is large

    lines = dispatch_files.streets(path)
    ends = [line[0] for line in lines]
    middle = (median(lon for lon, _ in ends), median(lat for _, lat in ends))
    return network(lines, middle)


def _file(session: Session, services: Services, row: AedCallRow, now: datetime) -> Exception | None:
    """Its case, unless it has one. A mistake of ours must not undo the call to 119: it is tried
    again, each second, and what went wrong is returned for the job to show."""
    if row.filed:
        return None
    try:
        with session.begin_nested():
            _open_case(session, services, row, now)
    except Exception as error:  # noqa: BLE001 - as said
        _log.exception("aed-case-not-opened", call=row.id)
        return error
    row.filed = True
    session.flush()
    return None


def _open_case(session: Session, services: Services, row: AedCallRow, now: datetime) -> None:
    if row.case_id is not None or session.get(AlertRow, row.alert_id) is None:
        return
    kinds = CaseKinds([call_case()])
    cipher = Cipher(services.settings.secret)
    desk = Desk(session, cipher, kinds, PLATFORM, now, services.settings.retention.cases_days)
    try:
        row.case_id = open_case(desk, Wanted(call_case().name, [row.alert_id])).id
    except AlertTaken as error:  # a counted alert has its case already: the call goes on in that
        _log.info("aed-case-there", call=row.id, case=str(error))


def _tell_emergency(session: Session, services: Services, row: AedCallRow, *, late: bool) -> None:
    """``late``: by itself, so that a press of now under the same call is told as well."""
    settings = services.settings
    zh, en = _LATE_WORDS if late else _WORDS
    message = CapMessage(
        identifier=f"aed-{row.id}-late" if late else f"aed-{row.id}",
        sender=settings.emergency_sender,
        sent=row.received,
        status=emergency.status_of(settings),
        category="Health",
        texts=(
            CapText(
                "zh-TW",
                "疑似心跳停止",
                f"{row.place_zh} AED 箱求救按鈕已按下",
                f"{row.pressed.astimezone(CITY_ZONE):%Y-%m-%d %H:%M:%S} 有人按下 AED 箱求救按鈕。",
                zh,
                row.place_zh,
            ),
            CapText(
                "en",
                "Suspected cardiac arrest",
                f"AED button pressed at {row.place}",
                f"The button of an AED cabinet was pressed at"
                f" {row.pressed.astimezone(CITY_ZONE):%Y-%m-%d %H:%M:%S} (UTC+8).",
                en,
                row.place,
            ),
        ),
        latitude=row.latitude,
        longitude=row.longitude,
    )
    cipher = Cipher(settings.secret)
    key = f"aed:{row.id}:late" if late else f"aed:{row.id}"
    emergency.ask(session, cipher, key, row.alert_id, message)
