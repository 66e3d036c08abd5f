"""What alerts keep of persons, homes and places."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, delete, or_, select, update
from sqlalchemy.orm import Session

from vigil_cloud.alerts import feed
from vigil_cloud.alerts.flood import MANY
from vigil_cloud.alerts.history import MOVED, note
from vigil_cloud.alerts.models import AlertHistory, AlertRow
from vigil_cloud.alerts.sealing import (
    CIPHER,
    open_text,
    opened_detail,
    seal_content,
    seal_text,
)
from vigil_cloud.identity.personal_records import PersonalRecords

_PAGE: Final = 200


@dataclass(slots=True)
class _Found:
    """What is sealed in alerts about something else, and names the person."""

    details: set[str] = field(default_factory=set)
    lines: set[int] = field(default_factory=set)
    versions: dict[str, int] = field(default_factory=dict)
    """Alerts that were looked through, as they were then."""
    last_line: int = 0


class AlertsOfPersons(PersonalRecords):
    """Alerts about a person go with them; what the feed says of them as well. In other alerts,
    what was written of the person is removed."""

    def lock(self, session: Session) -> None:
        """First, as in every transaction that changes an alert."""
        feed.lock(session)

    def find(self, session: Session, words: Sequence[str], known: Any = None) -> Any:
        """Sealed details and texts that hold one of the words; again, what is new since."""
        found = _Found() if known is None else known
        sealed = select(AlertRow.id, AlertRow.version).where(AlertRow.private.is_not(None))
        for alert_id, version in session.execute(sealed).all():
            if found.versions.get(alert_id) == version:
                continue
            found.versions[alert_id] = version
            row = session.get(AlertRow, alert_id)
            if row is not None and _names(_text_of(opened_detail(session, row)), words):
                found.details.add(alert_id)
        self._find_lines(session, words, found)
        return found

    @staticmethod
    def _find_lines(session: Session, words: Sequence[str], found: _Found) -> None:
        cipher = session.info.get(CIPHER)
        query = select(AlertHistory, AlertRow).join(AlertRow, AlertRow.id == AlertHistory.alert_id)
        written = query.where(AlertHistory.account.is_not(None))
        while page := session.execute(
            written.where(AlertHistory.id > found.last_line).order_by(AlertHistory.id).limit(_PAGE)
        ).all():
            for line, row in page:
                said = line.comment if cipher is None else open_text(cipher, row, line)
                if _names(said, words):
                    found.lines.add(line.id)
            found.last_line = page[-1][0].id

    def erase(
        self, session: Session, person_key: str, words: Sequence[str], found: Any, now: datetime
    ) -> Mapping[str, int]:
        """Alerts about the person, and what was found in others."""
        del words, now
        for alert_id in sorted(found.details):
            self._follow(session, (), AlertRow.id == alert_id, private=None)
        for number in sorted(found.lines):
            of_it = update(AlertHistory).where(AlertHistory.id == number)
            session.execute(
                of_it.values(text=None, comment="").execution_options(synchronize_session=False)
            )
        alerts = AlertRow.person_key == person_key
        keys = session.scalars(select(AlertRow.id).where(alerts)).all()
        feed.forget(session, [*keys, person_key])
        session.execute(delete(AlertRow).where(alerts).execution_options(synchronize_session=False))
        return {"alerts": len(keys), "alert_texts": len(found.details) + len(found.lines)}

    def rename(self, session: Session, person_key: str, sealed: bytes) -> None:
        """In every alert about the person."""
        session.execute(
            update(AlertRow)
            .where(AlertRow.person_key == person_key)
            .values(person_name=sealed)
            .execution_options(synchronize_session=False)
        )

    def opened(self, session: Session, person_key: str) -> Any:
        """Personal details and texts of the alerts about the person."""
        cipher = session.info.get(CIPHER)
        if cipher is None:
            return None
        about = AlertRow.person_key == person_key
        rows = session.scalars(select(AlertRow).where(about, AlertRow.private.is_not(None))).all()
        lines = (
            select(AlertHistory, AlertRow)
            .join(AlertRow, AlertRow.id == AlertHistory.alert_id)
            .where(about, AlertHistory.text.is_not(None))
        )
        return (
            [(row, said) for row in rows if (said := opened_detail(session, row))],
            [
                (row, line, text)
                for line, row in session.execute(lines)
                if (text := open_text(cipher, row, line))
            ],
        )

    def seal_anew(self, session: Session, person_key: str, content: Any) -> None:
        """Under the new key."""
        del person_key
        details, texts = content or ((), ())
        for row, said in details:
            row.private = seal_content(session, row, said)
        for row, line, said in texts:
            line.text = seal_text(session, row, said)
        session.flush()

    def given_home(self, session: Session, device: str, household: str, now: datetime) -> None:
        """What stands open of the device and is nobody's home's, is this one's; what lasts is this
        one's whosever it was: it is told of where it is. What is over stays where it happened."""
        feed.lock(session)
        open_ones = (AlertRow.device == device, AlertRow.priority > 0)
        self._follow(session, open_ones, AlertRow.household.is_(None), household=household)
        lasts = (
            AlertRow.household != household,
            or_(AlertRow.active, AlertRow.called_on),
            AlertRow.kind != MANY,  # it counts several devices of the home that it happened in
        )
        for row in session.scalars(select(AlertRow).where(*open_ones, *lasts)).all():
            move_home(session, row, household, now)

    def home_erased(self, session: Session, household: str) -> None:
        """What happened there is nobody's home's any more."""
        self._follow(session, (), AlertRow.household == household, household=None)

    def relocated(self, session: Session, kind: str, thing: str, district: str | None) -> None:
        """What stands open goes with the device; what is over stays where it happened."""
        of_it = AlertRow.device == thing
        if kind == "gateway":
            of_it = and_(AlertRow.gateway == thing, AlertRow.device == "")
        self._follow(session, (AlertRow.priority > 0,), of_it, district=district)

    @staticmethod
    def _follow(
        session: Session,
        conditions: tuple[ColumnElement[bool], ...],
        which: ColumnElement[bool],
        **values: str | None,
    ) -> None:
        session.execute(
            update(AlertRow)
            .where(which, *conditions)
            .values(**values)
            .execution_options(synchronize_session=False)
        )


def move_home(session: Session, row: AlertRow, household: str, now: datetime) -> None:
    """It is this home's from now on; whoever sees it for that home alone sees what was said and
    done from here on (``history.MOVED``). The caller holds ``feed.lock``. Idempotent."""
    if row.household == household:
        return
    if row.household is not None:
        note(session, row, now, None, MOVED)
    row.household = household
    session.flush()
    feed.append(session, "alert", row.id, now)


def _names(said: str, words: Sequence[str]) -> bool:
    return any(word in said for word in words if word)


def _text_of(content: Mapping[str, Any]) -> str:
    return json.dumps(content, ensure_ascii=False) if content else ""
