"""A Debian of aarch64 in a folder, whose programs run here: by emulation where they must.

Needs root, ``debootstrap``, and on another processor ``qemu-user-static`` with its entry in the
kernel's ``binfmt_misc`` (its package makes one where that is mounted).
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

SUITE: Final = "bookworm"
PACKAGES: Final = "python3,libportaudio2,passwd"
_BINFMT: Final = Path("/proc/sys/fs/binfmt_misc")
_ENVIRONMENT: Final = {
    "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
    "LC_ALL": "C.UTF-8",
    "DEBIAN_FRONTEND": "noninteractive",
}


def lacking() -> str:
    """What this machine needs first, as a command; empty where it has all."""
    if os.geteuid() != 0:
        return "run it as root"
    programs = {"debootstrap": "debootstrap"}
    if platform.machine() != "aarch64":
        programs["qemu-aarch64-static"] = "qemu-user-static binfmt-support"
    absent = [package for program, package in programs.items() if shutil.which(program) is None]
    if absent:
        return f"apt-get install {' '.join(absent)}"
    if platform.machine() != "aarch64" and not _emulated():
        return f"mount -t binfmt_misc binfmt_misc {_BINFMT} && update-binfmts --enable qemu-aarch64"
    return ""


def _emulated() -> bool:
    """Whether the kernel starts programs of aarch64 by emulation; turned on if it can be."""
    if not (_BINFMT / "register").exists():
        words = ["mount", "-t", "binfmt_misc", "binfmt_misc", str(_BINFMT)]
        subprocess.run(words, check=False, capture_output=True)
    entry = _BINFMT / "qemu-aarch64"
    if not entry.exists():
        words = ["update-binfmts", "--enable", "qemu-aarch64"]
        subprocess.run(words, check=False, capture_output=True)
    return entry.exists() and entry.read_text().startswith("enabled")


class Root:
    """One folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def make(self) -> None:
        """Debian's base and Python, where they are not there yet. Raises ``CalledProcessError``.

        Its packages are unpacked and not configured: by emulation that alone would take half an
        hour, and what a gateway uses of them needs none of it but a list of users.
        """
        done = self.folder / ".made"
        if done.exists():
            return
        shutil.rmtree(self.folder, ignore_errors=True)
        subprocess.run(
            [
                *("debootstrap", "--foreign", "--arch=arm64", "--variant=minbase"),
                *(f"--include={PACKAGES}", SUITE, str(self.folder)),
            ],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        for package in sorted((self.folder / "var/cache/apt/archives").glob("*.deb")):
            self.unpack(package)
        for name in ("passwd", "group"):
            shutil.copy(
                self.folder / f"usr/share/base-passwd/{name}.master", self.folder / "etc" / name
            )
        done.touch()

    def unpack(self, package: Path) -> None:
        """Its files, where ``/bin`` and the like are links. Raises ``CalledProcessError``."""
        with subprocess.Popen(
            ["dpkg-deb", "--fsys-tarfile", str(package)], stdout=subprocess.PIPE
        ) as files:
            subprocess.run(
                ["tar", "--extract", "--keep-directory-symlink", "-C", str(self.folder)],
                stdin=files.stdout,
                check=True,
            )

    def script(self, package: Path, name: str, *words: str) -> None:
        """One of a package's own scripts, run in it. Raises ``CalledProcessError``."""
        control = self.folder / "root/control"
        shutil.rmtree(control, ignore_errors=True)
        subprocess.run(["dpkg-deb", "--control", str(package), str(control)], check=True)
        done = self.run("/bin/sh", f"/root/control/{name}", *words)
        assert done.returncode == 0, done.stdout + done.stderr

    @contextmanager
    def mounted(self) -> Iterator[None]:
        """With what programs expect of a running system."""
        targets = [self.folder / "proc", self.folder / "dev"]
        subprocess.run(["mount", "-t", "proc", "proc", str(targets[0])], check=True)
        subprocess.run(["mount", "--bind", "/dev", str(targets[1])], check=True)
        try:
            yield
        finally:
            for target in reversed(targets):
                subprocess.run(["umount", "--lazy", str(target)], check=False)

    def start(self, user: str, *words: str, log: Path) -> subprocess.Popen[bytes]:
        """A program in it that stays, under a user of its own list: by number, as ``runuser``
        asks PAM, of which nothing is configured."""
        names = (self.folder / "etc/passwd").read_text().splitlines()
        uid, gid = next(one.split(":")[2:4] for one in names if one.startswith(f"{user}:"))
        with log.open("ab") as out:
            return subprocess.Popen(
                ["chroot", f"--userspec={uid}:{gid}", "--groups=", str(self.folder), *words],
                env=_ENVIRONMENT,
                stdout=out,
                stderr=out,
            )

    def run(self, *words: str, timeout_s: float = 1800) -> subprocess.CompletedProcess[str]:
        """A program in it."""
        return subprocess.run(
            ["chroot", str(self.folder), *words],
            env=_ENVIRONMENT,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
