"""Which deliveries go in the next message of a channel, and what becomes of them in the tables.

Everything here runs in the caller's transaction; what is decided is decided by ``progress`` and
``pacing``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import structlog
from sqlalchemy import ColumnElement, Select, and_, case, func, or_, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from vigil_cloud.alerts import coverage, feed
from vigil_cloud.alerts.models import AlertHistory, AlertRow
from vigil_cloud.alerts.service import state_of
from vigil_cloud.alerts.titles import in_case
from vigil_cloud.alerts.visibility import may_see
from vigil_cloud.config import Settings
from vigil_cloud.domain.rights import PLATFORM
from vigil_cloud.identity import audit, households
from vigil_cloud.identity.cipher import Cipher, Undecipherable
from vigil_cloud.identity.models import Account
from vigil_cloud.identity.reader import Reader, reader_of
from vigil_cloud.identity.roles import Role
from vigil_cloud.metrics import Metrics
from vigil_cloud.notify import pacing, progress, reply_links
from vigil_cloud.notify.directory import Directory
from vigil_cloud.notify.escalation.waking import wake
from vigil_cloud.notify.hook_signatures import SECRET_COLUMN, HookSigning
from vigil_cloud.notify.models import FOLLOW_UPS, REMINDER, Channel, Delivery
from vigil_cloud.notify.pacing import Pace
from vigil_cloud.notify.progress import Delivering, End, Reason, Send, Standing, Wait
from vigil_cloud.notify.push_text import note_of
from vigil_cloud.notify.reasons import worded
from vigil_cloud.notify.reply_links import Offered
from vigil_cloud.notify.subscriptions import opened_address
from vigil_cloud.notify.text import NotificationText, Telling, compose
from vigil_cloud.notify.web_push.addresses import Target
from vigil_schemas.errors import VigilError

SINGLES: Final = 3
"""So many alerts are told one by one; more that wait together go in one message."""
MOST_TOGETHER: Final = 500
GATHER: Final = timedelta(seconds=5)
TOLD_BEFORE: Final = 2
"""Of a gateway from which a channel was told in so many messages within ``GATHER`` the rest waits
for its end, and goes in one: a building whose alarms all ring is one message with a count."""
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Lease:
    """A delivery in hand. ``attempt`` is the fencing token: a later lease has a higher one."""

    delivery_id: int
    attempt: int
    critical: bool


@dataclass(frozen=True, slots=True)
class LeasedDelivery:
    """One message with everything that sending needs, and no session."""

    channel_id: int
    channel: str
    url: str | Target
    message: NotificationText
    leases: tuple[Lease, ...]
    signing: HookSigning | None = None
    key: str = ""
    """The same each time that these deliveries go in one message: a service that got it already
    can tell."""
    kind: str | None = None
    """The channel's, as policies name it."""


@dataclass(frozen=True, slots=True)
class _Ready:
    delivery: Delivery
    alert: AlertRow
    at: Delivering


def channels_due(
    session: Session, now: datetime, busy: Collection[int]
) -> list[tuple[int, str | None]]:
    """Channels that have something to be told and may be told it, the most urgent first, each
    with its kind."""
    critical = func.max(case((AlertRow.pressing, 1), else_=0))
    query = (
        select(Delivery.channel_id, Channel.kind)
        .join(AlertRow, AlertRow.id == Delivery.alert_id)
        .join(Channel, Channel.id == Delivery.channel_id)
        .where(
            *_waiting(now),
            Delivery.due <= now,
            or_(Channel.held_until.is_(None), Channel.held_until <= now),
            or_(Channel.paced.is_(None), Channel.paced <= now + pacing.EVERY * (pacing.BURST - 1)),
        )
        .group_by(Delivery.channel_id, Channel.kind)
        .order_by(critical.desc(), func.min(Delivery.due), Delivery.channel_id)
    )
    if busy:
        query = query.where(Delivery.channel_id.not_in(busy))
    return [(row.channel_id, row.kind) for row in session.execute(query)]


