"""Values that a file leaves to the environment: a string that is exactly ``${NAME}``.

The cloud and the simulated city read the same seed file; its secrets stand in neither. A secret
may also be a file of its own, named as its variable in small letters, in ``$VIGIL_SECRETS_DIR``
(a container's ``/run/secrets``) or where systemd puts credentials (``$CREDENTIALS_DIRECTORY``).

A name of ours that nobody reads is told with the nearest that is read: a slip in one is else the
default in silence.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, ClassVar, Final

from vigil_schemas.errors import VigilError

PREFIX: Final = "VIGIL_"
_OF_PROGRAMS: Final = """
    SECRETS_DIR NEW_SECRET_KEY HEALTH_URL SIM_BLE SERVERS
    CITY_PASSWORD CITY_TOKEN CITY_BROKER_PASSWORD
"""
"""Of commands, images, the composed city and the simulated one."""
_OF_TESTS: Final = """
    API FULL REQUIRE PEER_PYTHON SCREENSHOTS SEED TEST_BEGAN TEST_SPEED WATCHED_S
    ANSWERS ARRESTS BENCH_ROUNDS BENCH_RUNS BENCH_SECONDS BRIDGES BURNT CLASSIFY_SEED COOKING
    FIRES FLOODS FOOTPRINTS_STORES FOOTPRINTS_VISITS GEOLIFE_MOMENTS GEOLIFE_SEED HALLS HALL_SEED
    HOMES MANY PICTURES PICTURES_REGIONS PICTURES_SEED ROUNDS SCALE SEARCH_SEED STEAM TRACE_NUMBER
    TRACE_SEED WANDERERS WEEK_SCALE
"""
"""Of tests and benches, whose processes inherit them."""
OTHERS: Final = frozenset(f"{PREFIX}{name}" for name in (_OF_PROGRAMS + _OF_TESTS).split())
"""Names of ours that are read and are no setting."""

_REFERENCE: Final = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


class EnvironmentMissing(VigilError):
    """A file refers to a variable that is not set, or set to nothing."""

    code: ClassVar[str] = "environment-missing"
    remedy: ClassVar[str] = "Set the variable that the message names before starting."

    def __init__(self, name: str, where: str) -> None:
        super().__init__(f"{where}: the environment variable {name} is not set")
        self.name = name
        self.where = where
        """Keys and indices to the value, such as ``gateway.0.token``."""


class SecretsUnreadable(VigilError):
    """A folder of secrets, or a file in it, that cannot be read."""

    code: ClassVar[str] = "secrets-unreadable"
    remedy: ClassVar[str] = (
        "Let VIGIL_SECRETS_DIR name a folder whose files the service's user may read, or unset it."
    )

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}; secrets are read from there (VIGIL_SECRETS_DIR)")
        self.path = path
        self.reason = reason


def secret_folders(environment: Mapping[str, str] = os.environ) -> list[Path]:
    """Folders of secrets, in which those named later win. Raises ``SecretsUnreadable`` for one
    that is named and is not there: the service would start as if it had no secrets."""
    named = (environment.get(name, "") for name in ("CREDENTIALS_DIRECTORY", "VIGIL_SECRETS_DIR"))
    folders = [Path(folder) for folder in named if folder]
    for folder in folders:
        if not folder.is_dir():
            raise SecretsUnreadable(folder, "no such folder")
    return folders


def with_secrets(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The variables, and each secret that is a file as the variable that it stands for; one that
    is set wins. Raises ``SecretsUnreadable``."""
    found: dict[str, str] = {}
    for folder in secret_folders(environment):
        for file in sorted(folder.iterdir()):
            if file.is_file():
                try:
                    found[file.name.upper()] = file.read_text("utf-8").strip()
                except (OSError, UnicodeDecodeError) as error:
                    raise SecretsUnreadable(file, str(error)) from error
    return found | dict(environment)


def unread(
    environment: Mapping[str, str], is_read: Callable[[str], bool], names: Iterable[str]
) -> dict[str, str | None]:
    """Variables and secrets' files of our prefix that nobody reads, each with the nearest of
    ``names``, where one is near. ``is_read`` is asked with capitals: case does not count.

    Raises ``SecretsUnreadable``.
    """
    found = [*environment]
    for folder in secret_folders(environment):
        found.extend(file.name for file in folder.iterdir() if file.is_file())
    known = [*names]
    return {
        name: next(iter(get_close_matches(name.upper(), known, 1, 0.8)), None)
        for name in sorted(set(found))
        if name.upper().startswith(PREFIX)
        and name.upper() not in OTHERS
        and not is_read(name.upper())
    }


def filled(value: Any, environment: Mapping[str, str], where: str = "") -> Any:
    """The same tables and lists with each string that is exactly ``${NAME}`` replaced.

    Nothing else is touched: ``a ${NAME} b`` stays as written. Raises ``EnvironmentMissing``.
    """
    if isinstance(value, Mapping):
        return {
            key: filled(entry, environment, f"{where}.{key}" if where else str(key))
            for key, entry in value.items()
        }
    if isinstance(value, list):
        return [filled(entry, environment, f"{where}.{n}") for n, entry in enumerate(value)]
    if not isinstance(value, str) or (found := _REFERENCE.fullmatch(value)) is None:
        return value
    if not (text := environment.get(found[1])):
        raise EnvironmentMissing(found[1], where)
    return text
