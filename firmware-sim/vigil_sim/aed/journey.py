"""AED: the button is pressed, a volunteer accepts in one tap, a second one fetches another AED, the
pulse is back."""

from __future__ import annotations

from typing import Final

from vigil_sim.aed.scenario import Cabinet
from vigil_sim.journey import (
    DIALOG,
    Journey,
    Part,
    Stage,
    Target,
    Words,
    button,
    field,
    link,
    part,
    text,
)
from vigil_sim.world import World

_ROSC: Final = Words("恢復自發循環", "Pulse is back")
_CLOSE: Final = Words("結案", "Close the case")
_TAKE: Final = button(Words("承辦", "Take it on"))
_ON_THE_WAY: Final = button(Words("出發", "On the way"))
_TO_PATIENT: Final = Words("前往病患處，開始心肺復甦術", "Go to the patient and begin CPR")
_FETCH: Final = Words("先取 AED，再前往病患處", "Fetch the AED, then go to the patient")
_NEAR_M: Final = 40.0
_TAPS: Final = 1


def before(stage: Stage) -> None:
    """The volunteers agree to be called, and go on call: one near the cabinet where the button is
    pressed, one beside another cabinet."""
    cabinets = stage.scenario.devices_of("aed")
    world = World(stage.scenario, stage.scenario.seed)
    for username, cabinet in zip(("volunteer", "volunteer2"), cabinets, strict=False):
        assert isinstance(cabinet, Cabinet)  # noqa: S101 - the scenario's own type
        east, north = cabinet.at
        one = stage.person(username)
        one.stands_at(*world.geographic((east + _NEAR_M, north)))
        one.opens("/aed")
        one.presses(button(Words("同意", "Agree")))
        one.presses(button(Words("在此開始待命", "Go on call here")))
        one.sees(text(Words("您正在待命。", "You are on call.")))


def play(stage: Stage) -> None:
    """From the pressed button to the closed case."""
    volunteer, dispatcher = stage.person("volunteer"), stage.person("dispatcher")
    called = Target(role="article")

    stage.step("the volunteer accepts in one tap, is on the way and arrives")
    volunteer.sees(called)
    volunteer.begins_to_decide()
    volunteer.presses(button(Words("接受", "Accept")))
    volunteer.has_decided(_TAPS, "volunteer")
    second = stage.person("volunteer2")
    second.presses(button(Words("接受", "Accept")))
    second.sees(_ON_THE_WAY)
    # Which of the two is the cloud's choice, by who is where at that moment: both stand as near.
    fetches = _FETCH.said(volunteer.language) in volunteer.reads(called)
    volunteer.sees(_ON_THE_WAY, text(_FETCH if fetches else _TO_PATIENT))
    second.sees(text(_TO_PATIENT if fetches else _FETCH))
    volunteer.presses(_ON_THE_WAY)
    volunteer.presses(button(Words("已到達", "Arrived")))

    stage.step("one has fetched the AED, the other is with the patient")
    second.presses(_ON_THE_WAY)
    second.presses(button(Words("已到達", "Arrived")))

    stage.step("the dispatcher sees who is there, and that 119 has answered")
    dispatcher.opens("/aed")
    dispatcher.sees(Target(css="main li", having=Words("已到達", "Arrived")))
    dispatcher.presses(link(Words("警報", "Alert")).within(called))
    dispatcher.arrives("/alerts/[0-9a-f-]{36}$")
    dispatcher.sees(text(Words("已回覆", "has answered")))

    stage.step("the pulse is back, and the case is closed")
    dispatcher.opens("/aed")
    dispatcher.presses(link(Words("案件", "Case")).within(called))
    dispatcher.presses(_TAKE)
    dispatcher.presses(_TAKE.within(DIALOG))
    dispatcher.presses(field(_ROSC))
    dispatcher.writes(
        field(Words("理由", "Reason"), exact=True),
        Words("到院前恢復心跳。", "The heart beats again before hospital."),
    )
    dispatcher.presses(button(Words("送出我的決定", "Give my decision")))
    dispatcher.sees(part(".chip", having=_ROSC))
    dispatcher.presses(button(_CLOSE))
    dispatcher.presses(button(_CLOSE).within(DIALOG))
    dispatcher.sees(part("[data-state=closed]"))
    volunteer.sees(text(Words("本次召集已結束", "This call is over")))


AED_JOURNEY: Final = Journey(
    key="aed",
    people=(
        Part("volunteer", "phone", "zh-TW"),
        Part("volunteer2", "phone", "zh-TW"),
        Part("dispatcher", "desktop", "zh-TW"),
    ),
    after="aed",
    before=before,
    play=play,
)
