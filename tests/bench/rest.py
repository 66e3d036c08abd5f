"""One agent with all four pipelines at rest: resident memory and processor time.

The devices are those of the scenario ``city-night`` before it begins, over their real
protocols: a four-channel PCM stream and an MJPEG camera, a Modbus sonde, BLE and LLRP
stations, a Zigbee2MQTT home. The agent's own processes are measured from ``/proc`` for a minute.
"""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import tempfile
import time
import tomllib
from collections import Counter
from pathlib import Path

import tomlkit

import servers
from faults.city import BIN, DEMO, Process

MEASURED_S = 60.0
SETTLE_S = 15.0


def merged(folder: Path) -> tuple[Path, dict[str, str]]:
    """All device sections of the city in one gateway, and the environment that they need."""
    sections: dict[str, list[object]] = {}
    whole: dict[str, object] = {}
    for path in sorted((folder / "gateways").glob("*.toml")):
        read = tomllib.loads(path.read_text("utf-8"))
        whole = whole or {key: read[key] for key in ("gateway", "cloud") if key in read}
        for domain in ("noise", "water", "checkin", "smoke"):
            sections.setdefault(domain, []).extend(read.get(domain, []))
    path = folder / "all.toml"
    whole["gateway"] = {"id": "gw-all", "data_dir": str(folder / "gw-all")}
    path.write_text(tomlkit.dumps({**whole, **sections}), "utf-8")
    layout = json.loads((folder / "city.json").read_text("utf-8"))
    environment: dict[str, str] = {}
    for extra in layout.get("env", {}).values():
        environment |= extra
    return path, environment


def usage(pid: int) -> tuple[float, int]:
    """(processor seconds, resident bytes) of a process and its children."""
    ticks, pages = 0, 0
    for number in (pid, *descendants(pid)):
        try:
            fields = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()
        except FileNotFoundError:
            continue
        ticks += int(fields[11]) + int(fields[12])
        pages += int(fields[21])
    return ticks / os.sysconf("SC_CLK_TCK"), pages * os.sysconf("SC_PAGE_SIZE")


def descendants(pid: int) -> list[int]:
    found: list[int] = []
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except FileNotFoundError:
        return found
    for child in children:
        found += [int(child), *descendants(int(child))]
    return found


def device_states(database: Path) -> Counter[str]:
    """How many devices are in each state: a pipeline at rest must not be one that failed."""
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
        return Counter(row[0] for row in connection.execute("SELECT state FROM devices"))


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="vigil-") as name:
        folder = Path(name)
        broker = servers.mosquitto(folder / "broker")
        play = [str(BIN / "vigil-sim"), "play", "city-night", "--wait", "--dir", str(folder)]
        play += ["--broker", broker.url, "--cloud-url", "http://127.0.0.1:9"]
        # Nobody writes the line that begins the night: the city stays at rest.
        city = subprocess.Popen(play, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        env = {
            **DEMO,
            "VIGIL_DATA_DIR": str(folder / "cloud"),
            "VIGIL_BROKER_URL": broker.url,
        }
        ingest = Process("ingest", [str(BIN / "vigil-cloud"), "ingest"], folder / "ingest.log", env)
        agent: Process | None = None
        try:
            assert city.stdout is not None
            city.stdout.readline()
            ingest.start()
            path, extra = merged(folder)
            command = [str(BIN / "vigil-edge"), "run", "--config", str(path)]
            agent = Process("gw-all", command, folder / "gw-all.log", extra)
            agent.start()
            time.sleep(SETTLE_S)
            assert agent.child is not None
            before, _ = usage(agent.child.pid)
            began = time.monotonic()
            peak = 0
            while time.monotonic() - began < MEASURED_S:
                time.sleep(1)
                peak = max(peak, usage(agent.child.pid)[1])
            after, _ = usage(agent.child.pid)
            elapsed = time.monotonic() - began
            alive = agent.running()
            states = device_states(folder / "cloud" / "vigil.sqlite3")
        finally:
            for process in (agent, ingest):
                if process is not None:
                    process.stop()
            city.terminate()
            city.communicate(timeout=20)
            broker.stop()
        if not alive:
            raise RuntimeError("the agent ended by itself")
    print(f"rest resident_mb: {peak / 1e6:.0f}")
    print(f"rest cpu_percent_of_one_core: {(after - before) / elapsed * 100:.1f}")
    print(f"rest measured_s: {elapsed:.0f}")
    for state, count in sorted(states.items()):
        print(f"rest devices_{state}: {count}")
    return 0
