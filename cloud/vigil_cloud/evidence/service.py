"""Evidence is verified, stored, and tied to the alerts that name its digest."""

from __future__ import annotations

import contextlib
import hashlib
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import ClassVar, Final

from sqlalchemy import exists, func, select
from sqlalchemy.orm import Session

from vigil_cloud.alerts import feed
from vigil_cloud.alerts.models import AlertRow
from vigil_cloud.alerts.service import evidence_stored
from vigil_cloud.alerts.visibility import visible
from vigil_cloud.api_errors import ApiError
from vigil_cloud.capacity.disk import Level, NoSpace
from vigil_cloud.capacity.dropped import count_dropped
from vigil_cloud.database.engine import writing
from vigil_cloud.devices.epochs import public_keys
from vigil_cloud.devices.models import Device
from vigil_cloud.domain.rights import may
from vigil_cloud.evidence import coarse, reading
from vigil_cloud.evidence.canonical import LARGEST_MANIFEST
from vigil_cloud.evidence.models import EvidenceRow
from vigil_cloud.evidence.verification import Manifest, verified
from vigil_cloud.identity.districts import places
from vigil_cloud.identity.reader import Reader
from vigil_cloud.identity.rights import Operation, Subject
from vigil_cloud.objects.port import Objects
from vigil_cloud.services import Services
from vigil_schemas.evidence import (
    MANIFEST_NAME,
    SIGNATURE_NAME,
    EvidenceFile,
)

DAY: Final = timedelta(days=1)
LONGEST_UPLOAD: Final = timedelta(days=1)
"""A file that nobody has written to for so long belongs to no upload any more."""


_OF_THE_SEAL: Final = {
    MANIFEST_NAME: "application/json",
    SIGNATURE_NAME: "application/octet-stream",
}


class GatewayUnknown(ApiError):
    """No birth of this gateway has arrived, so its seal cannot be checked yet: try again later."""

    code: ClassVar[str] = "gateway-unknown"
    remedy: ClassVar[str] = "Nothing: the gateway comes again after its birth has arrived."
    status: ClassVar[int] = 409

    def __init__(self, gateway: str) -> None:
        super().__init__(f"No birth of gateway {gateway!r} has arrived yet; try again later.")
        self.gateway = gateway


class EvidenceUnknown(ApiError):
    """No such evidence, or none for this reader; the two are not told apart."""

    code: ClassVar[str] = "evidence-unknown"
    remedy: ClassVar[str] = "Open it from its alert, with the role that the alert is for."
    status: ClassVar[int] = 404


class EvidenceQuota(ApiError):
    """This gateway has put as much as it may in a day; it keeps the rest and comes again."""

    code: ClassVar[str] = "evidence-quota"
    remedy: ClassVar[str] = (
        "Nothing: the gateway sends the rest tomorrow. Raise the share if it recurs."
    )
    status: ClassVar[int] = 503

    def __init__(self, gateway: str, most_bytes: int) -> None:
        super().__init__(
            f"{gateway} may put {most_bytes} bytes of evidence in a day.", {"Retry-After": "3600"}
        )
        self.gateway = gateway
        self.most_bytes = most_bytes


class NoSpaceForEvidence(ApiError):
    """The disk's last room is kept for alarms; the gateway keeps it and comes again."""

    code: ClassVar[str] = "no-room-for-evidence"
    remedy: ClassVar[str] = (
        "Free the cloud's disk or enlarge it; the gateway keeps the evidence and comes again."
    )
    status: ClassVar[int] = 503


def admit(services: Services, gateway: str, announced: int) -> None:
    """Whether there is room for an upload of so many bytes. Raises ``EvidenceQuota`` and
    ``NoSpaceForEvidence``."""
    now, most = services.now(), services.settings.quotas.evidence_day_bytes
    keep_room(services, announced)
    with services.sessions() as session:
        today = session.scalar(
            select(func.coalesce(func.sum(EvidenceRow.size), 0)).where(
                EvidenceRow.gateway == gateway, EvidenceRow.stored > now - DAY
            )
        )
    if int(today or 0) + announced > most:
        with writing(services.sessions) as session:
            count_dropped(session, gateway, "evidence", 1, announced, now)
        raise EvidenceQuota(gateway, most)


def keep_room(services: Services, more: int = 0) -> None:
    """Raises ``NoSpaceForEvidence`` where so much more would take what is kept for alarms."""
    try:
        services.disk.require(Level.LOW, more)
    except NoSpace as error:
        raise NoSpaceForEvidence(str(error), {"Retry-After": "600"}) from error


def known(services: Services, gateway: str, sha256: str) -> bool:
    """Whether this gateway's evidence is stored already."""
    with services.sessions() as session:
        row = session.get(EvidenceRow, sha256)
        return row is not None and row.gateway == gateway


