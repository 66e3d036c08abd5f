"""The Debian packages: built, really installed, run as their units say, removed; their units
verified and held to a bound of exposure."""

from __future__ import annotations

import configparser
import grp
import json
import os
import pwd
import re
import shlex
import shutil
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from importlib import util
from pathlib import Path
from types import ModuleType

import httpx
import pytest

import servers
from edge.agent_process import values
from edge.ingest_stand_in import IngestStandIn
from installed import ROOT, build_wheel, probe

HERE = ROOT / "docs/deployment/debian"
MOST_EXPOSED = 2.0
"""By ``systemd-analyze security``, of 10: below it a service is "OK", with little left to take."""


def builder() -> ModuleType:
    spec = util.spec_from_file_location("build_debian", HERE / "build.py")
    assert spec is not None
    assert spec.loader is not None
    module = util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


BUILD = builder()
UNITS = {
    name: text for package in BUILD.PACKAGES for name, text in BUILD.unit_texts(package).items()
}


def call(*command: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
        env={**os.environ, **more},
    )


# --- the units --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def units(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As they are installed, their programs replaced by one that is here."""
    servers.need("systemd-analyze", "apt-get install systemd")
    folder = tmp_path_factory.mktemp("units")
    for name, text in UNITS.items():
        (folder / name).write_text(re.sub(r"/usr/bin/vigil-\w+", "/bin/true", text))
    return folder


