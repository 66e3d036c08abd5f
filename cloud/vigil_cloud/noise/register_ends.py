"""What of the register ends by itself: certificates of instruments that measure in the street, and
limits. It is told to whoever maintains the platform a month before: from the next day on nothing
that the instrument measures is valid, or no limit holds where it stands."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from vigil_cloud.alerts.platform import clear_platform, raise_platform
from vigil_cloud.alerts.platform import standing as standing_alerts
from vigil_cloud.alerts.platform_kinds import PlatformKind
from vigil_cloud.cases.port import Words
from vigil_cloud.jobs.port import Job, in_transaction
from vigil_cloud.noise.checks import CERTIFICATES
from vigil_cloud.noise.models import Certificate, Instrument, Placement
from vigil_cloud.noise.register import civil_day, counted, holding, road_on, standing

KIND: Final[PlatformKind] = "register-entry-ends"
EVERY: Final = timedelta(hours=1)
BEFORE: Final = timedelta(days=30)
SOON: Final = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Ending:
    """The last entry of its kind, and nothing follows it."""

    subject: str
    """Of its alert."""
    names: Words
    number: str
    last_day: date
    device: str


def ending(session: Session, now: datetime) -> Iterator[Ending]:
    """Of devices that stand somewhere now: what ends within a month, or has ended, and nothing
    follows. What was never registered is no end: each passage says so."""
    standing_now = [
        one for one in standing(session, now) if one.since <= now and one.intersection is not None
    ]
    yield from _certificates(session, standing_now, civil_day(now))
    for one in standing_now:
        yield from _limits(session, one, now)


def _certificates(session: Session, placed: list[Placement], day: date) -> Iterator[Ending]:
    retired = set(session.scalars(select(Instrument.serial).where(Instrument.retired)))
    devices = {one.instrument: one.device for one in placed if one.instrument is not None}
    known = counted(session.scalars(select(Certificate)))
    for serial in sorted(devices.keys() - retired):
        for kind, words in CERTIFICATES.items():
            own = [one for one in known if (one.instrument, one.kind) == (serial, kind)]
            last = max(own, key=lambda one: one.valid_until, default=None)
            if last is not None and last.valid_until - day < BEFORE:
                names = Words(f"{words.english} of {serial}", f"{serial} 的{words.chinese}")
                subject = f"{kind} {serial}"[:60]
                yield Ending(subject, names, last.number, last.valid_until, devices[serial])


def _limits(session: Session, one: Placement, now: datetime) -> Iterator[Ending]:
    """For a month after the end as well: then it was meant."""
    for moment in (now, now - BEFORE):
        # Of where it stands now, wherever it stood then.
        road = road_on(session, one.intersection or "", one.direction, civil_day(moment))
        if road is None or road.valid_until is None:
            continue
        last, today = road.valid_until, civil_day(now)
        after = now + max(last + timedelta(days=1) - today, timedelta())
        if last - today < BEFORE and holding(session, one.device, after).road is None:
            where = f"{one.intersection} {one.direction}".strip()
            names = Words(f"Limit at {where}", f"{where} 的限值")
            yield Ending(f"limit {where}"[:60], names, road.basis, last, one.device)
            return


def look(session: Session, now: datetime) -> bool:
    """Raise what ends, and end what was renewed. Idempotent."""
    found = {one.subject: one for one in ending(session, now)}
    stood = {str(row.detail["subject"]) for row in standing_alerts(session, KIND)}
    for one in found.values():
        _tell(session, one, now)
    over = [clear_platform(session, KIND, subject, now=now) for subject in stood - found.keys()]
    return bool(found.keys() - stood) or any(over)


def _tell(session: Session, one: Ending, now: datetime) -> None:
    english, chinese = ("ended", "已於") if one.last_day < civil_day(now) else ("ends", "將於")
    raise_platform(
        session,
        KIND,
        one.subject,
        severity="major" if one.last_day - civil_day(now) < SOON else "minor",
        title=f"{one.names.english} {english} on {one.last_day}",
        title_zh=f"{one.names.chinese}{chinese} {one.last_day} 到期",
        now=now,
        detail={"ends": one.last_day.isoformat(), "explanation": one.number},
        device=one.device,
    )


def ends_job() -> Job:
    """Of one process."""
    return Job("register-ends", EVERY, in_transaction(look))
