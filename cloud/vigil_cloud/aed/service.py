"""AED: what gateways tell of cabinets becomes alerts, calls and the state of the register."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from vigil_cloud.aed.cabinets import Cabinet, cabinet_of
from vigil_cloud.aed.dispatch import REACH_S
from vigil_cloud.aed.models import AedCallRow, AedSite
from vigil_cloud.alerts import feed
from vigil_cloud.alerts.amendments import Amendment, amend
from vigil_cloud.alerts.models import AlertRow
from vigil_cloud.alerts.places import Place, place_of
from vigil_cloud.alerts.schema import Severity
from vigil_cloud.alerts.service import Occurrence, record
from vigil_cloud.devices.clocks import behind, put_right
from vigil_cloud.domain.aside import Aside, handled_in_parts
from vigil_cloud.domain.port import Complaint, Received
from vigil_schemas.aed import DOMAIN, AedCall, AedCondition, AedDoor, AedPrompt, AedRemoval
from vigil_schemas.types import isoformat_utc

CALL: Final = "call"
THEFT: Final = "theft"
TAKEN: Final = "taken"
AWAY: Final = "away"
"""Its tag was seen where it does not stand."""
SEEN_AGAIN: Final = "seen again"
CALL_NEWS: Final = "aed-call"
"""Name of the feed's kind: somebody's part in a call has changed."""
LATE: Final = timedelta(seconds=REACH_S)
"""Whoever would be called now comes when everything has been decided for long."""
LATE_STATES: Final = frozenset({"late", "late-told"})
PRESSED_AGAIN: Final = "pressed again"
_MOST_PRESSES: Final = 2**31 - 1
"""What the column holds on PostgreSQL; a damaged count must not cost the call."""
_NAME: Final = 53
"""Characters of a call's name beside the number of a press (at most 64 together)."""
_CONDITIONS: Final[Mapping[str, tuple[Severity, str, str]]] = {
    "device_fault": (
        "major",
        "AED at {place} has failed its self test",
        "{place} AED 自我測試失敗",
    ),
    "door_left_open": ("minor", "AED cabinet at {place} stands open", "{place} AED 箱門未關"),
    "contact_stuck": ("major", "AED button at {place} is stuck", "{place} AED 箱按鈕卡住"),
    "voice_failed": ("minor", "AED cabinet at {place} cannot speak", "{place} AED 箱無法播放語音"),
}


class AedHandler:
    """Takes what cabinets tell, in any order and any number of times."""

    types: frozenset[str] = frozenset(
        {AedCall.TYPE, AedRemoval.TYPE, AedDoor.TYPE, AedCondition.TYPE, AedPrompt.TYPE}
    )

    def handle(self, session: Session, message: Received) -> Complaint | None:
        """One event; see ``Handler``. A call is stored and its people are told whatever becomes
        of the rest."""
        event = message.data
        if isinstance(event, AedCall):
            feed.lock(session)
            return handled_in_parts(session, lambda aside: _call(session, message, event, aside))
        if isinstance(event, AedRemoval):
            return handled_in_parts(session, lambda aside: _removal(session, message, event, aside))
        if isinstance(event, AedCondition):
            _condition(session, message, event)
        return None
        # A door and a sentence are history: the series and the conditions tell what matters.


def _call(session: Session, message: Received, event: AedCall, aside: Aside) -> None:
    subject = message.envelope.subject
    as_told = message, event
    message, event = aside.do("clock", lambda: _by_our_clock(session, *as_told), as_told)
    nowhere = Cabinet(subject, Place(subject, subject, None, None))
    at = aside.do("cabinet", lambda: cabinet_of(session, message.gateway, subject), nowhere)
    reference = _reference(session, message, event)
    key = f"{message.gateway}:{reference}"
    row = session.get(AedCallRow, key)
    late = is_late(event, message.received)
    revived = row is not None and not late and row.state in LATE_STATES
    place = at.place
    titles = (f"Heart stopped: AED called at {place.name}", f"{place.name_zh} AED 求救")
    if late:
        titles = late_titles(place.name, place.name_zh, message.received - _last_press(event))
    detail = {"type": "aed-call", **event.model_dump(mode="json", exclude_none=True)}
    if at.said is not None:
        detail["cabinet_said"] = at.said
    if row is None or revived:
        detail["late"] = late
    alert = _record(
        session,
        message,
        place,
        device=at.device,
        reference=reference,
        kind=CALL,
        titles=titles,
        severity="critical",
        event_time=event.pressed,
        active=True,
        detail=detail,
        momentary=True,
        supersedes=True,
        tell_again=PRESSED_AGAIN if revived else None,
    )
    if row is not None:
        row.presses = max(row.presses, min(event.presses, _MOST_PRESSES))
        if revived:  # what was told too late is a call of now
            row.state, row.received = "new", message.received
            change = Amendment(title=titles[0], title_zh=titles[1])
            alert_id, now = row.alert_id, message.received
            aside.do("title", lambda: amend(session, alert_id, change, now), None)
        return
    site = at.site
    session.add(
        AedCallRow(
            id=key,
            alert_id=alert.id,
            gateway=message.gateway,
            device=at.device,
            site=None if site is None else site.id,
            place=place.name[:300],
            place_zh=place.name_zh[:300],
            latitude=place.latitude,
            longitude=place.longitude,
            pressed=event.pressed,
            received=message.received,
            presses=min(event.presses, _MOST_PRESSES),
            state="late" if late else "new",
            filed=False,
        )
    )
    session.flush()


