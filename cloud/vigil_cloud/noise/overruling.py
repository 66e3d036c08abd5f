"""A wrong veto is overruled: somebody hears a vehicle where the classifier heard none, and makes it
a case with a reason.

What the classifier said stays in the exceedance and is shown beside (check ``sound``). Whoever
overrules opens the case, and who opens a case does not decide it (``TwoAgree``).
"""

from __future__ import annotations

import json
from typing import ClassVar, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from vigil_cloud.alerts import feed
from vigil_cloud.alerts.sealing import CIPHER
from vigil_cloud.api_errors import ApiError, NotFound
from vigil_cloud.cases import opening
from vigil_cloud.cases.errors import CaseForbidden
from vigil_cloud.cases.models import CaseRow
from vigil_cloud.cases.service import Desk
from vigil_cloud.devices.visibility import in_districts
from vigil_cloud.evidence.models import EvidenceRow
from vigil_cloud.identity import audit
from vigil_cloud.identity.cipher import Cipher, Undecipherable
from vigil_cloud.noise import alerts
from vigil_cloud.noise.alerts import Heard
from vigil_cloud.noise.models import Exceedance
from vigil_schemas.noise import AnyExceedance, NoiseExceedance

KIND: Final = "noise-exceedance"
PURPOSE: Final = "noise.told"


class NotOverrulable(ApiError):
    """No case can be made of this passage by overruling a veto."""

    code: ClassVar[str] = "noise-not-overrulable"
    remedy: ClassVar[str] = (
        "Only what the veto alone kept from a case, and whose sealed evidence has come, can be made"
        " one."
    )
    status: ClassVar[int] = 409

    def __init__(self, why: str) -> None:
        super().__init__(why)


def kept(session: Session, heard: Heard, event: AnyExceedance) -> bytes | None:
    """The message, for its column, where a veto alone keeps it from a case and it can be heard."""
    cipher: Cipher | None = session.info.get(CIPHER)
    if cipher is None or event.evidence is None or not _vetoed_alone(event):
        return None
    said = {"event": event.model_dump(mode="json", exclude_none=True), "marks": dict(heard.marks)}
    return cipher.seal(PURPOSE, json.dumps(said, ensure_ascii=False))


def _vetoed_alone(event: AnyExceedance) -> bool:
    if not isinstance(event, NoiseExceedance):
        return False
    vetoed = event.classification is not None and event.classification.vetoed
    return vetoed and (event.judgement is None or event.judgement.decision == "exceedance")


def overrule(desk: Desk, exceedance: str, reason: str) -> CaseRow:
    """The passage's alert is raised and its case opened, by whoever overrules. ``reason``: stands
    in the case's history. Raises ``NotFound``, ``NotOverrulable`` and what ``open_case`` does."""
    session, by = desk.session, desk.reader
    opens = desk.kinds.require(KIND).may("open")
    if not by.has(*opens):
        raise CaseForbidden("open", opens)
    feed.lock(session)
    query = select(Exceedance).where(
        Exceedance.id == exceedance, in_districts(by, Exceedance.device)
    )
    row = session.scalars(query.with_for_update()).one_or_none()
    if row is None:
        raise NotFound("There is no such passage for you.")
    event, heard = _told(session, row)
    row.alert_id = alerts.raised(session, heard, event, desk.now)
    row.overruled_by, row.told = by.username, None
    session.flush()
    case = opening.take_up(desk, opening.Wanted(KIND, alerts=(row.alert_id,), note=reason))
    audit.append(
        session,
        at=desk.now,
        account=by.username,
        action="noise.overruled",
        subject=case.id,
        detail={"case": case.number, "device": row.device, "exceedance": row.id},
    )
    return case


def _told(session: Session, row: Exceedance) -> tuple[AnyExceedance, Heard]:
    """What its gateway said. Raises ``NotOverrulable``."""
    if row.alert_id is not None:
        raise NotOverrulable("This passage founds a case already: open it from its alert.")
    if not row.vetoed or row.decision not in {"exceedance", None}:
        raise NotOverrulable("It is not a veto that keeps this passage from a case.")
    if not _has_come(session, row):
        raise NotOverrulable("Its sealed evidence has not come: nobody can have heard it.")
    cipher: Cipher | None = session.info.get(CIPHER)
    try:
        said = json.loads(cipher.open(PURPOSE, row.told)) if cipher and row.told else None
    except Undecipherable:
        said = None
    if said is None:
        raise NotOverrulable(
            "What its gateway told was not kept, as of passages before this version."
        )
    event = NoiseExceedance.model_validate_json(json.dumps(said["event"]))
    return event, Heard(row.gateway, row.device, said["marks"])


def _has_come(session: Session, row: Exceedance) -> bool:
    """The package that it names is there and is its own."""
    found = session.get(EvidenceRow, row.evidence_sha256) if row.evidence_sha256 else None
    if found is None:
        return False
    return f"{found.gateway}:{found.evidence_id}" == row.id and found.device == row.device
