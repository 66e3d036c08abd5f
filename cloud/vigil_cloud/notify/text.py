"""What a notification says: of one alert, or of many at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from vigil_cloud.alerts import coverage
from vigil_cloud.alerts.again import why_again
from vigil_cloud.alerts.flood import MANY
from vigil_cloud.alerts.models import AlertRow
from vigil_cloud.alerts.titles import titles
from vigil_cloud.alerts.work import SEVERITIES
from vigil_cloud.city_time import city_stamp
from vigil_cloud.domain.registry import described
from vigil_cloud.domain.rights import PLATFORM
from vigil_cloud.identity.cipher import Cipher
from vigil_cloud.notify.models import REMINDER
from vigil_cloud.notify.reply_links import REPLIES, Offered
from vigil_cloud.notify.web_push.note import Note

LONGEST_TITLE: Final = 200
MOST_LINES: Final = 40
"""Alerts that one message names; of more it tells the number. Several services cut what is
longer than 4,000 characters."""
ZONE: Final = ("Taiwan time, UTC+8", "臺灣時間 UTC+8")
SEVERITY_ZH: Final = {"critical": "緊急", "major": "重要", "minor": "輕微", "info": "通知"}
_PREFIXES: Final = {
    "reminder": ("REMINDER", "提醒"),
    "again": ("AGAIN", "再次通報"),
    "all-clear": ("ALL CLEAR", "警報解除"),
    "closed": ("CLOSED", "已結案"),
    "stood-down": ("ALL CLEAR", "警報解除"),
}


@dataclass(frozen=True, slots=True)
class NotificationText:
    """Title and body, plain text."""

    title: str
    body: str
    note: Note | None = None
    """The same for a browser, where it goes to one."""


@dataclass(frozen=True, slots=True)
class Telling:
    """One alert of a message, and why it is told (again)."""

    alert: AlertRow
    purpose: str = "raised"
    step: str = ""
    escalation: bool = False
    perhaps_told: bool = False
    reply: Offered | None = None
    address: str = ""
    """Of the home where it happens, for those who belong to it."""


@dataclass(frozen=True, slots=True)
class Words:
    """One language."""

    chinese: bool

    @classmethod
    def for_reader(cls, language: str) -> Words:
        """Of a channel's language."""
        return cls(language.lower().startswith("zh"))

    def of(self, english: str, chinese: str) -> str:
        """The one of the two."""
        return chinese if self.chinese else english

    def prefixed(self, telling: Telling, title: str) -> str:
        """A test says so before anything else."""
        prefixes = []
        if telling.alert.kind == "test":
            prefixes.append(self.of("TEST", "測試"))
        if telling.perhaps_told:
            prefixes.append(self.of("REPEAT", "重送"))
        if telling.purpose in _PREFIXES:
            prefixes.append(self.of(*_PREFIXES[telling.purpose]))
        return self.of(": ", "：").join([*prefixes, title])


def compose(
    cipher: Cipher, told: Sequence[Telling], *, language: str, public_url: str
) -> NotificationText:
    """The alerts in the channel's language, times as in Taipei. ``public_url``: empty for
    readers who have no page to open."""
    words = Words.for_reader(language)
    told = each_once(told)
    if len(told) == 1:
        return _single(cipher, told[0], words, public_url)
    return _several(cipher, told, words, public_url)


def each_once(told: Sequence[Telling]) -> list[Telling]:
    """Of each alert what is told last: a message says how things stand, not how often that
    changed."""
    newest: dict[str, Telling] = {}
    for one in told:
        before = newest.pop(one.alert.id, None)
        perhaps = one.perhaps_told or (before is not None and before.perhaps_told)
        newest[one.alert.id] = replace(one, perhaps_told=perhaps)
    return list(newest.values())


