"""Debian packages of gateway and cloud, with everything that Python needs inside.

    python docs/deployment/debian/build.py --wheel dist/vigil_city-….whl --out dist [--arch arm64]

Each package holds a virtual environment under ``/usr/lib/<package>`` for Debian's own Python,
filled by pip from wheels of the versions in ``constraints.txt``. Nothing is compiled, so packages
for another architecture are built here as well, and installing one asks no network (decision 93).
"""

from __future__ import annotations

import argparse
import compileall
import hashlib
import os
import py_compile
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from vigil_cloud import units

HERE: Final = Path(__file__).resolve().parent
ROOT: Final = HERE.parents[2]
PYTHON: Final = (3, 11)
"""Debian 12's. The files that pip brings are for this one, so the package asks for it."""
GLIBC: Final = 36
"""Debian 12's 2.36: wheels for this one and older ones fit."""
MACHINES: Final = {"amd64": "x86_64", "arm64": "aarch64"}
_COMPILED_AHEAD: Final = sys.version_info[:2] == PYTHON
_MAINTAINER: Final = "The Vigil project <vigil@localhost>"


@dataclass(frozen=True)
class Package:
    """One Debian package: what pip puts into it, and what stands beside that."""

    name: str
    summary: str
    about: str
    extras: tuple[str, ...]
    depends: tuple[str, ...]
    recommends: tuple[str, ...] = ()
    programs: tuple[str, ...] = ()
    """Console scripts."""
    without: tuple[str, ...] = ()
    """Packages of ours that lie in the wheel and have no place here."""
    beside: Package | None = None
    """The package whose environment this one adds to: only what that lacks is in it."""
    conffiles: tuple[str, ...] = ()

    @property
    def home(self) -> Path:
        """Its environment, from the root of the file system."""
        return Path("usr/lib") / (self.beside or self).name


_PYTHON_DEPENDS: Final = (
    f"python3 (>= {PYTHON[0]}.{PYTHON[1]}~)",
    f"python3 (<< {PYTHON[0]}.{PYTHON[1] + 1}~)",
    "passwd",
)
EDGE: Final = Package(
    "vigil-edge",
    "Vigil gateway agent: water probes, check-ins, smoke alarms, AED cabinets",
    "The agent that reads a city's sensors and delivers each reading once.",
    ("edge-water", "edge-checkin", "edge-smoke", "edge-aed"),
    _PYTHON_DEPENDS,
    recommends=("bluez", "libportaudio2"),
    programs=("vigil-edge",),
    without=("vigil_cloud", "vigil_sim"),
)
NOISE: Final = Package(
    "vigil-edge-noise",
    "Vigil gateway agent: what noise cameras need",
    "NumPy, SciPy, numba, OpenCV and the plate reader for the agent of vigil-edge.",
    ("edge", "noise", "plates"),
    ("vigil-edge (= {version})", "libportaudio2"),
    beside=EDGE,
    without=("vigil_cloud", "vigil_sim"),
)
CLOUD: Final = Package(
    "vigil-cloud",
    "Vigil cloud: ingest, alerts, API and pages",
    "Takes what gateways send, decides what it means, and calls people.",
    ("cloud",),
    _PYTHON_DEPENDS,
    programs=("vigil-cloud",),
    without=("vigil_edge", "vigil_sim"),
    conffiles=("etc/vigil-cloud/cloud.toml",),
)
PACKAGES: Final = {one.name: one for one in (EDGE, NOISE, CLOUD)}


