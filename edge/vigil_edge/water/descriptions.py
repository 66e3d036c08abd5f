"""What is known of a maker's probe: a data file for each, in ``probes/``."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from vigil_edge.water.signals import Address, Signal
from vigil_schemas.recordings.errors import OptionWrong

_FOLDER: Final = Path(__file__).parent / "probes"


class DescribedSignal(Signal):
    """A signal, and where the probe keeps what it writes where it has no reading."""

    sentinel_register: Address | None = None

    def section(self) -> dict[str, Any]:
        """Its ``[[water.signal]]`` table."""
        return self.model_dump(
            by_alias=True, exclude_defaults=True, exclude={"sentinel_register"}, mode="json"
        )


class Description(BaseModel):
    """One file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: str
    title_zh: str
    source: str
    """Where its numbers are from, and what is not sure."""
    driver: Literal["modbus-tcp", "modbus-rtu", "modbus-rtu-over-tcp"] | None = None
    baudrate: int = 9600
    parity: Literal["N", "E", "O"] = "N"
    max_read: Annotated[int, Field(ge=4, le=125)] = 125
    merge: bool = True
    signal: Annotated[list[DescribedSignal], Field(min_length=1)]


@cache
def known() -> tuple[str, ...]:
    """The names of those that are shipped."""
    return tuple(sorted(path.stem for path in _FOLDER.glob("*.toml")))


def described(name: str) -> Description:
    """By its shipped name, or from a file of the user's own. Raises ``OptionWrong``."""
    path = _FOLDER / f"{name}.toml" if name in known() else Path(name)
    try:
        return Description.model_validate(tomllib.loads(path.read_text("utf-8-sig")))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise OptionWrong(f"--description {name!r}: {where}: {first['msg']}") from error
    except (OSError, ValueError, RecursionError) as error:  # a number of endless digits, too
        raise OptionWrong(
            f"--description {name!r}: {error}; shipped are {', '.join(known())}"
        ) from error
