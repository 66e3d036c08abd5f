"""A private D-Bus."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from .process import Server
from .programs import need


@dataclass
class DBus(Server):
    socket_path: Path = Path()

    @property
    def address(self) -> str:
        """For ``DBUS_SYSTEM_BUS_ADDRESS``."""
        return f"unix:path={self.socket_path}"


def dbus(folder: Path) -> DBus:
    """A private bus on which anybody may own any name."""
    program = need("dbus-daemon", "apt-get install dbus")
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "bus"
    config = folder / "bus.conf"
    config.write_text(
        '<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"\n'
        ' "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">\n'
        f"<busconfig><type>system</type><listen>unix:path={path}</listen>"
        '<auth>EXTERNAL</auth><policy context="default"><allow user="*"/><allow own="*"/>'
        '<allow send_type="method_call"/><allow send_type="signal"/>'
        '<allow send_destination="*"/><allow receive_sender="*"/><allow eavesdrop="true"/>'
        "</policy></busconfig>\n"
    )
    server = DBus(
        "dbus-daemon",
        [str(program), f"--config-file={config}", "--nofork", "--nopidfile"],
        path.exists,
        folder / "dbus.log",
        socket_path=path,
    )
    server.start()
    return server
