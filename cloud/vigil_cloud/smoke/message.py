"""What the emergency line is told of a fire, in CAP 1.2."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from vigil_cloud.city_time import CITY_ZONE
from vigil_cloud.emergency.cap import CapMessage, CapText, Status
from vigil_cloud.smoke import hydrants
from vigil_cloud.smoke.decision import State
from vigil_cloud.smoke.grade import Ground, graded
from vigil_cloud.smoke.homes import Particulars
from vigil_cloud.smoke.hydrants import Near
from vigil_cloud.smoke.models import Fire

CONDITIONS: Final[dict[str, tuple[str, str]]] = {
    "smoke": ("smoke", "煙霧"),
    "heat": ("heat", "高溫"),
    "co": ("carbon monoxide", "一氧化碳"),
    "gas": ("gas", "瓦斯"),
}
REASONS: Final[dict[str, tuple[str, str]]] = {
    "no-answer": ("nobody at home has answered", "住戶未回應"),
    "second-alarm": ("a second alarm of the home rings", "同一住家第二個警報器作響"),
    "heat": ("heat has joined the smoke", "煙霧並伴隨高溫"),
    "signs": ("several signs of fire agree", "多項火災徵兆相符"),
    "rings-anew": ("an alarm rings anew", "警報器再次作響"),
    "burns": ("somebody there says that it burns", "現場人員回報失火"),
    "clock": ("the clock was set back while the home was asked", "詢問住戶期間系統時鐘倒退"),
    "leader": ("called by the control room", "由勤務中心通報"),
}
ELSEWHERE: Final = (
    "It was told of before without this address; that call stands as well.",
    "先前通報時未載明此地址；先前之通報仍然有效。",
)


GROUNDS: Final[dict[Ground, tuple[str, str]]] = {
    "single-alarm": ("an alarm rings", "警報器作響"),
    "second-alarm": ("a second alarm of the home", "同一住家第二個警報器"),
    "heat": ("heat", "高溫"),
    "carbon-monoxide": ("carbon monoxide", "一氧化碳"),
    "gas": ("gas", "瓦斯"),
    "density": ("denser smoke", "煙霧變濃"),
    "said-to-burn": ("somebody there says so", "現場人員回報"),
    "no-answer": ("nobody answered", "住戶未回應"),
    "lasting": ("it lasts", "持續作響"),
    "night": ("at night", "夜間"),
    "fires-before": ("an earlier fire there", "曾有火災"),
    "cooking-hour": ("an hour of cooking", "用餐時段"),
    "kitchen": ("in a kitchen", "位於廚房"),
    "nuisance-before": ("earlier alarms there were none", "曾有非火災警報"),
    "short": ("it fell silent within a minute", "一分鐘內停止"),
    "fell-silent": ("it fell silent", "已停止作響"),
    "taken-back": ("taken back", "已取消"),
}


LEAST_TOLD: Final = 0.5
"""Of grades in what 119 is told."""


@dataclass(frozen=True, slots=True)
class Home:
    """Where it is and what is known of it."""

    name: str
    address: str
    latitude: float | None
    longitude: float | None
    known: Particulars
    water: Sequence[Near] = ()
    """The nearest hydrants."""


def alert(row: Fire, state: State, home: Home, sender: str, status: Status) -> CapMessage:
    """That it burns. One identifier for each call of one fire."""
    return CapMessage(
        identifier=identifier(row.id, state.calls),
        sender=sender,
        sent=state.called or row.opened,
        status=status,
        category="Fire",
        texts=(_chinese(row, state, home), _english(row, state, home)),
        latitude=home.latitude,
        longitude=home.longitude,
        certainty="Observed" if state.confirmed or state.burns else "Likely",
    )


@dataclass(frozen=True, slots=True)
class Told:
    """A call of before."""

    identifier: str
    sender: str
    sent: datetime
    status: Status


def cancel(row: Fire, told: Told, home: Home, now: datetime) -> CapMessage:
    """That it does not. It names the identifier, the sender and the time of the call."""
    of = CapMessage(told.identifier, told.sender, told.sent, told.status, "Fire", ())
    place, place_zh = _place(row, home)
    return CapMessage(
        identifier=f"{of.identifier}-cancel",
        sender=told.sender,
        sent=now,
        status=told.status,
        category="Fire",
        texts=(
            CapText(
                "zh-TW",
                "住宅火警取消",
                f"{place_zh} 火警取消",
                "確認無火災。",
                "無須出動。",
                place_zh,
            ),
            CapText(
                "en",
                "Fire alarm cancelled",
                f"No fire at {place}",
                "It was found that there is no fire.",
                "Nobody needs to come.",
                place,
            ),
        ),
        latitude=home.latitude,
        longitude=home.longitude,
        certainty="Unlikely",
        takes_back=of.reference,
    )


def identifier(fire: str, call: int) -> str:
    """Of one call."""
    return f"fire-{fire}-{call}"


def _chinese(row: Fire, state: State, home: Home) -> CapText:
    place = _place(row, home)[1]
    what = "、".join(CONDITIONS.get(one.condition, (one.condition,) * 2)[1] for one in state.alarms)
    why = REASONS[state.reason or "leader"][1]
    lines = [
        f"{_clock(state)}（UTC+8）住宅用警報器作響（{what}），{why}。",
        ELSEWHERE[1] if state.addresses > 1 and state.calls > 1 else "",
        _graded(state, 1),
        home.known.floor and f"樓層：{home.known.floor}。",
        *(f"需協助者：{one.name}（{one.need}）。" for one in home.known.needs_help),
        *(f"聯絡人：{one.name} {one.phone}。" for one in home.known.contacts),
        home.known.keys and f"進入方式：{home.known.keys}。",
        hydrants.said(home.water, 1),
    ]
    return CapText(
        "zh-TW",
        "住宅火警",
        f"{place} 住宅火警",
        "\n".join(line for line in lines if line),
        "請派遣消防車。",
        place,
    )


def _english(row: Fire, state: State, home: Home) -> CapText:
    place = _place(row, home)[0]
    what = ", ".join(CONDITIONS.get(one.condition, (one.condition,) * 2)[0] for one in state.alarms)
    lines = [
        f"{_clock(state)} (UTC+8): alarms of the home ring ({what});"
        f" {REASONS[state.reason or 'leader'][0]}.",
        ELSEWHERE[0] if state.addresses > 1 and state.calls > 1 else "",
        _graded(state, 0),
        home.known.floor and f"Floor: {home.known.floor}.",
        *(f"Needs help: {one.name} ({one.need})." for one in home.known.needs_help),
        *(f"Contact: {one.name} {one.phone}." for one in home.known.contacts),
        home.known.keys and f"Way in: {home.known.keys}.",
        hydrants.said(home.water, 0),
    ]
    return CapText(
        "en",
        "Fire in a home",
        f"Fire alarm at {place}",
        "\n".join(line for line in lines if line),
        "Send the fire brigade.",
        place,
    )


def _graded(state: State, language: int) -> str:
    """As it was when 119 was called: the same text each time that this call is sent. A low grade is
    not told: it is no measured probability, and nobody shall come slower for it."""
    grade = graded(state, state.called or state.opened)
    if grade.probability < LEAST_TOLD:
        return ""
    words = [GROUNDS[ground][language] for ground in grade.grounds if ground != "single-alarm"]
    percent = f"{100 * grade.probability:.0f} %"
    if language:
        return f"研判火災可能性 {percent}" + (f"（{'、'.join(words)}）。" if words else "。")
    return f"Grade: {percent} likely to burn" + (f" ({', '.join(words)})." if words else ".")


def _place(row: Fire, home: Home) -> tuple[str, str]:
    """The address where it is known; else what the gateway calls the place."""
    if home.address:
        return home.address, home.address
    return row.place, row.place_zh


def _clock(state: State) -> str:
    return f"{state.alarms[0].began.astimezone(CITY_ZONE):%Y-%m-%d %H:%M:%S}"
