"""Photographs: read in full, written anew without anything but the picture, kept encrypted.

Whatever a camera or an editor hid in the file (where it was taken, a thumbnail of the whole
scene, another file behind the picture) is not carried over, and what was removed is told. The
time it was taken is kept in the case, where the camera knew its zone.
"""

from __future__ import annotations

import hashlib
import io
import os
import tempfile
import threading
import uuid
import warnings
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from PIL import ExifTags, Image, ImageOps
from sqlalchemy import func, select

from vigil_cloud.cases import sealing
from vigil_cloud.cases.errors import (
    CaseFull,
    PhotographRefused,
    PhotographTooLarge,
    PhotographUnknown,
)
from vigil_cloud.cases.models import CasePhotograph, CaseRow
from vigil_cloud.cases.service import Desk, hold, told
from vigil_cloud.identity.cipher import Undecipherable
from vigil_cloud.objects.port import Objects

LARGEST_BYTES: Final = 20 * 1024 * 1024
MOST_PIXELS: Final = 64_000_000
LONGEST_EDGE: Final = 4096
MOST: Final = 100
"""Photographs of one case."""
PURPOSE: Final = "case.photograph"
_FORMATS: Final = ("JPEG", "PNG", "WEBP")
_QUALITY: Final = 90
_NONCE: Final = 12
_READING: Final = threading.BoundedSemaphore(2)
"""A picture in memory takes a few hundred megabytes at most: so many at once."""

Image.MAX_IMAGE_PIXELS = MOST_PIXELS
# Pillow warns up to twice the limit and refuses above: here both are refusals.
warnings.simplefilter("error", Image.DecompressionBombWarning)


@dataclass(frozen=True, slots=True)
class Prepared:
    """A picture as it will be kept."""

    content: bytes
    width: int
    height: int
    received_sha256: str
    location_removed: bool
    taken: datetime | None
    media_type: str = "image/jpeg"


def prepare(received: bytes) -> Prepared:
    """Raises ``PhotographRefused``, ``PhotographTooLarge``."""
    if len(received) > LARGEST_BYTES:
        raise PhotographTooLarge(LARGEST_BYTES, "bytes")
    with _READING:
        try:
            with Image.open(io.BytesIO(received), formats=_FORMATS) as picture:
                return _anew(picture, received)
        except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
            raise PhotographTooLarge(MOST_PIXELS, "pixels") from error
        except (OSError, SyntaxError, ValueError, EOFError) as error:
            raise PhotographRefused(
                "This cannot be read as a whole JPEG, PNG or WebP picture; take it again."
            ) from error


def _anew(picture: Image.Image, received: bytes) -> Prepared:
    located, taken = _said(picture, received)
    upright = ImageOps.exif_transpose(picture)
    upright.thumbnail((LONGEST_EDGE, LONGEST_EDGE))
    plain = Image.new("RGB", upright.size, "white")
    alpha = upright.convert("RGBA") if "A" in upright.getbands() else None
    plain.paste(alpha or upright.convert("RGB"), mask=alpha)
    written = io.BytesIO()
    plain.save(written, "JPEG", quality=_QUALITY, optimize=True)
    return Prepared(
        content=written.getvalue(),
        width=plain.width,
        height=plain.height,
        received_sha256=hashlib.sha256(received).hexdigest(),
        location_removed=located,
        taken=taken,
    )


def _said(picture: Image.Image, received: bytes) -> tuple[bool, datetime | None]:
    """Whether the file tells where it was taken; when, by a camera that says its zone."""
    exif = picture.getexif()
    located = bool(exif.get_ifd(ExifTags.IFD.GPSInfo)) or b"exif:GPS" in received
    details = exif.get_ifd(ExifTags.IFD.Exif)
    when = str(details.get(ExifTags.Base.DateTimeOriginal, ""))
    zone = str(details.get(ExifTags.Base.OffsetTimeOriginal, ""))
    try:
        # Cameras write it without a zone, then it is nobody's time.
        taken = datetime.strptime(f"{when}{zone}", "%Y:%m:%d %H:%M:%S%z")
    except ValueError:
        return located, None
    return located, taken.astimezone(UTC)


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


def add(desk: Desk, case_id: str, prepared: Prepared, stored: Stored, caption: str) -> CaseRow:
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
    }
    event = told(desk, held.row, "photograph-added", detail, caption)
    sealer = sealing.writer(desk.session, desk.cipher, held.row.person_key, desk.now)
    desk.session.add(
        CasePhotograph(
            id=stored.photograph,
            case_id=case_id,
            event=event.number,
            object_name=stored.name,
            key=sealer.seal(PURPOSE, stored.key.hex()),
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
        key = bytes.fromhex(sealing.reader(desk.session, desk.cipher, row).open(PURPOSE, kept.key))
    except Undecipherable as error:
        raise PhotographUnknown("This case has no such photograph any more.") from error
    sealed = b"".join(objects.read(kept.object_name))
    return AESGCM(key).decrypt(sealed[:_NONCE], sealed[_NONCE:], photograph.encode())
