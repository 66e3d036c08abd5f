"""What people read of a rule that came to hold, in both languages."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from vigil_cloud.alerts.places import Place
from vigil_cloud.checkin.models import Visit
from vigil_cloud.checkin.rule_kinds import (
    AmuletSilent,
    AtNight,
    BatteryLow,
    LeftZone,
    Rule,
    Unseen,
    Unusual,
)
from vigil_cloud.city_time import city_clock

DOUBTFUL: Final = (" (doubtful: perhaps a copy of the amulet)", "（可疑，可能是複製的平安符）")
"""Behind every title of a visit that may not be theirs."""


def titles_of(
    rule: Rule, visit: Visit | None, place: Place, now: datetime, *, stale: bool
) -> tuple[str, str]:
    """``stale``: the sign it rests on says nothing of now, so that its time is said."""
    if visit is None:
        return _of_nobody_heard(rule)
    title, title_zh = _titles(rule, place)
    if stale:
        at = city_clock(visit.last_seen, now)
        title, title_zh = f"{title} (last sign {at})", f"{title_zh}（最後訊號 {at}）"
    if visit.doubt is not None:
        title, title_zh = title + DOUBTFUL[0], title_zh + DOUBTFUL[1]
    return title, title_zh


def _of_nobody_heard(rule: Rule) -> tuple[str, str]:
    hours = getattr(rule, "hours", 0)
    if isinstance(rule, AmuletSilent):
        return (
            f"No station has ever heard the amulet of {{person}}, for {hours} hours now",
            f"{{person}} 的平安符 {hours} 小時以來從未有任何站點收到訊號",
        )
    return (
        f"{{person}} was not seen by any station yet, for {hours} hours now",
        f"{{person}} {hours} 小時以來從未在任何站點出現",
    )


def _titles(rule: Rule, place: Place) -> tuple[str, str]:
    here, here_zh = place.name, place.name_zh
    match rule:
        case Unseen():
            return (
                f"{{person}} was not seen for {rule.hours} hours, last at {here}",
                f"{{person}} 已 {rule.hours} 小時未出現，最後在 {here_zh}",
            )
        case LeftZone():
            return (
                f"{{person}} is outside of the safe area, at {here}",
                f"{{person}} 離開安全範圍，在 {here_zh}",
            )
        case AtNight():
            return (f"{{person}} is out at night, at {here}", f"{{person}} 深夜外出，在 {here_zh}")
        case Unusual():
            return (
                f"{{person}} is at an unusual place: {here}",
                f"{{person}} 在平常不去的地點：{here_zh}",
            )
        case AmuletSilent():
            return (
                f"The amulet of {{person}} was not heard for {rule.hours} hours",
                f"{{person}} 的平安符已 {rule.hours} 小時無訊號",
            )
        case BatteryLow():
            return (
                "The battery of {person}'s amulet is low",
                "{person} 的平安符電量低",
            )
        case _:
            return (
                "The amulet of {person} does not move: is it worn?",
                "{person} 的平安符一直沒有移動，是否戴在身上？",
            )
