"""Telling the emergency line: asked for with an alert, sent until it is answered.

Whoever works on the alert sees how it stands (``detail.emergency``). A line that does not answer
is told to everybody of the alert, again, and is tried on: until it answers, or somebody confirms
that what was to be done is done and nobody is called for the alert any more: an ambulance must not
be sent to last week's call. Whoever asked may end it as well (``stop``, ``take_back``). That help
is not needed after all, and nobody hears it, is an alert of its own to those who can telephone.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

import structlog
from sqlalchemy import ColumnElement, and_, or_, select, update
from sqlalchemy.orm import Session

from vigil_cloud.alerts import feed, outbox
from vigil_cloud.alerts.amendments import Amendment, amend
from vigil_cloud.alerts.history import note
from vigil_cloud.alerts.models import AlertRow
from vigil_cloud.alerts.service import Occurrence, count_as_new, record, state_of
from vigil_cloud.config import Settings
from vigil_cloud.database.engine import writing
from vigil_cloud.deadline import deadline
from vigil_cloud.emergency.cap import MEDIA_TYPE, CapMessage, Status, render
from vigil_cloud.emergency.models import EmergencyCall
from vigil_cloud.identity import audit
from vigil_cloud.identity.cipher import Cipher, Undecipherable
from vigil_cloud.identity.roles import Role
from vigil_cloud.services import Services

if TYPE_CHECKING:
    import requests

MESSAGE_COLUMN: Final = "emergency.message"
EVERY: Final = timedelta(seconds=1)
ANSWER_S: Final = 10.0
"""For one try as a whole."""
FIRST_AGAIN_S: Final = 2.0
LAST_AGAIN_S: Final = 60.0
TOLD_AFTER: Final = (1, 3, 10, 30, 100)
"""Tries after which those of the alert are told that nobody has answered yet."""
AT_ONCE: Final = 20
_FARTHEST: Final = timedelta(seconds=LAST_AGAIN_S + 5)
"""A try that lies farther ahead was planned by a clock that has been set back since."""
NOWHERE: Final = "119 is not connected: call by telephone"
UNREADABLE: Final = "the message to 119 cannot be read: call by telephone"
"""It was sealed with another secret."""
UNANSWERED: Final = "119 has not answered: call by telephone"
UNHEARD_CANCEL: Final = "cancel-unheard"
"""Kind of the alert that 119 has not taken a cancellation."""
_TELEPHONE: Final = frozenset({Role.DISPATCHER, Role.ADMINISTRATOR})
_log = structlog.get_logger(__name__)


_KNOWS_NOTHING_OF_IT: Final = frozenset({404, 409, 410, 422})
_SNIFFED: Final = 512
_CAP_READ: Final = 64 * 1024
"""An answer in CAP is a few kilobytes; its ``msgType`` stands near its beginning."""
_CAP_ERROR: Final = re.compile(rb"<(?:[\w.-]{1,40}:)?msgType\s{0,9}>\s{0,99}Error\s{0,99}<")
_WEB_PAGE: Final = "a web page"
_PAGE: Final = re.compile(rb"<(!doctype\s+html|html|head|body)\b", re.IGNORECASE)
_OUR_OWN: Final = frozenset({NOWHERE, UNREADABLE})


@dataclass(frozen=True, slots=True)
class _Due:
    id: str
    alert_id: str
    body: bytes | None
    """``None``: it cannot be read."""
    tries: int
    unheard: bool = False
    """It takes back what was never answered: whoever says that there is no such thing has heard
    it."""


def status_of(settings: Settings) -> Status:
    """A demonstration is never taken for real."""
    return "Exercise" if settings.demo else "Actual"


def ask(session: Session, cipher: Cipher, key: str, alert_id: str, message: CapMessage) -> None:
    """Have the emergency line told with this transaction's commit. Idempotent by ``key``, which
    begins with the domain's name."""
    if session.get(EmergencyCall, key) is not None:
        return
    session.add(
        EmergencyCall(
            id=key,
            alert_id=alert_id,
            asked=message.sent,
            message=cipher.seal(MESSAGE_COLUMN, render(message).decode()),
            again=message.sent,
        )
    )
    session.flush()


def take_back(session: Session, cipher: Cipher, key: str, of: str, message: CapMessage) -> None:
    """Have the emergency line told that what it was told as ``of`` is none. Idempotent by
    ``key``. What was not answered yet is not sent any more, and taken back all the same: it may
    have been heard. The caller holds ``feed.lock``."""
    call = session.get(EmergencyCall, of, with_for_update=True, populate_existing=True)
    if call is None or session.get(EmergencyCall, key) is not None:
        return
    call.again, call.withdrawn = None, message.sent
    ask(session, cipher, key, call.alert_id, message)
    session.get_one(EmergencyCall, key).takes_back = of
    session.flush()


def stop(session: Session, prefix: str) -> None:
    """What it was asked for is over: calls whose key begins so, and that nobody answered, are not
    tried any more. What takes calls back is."""
    _stop(calls_of(session, prefix))
    session.flush()


def stop_one(session: Session, key: str) -> None:
    """The same of one call."""
    _stop(calls_named(session, key))
    session.flush()


