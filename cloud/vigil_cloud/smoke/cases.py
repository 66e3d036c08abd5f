"""A fire's case: what rang, who was called, what it was."""

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
    Happened,
    Outcome,
    Section,
    Words,
)
from vigil_cloud.cases.rules import OneDecides
from vigil_cloud.city_time import city_stamp
from vigil_cloud.emergency.service import calls_of
from vigil_cloud.identity.roles import Role
from vigil_cloud.smoke import fires
from vigil_cloud.smoke.models import Fire
from vigil_schemas.smoke import DOMAIN
from vigil_schemas.types import isoformat_utc

LEADS: Final = frozenset({Role.DISPATCHER, Role.ADMINISTRATOR})
KIND: Final = "fire"
FILED: Final = "filed"
CAUSES: Final = {
    "fire": Words("Fire", "火災"),
    "cooking": Words("Cooking", "烹飪"),
    "steam": Words("Steam", "水蒸氣"),
    "test": Words("Test", "測試"),
    "fault": Words("Fault of the alarm", "警報器故障"),
}


def sections(facts: Facts) -> Iterator[Section]:
    """One for each fire of the case. Nobody is named: who lives there stands nowhere here."""
    query = select(Fire).where(Fire.case_id == facts.case.id).order_by(Fire.opened)
    for row in facts.session.scalars(query):
        state = fires.state_of(row)
        calls = calls_of(facts.session, f"smoke:{row.id}:")
        answered = min((one.answered for one in calls if one.answered is not None), default=None)
        yield Section(
            code="fire",
            words=Words("Fire call", "火警紀錄"),
            facts=[
                Fact(Words("First alarm", "第一個警報"), city_stamp(row.opened)),
                Fact(Words("Alarms", "警報數"), str(len(state.alarms))),
                Fact(Words("119 called", "通報 119"), city_stamp(state.called)),
                Fact(Words("119 answered", "119 回覆"), city_stamp(answered)),
                Fact(Words("Acknowledged", "受理"), city_stamp(state.acknowledged)),
                Fact(Words("Arrived", "到場"), city_stamp(state.arrived)),
            ],
            data={
                "fire": row.id,
                "opened": isoformat_utc(row.opened),
                "alarms": [one.device for one in state.alarms],
                "reason": state.reason,
                "confirmed": state.confirmed,
                "calls": state.calls,
                "taken_back": state.taken_back,
                "cause": state.cause,
            },
        )


def _happened(happened: Happened) -> None:
    """What the case says that it was, the fire says as well."""
    if happened.action != "decided" or happened.case.outcome is None:
        return
    outcome = happened.case.outcome
    query = select(Fire).where(Fire.case_id == happened.case.id)
    for row in happened.session.scalars(query):
        if outcome != fires.state_of(row).cause:
            who = happened.account or "platform"
            fires.led(happened.session, row, "cause", who, happened.now, outcome)


def _bar(facts: Facts, _outcome: str) -> Words | None:
    """People are still called to it."""
    query = select(Fire.phase).where(Fire.case_id == facts.case.id)
    if any(phase not in {"over", "false-alarm"} for phase in facts.session.scalars(query)):
        return Words(
            "The fire is not over yet: give the all-clear first.", "火警尚未解除，請先解除。"
        )
    return None


def fire_case() -> CaseKind:
    """Opened by the platform as 119 is called; decided and closed by the dispatcher."""
    return CaseKind(
        name=KIND,
        domain=DOMAIN,
        words=Words("Fire", "火警案件"),
        rule=OneDecides(),
        outcomes=tuple(Outcome(code, words, follows=False) for code, words in CAUSES.items()),
        resolutions=(
            Choice(FILED, Words("Filed", "存查")),
            Choice("alarm-replaced", Words("Alarm replaced", "已更換警報器")),
            Choice("advice-given", Words("Advice given to the home", "已向住戶宣導")),
        ),
        rights={
            "open": LEADS,
            "take": LEADS,
            "assign": LEADS,
            "decide": LEADS,
            "close": LEADS,
            "reopen": LEADS,
            "note": LEADS,
            "photograph": LEADS,
            "deadline": LEADS,
            "alert": LEADS,
            "dossier": LEADS,
        },
        sees=LEADS,
        alert_domains=frozenset({DOMAIN}),
        deadlines=(
            DeadlineRule(
                "cause",
                Words("Cause recorded", "登錄原因"),
                timedelta(hours=24),
                frozenset({"close"}),
                timedelta(hours=4),
            ),
        ),
        kept_for=timedelta(days=3650),
        sections=lambda facts: list(sections(facts)),
        bar=_bar,
        happened=_happened,
    )
