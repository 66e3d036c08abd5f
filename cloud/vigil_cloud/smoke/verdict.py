"""What one condition of an alarm means: who is told, how urgently, in which words. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from vigil_cloud.alerts.schema import Severity
from vigil_cloud.alerts.service import Audience
from vigil_schemas.smoke import SmokeAlarm, SmokeAlarmV1

AnyAlarm = SmokeAlarm | SmokeAlarmV1

FIRES: Final = frozenset({"smoke", "heat", "co", "gas"})
"""Conditions in which people are in danger."""
AFTER_TEST: Final = timedelta(seconds=60)
IN_ALL: Final = timedelta(seconds=180)
"""Smoke that lasts longer than its self test by the one, or the other in all, is a fire."""
LONGEST_TEST: Final = timedelta(minutes=10)
"""No test takes so long: a button or a bit is stuck, and smoke is smoke."""
NEIGHBOURS: Final = timedelta(hours=1)
"""A second alarm that began so long ago is no sign of the same fire; its end may be lost."""
RECENT: Final = timedelta(days=1)
"""An old report that is no older than this may well be of a fire that still burns."""
CONFIRMED: Final = "the alarm says so now"
OUTLASTS_TEST: Final = "smoke lasts longer than a self test"
GOES_ON: Final = "smoke goes on after its self test"
SECOND_ALARM: Final = "a second alarm rings"
UNFILED: Final = "everybody is told"
"""Its home could not be asked first."""
TOLD_AGAIN: Final[dict[str, tuple[str, str]]] = {
    "smoke": ("smoke", "煙霧"),
    "heat": ("heat", "高溫"),
    "co": ("carbon monoxide", "一氧化碳"),
    "gas": ("gas", "瓦斯"),
    "density": ("denser smoke", "煙霧變濃"),
    "second_alarm": (SECOND_ALARM, "第二個警報器作響"),
    SECOND_ALARM: (SECOND_ALARM, "第二個警報器作響"),
    CONFIRMED: (CONFIRMED, "警報器已證實"),
    OUTLASTS_TEST: (OUTLASTS_TEST, "煙霧持續時間超過自我測試"),
    GOES_ON: (GOES_ON, "自我測試結束後煙霧仍持續"),
    "times": ("it goes on and off", "警報反覆發生"),
    "no-answer": ("nobody at home has answered, 119 is called", "住戶未回應，已通報 119"),
    "second-alarm": (
        "a second alarm of the home rings, 119 is called",
        "同一住家第二個警報器作響，已通報 119",
    ),
    "hot": ("it gets hot, 119 is called", "出現高溫，已通報 119"),
    "signs": ("several signs of fire agree, 119 is called", "多項火災徵兆相符，已通報 119"),
    "rings-anew": ("it rings anew, 119 is called", "警報器再次作響，已通報 119"),
    "burns": ("it burns, 119 is called", "現場回報失火，已通報 119"),
    "clock": ("119 is called", "已通報 119"),
    UNFILED: ("call 119: the platform could not ask the home", "請撥 119：系統無法先詢問住戶"),
    "leader": ("the control room calls everybody", "勤務中心通報"),
    "home-known": ("it is known whose home it is", "已查明所屬住家"),
    "past": ("it was over before it could be told", "通報前警報已解除"),
    "no-fire": ("There is no fire", "確認無火災"),
    "all-clear": ("The fire is over", "火災已解除"),
}
"""Why people are told again, in both languages; the density's figure stands behind its word, and
behind that which of its rises it is: smoke may rise to one figure twice."""
_TOLD_CHARACTERS: Final = 40

Titles = tuple[str, str]
TITLES: Final[dict[str, Titles]] = {
    "smoke": ("Smoke alarm at {place}", "{place} 火災警報"),
    "heat": ("Heat alarm at {place}", "{place} 高溫警報"),
    "co": ("Carbon monoxide alarm at {place}", "{place} 一氧化碳警報"),
    "gas": ("Gas alarm at {place}", "{place} 瓦斯警報"),
    "unreadable": (
        "Unreadable, possibly a fire, at {place}",
        "{place} 警報器訊號無法判讀，可能是火災",
    ),
    "test": ("Smoke alarm test at {place}", "{place} 警報器測試"),
    "battery_alert": ("Smoke alarm battery low at {place}", "{place} 警報器電池電量不足"),
    "hardware_fault": ("Smoke alarm fault at {place}", "{place} 警報器故障"),
    "tamper": ("Smoke alarm tampered with at {place}", "{place} 警報器遭拆動"),
    "link_lost": ("Smoke alarm out of reach at {place}", "{place} 警報器失去連線"),
    "end_of_service": ("Smoke alarm at its end of life at {place}", "{place} 警報器使用期限已到"),
}
IN_TEST: Final[Titles] = (
    "Self test with smoke at {place}",
    "{place} 警報器自我測試（有煙霧訊號）",
)
UNCONFIRMED: Final[Titles] = (
    "Possible fire at {place}, report of {day}",
    "{place} 可能發生火災（{day_zh}的回報）",
)


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What is known beside the event itself."""

    received: datetime
    testing: bool = False
    """A self test of the same alarm is running."""
    neighbour: bool = False
    """A second alarm behind the same gateway rings."""
    fire_before: bool = False
    """This very condition was told as a fire already: it never becomes less."""
    unconfirmed_before: bool = False
    """It was told as a possible fire, from an old report."""
    others_test: bool = True
    """Others behind the gateway ring as a mere test, as far as is known."""


