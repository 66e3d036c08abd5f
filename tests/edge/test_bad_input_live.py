"""One agent, four pipelines; each source in turn says nonsense, and nobody else notices.

The agent is a process of its own on a real broker; the devices speak their real protocols.
"""

from __future__ import annotations

import subprocess
import sys
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import paho.mqtt.publish as publish
import pytest
import tomlkit

import servers
from edge.ingest_stand_in import IngestStandIn, until
from edge.noise.tones import tone
from vigil_edge.noise.sound.wav import write_wav
from vigil_schemas.gateway import DeviceHealth, GatewayDeath, GatewayHealth, SourceHealth
from vigil_schemas.smoke import SmokeAlarm
from vigil_sim.checkin.reader import LlrpReader, TagInField
from vigil_sim.faults import Fault, FaultKind
from vigil_sim.smoke.alarm import ZigbeeAlarm
from vigil_sim.smoke.device import Zigbee2MqttHome
from vigil_sim.water.device import ModbusSonde, SignalRegister

EPC = "3000abcdef00000000000003"
PATIENCE_S = 60.0


@dataclass
class Gateway:
    """The agent's process, its devices, and the cloud that listens."""

    folder: Path
    id: str
    cloud: IngestStandIn
    sonde: ModbusSonde
    reader: LlrpReader
    home: Zigbee2MqttHome
    port: int
    process: subprocess.Popen[bytes] | None = None
    pressed: bool = False
    sources: list[str] = field(default_factory=list)

    def start(self, noise: dict[str, Any], environment: dict[str, str] | None = None) -> None:
        config = {
            "gateway": {"id": self.id, "data_dir": "data"},
            "cloud": {"broker": f"mqtt://127.0.0.1:{self.port}"},
            "health": {"interval_s": 1},
            "noise": [{"device": "mic-1", "after_s": 1.0, "audio": noise}],
            "water": [self.sonde.section(timeout_s=5.0)],
            "checkin": [self.reader.section(observation_s=0.5, absence_s=5.0)],
            "smoke": [self.home.section()],
        }
        path = self.folder / "gateway.toml"
        path.write_text(tomlkit.dumps(config))
        self.sources = ["mic-1", self.sonde.device, self.reader.device, self.home.device]
        with (self.folder / "agent.log").open("wb") as log:
            self.process = servers.spawn(
                [sys.executable, "-m", "vigil_edge", "run", "--config", str(path)],
                stdout=log,
                stderr=log,
                env=environment,
            )

    def heard(self, device: str) -> int:
        """Observation records of a device that the cloud has stored."""
        with self.cloud.lock:
            return sum(
                len(message.data)
                for source, numbers in self.cloud.stored.items()
                if source.lane == "observation"
                for message in numbers.values()
                if message.envelope.subject == device and isinstance(message.data, list)
            )

    def health(self, device: str) -> SourceHealth | None:
        """As the gateway's last report has it."""
        reports = self.cloud.all(GatewayHealth)
        found = reports[-1].sources if reports else []
        return next((source for source in found if source.device == device), None)

    def is_ok(self, device: str) -> bool:
        health = self.health(device)
        told = self.changes(device)[-1:] == [("ok", None)]
        return told and health is not None and health.state == "ok"

    def changes(self, device: str) -> list[tuple[str, str | None]]:
        """State and code of every change that was told at once."""
        with self.cloud.lock:
            return [
                (message.data.state, message.data.code)
                for source, numbers in self.cloud.stored.items()
                if source.lane == "event"
                for _, message in sorted(numbers.items())
                if isinstance(message.data, DeviceHealth) and message.envelope.subject == device
            ]

    async def all_ok(self, *but: str) -> None:
        for device in self.sources:
            if device not in but:
                await until(partial(self.is_ok, device), PATIENCE_S)

    def _more_heard(self, device: str, before: int) -> bool:
        return self.heard(device) > before

    async def go_on(self, *but: str) -> None:
        """Every source but these still brings something, and none of them was ever not well."""
        for device in ("mic-1", self.sonde.device, self.reader.device):
            if device not in but:
                await until(partial(self._more_heard, device, self.heard(device)), PATIENCE_S)
        if self.home.device not in but:
            self.pressed = not self.pressed
            before = len(self.cloud.all(SmokeAlarm))
            self.home.press_test("kitchen", self.pressed)
            await until(lambda: len(self.cloud.all(SmokeAlarm)) > before, PATIENCE_S)

    @asynccontextmanager
    async def undisturbed(self, *but: str) -> AsyncIterator[None]:
        """What happens within leaves the other sources as they were."""
        others = [device for device in self.sources if device not in but]
        before = {device: self.changes(device) for device in others}
        restarts = {device: health.restarts for device in others if (health := self.health(device))}
        yield
        await self.go_on(*but)
        assert {device: self.changes(device) for device in others} == before
        for device in restarts:
            health = self.health(device)
            assert health is not None
            assert (health.state, health.restarts) == ("ok", restarts[device]), device

    def close(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
        if self.process is not None:
            self.process.wait(60)
        self.cloud.close()


@pytest.fixture
async def gateway(tmp_path: Path, mosquitto: servers.Mosquitto) -> AsyncIterator[Gateway]:
    name = f"gw-{uuid.uuid4().hex[:8]}"
    sonde = ModbusSonde(
        lambda t: {"pH": 7.0 + 0.01 * (t % 2), "temperature": 20.0},
        [SignalRegister("pH", 0, "pH"), SignalRegister("temperature", 2, "Cel")],
        device=f"{name}-sonde",
        interval_s=0.2,
    )
    reader = LlrpReader(lambda _: [TagInField(EPC)], device=f"{name}-gate", round_s=0.2)
    home = Zigbee2MqttHome(
        [ZigbeeAlarm("kitchen", device=f"{name}-alarm")],
        device=f"{name}-bridge",
        broker=mosquitto.url,
        base_topic=f"z2m-{name}",
        report_s=1.0,
    )
    devices = (sonde, reader, home)
    for device in devices:
        await device.start()
    cloud = IngestStandIn(mosquitto.port, name)
    made = Gateway(tmp_path, name, cloud, sonde, reader, home, mosquitto.port)
    yield made
    made.close()
    for device in devices:
        await device.stop()


def wav(folder: Path) -> Path:
    path = folder / "street.wav"
    write_wav(path, tone(60, 120, 8000).astype(np.float32)[:, None], 8000)
    return path


@contextmanager
def playing(sound_card: servers.PulseAudio, folder: Path) -> Iterator[None]:
    """A tone in the air: a microphone that hears nothing at all is told of as silent."""
    raw = folder / "tone.raw"
    raw.write_bytes((tone(60, 120) * 2**30).astype("<i4").tobytes())
    player = servers.need("pacat", "apt-get install pulseaudio-utils")
    words = [str(player), "--raw", "--format=s32le", "--rate=48000", "--channels=1"]
    words += ["--server", sound_card.address, "--device", "vigil", str(raw)]
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.kill()
        process.wait()


def told(gateway: Gateway, device: str, *codes: str) -> Callable[[], bool]:
    """Whether a code of these is seen: as the state that was told, or counted in health."""

    def seen() -> bool:
        health = gateway.health(device)
        counters = health.counters if health is not None else {}
        named = {code for _, code in gateway.changes(device)}
        return bool(named.union(counters).intersection(codes))

    return seen


async def test_nonsense_from_one_source_leaves_the_others_alone(gateway: Gateway) -> None:
    path = wav(gateway.folder)
    whole = path.read_bytes()
    path.write_bytes(whole[:-1000])
    gateway.start({"source": "wav", "address": str(path), "pascal_per_unit": 1.0})

    # A broken recording instead of a microphone, from the start.
    await gateway.all_ok("mic-1")
    async with gateway.undisturbed("mic-1"):
        await until(told(gateway, "mic-1", "audio-file-failed"), PATIENCE_S)
    health = gateway.health("mic-1")
    assert health is not None
    assert health.code == "audio-file-failed"
    assert "audio-truncated" in (health.message or "")
    path.write_bytes(whole)
    await gateway.all_ok()

    # A probe that answers garbage.
    sonde = gateway.sonde.device
    async with gateway.undisturbed(sonde):
        gateway.sonde.faults.add(Fault(FaultKind.CORRUPT_FRAME, style="garbage"))
        await until(told(gateway, sonde, "probe-garbage"), PATIENCE_S)
        await until(lambda: not gateway.is_ok(sonde), PATIENCE_S)
    gateway.sonde.faults.clear()
    await gateway.all_ok()

    # A reader that breaks off in the middle of a report.
    reader = gateway.reader.device
    async with gateway.undisturbed(reader):
        gateway.reader.faults.add(Fault(FaultKind.CORRUPT_FRAME, style="truncated"))
        await until(told(gateway, reader, "llrp-truncated", "llrp-lost"), PATIENCE_S)
    gateway.reader.faults.clear()
    await gateway.all_ok()

    # Payloads on the alarms' own topics that no Zigbee2MQTT sends.
    async with gateway.undisturbed():
        base = f"z2m-{gateway.id}/kitchen"
        for payload in (b"{", b"\xff\xfe", b"[]", b'{"smoke": "maybe", "battery": 1e999}', b"null"):
            publish.single(base, payload, qos=1, port=gateway.port)
        publish.single(f"{base}/availability", b"perhaps", qos=1, port=gateway.port)
        for code in (
            *("smoke-payload-malformed", "smoke-payload-wrong-type"),
            "smoke-availability-unreadable",
        ):
            await until(told(gateway, gateway.home.device, code), PATIENCE_S)

    await ends_well(gateway)


async def test_an_unplugged_microphone_is_told_of_and_comes_back(
    gateway: Gateway, pulseaudio: servers.PulseAudio, monkeypatch: pytest.MonkeyPatch
) -> None:
    try:
        import sounddevice  # noqa: F401  # only to see whether its system library is there
    except OSError:
        servers.missing("libportaudio2", "apt-get install libportaudio2 libasound2-plugins")
    monkeypatch.setenv("PULSE_SERVER", pulseaudio.address)
    sound = {"source": "sounddevice", "address": "pulse", "format": "s32le:48000:1"}
    gateway.start(sound | {"full_scale_peak_db": 120.0})
    with playing(pulseaudio, gateway.folder):
        await gateway.all_ok()
        async with gateway.undisturbed("mic-1"):
            pulseaudio.kill()
            await until(told(gateway, "mic-1", "microphone-lost"), PATIENCE_S)
    pulseaudio.socket_path.unlink(missing_ok=True)
    pulseaudio.start()
    with playing(pulseaudio, gateway.folder):
        await gateway.all_ok()
    await ends_well(gateway)


async def ends_well(gateway: Gateway) -> None:
    """The same process all the time, nothing lost on the way, and it stops when it is told to."""
    process = gateway.process
    assert process is not None
    assert process.poll() is None
    process.terminate()
    await until(lambda: process.poll() is not None, PATIENCE_S)
    assert process.returncode == 0
    await until(lambda: gateway.cloud.status(GatewayDeath), PATIENCE_S)
    for lane in ("alarm", "event", "observation"):
        numbers = gateway.cloud.numbers(lane)
        assert numbers == list(range(1, len(numbers) + 1)), lane
    assert "Traceback" not in (gateway.folder / "agent.log").read_text()
