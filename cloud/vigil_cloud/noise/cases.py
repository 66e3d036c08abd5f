"""Noise: an exceedance becomes a case that two reviewers decide, blind to each other."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from vigil_cloud.cases.port import (
    CaseKind,
    Choice,
    DeadlineRule,
    Entry,
    Fact,
    Facts,
    Outcome,
    PackagePage,
    Section,
    Words,
)
from vigil_cloud.cases.rules import TwoAgree
from vigil_cloud.identity.roles import Role
from vigil_cloud.noise import findings, passage_page, plates, two_cameras
from vigil_cloud.noise.judging import (
    FINE,
    PLATE,
    Judged,
    amount,
    bar,
    happened,
    judged,
    plates_read,
)
from vigil_schemas.noise import DOMAIN
from vigil_schemas.types import isoformat_utc

_PREPARES: Final = frozenset({Role.INSPECTOR, Role.REVIEWER})
_LEADS: Final = frozenset({Role.INSPECTOR, Role.REVIEWER, Role.ADMINISTRATOR})
_REVIEWS: Final = frozenset({Role.REVIEWER})
_SEES_PLATES: Final = frozenset({Role.INSPECTOR, Role.REVIEWER})


def sections(facts: Facts) -> Iterator[Section]:
    """For each measurement, what was measured and what each check says."""
    for one in judged(facts):
        yield _measurement(one)
        yield _checks(one)


def _measurement(one: Judged) -> Section:
    found = one.exceedance
    return Section(
        code="exceedance",
        words=Words("Measurement", "量測紀錄"),
        facts=[
            Fact(Words("LAFmax", "最大噪音量 LAFmax"), f"{found.LAFmax:.1f} dB"),
            Fact(
                Words("Above the limit", "超過管制值"),
                "–" if one.over_db is None else f"{one.over_db:+.1f} dB",
            ),
            Fact(Words("Threshold", "門檻"), f"{found.threshold_db:.1f} dB"),
            Fact(Words("LAE", "音暴露位準 LAE"), f"{found.LAE:.1f} dB"),
            Fact(
                Words("Background", "背景噪音"),
                "–" if found.background_db is None else f"{found.background_db:.1f} dB",
            ),
            *two_cameras.facts(findings.read(found.findings)),
        ],
        data={
            "device": found.device,
            "started": isoformat_utc(found.started),
            "ended": isoformat_utc(found.ended),
            "LAFmax": found.LAFmax,
            "LAE": found.LAE,
            "threshold_db": found.threshold_db,
            "over_db": one.over_db,
            "background_db": found.background_db,
            "calibrated": found.calibrated,
            "overload": found.overload,
            "time_quality": found.time_quality,
            "clock_quality": found.clock_quality,
            "wind_m_s": found.wind_m_s,
            "rain": found.rain,
            "bearing_deg": found.bearing_deg,
            "evidence_sha256": found.evidence_sha256,
        },
    )


def _checks(one: Judged) -> Section:
    return Section(
        code="checks",
        words=Words("Checks", "採證查核"),
        facts=[
            Fact(check.words, check.reason.english, check.reason.chinese, check.verdict)
            for check in one.checks
        ],
        data={
            "checks": [
                {"code": check.code, "verdict": check.verdict, "required": check.required}
                for check in one.checks
            ]
        },
    )


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
        entries=(
            Entry(
                code=PLATE,
                words=Words("Licence plate as you read it", "車牌（審查人判讀）"),
                outcomes=frozenset({FINE}),
                seen_by=_SEES_PLATES,
                form=plates.normal,
                read=plates_read,
            ),
        ),
        amount=amount,
        page=PackagePage(passage_page.wanted, passage_page.render),
        happened=happened,
    )
