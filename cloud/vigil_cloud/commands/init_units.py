"""``vigil-cloud init --units DIR``: systemd's units for an installation that no package made."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from vigil_cloud import config, units
from vigil_cloud.units import Place

_SYSTEM: Final = Path("/etc/systemd/system")
_SERVICE: Final = "vigil-cloud"
"""The unit that is started, its user and its group, as in the package."""


def require(folder: Path, file: Path, data: Path | None) -> None:
    """Before anything is made. Raises ``ConfigurationError`` where no unit could be written."""
    if folder.exists() and not folder.is_dir():
        raise config.ConfigurationError(f"--units: {folder} is no folder")
    _texts(_place(file, (data or Path("/")).absolute()))


def write(folder: Path, file: Path, data: Path, say: Callable[[str], None]) -> list[str]:
    """The units, each where there is none of its name; the commands that come next.

    Raises ``ConfigurationError`` and ``OSError``.
    """
    place = _place(file, data.absolute())
    texts = _texts(place)
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        path = folder / name
        try:
            number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        except FileExistsError:
            if not path.is_file() or path.read_text("utf-8", "replace") != text:
                say(f"{path} is there already and says otherwise; it stays as it is.")
            continue
        with os.fdopen(number, "w", encoding="utf-8") as opened:
            opened.write(text)
    if os.environ.get("VIGIL_SECRET_KEY"):
        say(
            f"VIGIL_SECRET_KEY comes from this shell: a line VIGIL_SECRET_KEY=… in"
            f" {place.environment} (mode 0600) gives it to the service."
        )
    return _next(folder, place)


def _place(file: Path, data: Path) -> Place:
    secrets = os.environ.get("VIGIL_SECRETS_DIR")
    program = Path(sys.argv[0]).absolute()
    if program.name != "vigil-cloud":  # `python -m vigil_cloud`
        program = Path(sys.executable).with_name("vigil-cloud")
    folder = Path(secrets).absolute() if secrets else None
    return Place(program, file, data, folder, interpreter=Path(sys.executable))


def _texts(place: Place) -> dict[str, str]:
    try:
        return units.texts(place)
    except units.UnitImpossible as error:
        raise config.ConfigurationError(f"--units: {error}") from error


def _next(folder: Path, place: Place) -> list[str]:
    data, file = shlex.quote(str(place.data)), shlex.quote(str(place.config))
    copied = [f"cp {shlex.quote(str(folder.absolute()))}/{_SERVICE}*.service {_SYSTEM}/"]
    secrets = shlex.quote(str(place.secrets))
    readable = f"chgrp -R {_SERVICE} {secrets} && chmod -R u=rwX,g=rX,o= {secrets}"
    return [
        f"id -u {_SERVICE} >/dev/null 2>&1 || useradd --system --user-group --no-create-home"
        f" --home-dir {data} --shell /usr/sbin/nologin {_SERVICE}",
        f"chown -R {_SERVICE}: {data} {file}",
        *([readable] if place.secrets else []),
        *([] if folder.absolute() == _SYSTEM else copied),
        f"systemctl daemon-reload && systemctl enable --now {_SERVICE}.service",
    ]
