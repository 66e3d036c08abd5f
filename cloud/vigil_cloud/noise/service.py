"""Noise: what founds a case is an alert that waits for an inspector; what does not is counted."""

from __future__ import annotations

from sqlalchemy.orm import Session

from vigil_cloud.alerts import feed
from vigil_cloud.domain.port import Received
from vigil_cloud.noise import alerts, findings, overruling, plates
from vigil_cloud.noise.models import CLOCK_VOUCHED, Exceedance
from vigil_schemas.noise import (
    AnyExceedance,
    NoiseExceedance,
    NoiseExceedanceV1,
    founds_a_case,
)
from vigil_schemas.types import ClockQuality


class NoiseHandler:
    """Takes exceedances, first measured, then sealed; a repeated one changes nothing."""

    types: frozenset[str] = frozenset({NoiseExceedance.TYPE, NoiseExceedanceV1.TYPE})

    def handle(self, session: Session, message: Received) -> None:
        """One exceedance: its row and, where it founds a case, its alert."""
        event = message.data
        assert isinstance(event, NoiseExceedance | NoiseExceedanceV1)  # noqa: S101 - by type
        feed.lock(session)
        exceedance_id = f"{message.gateway}:{event.exceedance_id}"
        known = session.get(Exceedance, exceedance_id)
        if known is not None and (event.phase == "measured" or known.evidence_sha256 is not None):
            return
        # An alert that stands goes on being told what is learnt, also what speaks against it.
        alerted = founds_a_case(event) or (known is not None and known.alert_id is not None)
        heard = alerts.Heard(message.gateway, message.envelope.subject, message.marks)
        alert_id = alerts.raised(session, heard, event, message.received) if alerted else None
        if known is None:
            known = _row(session, message, event, exceedance_id, alert_id)
            session.add(known)
            known.told = None if alert_id else overruling.kept(session, heard, event)
            return
        known.alert_id = known.alert_id or alert_id
        known.evidence_sha256 = event.evidence.sha256 if event.evidence else None
        known.plates = plates.seal(session, alerts.plate_texts(event)) or known.plates
        known.told = None if known.alert_id else overruling.kept(session, heard, event)
        _complete(known, event)


def _row(
    session: Session,
    message: Received,
    event: AnyExceedance,
    exceedance_id: str,
    alert_id: str | None,
) -> Exceedance:
    row = Exceedance(
        id=exceedance_id,
        gateway=message.gateway,
        device=message.envelope.subject,
        started=event.started,
        ended=event.ended,
        threshold_db=event.threshold_db,
        LAFmax=event.LAFmax,
        LAE=event.LAE,
        background_db=event.background_db,
        overload=event.overload,
        calibrated=event.calibrated,
        time_quality=message.marks.get("time_quality"),
        clock_quality=_clock(event, message.envelope.clockquality),
        wind_m_s=event.conditions.wind_m_s if event.conditions else None,
        rain=event.conditions.rain if event.conditions else None,
        bearing_deg=event.bearing_deg,
        plates=plates.seal(session, alerts.plate_texts(event)),
        evidence_sha256=event.evidence.sha256 if event.evidence else None,
        alert_id=alert_id,
    )
    _find(row, event)
    return row


def _find(row: Exceedance, event: AnyExceedance) -> None:
    row.findings = findings.merged(row.findings, findings.told(event))
    found = findings.read(row.findings)
    row.decision = found.judgement.decision if found.judgement else None
    row.vetoed = found.classification.vetoed if found.classification else None


def _complete(known: Exceedance, event: AnyExceedance) -> None:
    """What only the sealed message tells; what it leaves out stays. A doubt that was known only
    then, such as a change of gain right behind the passage, is never taken back."""
    known.overload = known.overload or event.overload
    if known.clock_quality is not None:
        known.clock_quality = _clock(event, known.clock_quality)
    if event.bearing_deg is not None:
        known.bearing_deg = event.bearing_deg
    if event.conditions is not None:
        known.wind_m_s = event.conditions.wind_m_s
        known.rain = event.conditions.rain
    _find(known, event)


def _clock(event: AnyExceedance, said: str) -> str:
    """A kernel's word and that of a settings file are kept apart: a fine rests on it."""
    vouched = event.clock_vouched and said == ClockQuality.SYNCHRONISED
    return CLOCK_VOUCHED if vouched else said
