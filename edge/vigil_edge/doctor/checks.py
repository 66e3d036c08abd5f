"""What every gateway needs: clock, disk, name service, broker, certificate, the cloud's address."""

from __future__ import annotations

import asyncio
import os
import shutil
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
from cryptography import x509
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from vigil_edge.clock import MAX_ERROR_S, kernel_error_s
from vigil_edge.configuration.gateway_file import Config
from vigil_edge.configuration.lock import holder
from vigil_edge.device.health import kept
from vigil_edge.evidence.stamp import NoStamp, TimeStamps
from vigil_edge.examination import WAIT_S, Finding, Text, existing, tcp
from vigil_schemas.entrance import one_line

LEAST_FREE_BYTES: Final = 500_000_000
SOON: Final = timedelta(days=30)
CLOCK: Final = Text("clock", "時鐘")
DISK: Final = Text("disk", "磁碟")
BROKER: Final = Text("broker", "訊息中介")
CERTIFICATE: Final = Text("certificate", "憑證")
CLOUD: Final = Text("cloud", "雲端")
TIMESTAMPS: Final = Text("time stamps", "時戳服務")
AGENT: Final = Text("agent", "代理程式")


def clock(error_s: Callable[[], float | None] = kernel_error_s, *, vouched: bool) -> Finding:
    """Whether the kernel vouches for its clock, or the settings do."""
    error = error_s()
    if error is not None and error <= MAX_ERROR_S:
        return Finding(
            CLOCK,
            True,
            Text(f"synchronised within {error:.3f} s", f"已同步，誤差 {error:.3f} 秒內"),
        )
    if vouched:
        return Finding(
            CLOCK,
            True,
            Text(
                "the kernel does not vouch for it; [gateway] clock does", "由設定擔保，核心未證實"
            ),
        )
    return Finding(
        CLOCK,
        False,
        Text("not synchronised", "未同步"),
        Text(
            "timedatectl set-ntp true, and look at `timedatectl timesync-status`",
            "執行 timedatectl set-ntp true，並查看 timedatectl timesync-status",
        ),
    )


def disk(folder: Path) -> Finding:
    """Whether the data folder can be written and has room."""
    place = existing(folder)
    if os.statvfs(place).f_flag & os.ST_RDONLY:
        return Finding(
            DISK,
            False,
            Text(f"{place} is mounted read-only", f"{place} 以唯讀方式掛載"),
            Text(
                "a card that is worn out becomes so by itself: look at `dmesg`, replace it, or"
                " `mount -o remount,rw` where it was meant so",
                "記憶卡損壞時會自動變為唯讀：請查看 dmesg 並更換；若為刻意設定，"
                "請執行 mount -o remount,rw",
            ),
        )
    free = shutil.disk_usage(place).free
    megabytes = free // 1_000_000
    if not os.access(place, os.W_OK | os.X_OK):
        return Finding(
            DISK,
            False,
            Text(f"{place} cannot be written by this user", f"此使用者無法寫入 {place}"),
            Text(
                f"as the agent's user: sudo -u vigil vigil-edge doctor …; if it says so too:"
                f" chown -R vigil {place}",
                f"請以代理程式的使用者執行：sudo -u vigil vigil-edge doctor …；"
                f"若仍如此，執行 chown -R vigil {place}",
            ),
        )
    if free < LEAST_FREE_BYTES:
        return Finding(
            DISK,
            False,
            Text(f"{megabytes} MB free in {place}", f"{place} 僅剩 {megabytes} MB"),
            Text(
                "remove what is not needed, or take a larger one",
                "清除不需要的檔案，或換大一點的磁碟",
            ),
        )
    return Finding(
        DISK, True, Text(f"{megabytes} MB free in {place}", f"{place} 尚有 {megabytes} MB")
    )


def certificate(config: Config, now: datetime) -> Finding | None:
    """When ours ends; ``None`` where the gateway has none."""
    path = config.cloud.certificate_file
    if path is None:
        return None
    found = x509.load_pem_x509_certificate(path.read_bytes())
    begins, ends = found.not_valid_before_utc, found.not_valid_after_utc
    day = f"{ends:%Y-%m-%d}"
    if now < begins:
        return Finding(
            CERTIFICATE,
            False,
            Text(
                f"is not valid before {begins:%Y-%m-%d %H:%M} UTC",
                f"{begins:%Y-%m-%d %H:%M} UTC 起才有效",
            ),
            Text("the clock of this box is behind; set it", "本機時鐘落後，請校正"),
        )
    if ends <= now:
        return Finding(
            CERTIFICATE,
            False,
            Text(f"ended on {day}", f"已於 {day} 到期"),
            Text(
                "let the agent run with the cloud in reach, or enrol again: vigil-edge enrol",
                "讓代理程式在連得到雲端時執行以自動更新，或重新註冊：vigil-edge enrol",
            ),
        )
    if ends - now < SOON:
        return Finding(
            CERTIFICATE,
            False,
            Text(f"ends on {day} and has not been renewed", f"將於 {day} 到期，尚未更新"),
            Text(
                "look for certificate-renewal-failed in the agent's log",
                "請查看代理程式紀錄中的 certificate-renewal-failed",
            ),
        )
    return Finding(CERTIFICATE, True, Text(f"valid until {day}", f"有效至 {day}"))


