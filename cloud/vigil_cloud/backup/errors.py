"""What can be wrong with a backup, or with the place that it is to be restored to."""

from __future__ import annotations

from typing import ClassVar

from vigil_schemas.errors import VigilError


class BackupDamaged(VigilError):
    """The file is no backup, is torn, or was changed."""

    code: ClassVar[str] = "backup-damaged"
    remedy: ClassVar[str] = "Take another copy of the backup, or an older one; nothing was written."


class BackupNewer(VigilError):
    """The backup was made by a version that this one does not know."""

    code: ClassVar[str] = "backup-newer"
    remedy: ClassVar[str] = "Install the version that the message names, or a later one."


class BackupExists(VigilError):
    """There is a file of that name already."""

    code: ClassVar[str] = "backup-exists"
    remedy: ClassVar[str] = "Name another file: a backup never takes the place of an older one."


class RestoreNotEmpty(VigilError):
    """The database or a store that is to be restored to is in use."""

    code: ClassVar[str] = "restore-not-empty"
    remedy: ClassVar[str] = (
        "Stop the city's processes and wait half a minute. Restore into an empty `data_dir`, or an"
        " empty database, bucket and store of readings; move what is in use away first."
    )


class RestoreUnfinished(VigilError):
    """A restore has begun and has not ended: what is there is half a city."""

    code: ClassVar[str] = "restore-unfinished"
    remedy: ClassVar[str] = (
        "Wait for `vigil-cloud restore`, or give it again with the same backup: it does what is"
        " left. Without the backup, take another `data_dir`, or another database and empty stores."
    )
