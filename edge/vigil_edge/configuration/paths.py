"""Paths as a configuration writes them: relative to the folder that its file lies in."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BeforeValidator, ValidationInfo

FOLDER: Final = "folder"
"""Key of the validation context that holds the configuration's folder."""


def resolve(path: Path, info: ValidationInfo) -> Path:
    """A path as the file's author meant it: relative to the file's own folder."""
    folder = (info.context or {}).get(FOLDER)
    return path if folder is None else Path(folder) / path


def _written(value: Any) -> Any:
    if isinstance(value, str):
        if not value or "\0" in value:
            raise ValueError("write the path of a file or folder")
        if value.startswith("~"):
            raise ValueError("write the path in full: nobody opens ~ here")
    return value


def _existing(path: Path, info: ValidationInfo) -> Path:
    path = resolve(path, info)
    if not path.is_file():
        raise ValueError(f"there is no file {path}")
    try:
        path.open("rb").close()
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from error
    return path


def _folder(path: Path, info: ValidationInfo) -> Path:
    path = resolve(path, info)
    if path.exists() and not path.is_dir():
        raise ValueError(f"{path} is not a folder")
    return path


ExistingFile = Annotated[Path, BeforeValidator(_written), AfterValidator(_existing)]
"""A file that must be there, and readable, when the configuration is read."""
Folder = Annotated[Path, BeforeValidator(_written), AfterValidator(_folder)]
"""A folder that need not exist yet."""


def first_line(file: Path | None) -> str | None:
    """Of a file that holds one secret. Raises ``OSError``, ``UnicodeDecodeError``."""
    if file is None:
        return None
    lines: list[str] = file.read_text(encoding="utf-8").splitlines()
    return lines[0].strip() if lines else ""
