"""One look at one thing that a gateway needs, said in both languages; what domains look at too.

A look changes nothing and waits for no longer than ``WAIT_S``: whoever stands before the box
runs it, also while the agent runs.
"""

from __future__ import annotations

import os
import socket
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

WAIT_S: Final = 5.0


class Text(NamedTuple):
    """A sentence."""

    en: str
    zh: str


NOTHING: Final = Text("", "")


@dataclass(frozen=True, slots=True)
class Finding:
    """What was looked at, how it is, and what to do where it is not well."""

    subject: Text
    well: bool
    said: Text
    mend: Text = NOTHING


def existing(folder: Path) -> Path:
    """The folder, or the nearest above it that is there and may be seen."""
    place = folder.absolute()
    while not os.path.exists(place):  # noqa: PTH110 - of what may not be seen, Path.exists raises
        place = place.parent
    return place


def tcp(subject: Text, host: str, port: int) -> Finding:
    """Whether somebody answers there."""
    address = f"{host}:{port}"
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        return Finding(
            subject,
            False,
            Text(
                f"{host} has no address: {_reason(error)}", f"{host} 查不到位址：{_reason(error)}"
            ),
            Text(
                "check the name, and this box's DNS server (/etc/resolv.conf)",
                "檢查名稱與本機的 DNS 伺服器（/etc/resolv.conf）",
            ),
        )
    reason = "no address"
    for family, kind, protocol, _, where in found:
        with socket.socket(family, kind, protocol) as connection:
            connection.settimeout(WAIT_S)
            try:
                connection.connect(where)
            except OSError as error:
                reason = _reason(error)
            else:
                return Finding(subject, True, Text(f"{address} answers", f"{address} 有回應"))
    return Finding(
        subject,
        False,
        Text(f"{address} does not answer: {reason}", f"{address} 沒有回應：{reason}"),
        Text(
            "check that it is switched on, its address, the cable and the firewall",
            "檢查電源、位址、網路線與防火牆",
        ),
    )


def device_file(subject: Text, path: str) -> Finding:
    """Whether a device of the kernel's is there, and this user may use it."""
    try:
        found = Path(path).stat()
    except OSError as error:
        reason = _reason(error)
        there = sorted(
            str(one) for one in Path("/dev").glob(f"{Path(path).name.rstrip('0123456789')}*")
        )
        known = ", ".join(there[:5]) or "none"
        return Finding(
            subject,
            False,
            Text(f"{path}: {reason}", f"{path}：{reason}"),
            Text(
                f"plug it in, or write another address; there are: {known}",
                f"請接上裝置或改寫位址；目前有：{known}",
            ),
        )
    if not stat.S_ISCHR(found.st_mode):
        return Finding(
            subject,
            False,
            Text(f"{path} is no device", f"{path} 不是裝置"),
            Text("write the path of the device", "請寫裝置的路徑"),
        )
    if not os.access(path, os.R_OK | os.W_OK):
        group = _group(found.st_gid)
        return Finding(
            subject,
            False,
            Text(f"{path} may not be used by this user", f"此使用者無權使用 {path}"),
            Text(
                f"add the user to the group {group}: usermod -aG {group} vigil",
                f"將使用者加入群組 {group}：usermod -aG {group} vigil",
            ),
        )
    return Finding(subject, True, Text(f"{path} is there", f"{path} 可用"))


def folder(subject: Text, path: Path) -> Finding:
    """Whether a folder is there, and this user may look into it."""
    try:
        with os.scandir(path) as entries:
            count = sum(1 for _ in entries)
    except OSError as error:
        reason = _reason(error)
        return Finding(
            subject,
            False,
            Text(f"{path}: {reason}", f"{path}：{reason}"),
            Text(
                "make the folder, readable for the user that the agent runs as",
                "請建立此資料夾，並讓代理程式的使用者可讀取",
            ),
        )
    return Finding(
        subject, True, Text(f"{path} is there: {count} files", f"{path} 可用：{count} 個檔案")
    )


def _group(number: int) -> str:
    import grp

    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)


def _reason(error: OSError) -> str:
    return error.strerror or str(error) or type(error).__name__
