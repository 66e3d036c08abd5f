"""What stands for and against a fine in one case: its measurements, each with its checks.

While a case can still be decided, checks are those of the register as it stands; with the decision
they are written down, and stay what its deciders saw.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from vigil_cloud.cases import service as cases
from vigil_cloud.cases.lifecycle import FROM
from vigil_cloud.cases.port import Facts, Happened, Verdict, Words
from vigil_cloud.evidence.models import EvidenceRow
from vigil_cloud.noise import checks, findings, plates, register
from vigil_cloud.noise.checks import Check
from vigil_cloud.noise.models import Exceedance, Finding

FINE: Final = "fine"
PLATE: Final = "plate"


@dataclass(frozen=True, slots=True)
class Judged:
    """One measurement of a case."""

    exceedance: Exceedance
    checks: Sequence[Check]
    over_db: float | None
    """Above the limit that held; ``None`` where none is known."""
    amount_twd: int | None
    """By the tariff of that day."""


def exceedances(facts: Facts) -> Sequence[Exceedance]:
    """The measurements of the case's alerts."""
    ids = [alert.id for alert in facts.alerts]
    query = select(Exceedance).where(Exceedance.alert_id.in_(ids)).order_by(Exceedance.started)
    return facts.session.scalars(query).all() if ids else ()


def judged(facts: Facts) -> list[Judged]:
    """Every measurement with its checks, as they count for this case."""
    found = exceedances(facts)
    kept = _kept(facts)
    return [_judge(facts, one, kept.get(one.id)) for one in found]


def bar(facts: Facts, outcome: str) -> Words | None:
    """No fine rests on a measurement that proves nothing."""
    if outcome != FINE:
        return None
    found = judged(facts)
    if not found:
        return Words("No measurement belongs to this case.", "本案沒有量測紀錄。")
    against = [check for one in found for check in one.checks if check.bars]
    if not against:
        return None
    return Words(
        " ".join(f"{one.words.english}: {one.reason.english}" for one in against),
        "".join(f"{one.words.chinese}：{one.reason.chinese}" for one in against),
    )


def amount(facts: Facts, outcome: str) -> int | None:
    """The highest of the measurements' amounts: one passage is fined once."""
    if outcome != FINE:
        return None
    return max((one.amount_twd for one in judged(facts) if one.amount_twd), default=None)


def plates_read(facts: Facts) -> list[str]:
    """What a machine read in the pictures, the likeliest first."""
    texts = (text for one in exceedances(facts) for text in plates.read(facts.session, one))
    return list(dict.fromkeys(texts))


def happened(event: Happened) -> None:
    """With a decision, what it rests on is written down."""
    if event.action != "decided":
        return
    session, case = event.session, event.case
    facts = cases.facts(session, case)
    found = [_judge(facts, one, None) for one in exceedances(facts)]
    session.merge(
        Finding(
            case_id=case.id,
            round=case.round,
            at=event.now,
            checks=[_as_json(one) for one in found],
        )
    )


def _kept(facts: Facts) -> dict[str, dict[str, Any]]:
    if facts.case.state in FROM["decide"]:
        return {}
    query = select(Finding).where(Finding.case_id == facts.case.id)
    last = facts.session.scalars(query.order_by(Finding.round.desc()).limit(1)).first()
    return {} if last is None else {one["exceedance"]: one for one in last.checks}


def _judge(facts: Facts, one: Exceedance, kept: dict[str, Any] | None) -> Judged:
    if kept is not None:
        return _from_json(one, kept)
    session = facts.session
    holds = register.holding(session, one.device, one.started)
    limit = None if holds.road is None else checks.limit_of(holds.road, one.started)
    over = None if limit is None else _level(one) - limit
    owed = None if over is None else checks.amount_of(over, holds.rules.penalties)
    return Judged(one, checks.checks(one, holds, package=_package(session, one)), over, owed)


def _level(one: Exceedance) -> float:
    """What the tariff is asked by: without the background, where its gateway took that off."""
    judgement = findings.read(one.findings).judgement
    corrected = None if judgement is None else judgement.LAFmax_corrected
    return one.LAFmax if corrected is None else corrected


def _package(session: Session, one: Exceedance) -> Verdict:
    """Whether the sealed package that the measurement names is there and is its own: a digest can
    name what another device sealed."""
    found = session.get(EvidenceRow, one.evidence_sha256) if one.evidence_sha256 else None
    if found is None:
        return "unknown"
    own = f"{found.gateway}:{found.evidence_id}" == one.id and found.device == one.device
    return "pass" if own else "fail"


def _as_json(one: Judged) -> dict[str, Any]:
    return {
        "exceedance": one.exceedance.id,
        "over_db": one.over_db,
        "amount_twd": one.amount_twd,
        "checks": [
            {
                "code": check.code,
                "title": check.words.english,
                "title_zh": check.words.chinese,
                "verdict": check.verdict,
                "reason": check.reason.english,
                "reason_zh": check.reason.chinese,
                "required": check.required,
            }
            for check in one.checks
        ],
    }


def _from_json(one: Exceedance, kept: dict[str, Any]) -> Judged:
    found = [
        Check(
            check["code"],
            Words(check["title"], check["title_zh"]),
            check["verdict"],
            Words(check["reason"], check["reason_zh"]),
            check["required"],
        )
        for check in kept["checks"]
    ]
    return Judged(one, found, kept["over_db"], kept["amount_twd"])