@pytest.mark.parametrize("unit", sorted(UNITS))
def test_a_unit_is_right(unit: str, units: Path) -> None:
    done = call(
        "systemd-analyze", "verify", "--man=no", str(units / unit), SYSTEMD_UNIT_PATH=f"{units}:"
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert "%" not in UNITS[unit]


@pytest.mark.parametrize("unit", sorted(UNITS))
def test_a_unit_may_touch_little(unit: str, units: Path) -> None:
    done = call(
        *("systemd-analyze", "security", "--offline=true", "--no-pager"),
        *(f"--threshold={int(MOST_EXPOSED * 10)}", str(units / unit)),
    )
    (level,) = re.findall(r"Overall exposure level for \S+: ([0-9.]+)", done.stdout)
    print(f"{unit} exposure: {level}")
    assert done.returncode == 0, done.stdout
    assert float(level) <= MOST_EXPOSED


# --- the packages -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_wheel(tmp_path_factory.mktemp("wheel"))


def built(name: str, wheel: Path, out: Path) -> Path:
    """The package of this machine's architecture."""
    for program in ("dpkg-deb", "apt-get"):
        servers.need(program, "run this on Debian")
    if os.geteuid() != 0 or Path("/etc/debian_version").read_text().split(".")[0] != "12":
        servers.missing("Debian 12 as root", "run this there")
    arch = call("dpkg", "--print-architecture").stdout.strip()
    done = call(
        *(sys.executable, str(HERE / "build.py"), name),
        *("--wheel", str(wheel), "--out", str(out), "--arch", arch),
    )
    if done.returncode and "connection" in done.stderr.lower():
        servers.missing("a package index", "connect this machine to one")
    assert done.returncode == 0, done.stderr
    return Path(done.stdout.strip())


class Installed:
    """One package on this machine, until ``purge``."""

    def __init__(self, name: str, package: Path) -> None:
        self.name = name
        if Path(f"/usr/lib/{name}").exists() or Path(f"/etc/{name}").exists():
            pytest.fail(f"{name} is on this machine already: its test would remove it")
        # Without a network: what it needs of Debian is here, and it asks for nothing else.
        done = call(
            *("unshare", "--net", "apt-get", "install", "--yes", "--no-install-recommends"),
            *("-o", "DPkg::Lock::Timeout=120", str(package)),
            DEBIAN_FRONTEND="noninteractive",
        )
        self.said = done.stdout + done.stderr
        assert done.returncode == 0, self.said

    def command(self, unit: str) -> list[str]:
        """What the unit runs, as its user."""
        parser = configparser.RawConfigParser(strict=False, interpolation=None)
        parser.optionxform = str  # type: ignore[assignment,method-assign]
        parser.read(f"/lib/systemd/system/{unit}")
        service = parser["Service"]
        words = shlex.split(service["ExecStart"])
        assert os.access(words[0], os.X_OK)
        return ["runuser", "-u", service["User"], "--", *words]

    def purge(self) -> None:
        done = call(
            *("apt-get", "purge", "--yes", "-o", "DPkg::Lock::Timeout=120", self.name),
            DEBIAN_FRONTEND="noninteractive",
        )
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def edge(wheel: Path, tmp_path: Path) -> Iterator[Installed]:
    package = built("vigil-edge", wheel, tmp_path)
    print(f"vigil-edge package, MB: {package.stat().st_size / 1e6:.1f}")
    made = Installed("vigil-edge", package)
    try:
        yield made
    finally:
        made.purge()
    assert not Path("/var/lib/vigil-edge").exists()
    assert not Path("/usr/lib/vigil-edge").exists()
    assert "vigil" not in {entry.pw_name for entry in pwd.getpwall()}


GATEWAY = """[gateway]
id = "gw-1"
data_dir = "/var/lib/vigil-edge"
[cloud]
broker = "mqtt://127.0.0.1:{port}"
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


def test_the_gateway_is_installed_runs_and_leaves(
    edge: Installed, mosquitto: servers.Mosquitto, tmp_path: Path
) -> None:
    assert "write /etc/vigil-edge/gateway.toml" in edge.said
    assert stat.S_IMODE(Path("/var/lib/vigil-edge").stat().st_mode) == 0o700
    assert Path("/var/lib/vigil-edge").owner() == "vigil"
    assert "vigil" in grp.getgrnam("dialout").gr_mem
    assert call("vigil-edge", "--version").stdout.startswith("vigil-edge ")
    completions = Path("/usr/share/bash-completion/completions/vigil-edge")
    assert subprocess.run(["bash", "-n", str(completions)], check=False).returncode == 0
    assert "enrol" in completions.read_text()
    assert Path("/usr/share/zsh/vendor-completions/_vigil-edge").is_file()
    cloud = IngestStandIn(mosquitto.port, "gw-1")
    try:
        with probe(21.5) as address:
            text = GATEWAY.replace("{port}", str(mosquitto.port)).replace("{address}", address)
            file = Path("/etc/vigil-edge/gateway.toml")
            file.write_text(text)
            shutil.chown(file, "root", "vigil")
            file.chmod(0o640)
            done = call("vigil-edge", "check", "--config", str(file))
            assert done.returncode == 0, done.stderr
            run_as_the_unit_does(edge, cloud, tmp_path)
    finally:
        cloud.close()


def run_as_the_unit_does(edge: Installed, cloud: IngestStandIn, folder: Path) -> None:
    """Its command as its user, told where its manager listens, until a reading has arrived."""
    public = Path("/run") / f"vigil-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(public))
        public.chmod(0o777)
        manager.settimeout(60)
        with (folder / "log").open("wb") as log:
            agent = subprocess.Popen(
                edge.command("vigil-edge.service"),
                stderr=log,
                env={"PATH": os.environ["PATH"], "NOTIFY_SOCKET": str(public)},
            )
        try:
            assert b"READY=1" in manager.recv(4096)
            servers.eventually(lambda: 21.5 in values(cloud), "a reading", 60)
        finally:
            agent.terminate()
            status = agent.wait(60)
            public.unlink()
        assert status in (0, -15, 143), (folder / "log").read_text()
    outbox = Path("/var/lib/vigil-edge/outbox.sqlite")
    assert outbox.owner() == "vigil"
    first = json.loads((folder / "log").read_text().splitlines()[0])
    assert first["event"]


@pytest.fixture
def cloud(wheel: Path, tmp_path: Path) -> Iterator[Installed]:
    package = built("vigil-cloud", wheel, tmp_path)
    print(f"vigil-cloud package, MB: {package.stat().st_size / 1e6:.1f}")
    made = Installed("vigil-cloud", package)
    try:
        yield made
    finally:
        made.purge()
        # The package leaves the record and its key alone; this one is the test's.
        key = Path("/etc/vigil-cloud/secrets/vigil_secret_key")
        kept = key.is_file()
        shutil.rmtree("/var/lib/vigil-cloud", ignore_errors=True)
        shutil.rmtree("/etc/vigil-cloud", ignore_errors=True)
        subprocess.run(["userdel", "vigil-cloud"], check=False, capture_output=True)
    assert kept


@pytest.mark.full
def test_the_cloud_is_installed_serves_and_leaves_its_record(
    cloud: Installed, tmp_path: Path
) -> None:
    key = Path("/etc/vigil-cloud/secrets/vigil_secret_key")
    assert len(key.read_text().strip()) == 64
    assert stat.S_IMODE(key.stat().st_mode) == 0o640
    assert "keep a copy" in cloud.said
    port, broker = servers.free_port(), servers.free_port()
    file = Path("/etc/vigil-cloud/cloud.toml")
    file.write_text(
        f'data_dir = "/var/lib/vigil-cloud"\nhttp_port = {port}\n'
        f'broker_listen = "127.0.0.1:{broker}"\n'
    )
    assert call("vigil-cloud-admin", "migrate").returncode == 0
    with (tmp_path / "log").open("wb") as log:
        service = subprocess.Popen(
            cloud.command("vigil-cloud.service"),
            stdout=log,
            stderr=log,
            env={
                "PATH": os.environ["PATH"],
                "VIGIL_SECRETS_DIR": "/etc/vigil-cloud/secrets",
            },
        )
    try:
        url = f"http://127.0.0.1:{port}"
        servers.eventually(lambda: servers.http_ok(f"{url}/readyz"), "a ready cloud", 120)
        assert "<title>" in httpx.get(url, trust_env=False).text
    finally:
        service.terminate()
        service.wait(60)
