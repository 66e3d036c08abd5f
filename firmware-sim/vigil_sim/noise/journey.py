"""Noise: a case with its checks, two reviewers blind to each other, a dossier that leaves."""

from __future__ import annotations

from typing import Final

from vigil_sim.journey import (
    DIALOG,
    Journey,
    JourneyFailed,
    Part,
    Person,
    Stage,
    Words,
    button,
    field,
    heading,
    link,
    part,
    text,
)
from vigil_sim.noise.scenario import Passage

_ALERT: Final = link(Words("高噪音車輛", "Loud vehicle"))
_CASE: Final = part("main a[href^='/cases/']")
_OPEN: Final = button(Words("開立：噪音超標案件", "Open: Noise exceedance"))
_PLATE: Final = field(Words("車牌（審查人判讀）", "Licence plate as you read it"))
_REASON: Final = field(Words("理由", "Reason"), exact=True)
_REFER: Final = Words("移送", "Refer")
_CLOSE: Final = Words("結案", "Close the case")
_FINE: Final = Words("違規：裁罰", "Violation: fine")
_SEALED: Final = link(Words("含封存證據（zip）", "With sealed evidence"))
_TAPS: Final = 6


def play(stage: Stage) -> None:
    """From the exceedance to a fine that is paid."""
    plate = _loudest(stage).plate
    inspector = stage.person("inspector")

    stage.step("the inspector opens a case with its evidence and checks")
    inspector.opens("/alerts")
    inspector.presses(_ALERT)
    inspector.presses(_OPEN)
    inspector.arrives("/cases/[0-9a-f-]{36}$")
    inspector.sees(heading(Words("採證查核", "Checks")), part("[data-verdict=pass]"), _SEALED)
    inspector.misses(part("[data-verdict=fail]"))

    stage.step("the first reviewer decides")
    first, second = stage.person("reviewer"), stage.person("reviewer2")
    second.opens("/alerts")
    second.presses(_ALERT)
    second.presses(_CASE)
    _decide(first, plate, Words("車牌清晰。", "The plate is clear."))

    stage.step("the second reviewer sees nothing of that, and decides")
    second.sees(text(Words("已有 1／2 份決定", "1 of 2 decisions")))
    second.misses(text(plate.replace("-", "")), text(Words("車牌清晰。", "The plate is clear.")))
    _decide(second, plate, Words("同意裁罰。", "A fine is right."))

    stage.step("the dossier is downloaded, with its sealed evidence")
    fined = part(".chip", having=_FINE)
    inspector.sees(fined, text(plate.replace("-", "")))  # as it is kept
    for wanted, least in ((_SEALED, 10_000), (link("PDF"), 5_000)):
        file = inspector.downloads(wanted)
        if file.stat().st_size < least:
            raise JourneyFailed(f"{file.name} has {file.stat().st_size} bytes only")

    stage.step("the case is referred, paid and closed")
    first.presses(button(_REFER))
    first.writes(_REASON.within(DIALOG), Words("移送環保局。", "To the environmental bureau."))
    first.presses(button(_REFER).within(DIALOG))
    first.misses(DIALOG)
    inspector.sees(part("[data-state=referred]"))
    inspector.presses(button(_CLOSE))
    inspector.chooses(field(Words("結案方式", "Closed as")).within(DIALOG), Words("已繳納", "Paid"))
    inspector.presses(button(_CLOSE).within(DIALOG))
    inspector.sees(part("[data-state=closed]"))
    second.sees(part("[data-state=closed]"))


def _loudest(stage: Stage) -> Passage:
    return max(stage.scenario.happenings(Passage), key=lambda one: one.LAFmax_db)


def _decide(reviewer: Person, plate: str, reason: Words) -> None:
    """From the alert to the decision."""
    reviewer.opens("/alerts")
    reviewer.begins_to_decide()
    reviewer.presses(_ALERT)
    reviewer.presses(_CASE)
    reviewer.presses(field(_FINE))
    reviewer.writes(_PLATE, plate)
    reviewer.writes(_REASON, reason)
    reviewer.presses(button(Words("送出我的決定", "Give my decision")))
    reviewer.misses(_REASON)
    reviewer.has_decided(_TAPS, reviewer.username)


NOISE_JOURNEY: Final = Journey(
    key="noise",
    people=(
        Part("inspector", "desktop", "en"),
        Part("reviewer", "desktop", "en"),
        Part("reviewer2", "desktop", "en"),
    ),
    after="passage",
    play=play,
)
