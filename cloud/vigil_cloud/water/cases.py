"""Water: an excursion becomes an inspection: somebody goes there, looks, photographs and notes."""

from __future__ import annotations

from collections.abc import Iterator
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
from vigil_cloud.cases.rules import OneDecides
from vigil_cloud.identity.roles import Role
from vigil_cloud.water import site
from vigil_cloud.water.models import Excursion
from vigil_cloud.water.titles import PARAMETERS, shown
from vigil_schemas.types import isoformat_utc
from vigil_schemas.water import DOMAIN

_INSPECTS: Final = frozenset({Role.INSPECTOR})
_LEADS: Final = frozenset({Role.INSPECTOR, Role.ADMINISTRATOR})


def sections(facts: Facts) -> Iterator[Section]:
    """One for each parameter that left its bounds, and one of what was brought from the site."""
    ids = [alert.id for alert in facts.alerts]
    query = select(Excursion).where(Excursion.alert_id.in_(ids)).order_by(Excursion.started)
    for found in facts.session.scalars(query) if ids else ():
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
            ],
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
            },
        )
    yield from site.section(facts.session, facts.case.id)


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
    )
