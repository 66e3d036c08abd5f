"""``vigil-cloud backup`` and ``restore``: everything that the cloud keeps, in one file."""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from vigil_cloud.commands.opening import OPERATOR, Commands, add_command, opened, stores

if TYPE_CHECKING:
    from vigil_cloud.backup.archive import Manifest

_EVERY_S: Final = 1.0


def add(commands: Commands, common: argparse.ArgumentParser) -> None:
    """backup, restore."""
    text = "copy all tables, readings and objects into one file, while the city runs"
    add_command(commands, "backup", _backup, text, common).add_argument("file", type=Path)
    text = "fill an empty database and empty stores from a backup"
    restore = add_command(commands, "restore", _restore, text, common)
    restore.add_argument("file", type=Path)
    restore.add_argument("--check", action="store_true", help="read the file and write nothing")


def _backup(options: argparse.Namespace) -> int:
    from vigil_cloud.backup import making

    with opened(options) as services, _Progress() as progress:
        manifest = making.make(services, options.file, by=OPERATOR, told=progress)
    _report(manifest, options.file)
    print(
        "vigil-cloud: the secret key and the settings are not in the file: keep them elsewhere."
        " Whoever has both reads names and places.",
        file=sys.stderr,
    )
    return 0


def _restore(options: argparse.Namespace) -> int:
    from vigil_cloud.backup import restoring

    if options.check:
        _report(restoring.verify(options.file), options.file)
        return 0
    with stores(options) as services, _Progress() as progress:
        manifest = restoring.restore(services, options.file, by=OPERATOR, told=progress)
    _report(manifest, options.file)
    print(
        f"vigil-cloud: this is the city of {manifest.made}. Consents that were withdrawn, people"
        " who were erased and accounts that were closed since then are back: do it again."
        " Everybody has to sign in anew. Gateways that were thrown out since then are let in again:"
        " revoke them (`vigil-cloud gateway revoke`). Certificates of since then cannot be renewed:"
        " enrol those gateways anew (`vigil-cloud gateway enrol NAME --replace`); and start a"
        " broker of your own again.",
        file=sys.stderr,
    )
    return 0


def _report(manifest: Manifest, path: Path) -> None:
    print(
        json.dumps(
            {
                "file": str(path),
                "bytes": path.stat().st_size,
                "made": manifest.made,
                "version": manifest.version,
                "revision": manifest.revision,
                "rows": sum(manifest.rows.values()),
                "readings": manifest.readings,
                "objects": manifest.objects,
                "missing_objects": manifest.missing_objects,
            }
        )
    )


class _Progress:
    """On a terminal a line that is written over, at most once a second, and taken away in the
    end: the result or what went wrong stands in its place."""

    def __init__(self) -> None:
        self._last: float | None = None

    def __enter__(self) -> _Progress:
        return self

    def __exit__(self, *_: object) -> None:
        if self._last is not None:
            print("\r\033[K", end="", file=sys.stderr, flush=True)

    def __call__(self, line: str) -> None:
        now = time.monotonic()
        if sys.stderr.isatty() and (self._last is None or now - self._last >= _EVERY_S):
            self._last = now
            print(f"\r\033[K{line}", end="", file=sys.stderr, flush=True)
