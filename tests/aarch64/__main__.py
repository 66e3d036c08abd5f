"""``make aarch64``: the gateway's packages in a Debian of aarch64, used; prints ``name: value``.

Built here from wheels alone, unpacked, set up by their own script, then: ``check``, ``water
replay``, ``noise replay``, and the agent reading a probe on Modbus while the broker is away, its
outbox sent once the broker is there. On another processor everything runs by emulation: the
speeds say by how much.
"""

from __future__ import annotations

import json
import platform
import shutil
import subprocess
import sys
import tempfile
import time
import wave as riff
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

import servers
from aarch64.root import Root, lacking
from edge.agent_process import values
from edge.ingest_stand_in import IngestStandIn
from installed import ROOT, build_wheel, probe

PLACE = Path("/var/tmp/vigil-aarch64")
"""Kept, so that a second run costs no minutes; remove it at will."""
ROWS = 20_000
SOUND_S = 30
RATE = 48_000
GATEWAY = """[gateway]
id = "gw-arm"
data_dir = "/var/lib/vigil-edge"
clock = "host"
[cloud]
broker = "mqtt://127.0.0.1:{port}"
[health]
interval_s = 5
[[water]]
device = "canal-1"
driver = "modbus-tcp"
address = "{address}"
interval_s = 1
[[water.signal]]
name = "temperature"
unit = "Cel"
register = 0
type = "float32"
"""


def figure(name: str, value: float | str) -> None:
    shown = value if isinstance(value, str) else f"{value:.3g}"
    print(f"{name}: {shown}", flush=True)


