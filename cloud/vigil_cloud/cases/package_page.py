"""A sealed package as one HTML file that verifies itself off line."""

from __future__ import annotations

from vigil_cloud.cases.port import CaseKind
from vigil_cloud.devices.epochs import public_keys
from vigil_cloud.evidence import reading
from vigil_cloud.evidence.models import EvidenceRow
from vigil_cloud.evidence.verification import holds
from vigil_cloud.services import Services
from vigil_schemas.evidence import MANIFEST_NAME, SIGNATURE_NAME

LARGEST_BYTES = 16 * 1024 * 1024
"""Of the files in it; a page is held in memory, several times over."""


def page_of(services: Services, kind: CaseKind, row: EvidenceRow) -> bytes | None:
    """``None`` where the kind has no such page, the package holds too much, no announced key of its
    gateway fits (a page that cannot be verified says nothing), or the package is of version 1: what
    that shows of people and plates was chosen for officials alone. Raises ``ObjectMissing``,
    ``ObjectsUnavailable``."""
    if kind.page is None or row.manifest.get("version") == 1:
        return None
    listed = {file["name"]: file for file in row.manifest["files"]}
    names = kind.page.wanted({name: file["role"] for name, file in listed.items()})
    if sum(int(listed[name]["size"]) for name in names if name in listed) > LARGEST_BYTES:
        return None
    found = {
        name: reading.content(services.objects, row.object_name, name, LARGEST_BYTES)
        for name in names
    }
    with services.sessions() as session:
        keys = public_keys(session, row.gateway)
    text, seal = found[MANIFEST_NAME], found[SIGNATURE_NAME]
    key = next((one for one in keys if holds(one, seal, text)), None)
    return None if key is None else kind.page.render(found, key.hex())
