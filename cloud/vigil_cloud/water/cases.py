"""Water: an excursion becomes an inspection: somebody goes there, looks, photographs and notes.

What was read stands beside what it is without fouling and drift.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
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
from vigil_cloud.cases.rules import OneDecides
from vigil_cloud.city_time import CITY_ZONE
from vigil_cloud.identity.roles import Role
from vigil_cloud.water import case_records, site, visits
from vigil_cloud.water.models import Excursion
from vigil_cloud.water.titles import PARAMETERS, shown
from vigil_schemas.recordings.corrections import CRITERIA, Visit
from vigil_schemas.types import isoformat_utc
from vigil_schemas.water import DOMAIN

_INSPECTS: Final = frozenset({Role.INSPECTOR})
_LEADS: Final = frozenset({Role.INSPECTOR, Role.ADMINISTRATOR})


def sections(facts: Facts) -> Iterator[Section]:
    """One for each parameter that left its bounds, and one of what was brought from the site."""
    ids = [alert.id for alert in facts.alerts]
    query = select(Excursion).where(Excursion.alert_id.in_(ids)).order_by(Excursion.started)
    all_of = facts.session.scalars(query).all() if ids else []
    rows = visits.rows_of(facts.session, {one.device for one in all_of}) if all_of else ()
    known = visits.by_parameter(rows)
    for found in all_of:
        chain = known.get((found.device, found.parameter), [])
        corrected = _corrected(found, chain)
        name, name_zh = PARAMETERS.get(found.parameter, (found.parameter, found.parameter))
        values = (
            (Words("Limit", "限值"), found.limit),
            (Words("At the onset", "超限起始值"), found.onset_value),
            (Words("Most extreme", "極值"), found.extreme_value),
        )
        yield Section(
            code="excursion",
            words=Words(f"Excursion: {name}", f"水質異常：{name_zh}"),
            facts=[
                Fact(words, shown(value, found.parameter, found.unit))
                for words, value in values
                if value is not None
            ]
            + _calibration(found, chain, corrected),
            data={
                "device": found.device,
                "parameter": found.parameter,
                "unit": found.unit,
                "kind": found.kind,
                "limit": found.limit,
                "onset_value": found.onset_value,
                "extreme_value": found.extreme_value,
                "started": isoformat_utc(found.started),
                "ended": None if found.ended is None else isoformat_utc(found.ended),
                "onset_corrected": None if corrected is None else corrected.value,
                "corrected_by": None if corrected is None else isoformat_utc(corrected.visit),
            },
        )
    yield from site.section(facts.session, facts.case.id)


def _corrected(found: Excursion, chain: Sequence[Visit]) -> visits.Corrected | None:
    if found.onset_value is None or not chain:
        return None
    return visits.corrected(chain, found.parameter, found.started, found.onset_value)


def _calibration(
    found: Excursion, chain: Sequence[Visit], corrected: visits.Corrected | None
) -> list[Fact]:
    """When the sensor was last looked after before, and what the visit after it makes of the onset.
    That there was none is said."""
    if found.parameter not in CRITERIA:
        return []
    before = [one.time for one in chain if one.time <= found.started.timestamp()]
    facts = [
        Fact(
            Words("Last visit before", "前次保養校正"),
            _moment(before[-1]) if before else "none registered",
            "" if before else "無紀錄",
        )
    ]
    words = Words("Onset, corrected (TM1-D3)", "超限起始值（校正後）")
    if corrected is not None:
        value = shown(corrected.value, found.parameter, found.unit)
        by = _moment(corrected.visit.timestamp())
        facts.append(Fact(words, f"{value} (visit of {by})", f"{value}（依 {by} 保養）"))
    else:
        none = "not between two visits: as it was read"
        facts.append(Fact(words, none, "前後無兩次保養紀錄，未校正"))
    return facts


def _moment(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, CITY_ZONE):%Y-%m-%d %H:%M}"


def inspection() -> CaseKind:
    """Opened and decided by an inspector; a fine is the authority's own matter afterwards."""
    return CaseKind(
        name=site.KIND,
        domain=DOMAIN,
        words=Words("Water inspection", "水質稽查案件"),
        rule=OneDecides(),
        outcomes=(
            Outcome("fine", Words("Discharge found: fine", "查獲排放：裁罰"), fined=True),
            Outcome("source-found", Words("Source found, no fine", "查獲來源，未裁罰")),
            Outcome("not-found", Words("No source found", "未查獲來源"), follows=False),
            Outcome("sensor-fault", Words("Sensor fault", "感測器故障"), follows=False),
            Outcome("natural", Words("Rain, tide, irrigation", "降雨、潮汐或灌溉"), follows=False),
        ),
        resolutions=(
            Choice("paid", Words("Paid", "已繳納")),
            Choice("mended", Words("Mended on site", "已改善")),
            Choice("revoked", Words("Revoked", "已撤銷")),
            Choice("filed", Words("Filed without consequence", "存查")),
        ),
        rights={
            "open": _INSPECTS,
            "take": _INSPECTS,
            "assign": _LEADS,
            "decide": _INSPECTS,
            "refer": _INSPECTS,
            "close": _LEADS,
            "appeal": _LEADS,
            "reopen": _LEADS,
            "note": _LEADS,
            "photograph": _INSPECTS,
            "deadline": _LEADS,
            "alert": _INSPECTS,
            "dossier": _LEADS,
        },
        sees=_LEADS,
        alert_domains=frozenset({DOMAIN}),
        by_hand=True,
        deadlines=(
            DeadlineRule(
                "visit",
                Words("Visit the site", "現場稽查"),
                timedelta(hours=24),
                frozenset({"decide"}),
                timedelta(hours=4),
            ),
        ),
        kept_for=timedelta(days=3650),
        sections=lambda facts: list(sections(facts)),
        records=case_records.records,
    )
