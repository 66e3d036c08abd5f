"""A pressed button's case: what was done, how it ended."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from sqlalchemy import select

from vigil_cloud.aed.calls import GIVEN_BACK, callouts
from vigil_cloud.aed.models import AedCallRow
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
from vigil_cloud.city_time import city_stamp
from vigil_cloud.emergency.models import EmergencyCall
from vigil_cloud.identity.roles import Role
from vigil_schemas.aed import DOMAIN
from vigil_schemas.types import isoformat_utc

_LEADS: Final = frozenset({Role.DISPATCHER, Role.ADMINISTRATOR})


def sections(facts: Facts) -> Iterator[Section]:
    """One for each call: when what happened, and who came. Volunteers by number, not by name."""
    ids = [alert.id for alert in facts.alerts]
    query = select(AedCallRow).where(AedCallRow.alert_id.in_(ids)).order_by(AedCallRow.received)
    for call in facts.session.scalars(query) if ids else ():
        emergency = facts.session.get(EmergencyCall, f"aed:{call.id}")
        known = callouts(facts.session, call.id)
        accepted = [
            one for one in known if one.answered is not None and one.state not in GIVEN_BACK
        ]
        released = sum(one.state == "released" for one in known)
        arrived = sorted(one.arrived for one in known if one.arrived is not None)
        answered = None if emergency is None else emergency.answered
        yield Section(
            code="aed-call",
            words=Words("Call", "求救紀錄"),
            facts=[
                Fact(Words("Pressed", "按下時間"), city_stamp(call.pressed)),
                Fact(Words("Presses", "按壓次數"), str(call.presses)),
                Fact(Words("119 answered", "119 回覆"), city_stamp(answered)),
                Fact(Words("Volunteers called", "召集志工"), str(len(known))),
                Fact(Words("Accepted", "接受"), str(len(accepted))),
                *_released(released),
                Fact(
                    Words("First at the patient", "最先到達"),
                    city_stamp(min(arrived, default=None)),
                ),
            ],
            data={
                "device": call.device,
                "site": call.site,
                "pressed": isoformat_utc(call.pressed),
                "presses": call.presses,
                "emergency_answered": None if answered is None else isoformat_utc(answered),
                "called": len(known),
                "accepted": len(accepted),
                "released": released,
                "arrived": [isoformat_utc(one) for one in arrived],
            },
        )


def _released(number: int) -> Iterator[Fact]:
    if number:
        words = Words("Could not come any more (account closed or limited)", "帳號停用或受限而解除")
        yield Fact(words, str(number))


def call_case() -> CaseKind:
    """Opened by the platform with the call; decided and closed by the dispatcher."""
    return CaseKind(
        name="aed-call",
        domain=DOMAIN,
        words=Words("AED call", "AED 求救案件"),
        rule=OneDecides(),
        outcomes=(
            Outcome("rosc", Words("Pulse is back", "恢復自發循環"), follows=False),
            Outcome("transported", Words("Taken to hospital", "送醫急救中"), follows=False),
            Outcome("died", Words("Died", "死亡"), follows=False),
            Outcome("no-arrest", Words("No cardiac arrest", "非心跳停止"), follows=False),
            Outcome("false-alarm", Words("Nobody needed help", "誤報"), follows=False),
        ),
        resolutions=(
            Choice(
                "aed-back", Words("AED ready again, volunteers thanked", "AED 已復位並致謝志工")
            ),
            Choice("aed-replaced", Words("AED or pads replaced", "已更換 AED 或貼片")),
            Choice("filed", Words("Filed", "存查")),
        ),
        rights={
            "open": _LEADS,
            "take": _LEADS,
            "assign": _LEADS,
            "decide": _LEADS,
            "close": _LEADS,
            "reopen": _LEADS,
            "note": _LEADS,
            "photograph": _LEADS,
            "deadline": _LEADS,
            "alert": _LEADS,
            "dossier": _LEADS,
        },
        sees=_LEADS,
        alert_domains=frozenset({DOMAIN}),
        deadlines=(
            DeadlineRule(
                "ready-again",
                Words("AED ready again", "AED 復位"),
                timedelta(hours=24),
                frozenset({"close"}),
                timedelta(hours=4),
            ),
        ),
        kept_for=timedelta(days=3650),
        sections=lambda facts: list(sections(facts)),
    )
