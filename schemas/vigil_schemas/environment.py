"""Values that a file leaves to the environment: a string that is exactly ``${NAME}``.

The cloud and the simulated city read the same seed file; its secrets stand in neither.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar, Final

from vigil_schemas.errors import VigilError

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
