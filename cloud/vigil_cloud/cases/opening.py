"""Opening a case, from alerts or by hand, and adding alerts to one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import select, update

from vigil_cloud.alerts import feed
from vigil_cloud.alerts.acts import act
from vigil_cloud.alerts.acts import find as find_alert
from vigil_cloud.alerts.models import AlertRow
from vigil_cloud.alerts.visibility import may_act
from vigil_cloud.cases import deadlines, lifecycle, sealing
from vigil_cloud.cases.errors import AlertTaken, CaseKindUnknown, NotForThisKind
from vigil_cloud.cases.models import CaseAlert, CaseCounter, CaseRow
from vigil_cloud.cases.port import CaseKind
from vigil_cloud.cases.service import Desk, admit, apply, hold, new_id, standing_of, told
from vigil_cloud.city_time import CITY_ZONE
from vigil_cloud.database.upsert import insert
from vigil_cloud.identity.consents import guarded_by
from vigil_cloud.identity.errors import NoConsent
from vigil_cloud.identity.rights import Operation

MOST_ALERTS: Final = 200
"""Alerts of one case."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What somebody opens."""

    kind: str
    alerts: Sequence[str] = ()
    person_key: str | None = None
    title: str = ""
    note: str = ""
    latitude: float | None = None
    longitude: float | None = None


def open_case(desk: Desk, wanted: Wanted) -> CaseRow:
    """Raises ``CaseKindUnknown``, ``AlertUnknown``, ``AlertTaken``, ``NotForThisKind``,
    ``NoConsent``, ``PersonErased``."""
    feed.lock(desk.session)
    kind = desk.kinds.require(wanted.kind)
    if not desk.reader.has(*kind.may("open")):
        raise CaseKindUnknown(wanted.kind)
    alerts = [_free(desk, kind, alert_id) for alert_id in dict.fromkeys(wanted.alerts)]
    person_key = _person(desk, kind, wanted.person_key, alerts)
    row = _row(desk, kind, wanted, alerts, person_key)
    desk.session.add(row)
    desk.session.flush()
    if not desk.reader.has(*kind.sees):
        # Who reports somebody missing follows the case, and no other one of its kind.
        admit(desk.session, row.id, desk.reader.username, None)
    for alert in alerts:
        _join(desk, row, alert)
    detail = {"kind": kind.name, "alerts": [alert.id for alert in alerts]}
    told(desk, row, "opened", detail, wanted.note)
    deadlines.begin(desk, row, kind)
    return row


def take_up(desk: Desk, wanted: Wanted) -> CaseRow:
    """A person opens a case. Whoever does has accepted its alerts as well, as far as they may:
    nobody else is called to them, and the opener is not asked a second time. Whoever may work on
    the case and decide it has it in charge; one that others have to decide waits for them.

    Raises what ``open_case`` does."""
    row = open_case(desk, wanted)
    kind, standing = desk.kinds.require(wanted.kind), standing_of(desk, row)
    opener = desk.reader.username
    works = desk.reader.has(*kind.may("take")) and desk.reader.has(*kind.may("decide"))
    if works and lifecycle.barred(standing, kind.rule, opener) is None:
        apply(desk, row, lifecycle.assign(standing, opener, step="take"))
        told(desk, row, "taken")
        deadlines.met_by(desk, row, kind, "take")
    for alert_id in dict.fromkeys(wanted.alerts):
        alert = find_alert(desk.session, desk.reader, alert_id)
        if not alert.acknowledged and may_act(desk.reader, Operation.ACKNOWLEDGE, alert).allowed:
            act(desk.session, desk.reader, alert_id, "acknowledged", now=desk.now)
    return row


def add_alert(desk: Desk, case_id: str, alert_id: str) -> CaseRow:
    """Another alert of the same matter. Idempotent. Raises ``AlertUnknown``, ``AlertTaken``,
    ``NotForThisKind`` and what ``hold`` raises."""
    held = hold(desk, case_id, "alert", None)
    there = select(CaseAlert.alert_id).where(CaseAlert.case_id == case_id)
    joined = set(desk.session.scalars(there))
    if alert_id in joined:
        return held.row
    if len(joined) >= MOST_ALERTS:
        raise NotForThisKind(f"A case may have {MOST_ALERTS} alerts.")
    alert = _free(desk, held.kind, alert_id)
    if alert.person_key != held.row.person_key:
        raise NotForThisKind("This alert is about somebody else.")
    _join(desk, held.row, alert)
    after = lifecycle.more_known(held.standing)
    anew = {"round": after.round} if after.round != held.row.round else {}
    apply(desk, held.row, after)
    told(desk, held.row, "alert-added", {"alert": alert.id, **anew})
    return held.row