def late_titles(place: str, place_zh: str, ago: timedelta) -> tuple[str, str]:
    """Of a call that nobody is sent to by itself."""
    hours, minutes = divmod(int(ago.total_seconds()) // 60, 60)
    return (
        f"AED was called at {place} {hours} h {minutes} min ago, told only now",
        f"{place_zh} AED 求救發生於 {hours} 小時 {minutes} 分鐘前，現在才送達",
    )


def _by_our_clock(session: Session, message: Received, event: AedCall) -> tuple[Received, AedCall]:
    """A gateway whose clock is slow tells of a press of now as of one of before."""
    slow = behind(session, message.gateway)
    if not slow:
        return message, event
    received = message.received
    changed = {"pressed": put_right(event.pressed, slow, received)}
    if event.last_pressed is not None:
        changed["last_pressed"] = put_right(event.last_pressed, slow, received)
    claimed = {**message.marks.get("claimed_times", {}), "pressed": isoformat_utc(event.pressed)}
    marks = {**message.marks, "time_quality": "behind", "claimed_times": claimed}
    return replace(message, marks=marks), event.model_copy(update=changed)


def _last_press(event: AedCall) -> datetime:
    return max(event.pressed, event.last_pressed or event.pressed)


def is_late(event: AedCall, received: datetime) -> bool:
    """Told so long after the last press that nobody is to be sent as if it were now. The times
    are those that can be believed: a clock that is wrong makes no call late."""
    return received - _last_press(event) > LATE


def _reference(session: Session, message: Received, event: AedCall) -> str:
    """The call that this press belongs to. Pressed again after its call was ended, the button
    asks for help anew: whoever ended it did not know of this press."""
    reference = event.call_id
    while True:
        row = session.get(AedCallRow, f"{message.gateway}:{reference}")
        if row is None or min(event.presses, _MOST_PRESSES) <= row.presses:
            return reference
        alert = session.get(AlertRow, row.alert_id, populate_existing=True)
        if row.state != "over" and alert is not None and not alert.confirmed:
            return reference
        reference = f"{event.call_id[:_NAME]}.{row.presses + 1}"


def _removal(session: Session, message: Received, event: AedRemoval, aside: Aside) -> None:
    feed.lock(session)
    at = cabinet_of(session, message.gateway, message.envelope.subject)
    device, place = at.device, at.place
    stolen = event.opened is not True
    kind = THEFT if stolen else TAKEN
    titles = {
        True: (f"AED taken from {place.name}", f"{place.name_zh} AED 已取出"),
        False: (
            f"AED taken at {place.name} without opening its door",
            f"{place.name_zh} AED 未開箱即遭取走",
        ),
        None: (
            f"AED at {place.name} is gone; nobody saw how",
            f"{place.name_zh} AED 不在箱內，取走經過不明",
        ),
    }[event.opened]
    taken = event.phase == "taken"
    _record(
        session,
        message,
        place,
        reference=event.removal_id,
        kind=kind,
        titles=titles,
        severity="major" if stolen else "minor",
        event_time=event.taken,
        active=taken,
        ended=event.returned,
        device=device,
        detail={"type": "aed-removal", **event.model_dump(mode="json", exclude_none=True)},
    )
    aside.do("register", lambda: _keep_in_register(session, device, taken), None)


def _keep_in_register(session: Session, device: str, taken: bool) -> None:
    site = session.scalar(select(AedSite).where(AedSite.device == device).with_for_update())
    if site is not None:
        site.taken = taken


def _condition(session: Session, message: Received, event: AedCondition) -> None:
    feed.lock(session)
    place = place_of(session, message.envelope.subject)
    severity, title, title_zh = _CONDITIONS[event.condition]
    detail = {"type": "aed-condition", **event.model_dump(mode="json")}
    _record(
        session,
        message,
        place,
        reference=event.condition_id,
        kind=event.condition,
        titles=(title.format(place=place.name), title_zh.format(place=place.name_zh)),
        severity=severity,
        event_time=event.since,
        active=event.active,
        ended=None if event.active else event.since,
        detail=detail
        if event.active
        else {"type": "aed-condition", "condition": event.condition, "cleared": detail["since"]},
    )


def _record(  # noqa: PLR0913 - an occurrence's fields, by name
    session: Session,
    message: Received,
    place: Place,
    *,
    reference: str,
    kind: str,
    titles: tuple[str, str],
    severity: Severity,
    event_time: datetime,
    active: bool,
    detail: Mapping[str, Any],
    ended: datetime | None = None,
    device: str | None = None,
    momentary: bool = False,
    supersedes: bool = False,
    tell_again: str | None = None,
) -> AlertRow:
    occurrence = Occurrence(
        domain=DOMAIN,
        reference=reference,
        kind=kind,
        gateway=message.gateway,
        device=device or message.envelope.subject,
        title=titles[0],
        title_zh=titles[1],
        severity=severity,
        event_time=event_time,
        active=active,
        ended=ended,
        momentary=momentary,
        detail=detail,
        supersedes=supersedes,
        tell_again=tell_again,
        marks=message.marks,
        latitude=place.latitude,
        longitude=place.longitude,
    )
    return record(session, occurrence, message.received)
