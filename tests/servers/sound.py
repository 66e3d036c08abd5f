"""A sound card: PulseAudio."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from .process import Server
from .programs import need


@dataclass
class PulseAudio(Server):
    socket_path: Path = Path()

    @property
    def address(self) -> str:
        """For ``PULSE_SERVER``."""
        return f"unix:{self.socket_path}"


def pulseaudio(folder: Path, *, channels: int = 1, rate: int = 48000) -> PulseAudio:
    """A sound card: a null sink ``vigil`` whose monitor records exactly what is played into it."""
    program = need("pulseaudio", "apt-get install pulseaudio")
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "native"
    channel_map = ",".join(["mono"] if channels == 1 else [f"aux{n}" for n in range(channels)])
    script = folder / "default.pa"
    script.write_text(
        f"load-module module-native-protocol-unix auth-anonymous=1 socket={path}\n"
        f"load-module module-null-sink sink_name=vigil channels={channels} rate={rate}"
        f" format=s32le channel_map={channel_map}\n"
        "set-default-sink vigil\nset-default-source vigil.monitor\n"
    )
    server = PulseAudio(
        "pulseaudio",
        [
            *(str(program), "-n", "-F", str(script), "--daemonize=no", "--use-pid-file=no"),
            *("--exit-idle-time=-1", "--disable-shm=yes", "--log-target=stderr"),
            *("--realtime=no", "--high-priority=no"),
        ],
        path.exists,
        folder / "pulseaudio.log",
        env={
            "HOME": str(folder),
            "XDG_RUNTIME_DIR": str(folder),
            "PULSE_RUNTIME_PATH": str(folder),
            "PULSE_STATE_PATH": str(folder),
        },
        socket_path=path,
    )
    server.start()
    return server
