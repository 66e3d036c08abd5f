"""Fire: the home says in one tap that it burns; 119; the dispatcher leads it to its cause."""

from __future__ import annotations

from typing import Final

from vigil_sim.journey import (
    Journey,
    Part,
    Stage,
    Target,
    Words,
    button,
    field,
    heading,
    link,
    part,
    text,
)
from vigil_sim.smoke.scenario import Home

_HOMES: Final = "/homes"
_PARTICULARS: Final = Target(css="summary", having=Words("消防人員須知", "What firefighters"))
_SAVE: Final = button(Words("儲存", "Save"))
_SAVED: Final = text(Words("已儲存", "Saved"), exact=True)
_BURNS: Final = button(Words("真的失火了", "It burns"))
_SAID: Final = text(Words("已回報失火", "It was said that it burns"))
_NEED: Final = Words("行動不便", "cannot walk")
_FLOOR: Final = "3F"
_TAPS: Final = 1


def before(stage: Stage) -> None:
    """The home says what firefighters have to know."""
    resident = stage.person("resident")
    resident.opens(_HOMES)
    resident.presses(_PARTICULARS)
    resident.writes(field(Words("樓層", "Floor")), _FLOOR)
    resident.presses(button(Words("新增需協助者", "Add somebody who needs help")))
    resident.writes(field(Words("需協助者姓名", "Who needs help")), "陳奶奶")
    resident.writes(field(Words("需要的協助", "What help")), _NEED)
    resident.presses(button(Words("新增聯絡人", "Add a contact")))
    resident.writes(field(Words("聯絡人", "Whom to call")), "陳先生")
    resident.writes(field(Words("電話", "Telephone")), "0912-345-678")
    resident.presses(_SAVE)
    resident.sees(_SAVED)


def play(stage: Stage) -> None:
    """From the first alarm to the closed case."""
    home = stage.scenario.tables("home", Home)[0]
    resident, dispatcher = stage.person("resident"), stage.person("dispatcher")

    stage.step("the resident says in one tap that it burns")
    resident.opens(_HOMES)
    resident.begins_to_decide()
    resident.presses(_BURNS)
    resident.has_decided(_TAPS, "household")
    resident.sees(_SAID)

    stage.step("the neighbour is told as well")
    neighbour = stage.person("neighbour")
    neighbour.opens(_HOMES)
    neighbour.sees(heading(home.name), _SAID)

    stage.step("119 has answered, and the dispatcher sees whom to help, where and how")
    dispatcher.opens("/fire")
    dispatcher.sees(
        heading(home.address),
        text(_FLOOR, exact=True),
        text(Words("陳奶奶: 行動不便", "陳奶奶: cannot walk")),
        part('a[href="tel:0912345678"]'),
        part('a[href^="geo:"]'),
        text(Words("現場人員於", "Somebody there said that it burns")),
        text(Words("第二個警報", "second alarm")),
        text(Words("已回覆", "answered")),
    )
    dispatcher.presses(link(Words("開啟案件", "Open the case")))
    dispatcher.arrives("/cases/[0-9a-f-]{36}$")
    case = dispatcher.path

    stage.step("it is acknowledged, firefighters arrive, all clear")
    dispatcher.opens("/fire")
    for act in (
        Words("受理", "Acknowledge"),
        Words("已到場", "Arrived"),
        Words("解除火警", "All clear"),
    ):
        dispatcher.presses(button(act))
        dispatcher.misses(button(act))
    resident.misses(_SAID)

    stage.step("its cause is recorded, and its case is closed")
    dispatcher.presses(button(Words("火災", "Fire")))
    dispatcher.misses(button(Words("火災", "Fire")))
    dispatcher.opens(case)
    dispatcher.sees(part("[data-state=closed]"))


FIRE_JOURNEY: Final = Journey(
    key="fire",
    people=(
        Part("resident", "phone", "zh-TW"),
        Part("neighbour", "phone", "zh-TW"),
        Part("dispatcher", "desktop", "zh-TW"),
    ),
    after="fire",
    before=before,
    play=play,
)
