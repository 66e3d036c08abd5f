"""What is kept for how long: old rows, readings and packages are removed, class by class.

Small transactions of a background job, one after the other, never ingest's: an alarm waits for
none of them longer than for one batch. What was removed is counted in the audit log in the
same transaction, so that a crash in between leaves both or neither, and the next round goes
on where this one stopped.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar, Final

import structlog
from sqlalchemy import ColumnElement, and_, delete, exists, not_, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session, aliased

from vigil_cloud.alerts import feed
from vigil_cloud.alerts.models import AlertRow
from vigil_cloud.cases.models import CaseAlert, CaseRow
from vigil_cloud.cases.retention import expire
from vigil_cloud.config import RetentionSettings
from vigil_cloud.database.clock import ages_hold
from vigil_cloud.database.engine import writing
from vigil_cloud.devices import newest
from vigil_cloud.devices.models import DeviceShelf, Downlink
from vigil_cloud.domain.registry import domains, series_days
from vigil_cloud.evidence.models import EvidenceRow
from vigil_cloud.identity import audit, looks
from vigil_cloud.identity.models import AuditEntry, Look
from vigil_cloud.jobs.port import Job, LeaseLost, Turn
from vigil_cloud.services import Services
from vigil_schemas.errors import VigilError
from vigil_schemas.senml import microseconds

KEEPER: Final = "retention"
"""Who the audit log says removed it."""
EVERY: Final = timedelta(hours=1)
BATCH: Final = 200
BATCHES: Final = 50
"""Per class and round: what is left waits for the next."""
_BY_THEMSELVES: Final = frozenset({"looks", "cases"})
"""Their rows say themselves when they are over."""
_BREATH_S: Final = 0.05
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Rule:
    """One class of what is kept; ``batch`` removes some of what is older than its moment."""

    name: str
    days: float
    batch: Callable[[datetime], int]


class RetentionFailed(VigilError):
    """Classes of what is kept could not be gone through; the others were."""

    code: ClassVar[str] = "retention-failed"
    remedy: ClassVar[str] = (
        "Look at the log for the classes that are named; they are gone through again at the "
        "next turn."
    )

    def __init__(self, failed: Mapping[str, Exception]) -> None:
        told = "; ".join(f"{name}: {type(error).__name__}" for name, error in failed.items())
        super().__init__(f"not removed in this round: {told}")
        self.classes = sorted(failed)


def retention_job() -> Job:
    """Hourly; a backlog takes many small transactions."""
    return Job("retention", EVERY, _run, longest=EVERY)


def _run(turn: Turn) -> None:
    with turn.services.sessions() as session:
        # What a wrong clock calls old is not removed for good.
        if not ages_hold(session, turn.services.now()):
            _log.warning(
                "retention-waits", reason="the clock was set forward, or nobody has looked"
            )
            return
    Retention(turn.services).keep(turn.stopping)


class Retention:
    """What is removed in one round. Several rounds at once do each other's work."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def keep(self, stop: threading.Event | None = None) -> dict[str, int]:
        """One round; how much was removed of each class. Raises ``RetentionFailed``, after all
        others were gone through, and ``LeaseLost``."""
        removed: dict[str, int] = {}
        failed: dict[str, Exception] = {}
        for rule in self.rules():
            try:
                removed[rule.name] = self._apply(rule, stop)
            except LeaseLost:
                raise
            except Exception as error:  # noqa: BLE001 - one class that fails does not keep the others
                _log.warning("retention-failed", what=rule.name, exc_info=error)
                failed[rule.name] = error
        if found := {name: number for name, number in removed.items() if number}:
            _log.info("retention-removed", **found)
        if failed:
            raise RetentionFailed(failed)
        return removed

    def rules(self) -> list[Rule]:
        """What is kept for how long; 0 days: for good."""
        kept: RetentionSettings = self._services.settings.retention
        of_domains = [
            Rule(one.name, one.days(kept), self._of(one.model, one.key, one.older_than))
            for domain in domains()
            for one in domain.expiring
        ]
        by_time = [
            Rule("looks", 0, self._looks),
            *of_domains,
            Rule("whereabouts", kept.visits_days, self._of(AlertRow, AlertRow.id, _whereabouts)),
            Rule("alerts", kept.alerts_days, self._of(AlertRow, AlertRow.id, _alerts)),
            Rule("evidence", kept.evidence_days, self._evidence(_of_done_alerts)),
            Rule("stray evidence", kept.stray_evidence_days, self._evidence(_of_no_alert)),
            Rule("cases", 0, self._cases),
            Rule("downlinks", kept.downlinks_days, self._of(Downlink, Downlink.id, _downlinks)),
            Rule("shelves", kept.shelves_days, self._of(DeviceShelf, DeviceShelf.id, _shelves)),
            Rule("audit", kept.audit_days, self._audit),
        ]
        series = [
            Rule(f"readings of {domain}", days, self._series(domain))
            for domain, days in sorted(series_days(kept.series_days).items())
        ]
        every = (*by_time, *series)
        return [rule for rule in every if rule.days > 0 or rule.name in _BY_THEMSELVES]

    def _apply(self, rule: Rule, stop: threading.Event | None) -> int:
        before = self._services.now() - timedelta(days=rule.days)
        removed = 0
        for _ in range(BATCHES):
            found = rule.batch(before)
            removed += found
            if not found or (stop is not None and stop.wait(_BREATH_S)):
                break
        return removed

    def _of(
        self,
        model: type[Any],
        key: InstrumentedAttribute[Any],
        condition: Callable[[datetime], ColumnElement[bool]],
    ) -> Callable[[datetime], int]:
        def batch(before: datetime) -> int:
            with writing(self._services.sessions) as session:
                if model is AlertRow:
                    feed.lock(session)
                keys = session.scalars(select(key).where(condition(before)).limit(BATCH)).all()
                if keys:
                    statement = delete(model).where(key.in_(keys))
                    session.execute(statement.execution_options(synchronize_session=False))
                    self._tell(session, model.__tablename__, len(keys), before)
            return len(keys)

        return batch

    def _evidence(self, condition: Callable[[], ColumnElement[bool]]) -> Callable[[datetime], int]:
        def batch(before: datetime) -> int:
            old = and_(EvidenceRow.stored < before, condition())
            with self._services.sessions() as session:
                rows = session.scalars(select(EvidenceRow).where(old).limit(BATCH)).all()
            removed = 0
            for row in rows:
                with writing(self._services.sessions) as session:
                    feed.lock(session)
                    # Asked again under the lock: an event may have named it meanwhile.
                    wanted = old & (EvidenceRow.sha256 == row.sha256)
                    if session.scalar(select(EvidenceRow.sha256).where(wanted)) is None:
                        continue
                    # The object first: a row without its object is removed by the next round.
                    self._services.objects.delete(row.object_name)
                    session.execute(delete(EvidenceRow).where(EvidenceRow.sha256 == row.sha256))
                    self._tell(session, "evidence", 1, before)
                removed += 1
            return removed

        return batch

    def _audit(self, before: datetime) -> int:
        now = self._services.now()
        with writing(self._services.sessions) as session:
            number = audit.prune(session, before, by=KEEPER, now=now, limit=BATCH)
            if number:
                first = select(AuditEntry.number).order_by(AuditEntry.number).limit(1)
                oldest = session.scalar(first) or 0
                session.execute(delete(Look).where(Look.number < oldest))
        return number

    def _looks(self, _before: datetime) -> int:
        with writing(self._services.sessions) as session:
            return looks.close_old(session, self._services.now())

    def _cases(self, _before: datetime) -> int:
        return expire(self._services, self._services.now(), KEEPER)

    def _series(self, domain: str) -> Callable[[datetime], int]:
        def batch(before: datetime) -> int:
            number = self._services.timeseries.expire(domain, before)
            if not number:
                with writing(self._services.sessions) as session:
                    newest.expire(session, domain, microseconds(before))
            else:
                with writing(self._services.sessions) as session:
                    self._tell(session, f"readings of {domain}", number, before)
            return number

        return batch

    def _tell(self, session: Session, what: str, number: int, before: datetime) -> None:
        audit.append(
            session,
            at=self._services.now(),
            account=KEEPER,
            action="retention.removed",
            subject=what,
            detail={"removed": number, "before": before.isoformat()},
        )


