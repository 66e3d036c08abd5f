"""A stored package verified once more, for whoever looks at it: by every key that its gateway has
announced, and by its place in the gateway's chain."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict
from sqlalchemy import select
from sqlalchemy.orm import Session

from vigil_cloud.devices.epochs import public_keys
from vigil_cloud.evidence import service
from vigil_cloud.evidence.layout import Fault
from vigil_cloud.evidence.models import EvidenceRow
from vigil_cloud.evidence.stamp import (
    EvidenceStamp,
    Stamped,
    examine_stamp,
    load_authorities,
)
from vigil_cloud.evidence.verification import Finding, examine
from vigil_cloud.services import Services
from vigil_schemas.evidence import STAMP_NAME, EvidenceManifest

Link = Literal["first", "known", "unknown", "none"]


class EvidenceVerification(BaseModel):
    """What a package is, by the bytes that are stored now."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    sha256: str
    verified: bool
    faults: list[str]
    """One line for each; empty where it is as its gateway sealed it."""
    public_key: str | None
    """Hexadecimal: the one that its seal was verified with; null where the gateway has none."""
    version: int | None
    """Of the manifest: from 2 on every byte of the zip is bound."""
    number: int | None
    """In the gateway's chain."""
    previous: str | None
    """Digest of the package before it."""
    previous_is: Link
    """`known`: that package is stored here and is the one before. `unknown`: it has not come, or
    was removed. `none`: the gateway keeps no chain."""
    stamp: EvidenceStamp | None
    """Of a time stamping authority (RFC 3161); null where it has none."""


def verified_again(services: Services, row: EvidenceRow) -> EvidenceVerification:
    """Of a row that exists. Raises ``NoSpaceForEvidence``, ``ObjectMissing``,
    ``ObjectsUnavailable``."""
    service.keep_room(services, row.size)
    with services.sessions() as session:
        keys = public_keys(session, row.gateway)
    copy = service.new_upload(services)  # where what a killed process leaves is cleared away
    try:
        with copy.open("wb") as file:
            for chunk in services.objects.read(row.object_name):
                file.write(chunk)
        key, found = _best(copy, row.gateway, keys)
        stamped = _stamped(services, copy, found)
    finally:
        copy.unlink(missing_ok=True)
    faults = [str(fault) for fault in (*found.faults, *stamped.faults)]
    if key is None:
        faults.append(f"{row.gateway}: no public key of this gateway is known")
    manifest = found.manifest
    chain = manifest.chain if isinstance(manifest, EvidenceManifest) else None
    with services.sessions() as session:
        link = _link(session, row, found)
    return EvidenceVerification(
        sha256=row.sha256,
        verified=not faults and manifest is not None,
        faults=faults,
        public_key=None if key is None else key.hex(),
        version=None if manifest is None else manifest.version,
        number=None if chain is None else chain.number,
        previous=None if chain is None else chain.previous,
        previous_is=link,
        stamp=stamped.stamp,
    )


def _stamped(services: Services, copy: Path, found: Finding) -> Stamped:
    manifest, named = found.manifest, services.settings.timestamp_ca_file
    if found.faults or not isinstance(manifest, EvidenceManifest):
        return Stamped(None, [])
    if named is None:
        return examine_stamp(copy, manifest)
    try:
        authorities = load_authorities(named)
    except (OSError, ValueError) as error:
        told = examine_stamp(copy, manifest)
        wrong = Fault(STAMP_NAME, f"timestamp_ca_file cannot be read: {error}")
        return told if told.stamp is None else Stamped(told.stamp, [*told.faults, wrong])
    return examine_stamp(copy, manifest, authorities)


def _best(path: Path, gateway: str, keys: list[bytes]) -> tuple[bytes | None, Finding]:
    """By the key that its seal fits; by the newest where it fits none."""
    tried = [(key, examine(path, public_key=key, gateway=gateway)) for key in keys]
    if not tried:
        return None, examine(path, public_key=bytes(32), gateway=gateway)
    return min(tried, key=lambda one: len(one[1].faults))


def _link(session: Session, row: EvidenceRow, found: Finding) -> Link:
    manifest = found.manifest
    chain = manifest.chain if isinstance(manifest, EvidenceManifest) else None
    if chain is None:
        return "none"
    if chain.previous is None:
        return "first"
    before = session.scalar(
        select(EvidenceRow).where(
            EvidenceRow.sha256 == chain.previous, EvidenceRow.gateway == row.gateway
        )
    )
    said = None if before is None else (before.manifest.get("chain") or {}).get("number")
    return "known" if said == chain.number - 1 else "unknown"
