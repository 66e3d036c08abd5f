"""Names in a case's folder, for whoever writes it and whoever looks at its pictures.

They stand apart because who writes a case decodes no picture, and loads no OpenCV.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from vigil_schemas.evidence import CameraRole

FRAMES: Final[dict[CameraRole, str]] = {"overview": "frames", "plate": "plate-frames"}
"""Of each camera its folder of pictures, and its list of them with ``.json`` behind it."""
SHOWN: Final = "cameras.json"
"""From which of two cameras each picture that people are shown was taken: role by name of file."""


def put(path: Path, content: bytes) -> None:
    """Write a file whole or not at all: whoever is ended half way leaves nothing torn under a name
    that is sealed."""
    part = path.with_name(f"{path.name}.part")
    part.write_bytes(content)
    part.rename(path)
