"""A prompt through a real sound card as far as software goes: PulseAudio."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import numpy as np

import servers
from vigil_edge.voice.recording import TONE_HZ

RATE_HZ = 16_000
PLAY = """
import threading
from vigil_edge.voice.recording import attention_tone
from vigil_edge.voice.speaker import SoundCard
SoundCard("pulse").play(attention_tone(), threading.Event())
print("played")
"""
RECORD = """
import sys, queue
import numpy, sounddevice
blocks, heard, loud = queue.Queue(), [], 0
with sounddevice.InputStream(device="pulse", samplerate=16000, channels=1, dtype="int16",
                             callback=lambda data, *_: blocks.put(data.copy())):
    blocks.get(timeout=60)
    print("listening", flush=True)
    while loud < 6500:  # nearly all of half a second
        heard.append(blocks.get(timeout=60).ravel())
        loud += int((abs(heard[-1].astype(int)) > 1000).sum())
numpy.save(sys.argv[1], numpy.concatenate(heard))
"""


async def test_the_attention_tone_is_heard(pulseaudio: servers.PulseAudio, tmp_path: Path) -> None:
    try:
        import sounddevice  # noqa: F401 - only to see whether its system library is there
    except OSError:
        servers.missing("libportaudio2", "apt-get install libportaudio2 libasound2-plugins")
    environment = {**os.environ, "PULSE_SERVER": pulseaudio.address}
    saved = tmp_path / "heard.npy"
    recorder = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", RECORD, str(saved)), stdout=subprocess.PIPE, env=environment
    )
    try:
        assert recorder.stdout is not None
        async with asyncio.timeout(servers.DEADLINE_S):
            assert await recorder.stdout.readline() == b"listening\n"
            player = await asyncio.create_subprocess_exec(
                *(sys.executable, "-c", PLAY), stdout=subprocess.PIPE, env=environment
            )
            out, _ = await player.communicate()
            assert out == b"played\n"
            assert await recorder.wait() == 0
    finally:
        if recorder.returncode is None:
            recorder.kill()
            await recorder.wait()

    heard = np.load(saved).astype(float)
    spectrum = np.abs(np.fft.rfft(heard))
    frequencies = np.fft.rfftfreq(len(heard), 1 / RATE_HZ)
    for frequency in TONE_HZ:
        near = spectrum[np.abs(frequencies - frequency) < 15].max()
        assert near > 20 * np.median(spectrum)