def broker(config: Config, *, running: bool | None) -> Iterator[Finding]:
    """Name, port, TLS, and whether it lets us in. While the agent is connected nobody signs in: the
    broker would end the agent's own connection for ours. ``running``: ``None`` where that is not
    known, as another user's lock may not be looked at."""
    cloud = config.cloud
    reached = tcp(BROKER, cloud.host, cloud.port)
    yield reached
    if not reached.well:
        return
    try:
        context = cloud.tls_context() if cloud.tls else None
        password = cloud.password()
    except (OSError, ValueError) as error:
        yield _refused(str(error))
        return
    if running is None:
        yield _not_tried()
    elif not running:
        yield _sign_in(config, context, password)
    elif (kept(config.gateway.data_dir) or {}).get("linked") is not False:
        said = Text(
            "the agent is running; its own connection is not disturbed",
            "代理程式執行中，不另行登入",
        )
        yield Finding(BROKER, True, said)
    else:
        tried = _sign_in(config, context, password)
        yield _not_the_agent() if tried.well else tried


def _not_tried() -> Finding:
    return Finding(
        BROKER,
        False,
        Text(
            "not signed in: the agent may be running, and would lose its connection",
            "未登入：代理程式可能執行中，登入會使其斷線",
        ),
        Text(
            "as the agent's user: sudo -u vigil vigil-edge doctor …",
            "請以代理程式的使用者執行：sudo -u vigil vigil-edge doctor …",
        ),
    )


def _sign_in(config: Config, context: ssl.SSLContext | None, password: str | None) -> Finding:
    """CONNECT, and away again. It has no last will: nothing is told of it."""
    cloud = config.cloud
    client: Any = Client(
        CallbackAPIVersion.VERSION2,
        client_id=config.gateway.id,
        protocol=MQTTProtocolVersion.MQTTv5,
        reconnect_on_failure=False,
    )
    if context is not None:
        client.tls_set_context(context)
    if cloud.username or password is not None:
        client.username_pw_set(cloud.username or config.gateway.id, password)
    said: list[tuple[bool, str]] = []
    heard = threading.Event()

    def hear(well: bool, what: str) -> None:
        said.append((well, what))
        heard.set()

    client.on_connect = lambda _c, _u, _f, reason, _p: hear(not reason.is_failure, str(reason))
    client.on_disconnect = lambda _c, _u, _f, reason, _p: hear(False, str(reason))
    client.connect_timeout = WAIT_S
    try:
        client.connect(cloud.host, cloud.port)
    except ssl.SSLCertVerificationError as error:
        return Finding(
            BROKER,
            False,
            Text(
                f"does not prove to be ours: {error.verify_message}",
                f"無法證明身分：{error.verify_message}",
            ),
            Text(
                "check the clock of this box, and [cloud] ca_file",
                "檢查本機時鐘與 [cloud] ca_file",
            ),
        )
    except OSError as error:
        return _refused(str(error))
    client.loop_start()
    try:
        heard.wait(WAIT_S)
    finally:
        client.disconnect()
        client.loop_stop()
    well, what = said[0] if said else (False, "no answer")
    return Finding(BROKER, True, Text("lets us in", "登入成功")) if well else _refused(what)


def _not_the_agent() -> Finding:
    return Finding(
        BROKER,
        False,
        Text("lets us in, and the agent has no connection", "可登入，但代理程式未連線"),
        Text(
            "wait a minute and look again; if it stays so, see journalctl -u vigil-edge, and"
            " whether another box uses this name (gateways page)",
            "請稍候一分鐘再看；若仍如此，請查看 journalctl -u vigil-edge，"
            "並確認是否有另一台機器使用同一名稱（閘道器頁面）",
        ),
    )


def _refused(what: str) -> Finding:
    return Finding(
        BROKER,
        False,
        Text(f"does not let us in: {what}", f"拒絕登入：{what}"),
        Text(
            "look whether the gateway was revoked (gateways page); check certificate or password",
            "查看閘道器是否已被撤銷（閘道器頁面），並檢查憑證或密碼",
        ),
    )


