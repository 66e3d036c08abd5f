"""One HTML file that plays a passage and verifies its own signature off line: the copy in which
people and plates are blurred, the level, the bearing and the vehicle's plate, for whoever is fined
too. Pure."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files
from typing import Final

from vigil_schemas.evidence import MANIFEST_NAME, SIGNATURE_NAME, EvidenceRole

SHOWN: Final[frozenset[EvidenceRole]] = frozenset(
    {"blurred", "thumbnail", "plate", "levels", "bearing", "octaves", "uncertainty", "weather"}
)
"""What leaves the house with it. The original video, its sharp copy and the sound stay."""


@lru_cache(maxsize=1)
def _template() -> str:
    return files("vigil_cloud.noise").joinpath("passage_page.html").read_text("utf-8")


def wanted(roles: Mapping[str, str]) -> list[str]:
    """Of a package's files, by name and role, those that the page holds."""
    return [MANIFEST_NAME, SIGNATURE_NAME, *(name for name in roles if roles[name] in SHOWN)]


def render(package: Mapping[str, bytes], public_key: str) -> bytes:
    """``package``: the files named by ``wanted``; ``public_key``: hexadecimal."""
    seal = {MANIFEST_NAME, SIGNATURE_NAME}
    data = {
        "manifest": _text(package[MANIFEST_NAME]),
        "signature": _text(package[SIGNATURE_NAME]),
        "key": public_key,
        "files": {name: _text(package[name]) for name in sorted(set(package) - seal)},
    }
    # Base64 and hexadecimal digits alone: nothing in it can end the element that it stands in.
    return _template().replace("{{DATA}}", json.dumps(data)).encode()


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")
