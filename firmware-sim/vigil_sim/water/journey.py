"""Water: one incident, one inspection on a phone without a network, the gates, an outcome."""

from __future__ import annotations

from typing import Final

from vigil_sim.journey import (
    DIALOG,
    Journey,
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

_ALERT: Final = part("main a[data-alert]")
_ADD: Final = button(Words("加入", "Add"))
_TEXT: Final = field(Words("內容", "Text"), exact=True)
_REASON: Final = field(Words("理由", "Reason"), exact=True)
_CLOSE: Final = Words("結案", "Close the case")
_FINE: Final = Words("查獲排放：裁罰", "Discharge found: fine")
_GATE: Final = Words("北水門", "North gate")
_SAMPLE: Final = "W-17"
_TAPS: Final = 6


def play(stage: Stage) -> None:
    """From the alert to the closed inspection."""
    inspector, farmers = stage.person("inspector"), stage.person("irrigation")

    stage.step("the inspector accepts the incident")
    inspector.opens("/alerts?domain=water")
    inspector.begins_to_decide()
    inspector.presses(_ALERT)
    inspector.sees(
        heading(Words("同一事件", "What belongs together")),
        heading(Words("上游列管排放口", "Registered outfalls upstream")),
    )
    inspector.presses(button(Words("開立：水質稽查案件", "Open: Water inspection")))
    inspector.arrives("/cases/[0-9a-f-]{36}$")
    case = inspector.path.rpartition("/")[2]

    stage.step("the irrigation association is told to close its gate, and does")
    with inspector.aside():
        inspector.presses(button(Words("通知關閉：北水門", "Have it closed: North gate")))
    farmers.opens("/gates")
    farmers.presses(button(Words("水門已關閉：北水門", "The gate is closed: North gate")))
    farmers.sees(text(Words("請保持關閉", "Keep it closed")))

    stage.step("on site there is no network")
    with inspector.aside():
        inspector.presses(link(Words("前往現場表單", "To the form for the site")))
        inspector.sees(
            text(Words("之後沒有網路也能使用。", "Works without a network from now on."))
        )
        inspector.network(there=False)
        _write_on_site(inspector, stage)

    stage.step("what was written is sent when the network is back")
    inspector.network(there=True)
    inspector.sees(text(Words("已全部送出。", "Everything is sent.")))
    inspector.opens(f"/cases/{case}")
    inspector.sees(text(_SAMPLE), part("img[src*=photographs]"))

    stage.step("the inspector decides, and the gate may open")
    inspector.presses(field(_FINE))
    inspector.writes(field(Words("金額（新臺幣元）", "Amount (TWD)")), "60000")
    inspector.writes(_REASON, Words("樣品 W-17 超標。", "Sample W-17 is over the limit."))
    inspector.presses(button(Words("送出我的決定", "Give my decision")))
    inspector.sees(part(".chip", having=_FINE))
    inspector.has_decided(_TAPS)
    inspector.presses(button(Words("可以開啟：北水門", "It may open: North gate")))
    farmers.sees(part(".chip", having=Words("起可開啟", "May open from")))

    stage.step("the case is closed")
    inspector.presses(button(_CLOSE))
    inspector.chooses(
        field(Words("結案方式", "Closed as")).within(DIALOG), Words("已改善", "Mended on site")
    )
    inspector.presses(button(_CLOSE).within(DIALOG))
    inspector.sees(part("[data-state=closed]"))


def _write_on_site(inspector: Person, stage: Stage) -> None:
    """A note, a sample, a suspect and a photograph; each is kept on the device."""
    kinds = {
        "note": Words("備註", "Note"),
        "sample": Words("採樣", "Sample"),
        "suspect": Words("可疑來源", "Suspect"),
        "photograph": Words("照片", "Photograph"),
    }
    for kind, words in kinds.items():
        inspector.presses(button(words))
        if kind == "sample":
            inspector.writes(field(Words("樣品編號", "Sample number")), _SAMPLE)
        elif kind == "photograph":
            inspector.attaches(field(Words("照片（JPEG", "Photograph (JPEG")), stage.photograph())
        else:
            inspector.writes(_TEXT, Words("牆後有水管", "A hose behind the wall"))
        inspector.presses(_ADD)
        kept = Words(f"已保存：{words.zh}", f"Kept: {words.en}")
        inspector.sees(text(kept))
    inspector.sees(text(Words("4 筆等待送出", "4 waiting to be sent")))


WATER_JOURNEY: Final = Journey(
    key="water",
    people=(Part("inspector", "phone", "zh-TW"), Part("irrigation", "phone", "zh-TW")),
    after="discharge",
    play=play,
)