def _stop(calls: Sequence[EmergencyCall]) -> None:
    for call in calls:
        if call.takes_back is None and call.answered is None:
            call.again = None


def calls_of(session: Session, prefix: str) -> Sequence[EmergencyCall]:
    """Calls whose key begins so, in the order in which they were asked for."""
    query = select(EmergencyCall).where(EmergencyCall.id.startswith(prefix, autoescape=True))
    return session.scalars(query.order_by(EmergencyCall.asked, EmergencyCall.id)).all()


def calls_named(session: Session, key: str) -> Sequence[EmergencyCall]:
    """One call, and what takes it back."""
    query = select(EmergencyCall).where(
        or_(EmergencyCall.id == key, EmergencyCall.takes_back == key)
    )
    return session.scalars(query.order_by(EmergencyCall.asked, EmergencyCall.id)).all()


def waiting(session: Session, now: datetime) -> bool:
    """Whether a call is due."""
    return session.scalar(select(EmergencyCall.id).where(_to_be_sent(now)).limit(1)) is not None


def _to_be_sent(now: datetime) -> ColumnElement[bool]:
    """A first try waits for no clock, and no try for one that was set back."""
    return and_(
        EmergencyCall.again.is_not(None),
        or_(
            EmergencyCall.tries == 0,
            EmergencyCall.again <= now,
            EmergencyCall.again > now + _FARTHEST,
        ),
    )


def send_due(services: Services) -> int:
    """One round: every call that is due is tried once; returns how many. Side by side: a line
    that lets one call wait must not let the next fire wait behind it."""
    now = services.now()
    with services.sessions() as session:
        due = _due(session, services, now)
    if not due:
        return 0
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="emergency-line") as pool:
        errors = list(pool.map(lambda one: _send(services.settings, one), due))
    failed: list[Exception] = []
    for one, error in zip(due, errors, strict=True):
        with writing(services.sessions) as session:
            feed.lock(session)
            _write_down(session, one, error, services.now(), failed)
        services.changed.announce()
    if failed:
        raise failed[0]  # the job is shown as failing
    return len(due)


def _due(session: Session, services: Services, now: datetime) -> Sequence[_Due]:
    """Those that were tried least come first: what is new does not wait behind what fails."""
    query = (
        select(EmergencyCall)
        .where(_to_be_sent(now))
        .order_by(EmergencyCall.tries, EmergencyCall.asked, EmergencyCall.id)
        .limit(AT_ONCE)
    )
    rows = session.scalars(query).all()
    if not rows:
        return []
    cipher = Cipher(services.settings.secret)
    taken_back = {row.takes_back for row in rows if row.takes_back is not None}
    unanswered = select(EmergencyCall.id).where(
        EmergencyCall.id.in_(taken_back), EmergencyCall.answered.is_(None)
    )
    unheard: set[str | None] = set(session.scalars(unanswered)) if taken_back else set()
    return [
        _Due(row.id, row.alert_id, _body(cipher, row), row.tries, row.takes_back in unheard)
        for row in rows
    ]


def _body(cipher: Cipher, row: EmergencyCall) -> bytes | None:
    try:
        return cipher.open(MESSAGE_COLUMN, row.message).encode()
    except Undecipherable:
        return None


def _send(settings: Settings, one: _Due) -> str | None:
    """Why it was not taken; ``None``: it was."""
    if one.body is None:
        return UNREADABLE
    if not settings.emergency_url:
        return NOWHERE
    import requests  # large, and only whoever sends needs it
    import urllib3.exceptions

    headers = {"Content-Type": MEDIA_TYPE}
    if token := settings.emergency_token.get_secret_value():
        headers["Authorization"] = f"Bearer {token}"
    try:
        with deadline(ANSWER_S):
            answer = requests.post(
                settings.emergency_url,
                data=one.body,
                headers=headers,
                timeout=(ANSWER_S / 2, ANSWER_S),
                allow_redirects=False,
                stream=True,  # the status is the answer; a body may have no end
            )
            amiss = _amiss(answer)
            answer.close()
    except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
        return f"no answer ({type(error).__name__})"
    # In the words of CAP as well: nothing has to be taken back there.
    if one.unheard and answer.status_code in _KNOWS_NOTHING_OF_IT and amiss != _WEB_PAGE:
        return None
    if amiss:
        return f"answered {answer.status_code} with {amiss}"
    if answer.ok and answer.status_code < 300:
        return None
    return f"answered {answer.status_code}"


def _amiss(answer: requests.Response) -> str:
    """What an answer says against its status; empty: nothing. A proxy's or a portal's page to sign
    in on says 200 as well, and is nobody who comes; and CAP has a word of its own for a message
    that is not taken (1.2, 3.2.1: ``msgType`` Error). Of a body that breaks off the status alone
    counts."""
    content = answer.headers.get("Content-Type", "").lower()
    if "html" in content:
        return _WEB_PAGE if _PAGE.search(_beginning(answer, _SNIFFED)) else ""
    # What says neither that it is XML nor where it ends may have no end, and is not read.
    if "xml" not in content and not answer.headers.get("Content-Length", "").isdigit():
        return ""
    return "a CAP error" if _CAP_ERROR.search(_beginning(answer, _CAP_READ)) else ""


