"""Whole labels in Chinese on a fire key, traditional and simplified. Pure.

Chinese sets no blanks between words, and one character turns a label round (未觸發, 無法解除警報):
a label is read where all of it is known, and else cannot be read.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, Literal

Said = Literal["fire", "clear", "muted", "test", "unknown"]
Kind = Literal["smoke", "heat", "co", "gas"]

_SMOKE: Final = "濃煙|浓烟|煙霧|烟雾|煙|烟|火焰|火災|火灾|火情|火警"
_SMOKE_DEVICE: Final = "偵煙|侦烟|感煙|感烟|煙感|烟感|住警器"
_CO: Final = "一氧化碳"
_GAS: Final = "瓦斯|燃氣|燃气|可燃氣體|可燃气体|天然氣|天然气|氣體|气体"
_HEAT: Final = "高溫|高温|過熱|过热"
_HEAT_DEVICE: Final = "偵熱|侦热|感溫|感温|溫感|温感"
_KIND: Final = f"(?:{_SMOKE}|{_CO}|{_GAS}|{_HEAT})"
_NAMED: Final = f"(?:{_KIND}|{_SMOKE_DEVICE}|{_HEAT_DEVICE})"
"""A device's name alone is no fire, and 無偵煙 none either: 偵煙警報 is one."""
_ALARM: Final = "(?:警報|警报|報警|报警|告警|火警)"
_FOUND: Final = "(?:偵測到|侦测到|檢測到|检测到|感測到|发现|發現|測到|测到)"
_NO: Final = "(?:無|无|沒有|没有|沒|没)"
_STATE: Final = "(?:狀態|状态|目前|現在|现在)?"
_GOES_ON: Final = "(?:中|觸發|触发|響起|响起|發生|发生|啟動|启动|動作|动作)?"

_WORDS: Final[tuple[tuple[Said, str], ...]] = (
    # The alarm is over, said whole: 「解除警報」 is what the button that silences it is called,
    # 「解除」 alone a panel's disarmed.
    ("clear", rf"{_NAMED}?{_ALARM}(?:已經|已经|已)?(?:解除|排除|消除)"),
    ("clear", rf"(?:{_NAMED}?{_ALARM}|{_KIND})?已?(?:復歸|复归)"),
    ("clear", rf"{_NO}(?:{_FOUND}|發生|发生)?(?:{_KIND}|{_NAMED}?{_ALARM}|異常|异常)"),
    ("clear", rf"未(?:{_FOUND}|檢出|检出|發生|发生)(?:{_KIND}|{_NAMED}?{_ALARM}|異常|异常)?"),
    ("clear", rf"未偵測|未(?:觸發|触发){_ALARM}?|{_NAMED}?未{_ALARM}|未{_KIND}{_ALARM}"),
    ("clear", rf"(?:{_STATE}|一切|{_NAMED})(?:已?恢復|已?恢复|均)?正常(?:狀態|状态|中)?"),
    ("clear", r"無|无|否|沒有|没有|不是|假|安全|待機|待机|待機中|待机中|監控中|监控中|已清除"),
    ("fire", rf"(?:已?{_FOUND}|已?發生|已?发生|出現|出现|有)(?:{_KIND}|{_NAMED}?{_ALARM})"),
    ("fire", rf"{_NAMED}?{_ALARM}{_GOES_ON}|{_ALARM}{_NAMED}"),
    ("fire", rf"(?:{_SMOKE}|{_HEAT})|已?{_FOUND}|已偵測|已?(?:觸發|触发)"),
    ("fire", rf"(?:{_GAS}|{_CO})(?:外洩|外泄|洩漏|泄漏|洩露|泄露|超標|超标|過高|过高)"),
    ("fire", r"失火|起火|有火|著火|着火|冒煙|冒烟|燃燒|燃烧|不正常|非正常"),
    ("fire", r"是|是的|有|真|危險|危险|緊急|紧急"),
    ("muted", r"已?(?:靜音|静音|消音)(?:中)?"),
    ("test", r"(?:自我)?(?:測試|测试|自檢|自检)(?:中)?"),
    ("unknown", r"未知|不明|(?:初始化|預熱|预热|暖機|暖机)中?|啟動中|启动中"),
)
_LABELS: Final = tuple((said, re.compile(pattern)) for said, pattern in _WORDS)
_NAMES: Final[tuple[tuple[Kind, str], ...]] = (
    ("co", _CO),
    ("gas", _GAS),
    ("heat", f"{_HEAT}|{_HEAT_DEVICE}"),
    ("smoke", f"{_SMOKE_DEVICE}|{_SMOKE}"),
)
_CHINESE: Final = re.compile(r"[\u3400-\u9fff]+")
_MARKS: Final = re.compile("[！？：・…～「」『』【】《》]+")
_DENIES: Final = re.compile(f"{_NO}(?:{_FOUND})?|未{_FOUND}")
_STATES: Final = (
    f"(?:{_ALARM}|偵測|侦测|檢測|检测|感測|狀態|状态|觸發|触发|異常|异常|器|信號|信号)*"
)
_ANY_ALARM: Final = "(?:警報|警报|報警|报警|告警)(?:狀態|状态)?"
KEYS: Final[tuple[tuple[Kind, re.Pattern[str]], ...]] = (
    *((kind, re.compile(f"(?:{names}){_STATES}")) for kind, names in _NAMES),
    ("smoke", re.compile(_ANY_ALARM)),
)
"""Keys of a decoder whose author writes Chinese; 煙霧濃度 is a measure and none of them."""
TEMPERATURES: Final = re.compile(f"{_HEAT}|{_HEAT_DEVICE}")
"""Of which a number other than 0 and 1 is so many degrees."""
MEASURED: Final = re.compile(f"{_CO}|{_GAS}")
"""Of which a number may be a concentration, or what a meter counts."""
AMBIGUOUS: Final = re.compile(f"{_ANY_ALARM}|{TEMPERATURES.pattern}|{MEASURED.pattern}")
"""Meters, thermostats and sirens use these too."""
GENERAL: Final = frozenset(("狀態", "状态", "事件"))


def parted(text: str) -> list[str]:
    """At the marks of Chinese; what has other letters too stays whole."""
    pieces = [piece for piece in _MARKS.split(text) if piece]
    return pieces if all(_CHINESE.fullmatch(piece) for piece in pieces) else [text]


def denies(part: str) -> bool:
    """Whether it denies what comes behind it."""
    return _DENIES.fullmatch(part) is not None


def read(parts: Sequence[str]) -> Said | None:
    """A clause's words; ``None`` where they are not all Chinese, or no label that is known."""
    label = "".join(parts)
    if not _CHINESE.fullmatch(label):
        return None
    return next((said for said, pattern in _LABELS if pattern.fullmatch(label)), None)


def kind_in(text: str) -> Kind | None:
    """Which kind of fire a label names."""
    return next((kind for kind, names in _NAMES if re.search(names, text)), None)


def loud(text: str) -> set[str]:
    """What an alarm alone says, under a key of any device: 煙霧警報, and not 觸發."""
    kind = kind_in(text)
    if kind == "smoke":
        return {"smoke"}
    return {"alarm"} if re.search(_ALARM, text) else set()
