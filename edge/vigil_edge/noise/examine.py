"""What ``vigil-edge doctor`` looks at of a noise camera."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from vigil_edge.examination import Finding, Text, device_file, tcp
from vigil_edge.modbus import examine
from vigil_edge.noise.pictures import advice
from vigil_edge.noise.pictures.settings import CameraSettings
from vigil_edge.noise.settings import NoiseSettings
from vigil_edge.portaudio import address_of, library

_PORTS: Final = {"http": 80, "https": 443, "rtsp": 554, "rtsps": 322}


def look(settings: NoiseSettings, subject: Text) -> Iterator[Finding]:
    """Where its sound comes from, its pictures, and its weather."""
    if settings.weather is not None:
        yield examine.look(settings.weather, subject)
    yield from _cameras(settings, subject)
    audio = settings.audio
    if audio.source == "pcm":
        yield tcp(subject, *audio.host_and_port)
    elif audio.source == "sounddevice":
        yield _sound_card(subject, address_of(audio.address), audio.layout.channels)
    else:
        yield _file(subject, str(audio.address))


def _cameras(settings: NoiseSettings, subject: Text) -> Iterator[Finding]:
    """Whether each answers at its address, and how well its pictures' moments are known where
    vehicles are told apart by them. What it is asked for there, and with which password, is told by
    its own trouble once the agent runs."""
    for role, camera in settings.cameras.items():
        count = len(settings.cameras)
        name = advice.name_of(role, count)
        yield _camera(Text(f"{subject.en}, {name.en}", f"{subject.zh}，{name.zh}"), camera)
        if settings.compares_moments:
            moments = Text(
                f"{subject.en}, moments of the {name.en}", f"{subject.zh}，{name.zh}影像時刻"
            )
            known, mend = advice.known(camera), advice.how_to_align(role, count)
            yield Finding(moments, camera.delay_s is not None, known, mend)


def _camera(subject: Text, camera: CameraSettings) -> Finding:
    if camera.source == "file":
        return _file(subject, str(camera.address))
    if camera.source == "device":
        return device_file(subject, f"/dev/video{camera.address}")
    where = urlsplit(str(camera.address))
    try:
        host, port = where.hostname or "", where.port or _PORTS[where.scheme]
    except ValueError:
        said = Text("its address has a port that is none", "位址中的連接埠不正確")
        return Finding(subject, False, said, Text("write host:port", "請寫成 主機:連接埠"))
    return tcp(subject, host, port)


def _file(subject: Text, path: str) -> Finding:
    mend = Text("there is no such file; write its path", "沒有這個檔案，請改寫路徑")
    return Finding(subject, Path(path).is_file(), Text(path, path), mend)


def _sound_card(subject: Text, address: str | int | None, channels: int) -> Finding:
    try:
        found: Any = library().query_devices(address, "input")
    except (OSError, ImportError) as error:
        return Finding(
            subject,
            False,
            Text(f"PortAudio cannot be used: {error}", f"無法使用 PortAudio：{error}"),
            Text("apt-get install libportaudio2", "執行 apt-get install libportaudio2"),
        )
    except ValueError as error:
        return Finding(
            subject,
            False,
            Text(f"no sound card {address!r}: {error}", f"沒有音效卡 {address!r}：{error}"),
            Text(
                "`python -m sounddevice` lists those that are there",
                "執行 `python -m sounddevice` 可列出現有音效卡",
            ),
        )
    name, most = found["name"], int(found["max_input_channels"])
    if most < channels:
        return Finding(
            subject,
            False,
            Text(
                f"{name} has {most} channel(s), not {channels}",
                f"{name} 只有 {most} 聲道，不足 {channels}",
            ),
            Text("write the number of channels that it has", "請改為實際的聲道數"),
        )
    return Finding(subject, True, Text(f"{name} is there", f"{name} 可用"))
