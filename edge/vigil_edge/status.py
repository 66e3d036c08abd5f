"""``vigil-edge status``: how this gateway is, in plain words, whether its agent runs or not.

What the agent said last stands in its health report; whether it runs, what waits in the outbox,
the disk and the certificate are looked at anew.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from vigil_edge.configuration import tls
from vigil_edge.configuration.gateway_file import Config
from vigil_edge.configuration.lock import holder
from vigil_edge.device.health import kept
from vigil_edge.examination import Text, existing
from vigil_schemas.entrance import one_line
from vigil_schemas.types import isoformat_utc

FRESH_FACTOR: Final = 3
"""A report older than so many of its intervals says how things were."""
WELL, DEGRADED, STOPPED = 0, 1, 3
"""Exit status; 3 is what systemd's and LSB's ``status`` say of something that does not run."""


@dataclass(frozen=True, slots=True)
class Status:
    """Facts, as ``--json`` prints them."""

    gateway: str
    software: str
    process: int | None
    process_error: str
    """Why nobody knows whether the agent runs (another user's lock); empty where it is known."""
    report: dict[str, Any] | None
    """The newest health report, where there is one."""
    report_age_s: float | None
    outbox: dict[str, int]
    """Messages that wait, by lane."""
    outbox_error: str
    """Why nobody knows what waits (a worn-out disk, another user); empty where it is known."""
    oldest: datetime | None
    disk_free_bytes: int
    certificate_ends: datetime | None
    fresh: bool

    @property
    def failed(self) -> list[dict[str, Any]]:
        """Sources that are not well."""
        sources = (self.report or {}).get("sources", [])
        return [one for one in sources if one["state"] in {"failed", "degraded"}]

    @property
    def exit_status(self) -> int:
        """0 well, 1 something is not or is not known, 3 the agent does not run."""
        if self.process is None and not self.process_error:
            return STOPPED
        report = self.report or {}
        ended = self.certificate_ends is not None and self.certificate_ends <= datetime.now(UTC)
        unknown = self.process_error or self.outbox_error
        bad = self.failed or report.get("refusals") or ended or unknown or not self.fresh
        return DEGRADED if bad or report.get("linked") is False else WELL


def look(config: Config, now: datetime) -> Status:
    """The facts of this moment; what cannot be looked at hides nothing else."""
    folder = config.gateway.data_dir
    report = kept(folder)
    age = None
    if report is not None:
        age = (now - datetime.fromisoformat(str(report["time"]))).total_seconds()
    outbox = folder / "outbox.sqlite"
    waiting, oldest, unread = dict[str, int](), None, ""
    try:
        waiting, oldest = _waiting(outbox)
    except (sqlite3.Error, OSError) as error:
        unread = f"{outbox} cannot be read: {error}"
    process, hidden = _process(folder)
    return Status(
        config.gateway.id,
        f"vigil-edge {version('vigil-city')}",
        process,
        hidden,
        report,
        age,
        waiting,
        unread,
        oldest,
        shutil.disk_usage(existing(folder)).free,
        tls.certificate_end(config.cloud.certificate_file),
        age is not None and age <= FRESH_FACTOR * config.health.interval_s,
    )


def _process(folder: Path) -> tuple[int | None, str]:
    """Of the agent, and why nobody knows it."""
    try:
        return holder(folder), ""
    except OSError as error:
        return None, one_line(error)


def _waiting(outbox: Path) -> tuple[dict[str, int], datetime | None]:
    """Read beside the agent: a reader of a WAL file keeps nobody waiting."""
    try:
        outbox.stat()
    except FileNotFoundError:
        return {}, None
    counts: dict[str, int] = {}
    with closing(sqlite3.connect(f"file:{outbox}?mode=ro", uri=True, timeout=5)) as database:
        if database.execute("PRAGMA user_version").fetchone()[0] == 0:
            return {}, None  # the agent is just making it
        for lane, rows in database.execute("SELECT lane, count(*) FROM message GROUP BY lane"):
            counts[str(lane)] = int(rows)
        packed = database.execute("SELECT coalesce(sum(records), 0) FROM waiting").fetchone()[0]
        oldest = database.execute(
            "SELECT min(time_us) FROM (SELECT min(time_us) AS time_us FROM message"
            " UNION ALL SELECT min(time_us) FROM waiting)"
        ).fetchone()[0]
    if packed:
        counts["observation"] = counts.get("observation", 0) + int(packed)
    return counts, None if oldest is None else datetime.fromtimestamp(oldest / 1e6, UTC)


def lines(status: Status, now: datetime) -> Iterator[Text]:
    """What is printed, a line for each fact."""
    report = status.report or {}
    yield Text(
        f"gateway {status.gateway}, {status.software}",
        f"閘道器 {status.gateway}，{status.software}",
    )
    if status.process_error:
        why = status.process_error
        yield Text(
            f"agent: cannot be looked at: {why} (sudo -u vigil vigil-edge status …)",
            f"代理程式：無法檢查：{why}（sudo -u vigil vigil-edge status …）",
        )
    elif status.process is None:
        yield Text("agent: does not run (vigil-edge run)", "代理程式：未執行（vigil-edge run）")
    else:
        yield Text(
            f"agent: runs as process {status.process}", f"代理程式：執行中（行程 {status.process}）"
        )
    yield from _of_report(status, report)
    waiting = ", ".join(f"{lane} {rows}" for lane, rows in sorted(status.outbox.items())) or "0"
    since = "" if status.oldest is None else f" (since {status.oldest:%Y-%m-%d %H:%M} UTC)"
    since_zh = "" if status.oldest is None else f"（最早 {status.oldest:%Y-%m-%d %H:%M} UTC）"
    if status.outbox_error:
        waiting, since, since_zh = "?", "", ""
    yield Text(f"waits for the cloud: {waiting}{since}", f"待送雲端：{waiting}{since_zh}")
    free = status.disk_free_bytes // 1_000_000
    yield Text(f"disk: {free} MB free", f"磁碟：剩餘 {free} MB")
    if status.certificate_ends is not None:
        left = (status.certificate_ends - now).days
        day = f"{status.certificate_ends:%Y-%m-%d}"
        yield Text(f"certificate: until {day} ({left} days)", f"憑證：至 {day}（{left} 天）")


def _of_report(status: Status, report: dict[str, Any]) -> Iterator[Text]:
    if status.report is None:
        yield Text("it has not reported its health yet", "尚無健康報告")
        return
    age = round(status.report_age_s or 0)
    if not status.fresh:
        yield Text(f"as it was {age} s ago:", f"以下為 {age} 秒前的狀況：")
    linked = report.get("linked")
    if linked is not None:
        yield (
            Text("link: connected to the broker", "連線：已連上訊息中介")
            if linked
            else Text(
                "link: no connection to the broker (vigil-edge doctor)",
                "連線：未連上訊息中介（vigil-edge doctor）",
            )
        )
    offset = report.get("clock_offset_s")
    off = "" if offset is None else f", {offset:+.0f} s against the cloud"
    off_zh = "" if offset is None else f"，與雲端相差 {offset:+.0f} 秒"
    quality = report["clock_quality"]
    yield Text(f"clock: {quality}{off}", f"時鐘：{quality}{off_zh}")
    for source in report.get("sources", []):
        why = "" if source["state"] == "ok" else f" ({source.get('code')}: {source.get('message')})"
        yield Text(
            f"{source['device']}: {source['state']}{why}",
            f"{source['device']}：{source['state']}{why}",
        )
    for refused in report.get("refusals") or []:
        said = f"{refused['reason']} × {refused['count']}: {refused['detail']}"
        yield Text(f"the cloud refuses: {said}", f"雲端拒收：{said}")


def as_json(status: Status) -> str:
    """One object; the newest health report is part of it."""
    body = {
        "gateway": status.gateway,
        "software": status.software,
        "process": status.process,
        "process_error": status.process_error or None,
        "outbox": status.outbox,
        "outbox_error": status.outbox_error or None,
        "oldest": _moment(status.oldest),
        "disk_free_bytes": status.disk_free_bytes,
        "certificate_ends": _moment(status.certificate_ends),
        "report": status.report,
        "report_age_s": status.report_age_s,
        "fresh": status.fresh,
        "status": {WELL: "well", DEGRADED: "degraded", STOPPED: "stopped"}[status.exit_status],
    }
    return json.dumps(body, ensure_ascii=False)


def _moment(value: datetime | None) -> str | None:
    return None if value is None else isoformat_utc(value)
