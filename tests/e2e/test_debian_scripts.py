"""What the packages' scripts ask of systemd, at a first installation and at an upgrade, also where
a service does not start: run by Debian's shell, with programs that record how they are called."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from importlib import util
from pathlib import Path

import pytest

from installed import ROOT
from vigil_cloud import units
from vigil_edge.enrolment.arguments import folders, of_the_service

HERE = ROOT / "docs/deployment/debian"
RECORDER = """#!/bin/sh
echo "$*" >>"$CALLS"
[ "$1" != "$FAILS" ] || exit 1
[ "$1" = is-active ] || exit 0
for word in "$@"; do
	case " $ACTIVE " in *" ${word%.service} "*) exit 0 ;; esac
done
exit 3
"""
SILENT = ("getent", "useradd", "usermod", "chown", "install")


@dataclass(frozen=True)
class Done:
    status: int
    calls: list[str]
    """Of systemctl, those that change something."""
    said: str


class Machine:
    """A folder in the place of the file system's root."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.programs = root / "programs"
        for folder in ("programs", "run/systemd/system", "etc/vigil-edge", "etc/vigil-cloud"):
            (root / folder).mkdir(parents=True)
        (root / "etc/vigil-cloud/secrets").mkdir()
        (root / "etc/vigil-cloud/secrets/vigil_secret_key").write_text("a key")
        (root / "etc/vigil-cloud/cloud.toml").write_text("")
        for name in SILENT:
            self._program(name, "#!/bin/sh\n")
        self._program("systemctl", RECORDER)

    def _program(self, name: str, text: str) -> None:
        (self.programs / name).write_text(text)
        (self.programs / name).chmod(0o755)

    def run(self, script: str, *words: str, active: str = "", fails: str = "") -> Done:
        """``fails``: what systemctl is asked and does not do."""
        text = (HERE / script).read_text("utf-8")
        for folder in ("/etc/", "/run/", "/var/"):
            text = text.replace(f" {folder}", f" {self.root}{folder}")
            text = text.replace(f"={folder}", f"={self.root}{folder}")
        calls = self.root / "calls"
        calls.unlink(missing_ok=True)
        done = subprocess.run(
            ["/bin/sh", "-c", text, script, *words],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
            env={
                "PATH": f"{self.programs}:{os.environ['PATH']}",
                "CALLS": str(calls),
                "ACTIVE": active,
                "FAILS": fails,
            },
        )
        asked = calls.read_text().splitlines() if calls.exists() else []
        wanted = [one for one in asked if one.split()[0] not in ("daemon-reload", "is-active")]
        return Done(done.returncode, wanted, done.stdout + done.stderr)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


PARTS = "vigil-cloud-migrate vigil-cloud-api vigil-cloud-ingest"
MIGRATE = "restart vigil-cloud-migrate.service"
WHOLE, API, INGEST = (
    f"try-restart {one}.service" for one in ("vigil-cloud", "vigil-cloud-api", "vigil-cloud-ingest")
)


def test_an_upgrade_of_the_cloud_migrates_before_its_services_start_anew(machine: Machine) -> None:
    done = machine.run("vigil-cloud/postinst", "configure", "0.1.0", active=PARTS)
    assert (done.status, done.calls) == (0, [MIGRATE, WHOLE, API, INGEST])


def test_one_process_migrates_by_itself(machine: Machine) -> None:
    done = machine.run("vigil-cloud/postinst", "configure", "0.1.0", active="vigil-cloud")
    assert MIGRATE not in done.calls
    assert WHOLE in done.calls


def test_a_migration_that_fails_leaves_the_former_services_running(machine: Machine) -> None:
    done = machine.run("vigil-cloud/postinst", "configure", "0.1.0", active=PARTS, fails="restart")
    assert (done.status, done.calls) == (0, [MIGRATE, WHOLE])
    assert "the database was not migrated" in done.said


def test_a_service_of_the_cloud_that_does_not_start_is_told(machine: Machine) -> None:
    done = machine.run(
        "vigil-cloud/postinst", "configure", "0.1.0", active=PARTS, fails="try-restart"
    )
    assert (done.status, done.calls) == (0, [MIGRATE, WHOLE, API, INGEST])
    assert "vigil-cloud-ingest did not start again" in done.said


ENABLE = "enable --quiet vigil-edge.service"


def test_the_agent_is_enabled_at_its_first_installation_only(machine: Machine) -> None:
    (machine.root / "etc/vigil-edge/gateway.toml").write_text("")
    first = machine.run("vigil-edge/postinst", "configure", "")
    assert (first.status, first.calls) == (0, [ENABLE, "restart vigil-edge.service"])
    upgrade = machine.run("vigil-edge/postinst", "configure", "0.1.0")
    assert (upgrade.status, upgrade.calls) == (0, ["try-restart vigil-edge.service"])


