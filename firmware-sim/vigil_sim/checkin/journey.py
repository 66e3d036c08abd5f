"""Search: reported missing in two taps, looked for with a reason, heard by a station, found."""

from __future__ import annotations

from typing import Final

from vigil_sim.checkin.scenario import Found, Missing
from vigil_sim.journey import (
    Journey,
    JourneyFailed,
    Part,
    Stage,
    Words,
    button,
    field,
    heading,
    link,
    part,
    text,
)

_REPORT_TAPS: Final = 2
_TAPS: Final = 4
_LOOKS: Final = heading(Words("誰查看過本案", "Who looked at this search"))


def play(stage: Stage) -> None:
    """From the report to the closed search."""
    missing = stage.scenario.happenings(Missing)[0]
    found = stage.scenario.happenings(Found)[0]
    family, police = stage.person(missing.reporter), stage.person(missing.officer)

    stage.step("the guardian reports somebody missing in two taps")
    family.opens(f"/family/{missing.person}")
    family.begins_to_decide()
    family.presses(button(Words("通報走失", "Report missing")))
    family.presses(button(Words("立即通報", "Report now")))
    family.arrives("/cases/[0-9a-f-]{36}$")
    family.has_decided(_REPORT_TAPS, "report")

    stage.step("the police open the case with a reason")
    police.opens("/alerts")
    police.begins_to_decide()
    police.presses(link(Words("走失", "Somebody is missing")))
    police.presses(link(Words("開啟案件", "Open the case")))
    police.misses(heading(Words("協尋地圖", "Search map")))
    police.writes(field(Words("理由", "Reason"), exact=True), missing.reason)
    police.presses(button(Words("限時檢視", "Open for a limited time")))
    police.sees(heading(Words("協尋地圖", "Search map")))
    police.has_decided(_TAPS)
    case = police.path

    stage.step("a station hears them")
    police.sees(part("[data-hit]"))

    stage.step("they are found, and the search ends")
    police.writes(field(Words("在哪裡、如何尋獲", "Where and how")), found.text)
    police.presses(button(Words("結案", "Close the case")))

    stage.step("access has ended, and the guardian sees who looked")
    family.sees(part("[data-state=closed]"), _LOOKS, text(missing.officer))
    police.opens(case)
    police.sees(button(Words("限時檢視", "Open for a limited time")))
    police.misses(heading(Words("協尋地圖", "Search map")))
    if missing.person in police.reads(part("main")):
        raise JourneyFailed("the police still see whom the search was for")


SEARCH_JOURNEY: Final = Journey(
    key="search",
    people=(Part("family", "phone", "zh-TW"), Part("police", "desktop", "zh-TW")),
    after="missing",
    play=play,
    instead_of=frozenset({"missing", "found"}),
)
