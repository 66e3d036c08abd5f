"""From a fresh machine to a reading on the screen, by the commands that docs/enrolment.md quotes.

Downloads and installation aside. The probe speaks Modbus TCP (the simulators' own slave); broker,
cloud and agent are processes of the console scripts. Also: how long a gateway is without its
connection while its certificate is renewed, and how soon one that was thrown out is refused. And
from pressing *Look for devices* until a second probe's reading is on the screen, by what the page
asks for.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import httpx

import servers
from vigil_sim.water.device import ModbusSonde, SignalRegister

BIN: Final = Path(sys.executable).parent
PASSWORD: Final = "four unrelated quiet words"
GATEWAY: Final = "gw-zhongshan"
WAIT_S: Final = 300.0


class Machine:
    """A folder that stands for a machine on which nothing of ours was ever started."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.http, self.broker, self.gateways = (servers.free_port() for _ in range(3))
        self.env = {
            **{key: value for key, value in os.environ.items() if not key.startswith("VIGIL_")},
            "VIGIL_HTTP_PORT": str(self.http),
            "VIGIL_BROKER_LISTEN": f"127.0.0.1:{self.broker}",
            "VIGIL_GATEWAYS_LISTEN": f"127.0.0.1:{self.gateways}",
        }
        self.config = folder / "etc/cloud.toml"
        self.edge = folder / "box"
        self.url = f"http://127.0.0.1:{self.http}"
        self._processes: list[subprocess.Popen[bytes]] = []

    def command(self, *words: str, stdin: str = "") -> str:
        done = subprocess.run(
            [str(BIN / words[0]), *words[1:]],
            env=self.env,
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"{' '.join(words[:3])}: {done.stderr[-800:]}")
        return done.stdout

    def start(self, *words: str) -> None:
        log = (self.folder / f"{words[0]}.log").open("wb")
        process = subprocess.Popen(
            [str(BIN / words[0]), *words[1:]], env=self.env, stdout=log, stderr=log
        )
        self._processes.append(process)

    def close(self) -> None:
        for process in reversed(self._processes):
            process.terminate()
            process.wait(60)

    def signed_in(self) -> httpx.Client:
        client = httpx.Client(base_url=self.url, timeout=60, trust_env=False)
        who = {"username": "administrator", "password": PASSWORD}
        client.headers["X-CSRF-Token"] = client.post("/api/v1/session", json=who).json()["csrf"]
        return client


def until(condition: Callable[[], Any], what: str) -> Any:
    end = time.monotonic() + WAIT_S
    while time.monotonic() < end:
        try:
            if value := condition():
                return value
        except httpx.HTTPError:
            pass  # not up yet
        time.sleep(0.02)
    raise RuntimeError(f"{what} did not come true")


def by_the_page_s(client: httpx.Client) -> float:
    """A second probe, found, added and read."""
    port = servers.free_port()
    sonde(port)
    began = time.monotonic()
    path = f"/api/v1/gateways/{GATEWAY}"
    arguments = {"addresses": [f"127.0.0.1:{port}"]}
    ask = {"action": "discover", "arguments": arguments}
    assert client.post(f"{path}/commands", json=ask).status_code == 202

    def found() -> Any:
        report = client.get(f"{path}/search").json()["report"] or {}
        mine = [one for one in report.get("found", []) if f":{port}" in one["title"]]
        return mine if report.get("state") == "done" else None

    (one,) = until(found, "the second probe")
    added = {
        "revision": 0,
        "found": one["found"],
        "device": "canal-south",
        "choices": {"description": "generic"},
    }
    assert client.post(f"{path}/devices", json=added).status_code == 202
    series = "/api/v1/devices/canal-south/series"
    until(
        lambda: client.get(series).is_success and client.get(series).json()["series"], "a reading"
    )
    return time.monotonic() - began


def sonde(port: int) -> None:
    """A probe at the canal, as long as the process lives."""

    async def serve() -> None:
        signals = [SignalRegister("specific_conductance", 0, "S/m", scale=0.0001)]
        probe = ModbusSonde(
            lambda _: {"specific_conductance": 0.05}, signals, device="canal-north", port=port
        )
        await probe.start()
        await asyncio.Event().wait()

    threading.Thread(target=lambda: asyncio.run(serve()), daemon=True).start()


