"""Photographs: read in full, written anew without anything but the picture, kept encrypted.

Whatever a camera or an editor hid in the file (where it was taken, a thumbnail of the whole
scene, another file behind the picture) is not carried over, and what was removed is told. The
time it was taken is kept in the case; without a zone it is read as the city's, and marked.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import func, select

from vigil_cloud.cases import sealing
from vigil_cloud.cases.errors import (
    CaseFull,
    PhotographTooLarge,
    PhotographUnknown,
)
from vigil_cloud.cases.models import CasePhotograph, CaseRow
from vigil_cloud.cases.service import Desk, hold, told
from vigil_cloud.cases.written import Written
from vigil_cloud.identity.cipher import Undecipherable
from vigil_cloud.objects.port import Objects

if TYPE_CHECKING:
    from vigil_cloud.cases.picture import Prepared

LARGEST_BYTES: Final = 20 * 1024 * 1024
MOST: Final = 100
"""Photographs of one case."""
ZONE_ASSUMED: Final = "zone_assumed"
"""In the event's detail: the camera wrote its time without a zone."""
_NONCE: Final = 12


def prepare(received: bytes) -> Prepared:
    """Raises ``PhotographRefused``, ``PhotographTooLarge``."""
    # Pillow is large, and most processes never meet a photograph.
    from vigil_cloud.cases.picture import written_anew

    if len(received) > LARGEST_BYTES:
        raise PhotographTooLarge(LARGEST_BYTES, "bytes")
    return written_anew(received)


@dataclass(frozen=True, slots=True)
class Stored:
    """An encrypted object and what opens it, before a case knows of it."""

    photograph: str
    name: str
    key: bytes


def store(objects: Objects, case_id: str, prepared: Prepared) -> Stored:
    """Write the object, in no transaction: a store may be slow, and an alarm would wait. Until
    its key is in a row nobody can read it. Raises ``ObjectsUnavailable``."""
    photograph, key = str(uuid.uuid4()), AESGCM.generate_key(256)
    name = f"cases/{case_id}/{photograph}"
    nonce = os.urandom(_NONCE)
    sealed = nonce + AESGCM(key).encrypt(nonce, prepared.content, photograph.encode())
    with tempfile.NamedTemporaryFile(suffix=".photograph") as file:
        file.write(sealed)
        file.flush()
        objects.put(name, Path(file.name))
    return Stored(photograph, name, key)


def add(
    desk: Desk,
    case_id: str,
    prepared: Prepared,
    stored: Stored,
    caption: str,
    written: Written | None = None,
) -> CaseRow:
    """Raises ``CaseFull`` and what ``hold`` raises; the caller then deletes the object."""
    held = hold(desk, case_id, "photograph", None)
    query = select(func.count()).where(CasePhotograph.case_id == case_id)
    if (desk.session.scalar(query) or 0) >= MOST:
        raise CaseFull(MOST, "photographs")
    sha256 = hashlib.sha256(prepared.content).hexdigest()
    detail = {
        "photograph": stored.photograph,
        "sha256": sha256,
        "received_sha256": prepared.received_sha256,
        "location_removed": prepared.location_removed,
        **({ZONE_ASSUMED: True} if prepared.zone_assumed else {}),
        **(written or Written()).detail(desk.now),
    }
    event = told(desk, held.row, "photograph-added", detail, caption)
    sealer = sealing.writer(desk.session, desk.cipher, held.row.person_key, desk.now)
    desk.session.add(
        CasePhotograph(
            id=stored.photograph,
            case_id=case_id,
            event=event.number,
            object_name=stored.name,
            key=sealer.seal(sealing.PHOTOGRAPH, stored.key.hex()),
            media_type=prepared.media_type,
            size=len(prepared.content),
            width=prepared.width,
            height=prepared.height,
            sha256=sha256,
            received_sha256=prepared.received_sha256,
            location_removed=prepared.location_removed,
            taken=prepared.taken,
            added=desk.now,
            added_by=desk.reader.username,
        )
    )
    desk.session.flush()
    return held.row


def read(desk: Desk, objects: Objects, row: CaseRow, photograph: str) -> bytes:
    """The picture of a case that the reader may see. Raises ``PhotographUnknown``,
    ``ObjectMissing``, ``ObjectsUnavailable``."""
    kept = desk.session.get(CasePhotograph, photograph)
    if kept is None or kept.case_id != row.id or kept.key is None:
        raise PhotographUnknown("This case has no such photograph.")
    try:
        key = bytes.fromhex(
            sealing.reader(desk.session, desk.cipher, row).open(sealing.PHOTOGRAPH, kept.key)
        )
    except Undecipherable as error:
        raise PhotographUnknown("This case has no such photograph any more.") from error
    sealed = b"".join(objects.read(kept.object_name))
    return AESGCM(key).decrypt(sealed[:_NONCE], sealed[_NONCE:], photograph.encode())
