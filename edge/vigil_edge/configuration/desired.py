"""The cloud's newest configuration, kept on the gateway's disk across restarts."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from vigil_schemas.control import Configuration, Setting
from vigil_schemas.gateway import RefusedConfiguration

NAME: Final = "cloud-configuration.json"


class Desired(BaseModel):
    """``revision`` 0: the cloud has never sent one."""

    model_config = ConfigDict(frozen=True)

    revision: int = 0
    """The newest known, also where it was refused or dropped: none older counts any more."""
    configuration: Configuration | None = None
    """The newest that was right; in force."""
    refused: RefusedConfiguration | None = None
    """Why ``revision`` is not in force."""
    waiting: Configuration | None = None
    """The refused one: it is tried again when more was found here."""
    dropped: bool = False
    """By ``vigil-edge config reset``."""
    file: dict[str, dict[str, Setting | None]] = Field(default_factory=dict)
    """What the file said of the same keys when the configuration came."""

    def reset(self) -> Desired:
        """Nothing of the cloud's, until a newer revision comes."""
        return Desired(revision=self.revision, dropped=True)


def recall(folder: Path) -> Desired:
    """Raises ``OSError`` for the disk, ``ValueError`` for a file that is damaged."""
    try:
        return Desired.model_validate_json((folder / NAME).read_bytes())
    except FileNotFoundError:
        return Desired()
    except ValidationError as error:
        raise ValueError(f"{folder / NAME} is damaged") from error


def keep(folder: Path, desired: Desired) -> None:
    """Durably, whole or not at all, also while `vigil-edge config reset` does the same beside a
    running agent; what root writes belongs to whom the folder belongs to. Raises ``OSError``."""
    draft = folder / f"{NAME}.new"
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)  # of whoever dies the kernel lets it go
        draft.unlink(missing_ok=True)  # perhaps root's, of a reset that did not end
        with draft.open("xb") as file:
            file.write(desired.model_dump_json().encode())
            file.flush()
            if os.geteuid() == 0:
                owner = os.fstat(descriptor)
                os.fchown(file.fileno(), owner.st_uid, owner.st_gid)
            os.fsync(file.fileno())
        draft.replace(folder / NAME)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