def cloud(config: Config) -> Finding | None:
    """Whether the cloud's address for evidence and renewal answers; ``None`` without one."""
    url = config.cloud.url
    if url is None:
        return None
    parts = urlsplit(url)
    try:
        verify: ssl.SSLContext | bool = (
            config.cloud.url_tls_context() if parts.scheme == "https" else False
        )
        with httpx.Client(verify=verify, timeout=WAIT_S) as client:
            status = client.get(f"{url}/healthz").status_code
    except (httpx.HTTPError, OSError, ValueError) as error:
        said = str(error) or type(error).__name__
        return Finding(
            CLOUD,
            False,
            Text(f"{url} does not answer: {said}", f"{url} 沒有回應：{said}"),
            Text(
                "check the address, the network, this box's clock and [cloud] url_ca_file",
                "檢查位址、網路、本機時鐘與 [cloud] url_ca_file",
            ),
        )
    if status != 200:
        return Finding(
            CLOUD,
            False,
            Text(f"{url} answers {status}", f"{url} 回應 {status}"),
            Text("check that this is the cloud's address", "檢查這是否為雲端的位址"),
        )
    return Finding(CLOUD, True, Text(f"{url} answers", f"{url} 有回應"))


def time_stamps(config: Config) -> Finding | None:
    """Whether the time stamping authority gives a stamp that holds; ``None`` without one."""
    asked = config.evidence
    if asked.timestamp_url is None:
        return None
    stamps = TimeStamps(
        asked.timestamp_url,
        asked.timestamp_ca_file,
        asked.timestamp_wait_s,
        time.monotonic,
        lambda _name: None,
    )
    try:
        asyncio.run(stamps.stamp(b"vigil-edge doctor"))
    except NoStamp as why:
        return Finding(
            TIMESTAMPS,
            False,
            Text(f"{asked.timestamp_url}: {why}", f"{asked.timestamp_url}：{why}"),
            Text(
                "check [evidence] timestamp_url, timestamp_ca_file and timestamp_wait_s;"
                " packages are sealed without a stamp meanwhile",
                "檢查 [evidence] timestamp_url、timestamp_ca_file 與 timestamp_wait_s；"
                "其間證據封存時不含時戳",
            ),
        )
    url = asked.timestamp_url
    return Finding(TIMESTAMPS, True, Text(f"{url} stamps", f"{url} 有回應"))


def agent(config: Config) -> tuple[Finding, bool]:
    """Whether it runs."""
    number = holder(config.gateway.data_dir)
    if number is not None:
        said = Text(f"runs as process {number}", f"執行中（行程 {number}）")
        return Finding(AGENT, True, said), True
    return (
        Finding(
            AGENT,
            False,
            Text("does not run", "未執行"),
            Text(
                "systemctl start vigil-edge, or vigil-edge run",
                "執行 systemctl start vigil-edge 或 vigil-edge run",
            ),
        ),
        False,
    )


def everything(config: Config, now: datetime | None = None) -> Iterator[Finding]:
    """All of it, in the order in which one thing needs the other."""
    now = now or datetime.now(UTC)
    running: bool | None
    try:
        runs, running = agent(config)
    except OSError as error:
        runs, running = _cannot_be_looked_at(AGENT, error), None
    yield clock(vouched=config.gateway.clock == "host")
    yield from looked(DISK, lambda: [disk(config.gateway.data_dir)])
    yield from looked(CERTIFICATE, lambda: [certificate(config, now)])
    yield from looked(BROKER, lambda: broker(config, running=running))
    yield from looked(CLOUD, lambda: [cloud(config)])
    yield from looked(TIMESTAMPS, lambda: [time_stamps(config)])
    yield runs


def looked(subject: Text, look: Callable[[], Iterable[Finding | None]]) -> Iterator[Finding]:
    """What a look finds. One that cannot be done says so in its own line and ends no other."""
    try:
        yield from (found for found in look() if found is not None)
    except (OSError, ValueError) as error:
        yield _cannot_be_looked_at(subject, error)


def _cannot_be_looked_at(subject: Text, error: Exception) -> Finding:
    said = one_line(error) or type(error).__name__
    return Finding(
        subject,
        False,
        Text(f"cannot be looked at: {said}", f"無法檢查：{said}"),
        Text(
            "as the agent's user: sudo -u vigil vigil-edge doctor …; if it says so too, replace"
            " what the message names",
            "請以代理程式的使用者執行：sudo -u vigil vigil-edge doctor …；"
            "若仍如此，請更換訊息所指的檔案",
        ),
    )