def _free(desk: Desk, kind: CaseKind, alert_id: str) -> AlertRow:
    alert = find_alert(desk.session, desk.reader, alert_id)
    if alert.domain not in kind.alert_domains:
        raise NotForThisKind(f"A case of this kind is not opened from a {alert.domain} alert.")
    query = (
        select(CaseRow.number)
        .join(CaseAlert, CaseAlert.case_id == CaseRow.id)
        .where(CaseAlert.alert_id == alert_id)
    )
    taken = desk.session.scalar(query)
    if taken is not None:
        raise AlertTaken(taken)
    return alert


def _join(desk: Desk, row: CaseRow, alert: AlertRow) -> None:
    desk.session.add(
        CaseAlert(alert_id=alert.id, case_id=row.id, added=desk.now, added_by=desk.reader.username)
    )
    desk.session.flush()
    feed.append(desk.session, "alert", alert.id, desk.now)


def _person(
    desk: Desk, kind: CaseKind, named: str | None, alerts: Sequence[AlertRow]
) -> str | None:
    """Whom the case is about: of the alerts, or named by a guardian."""
    persons = {alert.person_key for alert in alerts}
    if len(persons) > 1:
        raise NotForThisKind("These alerts are about different people; open a case for each.")
    of_alerts = persons.pop() if persons else None
    if not alerts and not kind.by_hand:
        raise NotForThisKind("A case of this kind is opened from an alert.")
    if not kind.about_person:
        if named is not None or of_alerts is not None:
            raise NotForThisKind("A case of this kind is not about a person.")
        return None
    person = of_alerts or named
    if person is None or (named is not None and named != person):
        raise NotForThisKind("A case of this kind is about one person: name them (person_key).")
    if of_alerts is None and person not in guarded_by(desk.session, desk.reader.account_id):
        raise NoConsent("Only the person's guardian may open a case about them without an alert.")
    return person


def _row(
    desk: Desk, kind: CaseKind, wanted: Wanted, alerts: Sequence[AlertRow], person_key: str | None
) -> CaseRow:
    sealer = sealing.writer(desk.session, desk.cipher, person_key, desk.now)
    placed = next((alert for alert in alerts if alert.latitude is not None), None)
    label, label_zh = _label(kind, alerts)
    return CaseRow(
        id=new_id(),
        number=_number(desk),
        version=1,
        domain=kind.domain,
        kind=kind.name,
        title=sealer.seal(sealing.TITLE, wanted.title) if wanted.title else None,
        label=label,
        label_zh=label_zh,
        state="new",
        opened=desk.now,
        opened_by=desk.reader.username,
        since=desk.now,
        round=1,
        fresh_from=1,
        erased=False,
        district=_district(desk, alerts),
        person_key=person_key,
        latitude=placed.latitude if placed else wanted.latitude,
        longitude=placed.longitude if placed else wanted.longitude,
    )


def _district(desk: Desk, alerts: Sequence[AlertRow]) -> str | None:
    """Where its first alert is; without one, where its opener works, if that is one district."""
    if alerts:
        return alerts[0].district
    own = desk.reader.districts
    return next(iter(own)) if len(own) == 1 else None


def _label(kind: CaseKind, alerts: Sequence[AlertRow]) -> tuple[str, str]:
    """As its first alert is called, unless that names somebody."""
    first = alerts[0] if alerts else None
    if first is None or first.person_key is not None:
        return kind.words.english, kind.words.chinese
    return first.title, first.title_zh


def _number(desk: Desk) -> str:
    year = civil_year(desk.now)
    step = (
        update(CaseCounter)
        .where(CaseCounter.year == year)
        .values(last=CaseCounter.last + 1)
        .returning(CaseCounter.last)
        .execution_options(synchronize_session=False)
    )
    last = desk.session.scalar(step)
    if last is None:
        first = insert(desk.session, CaseCounter).values(year=year, last=0)
        desk.session.execute(first.on_conflict_do_nothing())
        last = desk.session.scalar(step)
    return f"{year}-{last:06d}"


def civil_year(now: datetime) -> int:
    """Of the city's calendar."""
    return now.astimezone(CITY_ZONE).year