def lease(
    session: Session,
    cipher: Cipher,
    metrics: Metrics,
    channel_id: int,
    now: datetime,
    settings: Settings,
) -> tuple[LeasedDelivery | None, int]:
    """The channel's next message, and how many of its deliveries came to an end without one."""
    channel = session.get(Channel, channel_id, with_for_update=True, populate_existing=True)
    if channel is None or pace_of(channel).ready_at(now) > now:
        return None, 0
    ready, ended, changed = [], 0, []
    unreached: set[str] = set()
    candidates = session.execute(_candidates(channel_id, now)).all()
    persons = {row.AlertRow.person_key for row in candidates if row.AlertRow.person_key}
    directory = Directory(session, now, persons=persons, channel_id=channel_id)
    for row in candidates:
        one = _Ready(row.Delivery, row.AlertRow, delivering(row.Delivery))
        verdict = progress.look(one.at, _standing(directory, one), now)
        if isinstance(verdict, Send):
            ready.append(one)
            continue
        if isinstance(verdict, End):
            metrics.deliveries.labels(verdict.phase).inc()
            ended += 1
            unreached.add(one.alert.id)
        if _settle(one, verdict, now):
            changed.append(one.alert.id)
    wake(session, unreached, now)
    batch = _batch(_gathered(session, channel_id, ready, now), now)
    leased = _try_composing(session, cipher, channel, batch, now, settings) if batch else None
    feed.append_all(session, "alert", sorted({*changed, *(one.alert.id for one in batch)}), now)
    return leased, ended


def write_down(row: Delivery, at: Delivering) -> None:
    """A delivery's state into its row."""
    row.state, row.due, row.attempts, row.reason = at.phase, at.due, at.attempts, at.reason
    row.unanswered, row.perhaps_told = at.unanswered, at.perhaps_told
    row.leased_until = at.leased_until


def delivering(row: Delivery) -> Delivering:
    """A delivery's state from its row; ``queued`` is missing in rows of the first release."""
    return Delivering(
        queued=row.queued or row.due,
        due=row.due,
        phase=row.state,  # type: ignore[arg-type]  # written by `write_down`
        attempts=row.attempts,
        unanswered=row.unanswered,
        perhaps_told=row.perhaps_told,
        leased_until=row.leased_until,
        reason=row.reason,  # type: ignore[arg-type]  # as above
    )


def pace_of(channel: Channel) -> Pace:
    """What the channel remembers."""
    return Pace(channel.paced, channel.held_until, channel.failing_since, channel.failures)


def keep_pace(channel: Channel, pace: Pace) -> None:
    """The opposite of ``pace_of``."""
    channel.paced, channel.held_until = pace.paced, pace.held_until
    channel.failing_since, channel.failures = pace.failing_since, pace.failures


def _waiting(now: datetime) -> tuple[ColumnElement[bool], ...]:
    return (
        Delivery.state == "waiting",
        or_(Delivery.leased_until.is_(None), Delivery.leased_until <= now),
    )


def _candidates(channel_id: int, now: datetime) -> Select[Delivery, AlertRow]:
    """What is due, and what of the platform waits to be told with it."""
    settling = and_(AlertRow.domain == PLATFORM, Delivery.attempts == 0)
    return (
        select(Delivery, AlertRow)
        .join(AlertRow, AlertRow.id == Delivery.alert_id)
        .where(
            Delivery.channel_id == channel_id,
            *_waiting(now),
            or_(Delivery.due <= now, and_(settling, ~Delivery.escalation)),
        )
        .order_by(case((AlertRow.pressing, 0), else_=1), Delivery.due, Delivery.id)
        .limit(MOST_TOGETHER)
        .with_for_update(skip_locked=True, of=Delivery)
    )


def _standing(directory: Directory, one: _Ready) -> Standing:
    delivery, alert = one.delivery, one.alert
    return Standing(
        state=state_of(alert),
        critical=alert.pressing,
        allowed=directory.may_hear(alert),
        conditional=delivery.escalation or delivery.purpose == REMINDER,
        settles=alert.domain == PLATFORM and delivery.purpose in {"raised", "again"},
        only_over=delivery.purpose == "all-clear",
        acknowledged_at=alert.acknowledged_at,
        over_since=alert.cleared,
        device_hold=_device_hold(one),
    )


def _device_hold(one: _Ready) -> Reason | None:
    """What follows up calls nobody, and is told."""
    if one.delivery.purpose in FOLLOW_UPS:
        return None
    work = one.alert.device_shelf == coverage.OUT_OF_SERVICE
    return "device-out-of-service" if work else "device-shelved"