def packages(out: Path) -> list[Path]:
    """Both of the gateway, for arm64."""
    wheel = build_wheel(out)
    command = [sys.executable, str(ROOT / "docs/deployment/debian/build.py")]
    command += ["vigil-edge", "vigil-edge-noise", "--wheel", str(wheel), "--out", str(out)]
    done = subprocess.run(
        [*command, "--arch", "arm64"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return [Path(line) for line in done.stdout.split()]


def install(root: Root, files: list[Path]) -> None:
    for file in files:
        figure(f"{file.name.split('_')[0]} package, MB", file.stat().st_size / 1e6)
        root.unpack(file)
    root.script(files[0], "postinst", "configure")
    size = root.run("du", "-sm", "/usr/lib/vigil-edge").stdout.split()[0]
    figure("vigil-edge with noise installed, MB", float(size))


def works(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def water(root: Root) -> None:
    begin = datetime(2025, 1, 1, tzinfo=UTC)
    lines = []
    for n in range(ROWS):
        moment = f"{begin + timedelta(minutes=15 * n):%Y-%m-%d %H:%M:%S}"
        lines.append(f"{moment},{20 + np.sin(n / 40):.2f},{500 + n % 13}")
    (root.folder / "root/sonde.csv").write_text("\n".join(["when,temp,cond", *lines]) + "\n")
    words = ["water", "replay", "/root/sonde.csv", "--time", "when", "--signals", "temp,cond"]
    began = time.monotonic()
    said = works(root.run("vigil-edge", *words))
    assert len(said.splitlines()) == ROWS
    figure("water replay, rows a second", ROWS / (time.monotonic() - began))
    own = subprocess.run(
        [
            sys.executable,
            "-m",
            "vigil_edge",
            *(str(root.folder) + w if w[0] == "/" else w for w in words),
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert said == own.stdout, "another processor, other flags"


def noise(root: Root) -> None:
    """A tone in noise, through the whole meter; the same levels as here."""
    generator = np.random.default_rng(7)
    t = np.arange(RATE * SOUND_S) / RATE
    sound = 0.05 * np.sin(2 * np.pi * 1000 * t) + 0.01 * generator.standard_normal(t.size)
    samples = (sound * 32767).astype("<i2")
    file = root.folder / "root/street.wav"
    with riff.open(str(file), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(RATE)
        out.writeframes(samples.tobytes())
    words = ["noise", "replay", "/root/street.wav", "--full-scale-peak-db", "120"]
    began = time.monotonic()
    said = works(root.run("vigil-edge", *words))
    figure("noise replay, times real time, its start with it", SOUND_S / (time.monotonic() - began))
    own = subprocess.run(
        [sys.executable, "-m", "vigil_edge", *words[:2], str(file), *words[3:]],
        capture_output=True,
        text=True,
        check=True,
    )
    figure("noise replay, largest difference of a level, dB", differ(said, own.stdout))


def differ(said: str, own: str) -> float:
    """Between the numbers of two replays, line by line."""

    def numbers(text: str) -> list[float]:
        found: list[float] = []

        def walk(value: object) -> None:
            if isinstance(value, bool):
                return
            if isinstance(value, int | float):
                found.append(float(value))
            elif isinstance(value, dict):
                for each in value.values():
                    walk(each)
            elif isinstance(value, list):
                for each in value:
                    walk(each)

        for line in text.splitlines():
            walk(json.loads(line))
        return found

    theirs, ours = numbers(said), numbers(own)
    assert len(theirs) == len(ours) > 10
    worst = max(abs(a - b) for a, b in zip(theirs, ours, strict=True))
    assert worst < 0.05, "another processor, other levels"
    return worst


def agent(root: Root, folder: Path) -> None:
    """Readings taken without a broker, and sent once there is one."""
    port = servers.free_port()
    with probe(21.5) as address:
        text = GATEWAY.replace("{port}", str(port)).replace("{address}", address)
        (root.folder / "etc/vigil-edge/gateway.toml").write_text(text)
        (root.folder / "etc/vigil-edge/gateway.toml").chmod(0o644)
        works(root.run("vigil-edge", "check", "--config", "/etc/vigil-edge/gateway.toml"))
        figure("check", "ok")
        log = folder / "agent.log"
        words = ["run", "--config", "/etc/vigil-edge/gateway.toml"]
        began = time.monotonic()
        running = root.start("vigil", "vigil-edge", *words, log=log)
        broker = None
        cloud = None
        try:
            report = root.folder / "var/lib/vigil-edge/health.json"
            servers.eventually(lambda: _waiting(report, running) > 0, "rows in the outbox", 240)
            figure("start to the first health report, s", time.monotonic() - began)
            figure("rows in the outbox without a broker", float(_waiting(report, running)))
            broker = servers.mosquitto(folder / "broker", port=port)
            cloud = IngestStandIn(port, "gw-arm")
            servers.eventually(lambda: 21.5 in values(cloud), "a reading", 240)
            servers.eventually(lambda: _waiting(report, running) <= 2, "an empty outbox", 240)
            figure("readings that arrived", float(len(values(cloud))))
        except BaseException:
            print(log.read_text()[-3000:], file=sys.stderr)
            raise
        finally:
            running.terminate()
            running.wait(60)
            if cloud is not None:
                cloud.close()
            if broker is not None:
                broker.stop()
    assert "Traceback" not in log.read_text()


def _waiting(report: Path, running: subprocess.Popen[bytes]) -> int:
    assert running.poll() is None, "the agent has ended"
    try:
        health = json.loads(report.read_text())
    except (OSError, ValueError):
        return 0
    return sum(lane["rows"] for lane in health["outbox"])


def main() -> int:
    need = lacking()
    if need:
        print(f"aarch64: {need}", file=sys.stderr)
        return 2
    root = Root(PLACE)
    began = time.monotonic()
    root.make()
    figure("root made, s", time.monotonic() - began)
    with tempfile.TemporaryDirectory(prefix="vigil-aarch64-") as scratch, root.mounted():
        folder = Path(scratch)
        figure("processor", f"{root.run('uname', '-m').stdout.strip()} on {platform.machine()}")
        install(root, packages(folder))
        try:
            figure("version", works(root.run("vigil-edge", "--version")).strip())
            water(root)
            noise(root)
            agent(root, folder)
        finally:
            for place in ("usr/lib/vigil-edge", "var/lib/vigil-edge", "etc/vigil-edge"):
                shutil.rmtree(root.folder / place, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
