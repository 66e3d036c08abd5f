"""What a notification says."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from vigil_cloud.alerts.models import AlertRow
from vigil_cloud.alerts.presentation import titles
from vigil_cloud.identity.cipher import Cipher

TAIPEI: Final = ZoneInfo("Asia/Taipei")
LONGEST_TITLE: Final = 200
_SEVERITY_ZH: Final = {"critical": "緊急", "major": "重要", "minor": "輕微", "info": "通知"}


@dataclass(frozen=True, slots=True)
class Message:
    """Title and body, plain text."""

    title: str
    body: str


def compose(
    cipher: Cipher, alert: AlertRow, *, language: str, public_url: str, escalation: bool
) -> Message:
    """The alert in the channel's language, times as in Taipei."""
    title, title_zh, _ = titles(cipher, alert)
    chinese = language.lower().startswith("zh")
    lines = _chinese(alert) if chinese else _english(alert)
    if escalation:
        lines.insert(0, "尚無人受理此警報。" if chinese else "Nobody has acknowledged this alert.")
    if public_url:
        lines.append(alert_link(public_url, alert.id))
    return Message(_one_line(title_zh if chinese else title), "\n".join(lines))


def alert_link(public_url: str, alert_id: str) -> str:
    """The alert's page: the router of the pages reads the path (see cloud/web/src/lib/router)."""
    return f"{public_url.rstrip('/')}/alerts/{alert_id}"


def _one_line(title: str) -> str:
    """Names come from gateways: a line break in one would end a mail's header."""
    printable = "".join(each if each.isprintable() else " " for each in title)
    return " ".join(printable.split())[:LONGEST_TITLE]


def _chinese(alert: AlertRow) -> list[str]:
    lines = [f"等級：{_SEVERITY_ZH[alert.severity]}", f"時間：{_local(alert.event_time)}"]
    if alert.cleared is not None:
        lines.append(f"已解除：{_local(alert.cleared)}")
    return [*lines, f"裝置：{alert.device}"]


def _english(alert: AlertRow) -> list[str]:
    lines = [f"Severity: {alert.severity}", f"Time: {_local(alert.event_time)}"]
    if alert.cleared is not None:
        lines.append(f"Over since: {_local(alert.cleared)}")
    return [*lines, f"Device: {alert.device}"]


def _local(moment: datetime) -> str:
    return f"{moment.astimezone(TAIPEI):%Y-%m-%d %H:%M:%S}"
