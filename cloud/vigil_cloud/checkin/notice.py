"""What somebody is told before anything is collected of a person (PDPA of Taiwan, art. 8).

The text and its version belong together: who changes what it says gives it another version, and
whoever agreed is asked again the next time they register something. What is recorded of an
agreement is the version and the language that were shown (``purpose_consents``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final

from vigil_cloud.api_errors import ApiError

VERSION: Final = "2026-11"


class NoticeChanged(ApiError):
    """Another text was agreed to than the one that holds now."""

    code: ClassVar[str] = "notice-changed"
    remedy: ClassVar[str] = "Load the page again, read the notice and agree to it."
    status: ClassVar[int] = 409

    def __init__(self) -> None:
        super().__init__("The notice has changed since it was shown; read it again.")


def require_current(version: str) -> None:
    """Raises ``NoticeChanged``."""
    if version != VERSION:
        raise NoticeChanged


@dataclass(frozen=True, slots=True)
class Point:
    """One of the things that the law wants said, in both languages."""

    title: str
    title_zh: str
    text: str
    text_zh: str


def points(collector: str, collector_zh: str, visits_days: float) -> tuple[Point, ...]:
    """In the order of the law. ``visits_days``: how long places are kept; 0: until erased."""
    kept = f"{visits_days:g} days" if visits_days else "until the person is erased"
    kept_zh = f"{visits_days:g} 天" if visits_days else "直到刪除個人資料為止"
    return (
        Point("Who collects", "蒐集者", collector, collector_zh),
        Point(
            "Why",
            "蒐集目的",
            "To tell relatives where a person was last seen and to find them when they are"
            " missing (health and social care; purposes 012, 064 and 057). Nothing else.",
            "讓親友得知最後出現的地點，並在走失時協尋"
            "（社會福利與健康照護，目的代號 012、064、057）。不作其他用途。",
        ),
        Point(
            "What",
            "資料類別",
            "The person's name (C001), the amulet's number, and when it was near which station.",
            "姓名（C001）、護身符編號，以及何時經過哪一個站點。",
        ),
        Point(
            "How long, where, by whom and how",
            "利用期間、地區、對象與方式",
            f"Places: {kept}; the name: until the amulet is handed back and the person is erased."
            " In Taiwan, by the collector, the relatives to whom the guardian gives consent and,"
            " while the person is missing, the police of the case. Every look is recorded.",
            f"地點：{kept_zh}；姓名：至歸還護身符並刪除資料為止。於臺灣地區，"
            "由蒐集者、監護人同意的親友，以及走失期間的承辦警員利用。每次查看都會留下紀錄。",
        ),
        Point(
            "Your rights",
            "您的權利",
            "You may ask to see, copy, complete or correct the data, to stop their collection or"
            " use, and to have them erased (art. 3). Take consents back on the family page, or"
            " ask the collector.",
            "您可請求查詢、閱覽、製給複製本、補充或更正、停止蒐集或利用，以及刪除"
            "（個資法第 3 條）。可在家人頁面撤回同意，或洽蒐集者辦理。",
        ),
        Point(
            "If you do not agree",
            "不同意的影響",
            "It is your choice. Without consent no amulet can be registered, and nobody will be"
            " told where the person is.",
            "您可自由決定。不同意則無法登錄護身符，也不會有人得知其所在。",
        ),
    )