def _beginning(answer: requests.Response, most: int) -> bytes:
    found = bytearray()
    try:
        for part in answer.iter_content(_SNIFFED):
            found += part
            if len(found) >= most:
                break
    except Exception as error:  # noqa: BLE001 - whatever ends a body: 119 has answered
        _log.info("emergency-body-unread", error=type(error).__name__)
    return bytes(found)


def _write_down(
    session: Session, one: _Due, error: str | None, now: datetime, failed: list[Exception]
) -> None:
    tries = one.tries + 1
    alert = session.get(AlertRow, one.alert_id, populate_existing=True)
    call = session.get(EmergencyCall, one.id, populate_existing=True)
    withdrawn = call is not None and call.withdrawn is not None
    takes_back = call is not None and call.takes_back is not None
    # That help is not needed is said whatever has become of the alert.
    done = alert is None or (alert.confirmed and not state_of(alert).stands)
    stopped = call is None or call.again is None
    over = withdrawn or stopped or (not takes_back and done)
    pause = min(FIRST_AGAIN_S * 2**one.tries if one.tries < 6 else LAST_AGAIN_S, LAST_AGAIN_S)
    written = session.execute(
        update(EmergencyCall)
        .where(EmergencyCall.id == one.id, EmergencyCall.tries == one.tries)
        .values(
            tries=tries,
            error=(error or "")[:300],
            answered=now if error is None else None,
            again=None if error is None or over else now + timedelta(seconds=pause),
        )
        .execution_options(synchronize_session=False)
    )
    if not written.rowcount:  # type: ignore[attr-defined]  # of a statement that changes rows
        return  # another process has tried as well, and wrote it down
    try:
        with session.begin_nested():
            _audit(session, one, error, tries, now)
    except Exception as trouble:  # noqa: BLE001 - without what is written down 119 is called again each second
        _log.exception("emergency-not-audited", call=one.id)
        failed.append(trouble)
    if takes_back and alert is not None:
        _tell_of_cancel(session, alert, one.id, error, tries, now)
    if withdrawn or takes_back or (stopped and error is not None):
        return  # whoever works on the alert sees it with what led to it
    if error is None:
        told = {"state": "answered", "tries": tries, "at": now.isoformat()}
    elif tries in TOLD_AFTER:
        told = {"state": "unanswered", "tries": tries, "error": error}
    else:
        return
    amend(session, one.alert_id, Amendment(detail={"emergency": told}, reason="119"), now)
    if error is not None and tries in TOLD_AFTER[1:]:
        _tell_again(session, one.alert_id, error if error in _OUR_OWN else UNANSWERED, tries, now)


def _audit(session: Session, one: _Due, error: str | None, tries: int, now: datetime) -> None:
    """That 119 did not answer, as often as people are told of it, and that it did at last."""
    if error is None and tries == 1:
        return
    if error is not None and tries not in TOLD_AFTER:
        return
    said = "answered" if error is None else "unanswered"
    detail = {"call": one.id, "tries": tries} | ({} if error is None else {"error": error[:300]})
    audit.append(
        session,
        at=now,
        account="platform",
        action=f"emergency.{said}",
        subject=one.alert_id,
        detail=detail,
    )


def _tell_of_cancel(
    session: Session, alert: AlertRow, call: str, error: str | None, tries: int, now: datetime
) -> None:
    """Firefighters or an ambulance are on their way to what is none, and nobody there hears it:
    for those who can telephone, and nobody of the home. Over once it was taken."""
    if error is not None and tries not in TOLD_AFTER:
        return
    reference = f"cancel:{hashlib.sha256(call.encode()).hexdigest()[:32]}"
    key = f"{alert.domain}::{reference}"
    if error is None and session.scalar(select(AlertRow.id).where(AlertRow.key == key)) is None:
        return
    record(
        session,
        Occurrence(
            domain=alert.domain,
            reference=reference,
            kind=UNHEARD_CANCEL,
            gateway="",
            device=alert.device,
            title=f"119 was not told that nobody needs to come: call by telephone. {alert.title}",
            title_zh=f"119 未收到取消通知，請撥電話：{alert.title_zh}",
            severity="major",
            event_time=now,
            active=error is not None,
            ended=now if error is None else None,
            tell_again=f"{UNANSWERED} ({tries})" if tries > 1 else None,
            only_for=_TELEPHONE,
            latitude=alert.latitude,
            longitude=alert.longitude,
        ),
        now,
    )


def _tell_again(session: Session, alert_id: str, reason: str, tries: int, now: datetime) -> None:
    row = session.get(AlertRow, alert_id, populate_existing=True)
    if row is None or (row.confirmed and not row.called_on):
        return  # an alarm that fell silent has not answered for 119, nor has whoever confirmed it
    step = f"{reason} ({tries})"
    count_as_new(row)
    note(session, row, now, None, "told-again", step)
    outbox.announce(session, row, now, "again", step=step)
    session.flush()
    feed.append(session, "alert", row.id, now)