class Verdict(NamedTuple):
    """``kind`` is what the alert is listed under; ``test`` has every message begin with TEST."""

    kind: str
    titles: Titles
    severity: Severity
    audience: Audience
    in_test: bool = False
    tell_again: str | None = None


def judged(event: AnyAlarm, around: Circumstances) -> Verdict:
    """What an active condition means. Where it can be read in two ways, the more dangerous."""
    condition = event.condition
    if condition == "unreadable":
        return Verdict(condition, TITLES[condition], "major", "home-and-maintainers")
    if condition == "test":
        return Verdict(condition, TITLES[condition], "minor", "home")
    if condition not in FIRES:
        return Verdict(condition, TITLES[condition], "minor", "all")
    if not around.fire_before and _comes_with_a_test(event, around):
        return Verdict("test", IN_TEST, "minor", "home", in_test=True)
    reported = event.unconfirmed_since if isinstance(event, SmokeAlarm) else None
    if not around.fire_before and reported is not None:
        severity: Severity = "critical" if around.received - reported <= RECENT else "major"
        return Verdict(condition, UNCONFIRMED, severity, "all")
    again = _signs(event) or (CONFIRMED if around.unconfirmed_before else None)
    return Verdict(condition, TITLES[condition], "critical", "all", tell_again=again)


def _comes_with_a_test(event: AnyAlarm, around: Circumstances) -> bool:
    if event.condition == "heat" or around.neighbour:
        return False
    if isinstance(event, SmokeAlarmV1):  # its gateway cannot say so itself
        return around.testing
    return event.during_test and not {"heat", "second_alarm"} & set(event.signs)


def _signs(event: AnyAlarm) -> str | None:
    if isinstance(event, SmokeAlarmV1) or not event.signs:
        return None
    told = ", ".join(event.signs)
    if "density" in event.signs and event.smoke_density is not None:
        again = f" #{event.rises}" if event.rises is not None and event.rises > 1 else ""
        told = told.replace("density", f"density {event.smoke_density:g}{again}")
    return told[:_TOLD_CHARACTERS]


def outlasted(heard: datetime, test_over: datetime | None, now: datetime) -> str | None:
    """Why smoke that came with a self test is a fire after all, or ``None`` while it is not."""
    if now - heard >= IN_ALL:
        return OUTLASTS_TEST
    if test_over is not None and now - max(test_over, heard) >= AFTER_TEST:
        return GOES_ON
    return None