def new_upload(services: Services) -> Path:
    """An empty file to receive into; what a killed process left of others is removed."""
    folder = services.settings.data_dir / "incoming"
    folder.mkdir(parents=True, exist_ok=True)
    left = (services.now() - LONGEST_UPLOAD).timestamp()
    for path in folder.glob("*.zip"):
        with contextlib.suppress(FileNotFoundError):
            if path.stat().st_mtime < left:
                path.unlink()
    with tempfile.NamedTemporaryFile(dir=folder, suffix=".zip", delete=False) as file:
        return Path(file.name)


def store(services: Services, gateway: str, sha256: str, path: Path) -> None:
    """Verify a received zip, whose digest is right, and keep it.

    The object is written before the row: a row always has its object. Raises
    ``GatewayUnknown``, ``EvidenceInvalid``, ``ObjectsUnavailable``.
    """
    manifest = _verified(services, gateway, path)
    kept = manifest.model_dump(mode="json")
    picture = coarse.of_package(path, kept["files"])
    name = f"evidence/{gateway}/{sha256}.zip"
    services.objects.put(name, path)
    now = services.now()
    with writing(services.sessions) as session:
        feed.lock(session)
        if session.get(EvidenceRow, sha256) is None:
            session.add(
                EvidenceRow(
                    sha256=sha256,
                    gateway=gateway,
                    device=manifest.device,
                    evidence_id=manifest.evidence_id,
                    size=path.stat().st_size,
                    started=manifest.started,
                    ended=manifest.ended,
                    sealed=manifest.sealed,
                    stored=now,
                    object_name=name,
                    manifest=kept,
                    coarse=picture,
                )
            )
            session.flush()
            evidence_stored(session, gateway, sha256, now)
    services.changed.announce()


def _verified(services: Services, gateway: str, path: Path) -> Manifest:
    """By any key that the gateway has announced: it may have sealed this before its newest."""
    with services.sessions() as session:
        keys = public_keys(session, gateway)
    if not keys:
        raise GatewayUnknown(gateway)
    return verified(path, gateway=gateway, public_key=keys[0], earlier=keys[1:])


def evidence_for(
    session: Session, reader: Reader, sha256: str
) -> tuple[EvidenceRow, AlertRow | None]:
    """The package and an alert through which the reader may see it; ``None`` where no alert names
    it and the domain of its device opens it to the reader's role. Raises ``EvidenceUnknown``."""
    row = session.execute(
        select(EvidenceRow, AlertRow)
        .join(
            AlertRow,
            (AlertRow.evidence_sha256 == EvidenceRow.sha256)
            & (AlertRow.gateway == EvidenceRow.gateway),
        )
        .where(EvidenceRow.sha256 == sha256, visible(reader))
        .limit(1)
    ).one_or_none()
    if row is not None:
        return row[0], row[1]
    stray = _of_no_alert(session, reader, sha256)
    if stray is None:
        raise EvidenceUnknown("There is no such evidence for you.")
    return stray, None


def _of_no_alert(session: Session, reader: Reader, sha256: str) -> EvidenceRow | None:
    """A package that no alert names, where its device is its gateway's own, the domain of that
    device opens it to the reader's role, and it stands in the reader's districts. Else nothing:
    also where an alert names it that is not for the reader."""
    row = session.get(EvidenceRow, sha256)
    if row is None:
        return None
    named = exists().where(AlertRow.evidence_sha256 == sha256, AlertRow.gateway == row.gateway)
    device = session.get(Device, row.device)
    own = device is not None and device.claimed and device.gateway == row.gateway
    if device is None or not own or session.scalar(select(named)):
        return None
    district = places(session, "device", [row.device]).get(row.device)
    subject = Subject(device.domain, device=row.device, district=district)
    return row if may(reader, Operation.OPEN_EVIDENCE, subject) else None


def file_in(objects: Objects, row: EvidenceRow, name: str) -> EvidenceFile:
    """One file of a package: a listed one, the manifest itself, or its signature.

    Raises ``EvidenceUnknown``, ``ObjectMissing``, ``ObjectsUnavailable``.
    """
    for entry in row.manifest["files"]:
        if entry["name"] == name:
            return EvidenceFile.model_validate(entry)
    if name not in _OF_THE_SEAL:
        raise EvidenceUnknown("There is no such evidence for you.")
    content = reading.content(objects, row.object_name, name, LARGEST_MANIFEST)
    return EvidenceFile(
        name=name,
        role="other",
        media_type=_OF_THE_SEAL[name],
        sha256=hashlib.sha256(content).hexdigest(),
        size=len(content),
    )
