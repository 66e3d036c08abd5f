"""The first ``gateway.toml`` of a box: right as it is, and an example of what comes next."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from vigil_edge.enrolment.identity import AUTHORITY, IDENTITY, TOKEN


@dataclass(frozen=True, slots=True)
class Starter:
    """What the cloud said, and where this box keeps things."""

    gateway: str
    name: str
    latitude: float | None
    longitude: float | None
    broker: str
    cloud: str
    data_dir: Path
    identity: Path
    """Folder of key, certificate, authority and token."""
    cloud_ca_file: Path | None = None


def starter(given: Starter) -> str:
    """TOML that ``vigil-edge check`` finds right."""
    lines = ["[gateway]", f"id = {_text(given.gateway)}"]
    if given.name:
        lines.append(f"name = {_text(given.name)}")
    if given.latitude is not None and given.longitude is not None:
        lines += [f"latitude = {given.latitude!r}", f"longitude = {given.longitude!r}"]
    lines += [f"data_dir = {_text(str(given.data_dir))}", "", "[cloud]"]
    lines.append(f"broker = {_text(given.broker)}")
    if given.broker.startswith("mqtts:"):
        identity = _text(str(given.identity / IDENTITY))
        lines += [
            f"ca_file = {_text(str(given.identity / AUTHORITY))}",
            f"certificate_file = {identity}    # key and certificate; renewed by the agent itself",
            f"key_file = {identity}",
        ]
    lines.append(f"url = {_text(given.cloud)}")
    if given.cloud.startswith("https:"):
        lines.append(f"url_ca_file = {_text(str(given.cloud_ca_file or 'system'))}")
    lines.append(f"token_file = {_text(str(given.identity / TOKEN))}")
    return "\n".join(lines) + _MORE


_MORE = """

# Devices come below, a section for each, as the page of each kind of device shows.
# `vigil-edge check` names every mistake; a running agent takes changes by SIGHUP
# (`systemctl reload vigil-edge`); `vigil-edge doctor` says what to mend.
"""


def _text(value: str) -> str:
    """A TOML basic string; JSON's escapes are among TOML's."""
    return json.dumps(value, ensure_ascii=False)
