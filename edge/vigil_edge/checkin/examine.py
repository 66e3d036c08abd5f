"""What ``vigil-edge doctor`` looks at of a station: its radios, or its reader."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from vigil_edge.checkin.settings import BleSettings, LlrpSettings
from vigil_edge.examination import Finding, Text, tcp

RADIOS: Final = Path("/sys/class/bluetooth")
"""Where the kernel lists them."""


def look(settings: BleSettings | LlrpSettings, subject: Text) -> Iterator[Finding]:
    """Each radio, or the reader's port; of a station that moves gpsd as well."""
    if settings.position is not None:
        yield tcp(subject, *settings.position.receiver.endpoint)
    if isinstance(settings, LlrpSettings):
        yield tcp(subject, settings.host, settings.port)
    elif settings.backend == "bluez":
        there = sorted(each.name for each in RADIOS.glob("hci*") if ":" not in each.name)
        for radio in settings.radios:
            yield _radio(subject, radio, there)


def _radio(subject: Text, radio: str | None, there: list[str]) -> Finding:
    known = ", ".join(there) or "none"
    if not there or (radio is not None and radio.startswith("hci") and radio not in there):
        name = radio or "a Bluetooth radio"
        return Finding(
            subject,
            False,
            Text(f"there is no {name}; there are: {known}", f"沒有 {name}；現有：{known}"),
            Text(
                "plug it in, `rfkill unblock bluetooth`, or write another adapter",
                "接上藍牙、執行 rfkill unblock bluetooth，或改寫 adapter",
            ),
        )
    if not Path("/run/dbus/system_bus_socket").exists():
        return Finding(
            subject,
            False,
            Text("BlueZ cannot be asked: there is no system bus", "沒有系統匯流排，無法使用 BlueZ"),
            Text(
                "apt-get install dbus bluez && systemctl start bluetooth",
                "執行 apt-get install dbus bluez && systemctl start bluetooth",
            ),
        )
    return Finding(
        subject, True, Text(f"{radio or there[0]} is there", f"{radio or there[0]} 可用")
    )