@pytest.mark.parametrize("fails", ["enable", "restart", "try-restart"])
@pytest.mark.parametrize("before", ["", "0.1.0"])
def test_an_agent_that_does_not_start_leaves_its_package_installed(
    machine: Machine, fails: str, before: str
) -> None:
    (machine.root / "etc/vigil-edge/gateway.toml").write_text("")
    assert machine.run("vigil-edge/postinst", "configure", before, fails=fails).status == 0


def test_a_removed_agent_is_stopped_and_stays_enabled_as_it_was(machine: Machine) -> None:
    done = machine.run("vigil-edge/prerm", "remove")
    assert (done.status, done.calls) == (0, ["stop vigil-edge.service"])


def test_a_running_agent_takes_what_noise_cameras_need(machine: Machine) -> None:
    done = machine.run("vigil-edge-noise/postinst", "configure", "", fails="try-restart")
    assert (done.status, done.calls) == (0, ["try-restart vigil-edge.service"])
    assert "did not start again" in done.said


def test_no_exit_status_ends_the_cloud_for_good() -> None:
    for name, text in units.texts().items():
        assert "RestartPreventExitStatus=" not in text, name
    for unit in ("api", "ingest"):
        text = units.texts()[f"vigil-cloud-{unit}.service"]
        assert "Requires=" not in text
        assert "Wants=vigil-cloud-migrate.service" in text


SPEC = util.spec_from_file_location("vigil_cloud_admin", HERE / "vigil-cloud/admin.py")
assert SPEC is not None
assert SPEC.loader is not None
ADMIN = util.module_from_spec(SPEC)
SPEC.loader.exec_module(ADMIN)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("A=plain", "plain"),
        ("  A=in one; line  \r\n", "in one; line"),
        ("# A=no\n; A=no\nA=1", "1"),
        ("A=$(reboot) `reboot` $HOME", "$(reboot) `reboot` $HOME"),
        ("A=postgresql+psycopg://u@h/v?a=b&c=d#e", "postgresql+psycopg://u@h/v?a=b&c=d#e"),
        ('A="with \\"quotes\\" and \\n" ', 'with "quotes" and \\n'),
        ("A='no \\ escape'", "no \\ escape"),
        ("A=two\\\nlines", "twolines"),
        ('A="two\nlines"', "two\nlines"),
        ("A=", ""),
        ("A=1\nA=2", "2"),
        ("no variable\n1x=3\nA=1", "1"),
    ],
)
def test_an_administrators_command_reads_the_environment_as_the_service_does(
    text: str, value: str
) -> None:
    assert ADMIN.variables(text) == {"A": value}


def test_an_administrators_command_has_the_services_environment(tmp_path: Path) -> None:
    file = tmp_path / "environment"
    bare = ADMIN.environment({"PATH": "/bin"}, file)
    assert bare == {"PATH": "/bin", "VIGIL_SECRETS_DIR": ADMIN.SECRETS}
    file.write_text("VIGIL_DATABASE_URL=postgresql+psycopg://vigil@db/vigil\n")
    own = ADMIN.environment({"VIGIL_DATABASE_URL": "sqlite:///elsewhere"}, file)
    assert own["VIGIL_DATABASE_URL"] == "postgresql+psycopg://vigil@db/vigil"


def test_an_administrators_command_finds_the_files_that_are_named(tmp_path: Path) -> None:
    """It runs as another user and elsewhere."""
    (tmp_path / "chiayi.geojson").write_text("{}")
    (tmp_path / "li").write_text("a file that is called as an account")
    (tmp_path / "map.d").mkdir()
    words = [
        "map",
        "import",
        "chiayi.geojson",
        "map.d",
        "li",
        "new.zip",
        "/etc/passwd",
        "噪音。.說明" * 40,
    ]
    there = str(tmp_path / "chiayi.geojson")
    assert ADMIN.named(words, tmp_path) == ["map", "import", there, *words[3:]]


def test_what_an_administrators_command_makes_lies_where_the_service_may_write() -> None:
    (made,) = (
        line.split()
        for line in (HERE / "vigil-cloud/postinst").read_text("utf-8").splitlines()
        if ADMIN.FILES in line
    )
    assert made[:7] == ["install", "-d", "-o", "vigil-cloud", "-g", "vigil-cloud", "-m"]
    assert "0700" in made


def test_a_box_of_the_package_is_enrolled_where_its_unit_reads() -> None:
    unit = (HERE / "vigil-edge/vigil-edge.service").read_text("utf-8")
    folder, data = folders("/usr/lib/vigil-edge")
    assert f"--config {folder}/gateway.toml" in unit
    assert f"StateDirectory={data.name}\n" in unit
    assert of_the_service(folder / "gateway.toml", "/usr/lib/vigil-edge")
    assert not of_the_service(folder / "gateway.toml", "/opt/venv")
    assert folders("/opt/venv") == (Path("/etc/vigil"), Path("/var/lib/vigil"))