@dataclass(frozen=True)
class Build:
    """What all packages of one run have in common."""

    wheel: Path
    out: Path
    arch: str

    @property
    def version(self) -> str:
        """The wheel's own, as Debian writes it."""
        return self.wheel.name.split("-")[1].replace(".dev", "~dev")

    def fetch(self, site: Path, extras: tuple[str, ...]) -> None:
        """Fill ``site`` with the wheel and what its extras need. Raises ``CalledProcessError``."""
        machine = MACHINES[self.arch]
        platforms = [f"manylinux_2_{minor}_{machine}" for minor in range(GLIBC, 16, -1)]
        platforms.append(f"manylinux2014_{machine}")
        command = [
            *(sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"),
            *("--target", str(site), "--no-compile", "--only-binary=:all:"),
            *("--implementation", "cp", "--python-version", f"{PYTHON[0]}.{PYTHON[1]}"),
            *(word for one in platforms for word in ("--platform", one)),
            *("--constraint", str(ROOT / "constraints.txt")),
            f"{self.wheel}[{','.join(extras)}]",
        ]
        subprocess.run(command, check=True)
        shutil.rmtree(site / "bin", ignore_errors=True)


def build(package: Package, build_: Build) -> Path:
    """One package, as a file in ``build_.out``."""
    with tempfile.TemporaryDirectory(prefix="vigil-deb-") as scratch:
        stage = Path(scratch) / "stage"
        site = stage / package.home / f"lib/python{PYTHON[0]}.{PYTHON[1]}/site-packages"
        site.mkdir(parents=True)
        build_.fetch(site, package.extras)
        for name in package.without:
            shutil.rmtree(site / name)
        if package.beside is not None:
            other = Path(scratch) / "beside"
            build_.fetch(other, package.beside.extras)
            _subtract(site, other)
        else:
            _environment(stage, package)
        if _COMPILED_AHEAD:
            _compile(site, stage)
        _furnish(stage, package)
        _describe(stage, package, build_)
        out = build_.out / f"{package.name}_{build_.version}_{build_.arch}.deb"
        out.parent.mkdir(parents=True, exist_ok=True)
        command = ["dpkg-deb", "--root-owner-group", "-Zzstd", "-z9", "--build"]
        subprocess.run([*command, str(stage), str(out)], check=True, stdout=subprocess.DEVNULL)
        return out


def _environment(stage: Path, package: Package) -> None:
    """A virtual environment without pip, for Debian's Python; its scripts."""
    home = stage / package.home
    (home / "bin").mkdir()
    (home / "bin/python3").symlink_to("/usr/bin/python3")
    (home / "pyvenv.cfg").write_text("home = /usr/bin\ninclude-system-site-packages = false\n")
    (stage / "usr/bin").mkdir(parents=True, exist_ok=True)
    for program in package.programs:
        script = home / "bin" / program
        module = program.replace("-", "_")
        script.write_text(
            f"#!/{package.home}/bin/python3 -I\n"
            f"import sys\n\nfrom {module}.__main__ import main\n\nsys.exit(main())\n"
        )
        script.chmod(0o755)
        (stage / "usr/bin" / program).symlink_to(f"/{package.home}/bin/{program}")


def _subtract(site: Path, other: Path) -> None:
    """Leave what the other package does not hold already."""
    for path in sorted(site.rglob("*"), reverse=True):
        twin = other / path.relative_to(site)
        if path.is_dir() and not path.is_symlink():
            if not any(path.iterdir()):
                path.rmdir()
        elif twin.exists():
            path.unlink()


def _compile(site: Path, stage: Path) -> None:
    """Ahead: the service may not write there. By content, so that the files are reproducible."""
    compileall.compile_dir(
        site,
        quiet=2,
        stripdir=str(stage),
        prependdir="/",
        invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
    )


def _furnish(stage: Path, package: Package) -> None:
    """Units, examples and the page that the units name."""
    source = HERE / package.name
    documents = stage / "usr/share/doc" / package.name
    documents.mkdir(parents=True)
    shutil.copyfile(ROOT / "LICENSE", documents / "copyright")
    for program in package.programs:
        _complete(stage, program)
    readme = ROOT / "README.md" if package is not CLOUD else ROOT / "docs/deployment/README.md"
    shutil.copyfile(readme, documents / "README.md")
    system = stage / "lib/systemd/system"
    for name, text in unit_texts(package.name).items():
        system.mkdir(parents=True, exist_ok=True)
        (system / name).write_text(text)
    if package is EDGE:
        (stage / "etc/vigil-edge").mkdir(parents=True)
        (documents / "examples").mkdir()
        shutil.copyfile(source / "gateway.toml", documents / "examples/gateway.toml")
    if package is CLOUD:
        (stage / "etc/vigil-cloud").mkdir(parents=True)
        shutil.copyfile(source / "cloud.toml", stage / "etc/vigil-cloud/cloud.toml")
        (stage / "usr/sbin").mkdir(parents=True)
        shutil.copy2(source / "admin.py", stage / "usr/sbin/vigil-cloud-admin")
        (stage / "usr/sbin/vigil-cloud-admin").chmod(0o755)


def _complete(stage: Path, program: str) -> None:
    """What bash and zsh complete, printed by the program itself, with every domain's tools."""
    for shell, folder, name in (
        ("bash", "usr/share/bash-completion/completions", program),
        ("zsh", "usr/share/zsh/vendor-completions", f"_{program}"),
    ):
        command = [sys.executable, "-m", program.replace("-", "_"), "completion", shell]
        made = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        (stage / folder).mkdir(parents=True, exist_ok=True)
        (stage / folder / name).write_text(made)


def unit_texts(package: str) -> dict[str, str]:
    """A package's units by their files' names; the cloud's lie in its wheel."""
    if package == CLOUD.name:
        return units.texts()
    return {one.name: one.read_text("utf-8") for one in sorted((HERE / package).glob("*.service"))}


def _describe(stage: Path, package: Package, build_: Build) -> None:
    control = stage / "DEBIAN"
    control.mkdir()
    files = [path for path in stage.rglob("*") if path.is_file() and control not in path.parents]
    kilobytes = sum(path.lstat().st_size for path in files) // 1024
    depends = [one.format(version=build_.version) for one in package.depends]
    lines = [
        f"Package: {package.name}",
        f"Version: {build_.version}",
        f"Architecture: {build_.arch}",
        f"Maintainer: {_MAINTAINER}",
        f"Installed-Size: {kilobytes}",
        f"Depends: {', '.join(depends)}",
        *([f"Recommends: {', '.join(package.recommends)}"] if package.recommends else []),
        "Section: misc",
        "Priority: optional",
        f"Description: {package.summary}",
        f" {package.about}",
    ]
    (control / "control").write_text("\n".join(lines) + "\n")
    for script in ("postinst", "prerm", "postrm"):
        source = HERE / package.name / script
        if source.is_file():
            shutil.copyfile(source, control / script)
            (control / script).chmod(0o755)
    if package.conffiles:
        listed = "".join(f"/{name}\n" for name in package.conffiles)
        (control / "conffiles").write_text(listed)
    sums = [
        f"{hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()}  "
        f"{path.relative_to(stage)}\n"
        for path in sorted(files)
        if not path.is_symlink()
    ]
    (control / "md5sums").write_text("".join(sums))


def main() -> int:
    """Builds what is named; prints each file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("packages", nargs="*", metavar="PACKAGE", help=", ".join(PACKAGES))
    parser.add_argument("--wheel", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=ROOT / "dist")
    parser.add_argument("--arch", choices=sorted(MACHINES), default="amd64")
    options = parser.parse_args()
    unknown = set(options.packages) - set(PACKAGES)
    if unknown:
        parser.error(f"no such package: {', '.join(sorted(unknown))}")
    if not re.fullmatch(r"vigil_city-[^-]+-py3-none-any\.whl", options.wheel.name):
        parser.error(f"{options.wheel} is not this project's wheel: make wheel")
    os.umask(0o022)  # the modes of what pip and we write are those of the package
    for name in options.packages or PACKAGES:
        made = build(PACKAGES[name], Build(options.wheel, options.out, options.arch))
        sys.stdout.write(f"{made}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