def _whereabouts(before: datetime) -> ColumnElement[bool]:
    """Alerts that tell where somebody was go with the visits, looked at or not; those of a case
    that is not closed go when it is."""
    last = or_(AlertRow.cleared.is_(None), AlertRow.cleared < before)
    old = and_(AlertRow.person_key.is_not(None), AlertRow.raised < before, last)
    open_case = exists().where(
        CaseAlert.alert_id == AlertRow.id,
        CaseRow.id == CaseAlert.case_id,
        CaseRow.state != "closed",
    )
    return and_(old, not_(open_case))


def _alerts(before: datetime) -> ColumnElement[bool]:
    """Never one that still waits for somebody, nor one that a case rests on."""
    old = and_(AlertRow.person_key.is_(None), AlertRow.raised < before, _done(AlertRow))
    return and_(old, not_(_in_a_case(AlertRow)))


def _done(alert: Any) -> ColumnElement[bool]:
    seen = or_(alert.acknowledged, alert.severity == "info")
    done: ColumnElement[bool] = and_(not_(alert.active), not_(alert.called_on), seen)
    return done


def _in_a_case(alert: Any) -> ColumnElement[bool]:
    return exists().where(CaseAlert.alert_id == alert.id)


def _of_no_alert() -> ColumnElement[bool]:
    return not_(exists().where(AlertRow.evidence_sha256 == EvidenceRow.sha256))


def _of_done_alerts() -> ColumnElement[bool]:
    """Of alerts that are all done; of an open one it is a proof that somebody still needs."""
    alert = aliased(AlertRow)
    named = exists().where(alert.evidence_sha256 == EvidenceRow.sha256)
    wanted = or_(not_(_done(alert)), _in_a_case(alert))
    waits = exists().where(alert.evidence_sha256 == EvidenceRow.sha256, wanted)
    return and_(named, not_(waits))


def _downlinks(before: datetime) -> ColumnElement[bool]:
    # The newest configuration's number follows from how many there were.
    return and_(Downlink.created < before, Downlink.channel != "config")


def _shelves(before: datetime) -> ColumnElement[bool]:
    """Never one that runs, or whose end nobody was told of yet."""
    return and_(DeviceShelf.settled, DeviceShelf.ended < before)