def _settle(one: _Ready, verdict: Wait | End, now: datetime) -> bool:
    """Whether anybody sees a difference."""
    after = (
        progress.hold(one.at, verdict)
        if isinstance(verdict, Wait)
        else progress.end(one.at, verdict)
    )
    write_down(one.delivery, after)
    if after.reason == one.at.reason and after.phase == one.at.phase:
        return False
    one.delivery.at = now
    one.delivery.error = worded(after.reason, one.alert)
    return True


def _gathered(
    session: Session, channel_id: int, ready: list[_Ready], now: datetime
) -> list[_Ready]:
    """Without what waits for a few seconds, that the others of its gateway go with it, once. What
    befalls an alert for a reason of its own is told by the first messages: only the third one
    waits; a fire waits behind messages that call for others, and not behind news or reminders."""
    query = (
        select(AlertRow.gateway, Delivery.at, AlertRow.pressing, Delivery.purpose)
        .join(AlertRow, AlertRow.id == Delivery.alert_id)
        .where(
            Delivery.channel_id == channel_id,
            Delivery.state == "sent",
            Delivery.at > now - GATHER,
            Delivery.at <= now,
            AlertRow.domain != PLATFORM,
            AlertRow.gateway != "",  # of no gateway is no building
        )
        .distinct()
    )
    lately: dict[tuple[str, bool], set[datetime]] = {}
    for row in session.execute(query):
        calls = row.pressing and row.purpose not in {*FOLLOW_UPS, REMINDER}
        for pressing in {False, calls}:
            lately.setdefault((row.gateway, pressing), set()).add(row.at)
    kept = []
    for one in ready:
        moments = lately.get((one.alert.gateway, one.alert.pressing), ())
        waits = (
            len(moments) >= TOLD_BEFORE and one.alert.domain != PLATFORM and not _has_waited(one)
        )
        if waits and one.at.due <= now:
            one.delivery.due = max(moments) + GATHER
        elif not waits:
            kept.append(one)
    return kept


def _has_waited(one: _Ready) -> bool:
    """Whether it waited for the others of its gateway: what else is put off has a reason."""
    first = one.at.attempts == 0 and one.at.reason is None and not one.delivery.escalation
    of_building = bool(one.alert.gateway) and one.alert.domain != PLATFORM
    return first and of_building and one.at.queued < one.at.due


def _batch(ready: Sequence[_Ready], now: datetime) -> list[_Ready]:
    """Alone: the few, and what the service refused before. Together: what waited for each other,
    and all the others of the same urgency. What is not due yet goes along with its own kind, and is
    no reason to send."""
    due = [one for one in ready if one.at.due <= now]
    if not due:
        return []
    if due[0].at.reason == "refused":
        return due[:1]
    urgent, building = due[0].alert.pressing, due[0].alert.gateway
    kinds = {one.alert.kind for one in due if one.alert.domain == PLATFORM}
    together = [
        one
        for one in ready
        if one.at.reason != "refused"
        and one.alert.pressing == urgent
        and (one.at.due <= now or one.alert.kind in kinds)
    ]
    if len(together) > SINGLES:
        return together
    waited = [one for one in together if _has_waited(one) and one.alert.gateway == building]
    return waited if due[0] in waited else due[:1]


def _try_composing(
    session: Session,
    cipher: Cipher,
    channel: Channel,
    batch: Sequence[_Ready],
    now: datetime,
    settings: Settings,
) -> LeasedDelivery | None:
    """As ``_compose_message``; what cannot be composed is tried again like any other failure."""
    leased = [progress.lease(one.at, now) for one in batch]
    for one, at in zip(batch, leased, strict=True):
        write_down(one.delivery, at)
    try:
        with session.begin_nested():
            return _compose_message(session, cipher, channel, batch, now, settings)
    except SQLAlchemyError:
        raise  # the store's own trouble, and not this message's
    except Exception as error:  # noqa: BLE001 - one message that cannot be composed must not keep the others
        code = error.code if isinstance(error, VigilError) else type(error).__name__
        _log.exception("delivery-failed", channel=channel.name, code=code)
        keep_pace(channel, pacing.stumbled(pace_of(channel), now, holds=False))
        for one, at in zip(batch, leased, strict=True):
            critical = one.alert.pressing
            write_down(one.delivery, progress.failed(at, now, critical=critical, reason="refused"))
            one.delivery.error, one.delivery.at = code, now
        return None


