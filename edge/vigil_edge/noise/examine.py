"""What ``vigil-edge doctor`` looks at of a noise camera."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from vigil_edge.examination import Finding, Text, tcp
from vigil_edge.modbus import examine
from vigil_edge.noise.settings import NoiseSettings
from vigil_edge.portaudio import address_of, library


def look(settings: NoiseSettings, subject: Text) -> Iterator[Finding]:
    """Where its sound comes from, and its weather."""
    if settings.weather is not None:
        yield examine.look(settings.weather, subject)
    audio = settings.audio
    if audio.source == "pcm":
        yield tcp(subject, *audio.host_and_port)
    elif audio.source == "sounddevice":
        yield _sound_card(subject, address_of(audio.address), audio.layout.channels)
    else:
        there = Path(str(audio.address)).is_file()
        said = Text(f"{audio.address}", f"{audio.address}")
        mend = Text("there is no such file; write its path", "沒有這個檔案，請改寫路徑")
        yield Finding(subject, there, said, mend)


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
