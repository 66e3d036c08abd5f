"""The week as one HTML file: both languages, charts as inline SVG, nothing from a network."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Final

from vigil_sim.week.assumptions import Assumptions, Target
from vigil_sim.week.figures import Figure
from vigil_sim.week.play import Came
from vigil_sim.week.report import ours, pairs, shown, theirs
from vigil_sim.week.sensitivity import Hangs
from vigil_sim.week.stories.everyday import THINNED

_WIDTH: Final = 400
_ROW: Final = 84
_LEFT: Final = 16
_BAR: Final = _WIDTH - 2 * _LEFT
_STYLE: Final = """
:root{color-scheme:light dark;--ink:#16202c;--soft:#5a6675;--paper:#fff;--line:#d5dbe3;
--we:#0b6e99;--they:#b3541e}
@media (prefers-color-scheme:dark){:root{--ink:#e8edf3;--soft:#9fabb9;--paper:#11181f;
--line:#33404d;--we:#5cc0ea;--they:#f0a060}}
*{box-sizing:border-box}
body{margin:0 auto;padding:1rem;max-width:52rem;background:var(--paper);color:var(--ink);
font:1rem/1.5 system-ui,"Noto Sans TC","PingFang TC","Microsoft JhengHei",sans-serif}
h1{font-size:1.5rem;line-height:1.25}h2{font-size:1.15rem;margin-top:2rem}
h1 span,h2 span,th span,td span,li span,p span,figcaption span{display:block}
:lang(en){color:inherit}.en{color:var(--soft)}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th,td{text-align:left;vertical-align:top;padding:.4rem .5rem;border-bottom:1px solid var(--line)}
.wide{overflow-x:auto}figure{margin:1rem 0}svg{display:block;width:100%;max-width:36rem;height:auto}
text{fill:var(--ink);font-size:15px}.axis{fill:var(--soft);font-size:13px}
.grid{stroke:var(--line)}.we{stroke:var(--we);fill:var(--we)}.they{stroke:var(--they);fill:none}
.note{color:var(--soft);font-size:.9rem}
@media (max-width:34rem){.cards thead{position:absolute;left:-999rem}.cards tr{display:block;
border-bottom:2px solid var(--line)}.cards td,.cards th{display:block;border:0;padding:.15rem 0}}
@media print{:root{--ink:#000;--soft:#333;--paper:#fff;--line:#999;--we:#000;--they:#000}
body{max-width:none;font-size:10pt}h2{break-after:avoid}figure,tr{break-inside:avoid}
.wide{overflow:visible}}
"""


def both(chinese: str, english: str) -> str:
    """The two languages, one below the other."""
    return (
        f'<span lang="zh-Hant-TW">{escape(chinese)}</span>'
        f'<span lang="en" class="en">{escape(english)}</span>'
    )


def page(came: Came, given: Assumptions, base: dict[str, float], hangs: Sequence[Hangs]) -> str:
    """The whole file."""
    asked = came.asked
    title = f"{asked.city}: one simulated week"
    about = (
        f"scale {asked.scale:g}, seed {asked.seed}, {asked.hours:g} h; "
        f"{came.paths['messages through MQTT and ingest, receipted']:,} messages, "
        f"{came.points:,} readings"
    )
    about_zh = (
        f"規模 {asked.scale:g}，種子 {asked.seed}，{asked.hours:g} 小時；"
        f"訊息 {came.paths['messages through MQTT and ingest, receipted']:,} 則、"
        f"量測值 {came.points:,} 筆"
    )
    return "\n".join(
        (
            "<!doctype html>",
            '<html lang="zh-Hant-TW"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>守望 Vigil · {escape(title)}</title>",
            f"<style>{_STYLE}</style></head><body><main>",
            f"<h1>{both('守望：模擬的一週', 'Vigil: one simulated week')}</h1>",
            f"<p>{both(about_zh, about)}</p>",
            f'<p class="note">{both(_CAUTION_ZH, _CAUTION)}</p>',
            _figures(came, given, base),
            _sensitivity(given, hangs),
            _paths(came),
            _thinned(),
            _assumptions(given),
            "</main></body></html>\n",
        )
    )


_CAUTION: Final = (
    "People, fires and vehicles are simulated; what is assumed of them is listed below. The "
    "messages, rules, calls, cases and records are the real system's. This shows that the system "
    "counts what the service counts, not that a city would reach these figures."
)
_CAUTION_ZH: Final = (
    "人員、火警與車輛均為模擬，假設列於下方；訊息、規則、通報、案件與紀錄則出自實際系統。"
    "本頁說明系統能計得與該服務相同之指標，並不表示某城市能達到這些數字。"
)


def _figures(came: Came, given: Assumptions, base: dict[str, float]) -> str:
    found = pairs(came, given)
    rows = "".join(
        f'<tr><th scope="row">{both(target.title_zh, target.title)}</th>'
        f"<td>{escape(theirs(target))}<span class='note'>{both(target.note_zh, target.note)}</span>"
        f"</td><td>{escape(ours(figure, target.unit))}"
        f"<span class='note'>{both(figure.basis_zh, figure.basis)}</span></td>"
        f"<td>{shown(base[target.key], target.unit)}</td></tr>"
        for target, figure in found
    )
    heads = _heads(
        ("指標", "Figure"),
        ("該服務", "The service"),
        ("本系統（95% 區間）", "Ours, 95 % interval"),
        ("僅行為模型", "Behaviour alone"),
    )
    caption = both(
        "橫線：本系統之 95% 區間；圓點：數值；豎線：該服務之數字。",
        "Line: our 95 % interval; dot: our value; upright stroke: the service's figure.",
    )
    return (
        f"<h2>{both('指標比較', 'Figure beside figure')}</h2>"
        f"<figure>{_chart(found)}<figcaption class='note'>{caption}</figcaption></figure>"
        f'<table class="cards">{heads}<tbody>{rows}</tbody></table>'
        f"<p class='note'>{both(_MARKS_ZH, _MARKS)}</p>"
    )


_MARKS: Final = (
    "[S] from a secondary source, [?] unconfirmed. Shares: Clopper-Pearson; days: bootstrap over "
    "cases."
)
_MARKS_ZH: Final = "[S] 次級資料，[?] 未經證實。比例採 Clopper-Pearson 區間；天數採案件自助法。"


def _chart(found: Sequence[tuple[Target, Figure]]) -> str:
    """One strip for each figure: shares from 0 to 100 %, days from 0 to 80."""
    height = _ROW * len(found) + 8
    rows = "".join(
        _strip(target, figure, 8 + number * _ROW) for number, (target, figure) in enumerate(found)
    )
    names = "; ".join(
        f"{target.title_zh} {target.title}: {theirs(target)} / {ours(figure, target.unit)}"
        for target, figure in found
    )
    return (
        f'<svg viewBox="0 0 {_WIDTH} {height}" role="img" aria-label="{escape(names)}">{rows}</svg>'
    )


def _strip(target: Target, figure: Figure, top: int) -> str:
    most = 80.0 if target.unit == "d" else 1.0
    line = top + 50

    def x(value: float) -> float:
        return _LEFT + _BAR * min(max(value / most, 0.0), 1.0)

    ticks = "".join(
        f'<line class="grid" x1="{x(most * part):.1f}" x2="{x(most * part):.1f}" '
        f'y1="{line - 8}" y2="{line + 8}"/>'
        f'<text class="axis" text-anchor="{_anchor(part)}" x="{x(most * part):.1f}" '
        f'y="{line + 22}">{shown(most * part, target.unit, 0)}</text>'
        for part in (0.0, 0.5, 1.0)
    )
    until = target.until if target.until is not None else target.value
    service = (
        f'<rect class="they" stroke-width="3" x="{x(target.value):.1f}" y="{line - 11}" '
        f'width="{max(1.0, x(until) - x(target.value)):.1f}" height="22"/>'
    )
    own = ""
    if figure.value is not None and figure.low is not None and figure.high is not None:
        own = (
            f'<line class="we" stroke-width="4" x1="{x(figure.low):.1f}" '
            f'x2="{x(figure.high):.1f}" y1="{line}" y2="{line}"/>'
            f'<circle class="we" r="6" cx="{x(figure.value):.1f}" cy="{line}"/>'
        )
    names = (
        f'<text x="{_LEFT}" y="{top + 15}">{escape(target.title_zh)}</text>'
        f'<text class="axis" x="{_LEFT}" y="{top + 31}">{escape(target.title)}</text>'
    )
    return f"{names}{ticks}{service}{own}"


def _anchor(part: float) -> str:
    return {0.0: "start", 1.0: "end"}.get(part, "middle")


def _sensitivity(given: Assumptions, hangs: Sequence[Hangs]) -> str:
    targets = {target.key: target for target in given.targets}
    rows = "".join(
        f'<tr><th scope="row">{both(targets[one.figure].title_zh, targets[one.figure].title)}</th>'
        f"<td><code>{escape(one.assumption)}</code> {one.low:g} → {one.high:g}"
        f"<span class='note'>{escape(given.entries[one.assumption].note)}</span></td>"
        f"<td>{shown(one.at_low, targets[one.figure].unit)} → "
        f"{shown(one.at_high, targets[one.figure].unit)}</td></tr>"
        for one in hangs
    )
    heads = _heads(("指標", "Figure"), ("假設", "Assumption"), ("低 → 高", "At low → at high"))
    return (
        f"<h2>{both('各指標取決於何假設', 'What each figure hangs on')}</h2>"
        f'<table class="cards">{heads}<tbody>{rows}</tbody></table>'
    )


def _paths(came: Came) -> str:
    def counted(of: Iterable[tuple[str, int]]) -> str:
        return "".join(
            f'<tr><th scope="row">{escape(what)}</th><td>{count:,}</td></tr>' for what, count in of
        )

    rows = counted((*came.paths.items(), ("messages refused by the cloud", came.refused)))
    return (
        f"<h2>{both('經由何路徑', 'Which way it went')}</h2>"
        f'<div class="wide"><table lang="en"><tbody>{rows}</tbody></table></div>'
        f"<h2>{both('發生了什麼', 'What happened')}</h2>"
        f'<div class="wide"><table lang="en"><tbody>{counted(came.happened.items())}'
        "</tbody></table></div>"
        f"<h2>{both('訊息（依事件類型）', 'Messages by event type')}</h2>"
        f'<div class="wide"><table lang="en"><tbody>{counted(came.messages.items())}'
        "</tbody></table></div>"
    )


def _thinned() -> str:
    items = "".join(
        f"<li>{both(f'{one.what_zh}（{one.of_zh}）', f'{one.what} ({one.of})')}</li>"
        for one in THINNED
    )
    return f"<h2>{both('因資料量而精簡者', 'Thinned by volume')}</h2><ul>{items}</ul>"


def _assumptions(given: Assumptions) -> str:
    rows = "".join(
        f'<tr><th scope="row"><code>{escape(key)}</code></th><td>{one.value:g}'
        f"{'' if one.low is None else f' ({one.low:g}–{one.high:g})'}</td>"
        f"<td>{escape(one.source)}</td><td>{escape(one.note)}</td></tr>"
        for key, one in given.entries.items()
    )
    heads = _heads(("假設", "Assumption"), ("值", "Value"), ("來源", "Source"), ("說明", "Note"))
    venues = "; ".join(f"{one.kind} {one.share:g} ({one.hours})" for one in given.venues)
    return (
        f"<h2>{both('全部假設', 'Every assumption')}</h2>"
        f'<table class="cards" lang="en">{heads}<tbody>{rows}</tbody></table>'
        f"<p>{both('室內 AED 所在場所與開放時間', 'Where indoor AEDs hang, and their hours')}</p>"
        f'<p class="note" lang="en">{escape(venues)}</p>'
    )


def _heads(*words: tuple[str, str]) -> str:
    cells = "".join(f'<th scope="col">{both(zh, en)}</th>' for zh, en in words)
    return f"<thead><tr>{cells}</tr></thead>"