def section(port: int) -> str:
    """The README's, with this probe's address."""
    readme = (Path(__file__).resolve().parents[2] / "README.md").read_text("utf-8")
    found = readme[readme.index("[[water]]\n") :]
    found = found[: found.index("```")]
    return found.replace("192.0.2.10:502", f"127.0.0.1:{port}").replace(
        "interval_s = 60", "interval_s = 1"
    )


def to_reading(machine: Machine) -> httpx.Client:
    """Every command of the page, until the reading is what the device's page is given."""
    config = str(machine.config)
    machine.command(
        *("vigil-cloud", "init", "--config", config, "--data-dir", str(machine.folder / "cloud")),
        *("--broker", "mosquitto", "--administrator", "administrator", "--password-stdin"),
        stdin=f"{PASSWORD}\n",
    )
    machine.start("vigil-cloud", "serve", "--config", config)
    until(lambda: httpx.get(f"{machine.url}/healthz", trust_env=False).is_success, "the cloud")
    made = machine.command("vigil-cloud", "gateway", "enrol", GATEWAY, "--config", config)
    words = str(json.loads(made)["command"]).split()
    folders = ["--dir", str(machine.edge), "--data-dir", str(machine.edge / "data")]
    machine.command(*words, *folders)
    port = servers.free_port()
    sonde(port)
    file = machine.edge / "gateway.toml"
    with file.open("a", encoding="utf-8") as opened:
        opened.write(section(port))
    machine.command("vigil-edge", "check", "--config", str(file))
    machine.start("vigil-edge", "run", "--config", str(file))
    client = machine.signed_in()
    path = "/api/v1/devices/canal-north/series"
    until(lambda: client.get(path).is_success and client.get(path).json()["series"], "a reading")
    return client


def gateway(client: httpx.Client) -> dict[str, Any]:
    found: list[dict[str, Any]] = client.get("/api/v1/gateways").json()["gateways"]
    return next(one for one in found if one["gateway"] == GATEWAY)


def renewal_s(client: httpx.Client) -> float:
    """From the moment at which the gateway is seen away until it is seen back."""
    before = gateway(client)["session"]
    ask = {"action": "rotate_certificate"}
    assert client.post(f"/api/v1/gateways/{GATEWAY}/commands", json=ask).status_code == 202
    away: list[float] = []

    def back() -> bool:
        now = gateway(client)
        if now["state"] != "online" and not away:
            away.append(time.monotonic())
        return bool(now["session"] > before and now["state"] == "online")

    until(back, "a new connection")
    return time.monotonic() - away[0] if away else 0.0


def refused_s(client: httpx.Client) -> float:
    """From the answer to "throw it out" until its next message is a refused one."""
    assert client.delete(f"/api/v1/gateways/{GATEWAY}").status_code == 200
    began = time.monotonic()

    def refused() -> bool:
        letters = client.get("/api/v1/dead-letters", params={"limit": 5}).json()["dead_letters"]
        return any(one["reason"] == "revoked-gateway" for one in letters)

    until(refused, "a refused message")
    return time.monotonic() - began


def main() -> int:
    """Prints the figures."""
    if servers.find("mosquitto") is None:
        print("enrolment skipped: mosquitto is not installed: apt-get install mosquitto")
        return 0
    with tempfile.TemporaryDirectory() as folder:
        machine = Machine(Path(folder) / secrets.token_hex(4))
        machine.folder.mkdir()
        try:
            began = time.monotonic()
            client = to_reading(machine)
            print(f"enrolment fresh_machine_to_reading_s: {time.monotonic() - began:.1f}")
            print(f"enrolment found_by_the_page_to_reading_s: {by_the_page_s(client):.1f}")
            print(f"enrolment away_for_renewal_s: {renewal_s(client):.2f}")
            print(f"enrolment lost_for_renewal: {gateway(client)['lost']}")
            print(f"enrolment thrown_out_to_refused_s: {refused_s(client):.2f}")
        finally:
            machine.close()
    sys.stdout.flush()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
