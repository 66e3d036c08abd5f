"""What a browser is told of alerts: little, because it may stand on a locked screen.

Of an alert about a person neither name nor place is told: whoever opens the page is asked who they
are. Buttons open the page of the one-time link; that it burns is said by the press itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from vigil_cloud.alerts.models import AlertRow
from vigil_cloud.alerts.work import SEVERITIES
from vigil_cloud.city_time import city_stamp
from vigil_cloud.domain.registry import described
from vigil_cloud.notify.reply_links import REPLIES, Offered, Reply
from vigil_cloud.notify.text import SEVERITY_ZH, Telling, Words, each_once, heading, one_line
from vigil_cloud.notify.web_push.note import Action, Note, Urgency

_URGENCY: Final[dict[str, Urgency]] = {"critical": "high", "major": "normal"}
_OPEN: Final = ("Open", "開啟")
MOST_LINES: Final = 6


def note_of(
    told: Sequence[Telling], *, language: str, readable: bool, at_home: bool = False
) -> Note:
    """The alerts in the channel's language. ``readable``: whether the alert's own page opens for
    whoever is told; ``at_home``: whether it is their home."""
    words = Words.for_reader(language)
    told = each_once(told)
    first = max(told, key=lambda one: SEVERITIES.index(one.alert.severity))
    urgency = _URGENCY.get(first.alert.severity, "low")
    spoken = "zh-TW" if words.chinese else "en"
    at_ms = round(first.alert.event_time.timestamp() * 1000)
    if len(told) > 1:
        lines = [f"{_time(one.alert)} {_title(one, words)}" for one in told[:MOST_LINES]]
        body = "\n".join(lines)
        title = heading(told, words, _title(first, words))
        return Note(title, body, "/alerts", spoken, urgency, at_ms=at_ms)
    alert, offered = first.alert, first.reply
    page = f"/alerts/{alert.id}" if readable else "/"
    return Note(
        _title(first, words),
        _body(alert, words),
        f"/r/{offered.token}" if offered is not None else page,
        spoken,
        urgency,
        about=alert.id,
        actions=_actions(offered, page, words, at_home=at_home),
        at_ms=at_ms,
    )


def _title(telling: Telling, words: Words) -> str:
    alert = telling.alert
    domain = described(alert.domain)
    title = words.of(alert.title, alert.title_zh)
    if alert.person_key is not None or domain is None:
        name = "" if domain is None else words.of(domain.title, domain.title_zh)
        title = words.of(f"{name}: there is news", f"{name}：有新消息")
    return one_line(words.prefixed(telling, title))


def _body(alert: AlertRow, words: Words) -> str:
    severity = words.of(alert.severity, SEVERITY_ZH[alert.severity])
    lines = [f"{severity} · {_time(alert)} (UTC+8)"]
    if alert.cleared is not None:
        lines.append(words.of(f"Over since {_stamp(alert)}", f"已解除：{_stamp(alert)}"))
    if alert.person_key is not None:
        lines.append(words.of("Open the page to read it.", "請開啟頁面查看。"))
    return "\n".join(lines)


def _time(alert: AlertRow) -> str:
    return city_stamp(alert.event_time)


def _stamp(alert: AlertRow) -> str:
    return city_stamp(alert.cleared)


def _actions(
    offered: Offered | None, page: str, words: Words, *, at_home: bool
) -> tuple[Action, ...]:
    """Browsers show two. That it burns is done by the press, which can only bring help; whatever
    ends a call is asked again on the page."""
    if offered is None:
        return (Action("open", words.of(*_OPEN), page),)
    given: tuple[Reply, ...] = ("burns", "false-alarm")
    if not at_home or not set(given) <= set(offered.answers):
        opened = Action("open", words.of(*_OPEN), page)
        if "accepted" not in offered.answers:  # somebody has taken it on
            return (opened,)
        return (_reply("accepted", offered, words), opened)
    return tuple(_reply(one, offered, words) for one in given)


def _reply(answer: Reply, offered: Offered, words: Words) -> Action:
    address = f"/r/{offered.token}/{answer}"
    return Action(answer, words.of(*REPLIES[answer]), address, act=answer == "burns")