def heading(told: Sequence[Telling], words: Words, first: str) -> str:
    """Of several alerts: how many there are, those counted that joined one alert in a flood."""
    count = sum(_alarms(one.alert) for one in told)
    if count > len(told):
        return words.of(f"{count} alarms at once: {first}", f"同時發出 {count} 則警報：{first}")
    return words.of(f"{len(told)} alerts: {first}", f"{len(told)} 則警報：{first}")


def _alarms(alert: AlertRow) -> int:
    return int(alert.detail.get("count", 1)) if alert.kind == MANY else 1


def alert_link(public_url: str, alert_id: str) -> str:
    """The alert's page: the router of the pages reads the path (see cloud/web/src/lib/router)."""
    return f"{public_url.rstrip('/')}/alerts/{alert_id}"


def _replies(offered: Offered | None, words: Words) -> list[str]:
    """One line for each answer. Opening it changes nothing: it is pressed on the page."""
    if offered is None or not offered.public_url:
        return []
    colon = words.of(": ", "：")
    return [
        f"{words.of(*REPLIES[answer])}{colon}{offered.link(answer)}" for answer in offered.answers
    ]


def _single(cipher: Cipher, telling: Telling, words: Words, public_url: str) -> NotificationText:
    lines = [*_why(telling, words), *_facts(telling.alert, words, telling.address)]
    if public_url:
        lines.append(alert_link(public_url, telling.alert.id))
    lines += _replies(telling.reply, words)
    return NotificationText(one_line(_title(cipher, telling, words)), "\n".join(lines))


def _several(
    cipher: Cipher, told: Sequence[Telling], words: Words, public_url: str
) -> NotificationText:
    """The most severe first; of those that find no room the number alone."""
    by_urgency = sorted(told, key=lambda one: -SEVERITIES.index(one.alert.severity))
    titles_ = [one_line(_title(cipher, one, words)) for one in by_urgency]
    tests = all(one.alert.kind == "test" for one in told)
    head = heading(told, words, titles_[0])
    lines = [
        f"{city_stamp(one.alert.event_time)} {title}{_over_meanwhile(one.alert, words)}"
        for one, title in zip(by_urgency[:MOST_LINES], titles_, strict=False)
    ]
    if (unnamed := len(told) - len(lines)) > 0:
        lines.append(words.of(f"… and {unnamed} more", f"…另有 {unnamed} 則"))
    lines.append(words.of(f"Times are local ({ZONE[0]}).", f"時間為{ZONE[1]}。"))
    remedies = {_remedy(one.alert, words) for one in told} - {""}
    if len(remedies) == 1:
        lines += remedies
    if public_url:
        lines.append(f"{public_url.rstrip('/')}/alerts")
    title = f"{words.of('TEST: ', '測試：')}{head}" if tests else head
    return NotificationText(one_line(title), "\n".join(lines))


def _over_meanwhile(alert: AlertRow, words: Words) -> str:
    """Of what was held back while its device was put aside: it may be over long since."""
    if alert.device_shelf is None or alert.cleared is None:
        return ""
    return words.of(" (over)", "（已解除）")


def _title(cipher: Cipher, telling: Telling, words: Words) -> str:
    title, title_zh, _ = titles(cipher, telling.alert)
    return words.prefixed(telling, words.of(title, title_zh))


def one_line(title: str) -> str:
    """Names come from gateways: a line break in one would end a mail's header."""
    printable = "".join(each if each.isprintable() else " " for each in title)
    return " ".join(printable.split())[:LONGEST_TITLE]


