"""Noise: an exceedance becomes a case that two reviewers decide, blind to each other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Final

from sqlalchemy import select

from vigil_cloud.cases.port import (
    CaseKind,
    Choice,
    DeadlineRule,
    Fact,
    Facts,
    Outcome,
    Section,
    Words,
)
from vigil_cloud.cases.rules import TwoAgree
from vigil_cloud.identity.roles import Role
from vigil_cloud.noise.models import Exceedance
from vigil_schemas.noise import DOMAIN
from vigil_schemas.types import isoformat_utc

FINE: Final = "fine"
_PREPARES: Final = frozenset({Role.INSPECTOR, Role.REVIEWER})
_LEADS: Final = frozenset({Role.INSPECTOR, Role.REVIEWER, Role.ADMINISTRATOR})
_REVIEWS: Final = frozenset({Role.REVIEWER})


def _exceedances(facts: Facts) -> Sequence[Exceedance]:
    ids = [alert.id for alert in facts.alerts]
    query = select(Exceedance).where(Exceedance.alert_id.in_(ids)).order_by(Exceedance.started)
    return facts.session.scalars(query).all() if ids else ()


def sections(facts: Facts) -> Iterator[Section]:
    """One for each measurement."""
    for found in _exceedances(facts):
        yield Section(
            code="exceedance",
            words=Words("Measurement", "量測紀錄"),
            facts=[
                Fact(Words("LAFmax", "最大噪音量 LAFmax"), f"{found.LAFmax:.1f} dB"),
                Fact(Words("Threshold", "門檻"), f"{found.threshold_db:.1f} dB"),
                Fact(Words("LAE", "音暴露位準 LAE"), f"{found.LAE:.1f} dB"),
                Fact(
                    Words("Background", "背景噪音"),
                    "–" if found.background_db is None else f"{found.background_db:.1f} dB",
                ),
                Fact(Words("Calibrated", "已校正"), *_truth(found.calibrated)),
                Fact(Words("Overload", "過載"), *_truth(found.overload)),
                Fact(
                    Words("Clock", "時鐘"),
                    "doubtful" if found.time_quality else "trusted",
                    "可疑" if found.time_quality else "可信",
                ),
            ],
            data={
                "device": found.device,
                "started": isoformat_utc(found.started),
                "ended": isoformat_utc(found.ended),
                "LAFmax": found.LAFmax,
                "LAE": found.LAE,
                "threshold_db": found.threshold_db,
                "background_db": found.background_db,
                "calibrated": found.calibrated,
                "overload": found.overload,
                "time_quality": found.time_quality,
                "evidence_sha256": found.evidence_sha256,
            },
        )


def _truth(value: bool) -> tuple[str, str]:
    return ("yes", "是") if value else ("no", "否")


def bar(facts: Facts, outcome: str) -> Words | None:
    """No fine rests on a measurement that proves nothing."""
    if outcome != FINE:
        return None
    found = _exceedances(facts)
    if not found:
        return Words("No measurement belongs to this case.", "本案沒有量測紀錄。")
    if any(one.overload for one in found):
        return Words("The microphone was overloaded.", "麥克風過載。")
    if not all(one.calibrated for one in found):
        return Words("The microphone was not calibrated.", "麥克風未經校正。")
    if any(one.time_quality for one in found):
        return Words("The device's clock could not be believed.", "裝置的時鐘不可信。")
    return None


def exceedance_case() -> CaseKind:
    """Opened by an inspector, decided by two reviewers, a third where they differ."""
    return CaseKind(
        name="noise-exceedance",
        domain=DOMAIN,
        words=Words("Noise exceedance", "噪音超標案件"),
        rule=TwoAgree(),
        outcomes=(
            Outcome(FINE, Words("Violation: fine", "違規：裁罰"), fined=True),
            Outcome("dismissed", Words("No violation", "未違規"), follows=False),
            Outcome("unreadable", Words("Plate unreadable", "車牌無法辨識"), follows=False),
            Outcome("not-admissible", Words("Not admissible", "不得作為證據"), follows=False),
        ),
        resolutions=(
            Choice("paid", Words("Paid", "已繳納")),
            Choice("revoked", Words("Revoked", "已撤銷")),
            Choice("filed", Words("Filed without consequence", "存查")),
        ),
        rights={
            "open": _PREPARES,
            "take": _LEADS,
            "assign": _LEADS,
            "decide": _REVIEWS,
            "refer": _REVIEWS,
            "close": _LEADS,
            "appeal": _LEADS,
            "reopen": _REVIEWS,
            "note": _LEADS,
            "photograph": _PREPARES,
            "deadline": _LEADS,
            "alert": _PREPARES,
            "dossier": _LEADS,
        },
        sees=_LEADS,
        alert_domains=frozenset({DOMAIN}),
        deadlines=(
            DeadlineRule(
                "decide",
                Words("Decide", "作成審查決定"),
                timedelta(days=30),
                frozenset({"decide"}),
                timedelta(days=5),
            ),
        ),
        kept_for=timedelta(days=3650),
        sections=lambda facts: list(sections(facts)),
        bar=bar,
    )