def _compose_message(
    session: Session,
    cipher: Cipher,
    channel: Channel,
    batch: Sequence[_Ready],
    now: datetime,
    settings: Settings,
) -> LeasedDelivery:
    account = session.get(Account, channel.account_id) if channel.account_id else None
    for one in batch:
        _note(session, channel, account, one, now)
    reader = _home_reader(session, channel, account, now)
    readable = all(_may_open(reader, one.alert) for one in batch)
    url = opened_address(session, cipher, channel, settings, now)
    browser = isinstance(url, Target)
    offered = _offered(session, cipher, channel, batch, now, settings.public_url, browser=browser)
    told = [
        Telling(
            one.alert,
            one.delivery.purpose,
            one.delivery.step,
            one.delivery.escalation,
            one.delivery.perhaps_told,
            offered,
            _address(session, cipher, account, one.alert, now) if len(batch) == 1 else "",
        )
        for one in batch
    ]
    language = channel.language
    if browser:
        at_home = _is_home_of(session, account, batch[0].alert, now)
        note = note_of(told, language=language, readable=readable, at_home=at_home)
        message = NotificationText(note.title, note.body, note)
    else:
        public_url = settings.public_url if readable else ""
        message = compose(cipher, told, language=language, public_url=public_url)
    keep_pace(channel, pacing.spent(pace_of(channel), now))
    leases = tuple(
        Lease(one.delivery.id, one.delivery.attempts, one.alert.pressing) for one in batch
    )
    signing = None
    if channel.hook_secret is not None:
        secret = cipher.open(SECRET_COLUMN, channel.hook_secret)
        signing = HookSigning(secret, offered.token if offered is not None else None)
    return LeasedDelivery(
        channel.id, channel.name, url, message, leases, signing, _key(batch), channel.kind
    )


def _offered(  # noqa: PLR0913 - as ``reply_links.offer``
    session: Session,
    cipher: Cipher,
    channel: Channel,
    batch: Sequence[_Ready],
    now: datetime,
    public_url: str,
    *,
    browser: bool,
) -> Offered | None:
    """Of a message of several alerts none: they are answered one by one, on their pages.
    ``browser``: it opens paths of the pages that it has."""
    if len(batch) > 1 or batch[0].delivery.purpose in FOLLOW_UPS:
        return None
    if not public_url and channel.hook_secret is None and not browser:
        return None  # nobody has said where people reach the pages
    return reply_links.offer(session, cipher, channel, batch[0].alert, now, public_url=public_url)


def _key(batch: Sequence[_Ready]) -> str:
    """``queued``: a delivery that is queued anew, as a reminder is, is another message."""
    parts = sorted(f"{one.delivery.id} {one.at.queued.timestamp():.6f}" for one in batch)
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]


def _note(
    session: Session, channel: Channel, account: Account | None, one: _Ready, now: datetime
) -> None:
    if one.delivery.escalation and one.at.attempts == 0:
        session.add(
            AlertHistory(
                alert_id=one.alert.id,
                at=now,
                account=None,
                action="escalated",
                comment=channel.name,
            )
        )
    if one.alert.person_key is not None:
        audit.append(
            session,
            at=now,
            account=account.username if account else "",
            action="location.notified",
            subject=f"channel {channel.name}",
            person_key=one.alert.person_key,
            detail=in_case(one.alert.case_id),
        )


def _home_reader(
    session: Session, channel: Channel, account: Account | None, now: datetime
) -> Reader | None:
    """Who opens the pages that a home's channel tells of; ``None`` of any other channel."""
    if not channel.devices:
        return None
    if account is not None:
        return reader_of(session, account, now)
    return Reader(0, "", frozenset({Role(channel.role)}) if channel.role else frozenset())


def _is_home_of(session: Session, account: Account | None, alert: AlertRow, now: datetime) -> bool:
    """Whether it happens in a home of the account's."""
    if account is None or not alert.household:
        return False
    homes = reader_of(session, account, now).homes
    return any(home.household == alert.household for home in homes)


def _address(
    session: Session, cipher: Cipher, account: Account | None, alert: AlertRow, now: datetime
) -> str:
    """Of the home where it happens, to whoever belongs to it and to nobody else: others look at it
    on pages that write down who did."""
    if not alert.household or not _is_home_of(session, account, alert, now):
        return ""
    try:
        return households.find(session, cipher, now, alert.household).described.address
    except (households.UnknownHousehold, Undecipherable):
        return ""


def _may_open(reader: Reader | None, alert: AlertRow) -> bool:
    """A home's channel hears of what its owner's pages may not show: then no link is given."""
    return reader is None or may_see(reader, alert)