def _why(telling: Telling, words: Words) -> list[str]:
    lines = []
    since = city_stamp(telling.alert.event_time)
    if telling.perhaps_told:
        lines.append(
            words.of(
                "This may have reached you already: the service did not say.",
                "您可能已收到過本則通知：服務商未回覆是否送達。",
            )
        )
    if telling.purpose == REMINDER:
        lines.append(
            words.of(
                f"REMINDER: it stands since {since} and nobody has acknowledged it.",
                f"提醒：自 {since} 起持續中，尚無人受理。",
            )
        )
    elif telling.purpose == "again":
        reason = _reason(telling, words)
        lines.append(words.of(f"Told again: {reason}.", f"再次通報：{reason}。"))
    elif telling.purpose == "stood-down":
        lines.append(f"{_reason(telling, words)}{words.of('.', '。')}")
    elif telling.purpose == "closed" and telling.alert.confirmed_by is not None:
        by = telling.alert.confirmed_by
        lines.append(words.of(f"Closed by {by}.", f"由 {by} 結案。"))
    if telling.escalation:
        lines.append(words.of("Nobody has acknowledged this alert.", "尚無人受理此警報。"))
    return lines


def _reason(telling: Telling, words: Words) -> str:
    return words.of(*why_again(telling.alert.domain, telling.step))


def _facts(alert: AlertRow, words: Words, address: str = "") -> list[str]:
    severity = words.of(alert.severity, SEVERITY_ZH[alert.severity])
    began = city_stamp(alert.event_time)
    lines = [
        words.of(f"Severity: {severity}", f"等級：{severity}"),
        words.of(f"Time: {began} ({ZONE[0]})", f"時間：{began}（{ZONE[1]}）"),
    ]
    if address:
        lines.append(words.of(f"Address: {address}", f"地址：{address}"))
    if alert.cleared is not None:
        over = city_stamp(alert.cleared)
        lines.append(words.of(f"Over since: {over}", f"已解除：{over}"))
    lines += _aside(alert, words)
    lines += _doubts(alert.detail, words)
    if alert.domain == PLATFORM and alert.gateway:
        lines.append(words.of(f"Gateway: {alert.gateway}", f"閘道器：{alert.gateway}"))
    if alert.device:
        lines.append(words.of(f"Device: {alert.device}", f"裝置：{alert.device}"))
    if remedy := _remedy(alert, words):
        lines.append(remedy)
    return lines


def _aside(alert: AlertRow, words: Words) -> list[str]:
    """Whoever is called of a device that somebody put aside has to know it."""
    if alert.device_shelf is None:
        return []
    until = coverage.shown_end(alert)
    end = words.of(f", until {city_stamp(until)}", f"，至 {city_stamp(until)}") if until else ""
    if alert.device_shelf == coverage.OUT_OF_SERVICE:
        return [
            words.of(f"Raised while the device was out of service{end}.", f"裝置停用期間{end}。")
        ]
    return [words.of(f"The device was shelved{end}.", f"裝置暫緩期間{end}。")]


def _doubts(detail: dict[str, Any], words: Words) -> list[str]:
    """What ``Received.marks`` told of the message."""
    doubts = []
    if "time_quality" in detail:
        doubts.append(
            words.of(
                "The gateway's clock is wrong: the time is that of receipt.",
                "閘道器時鐘有誤：所示為收到的時間。",
            )
        )
    if "owner_doubtful" in detail:
        owner = detail["owner_doubtful"]
        doubts.append(
            words.of(f"The device belongs to gateway {owner}.", f"該裝置登記於閘道器 {owner}。")
        )
    if "shape_doubtful" in detail:
        doubts.append(
            words.of("Part of the message was not understood.", "訊息有部分內容無法判讀。")
        )
    if "unconfirmed_since" in detail:
        doubts.append(
            words.of("Unconfirmed: the alarm's last word is old.", "未經證實：警報器的訊號是舊的。")
        )
    return doubts


def _remedy(alert: AlertRow, words: Words) -> str:
    """What to do: of this alert, else of its kind while it stands."""
    own = str(alert.detail.get(words.of("remedy", "remedy_zh")) or "")
    domain = described(alert.domain)
    if own or domain is None or not (alert.active or alert.called_on):
        return own
    return words.of(*domain.instructions.get(alert.kind, ("", "")))
