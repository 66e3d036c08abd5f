"""The wheel as a gateway's owner installs it: with one extra, in an environment of its own."""

from __future__ import annotations

import asyncio
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import servers
from vigil_sim.water.device import ModbusSonde, SignalRegister

ROOT = Path(__file__).parents[1]
NOT_OURS = ("pip", "setuptools", "_distutils_hack", "distutils-precedence.pth", "__pycache__")
"""What a new environment holds before anything is installed."""


def build_wheel(folder: Path) -> Path:
    """Of this checkout, with its built pages, into ``folder``."""
    if not (ROOT / "cloud/vigil_cloud/static/index.html").is_file():
        servers.missing("web pages", "make setup")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    (wheel,) = folder.glob("*.whl")
    return wheel


def build_gateway_wheel(folder: Path) -> Path:
    """The small one, as ``make wheel`` leaves it beside the whole one."""
    script = ROOT / "docs/deployment/gateway_wheel.py"
    done = subprocess.run(
        [sys.executable, str(script), str(build_wheel(folder))],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return Path(done.stdout.strip())


@dataclass(frozen=True)
class Environment:
    """A virtual environment with one wheel in it."""

    folder: Path

    @classmethod
    def make(cls, folder: Path, wheel: Path, extra: str) -> Environment:
        """Installs from the package index, in the versions of ``constraints.txt``; a test whose
        index cannot be reached is skipped."""
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True, timeout=120)
        python = folder / "bin/python"
        done = subprocess.run(
            [
                *(str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"),
                *("--retries", "2", "--only-binary=:all:"),
                *("--constraint", str(ROOT / "constraints.txt"), f"{wheel}[{extra}]"),
            ],
            capture_output=True,
            text=True,
            timeout=900,
            check=False,
        )
        if done.returncode and "connection" in done.stderr.lower():
            servers.missing("a package index", "connect this machine to one")
        assert done.returncode == 0, done.stderr
        return cls(folder)

    @property
    def site(self) -> Path:
        """Where its packages are."""
        (found,) = self.folder.glob("lib/python3.*/site-packages")
        return found

    def megabytes(self) -> float:
        """What was installed, compiled files and all; pip and setuptools aside."""
        total = 0
        for top in self.site.iterdir():
            if top.name.partition("-")[0] not in NOT_OURS and top.name not in NOT_OURS:
                inside = [top] if top.is_file() else top.rglob("*")
                total += sum(path.stat().st_size for path in inside if path.is_file())
        return total / 1e6

    def has(self, module: str) -> bool:
        """Whether a module could be imported there."""
        return (self.site / module).exists()

    def run(self, program: str, *words: str) -> subprocess.CompletedProcess[str]:
        """Of a console script, with nothing of this process' environment but ``PATH``."""
        return subprocess.run(
            [str(self.folder / "bin" / program), *words],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            env={"PATH": os.environ["PATH"]},
        )


@contextmanager
def probe(celsius: float) -> Iterator[str]:
    """A probe on Modbus TCP that always says this; yields its ``host:port``."""
    signals = [SignalRegister("temperature", 0, "Cel")]
    sonde = ModbusSonde(lambda _: {"temperature": celsius}, signals, device="s", interval_s=0.05)
    loop = asyncio.new_event_loop()
    address: queue.Queue[str] = queue.Queue()

    async def begin() -> None:
        await sonde.start()
        address.put(sonde.address)

    def run() -> None:
        loop.run_until_complete(begin())
        loop.run_forever()
        loop.run_until_complete(sonde.stop())
        loop.close()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield address.get(timeout=60)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(60)
