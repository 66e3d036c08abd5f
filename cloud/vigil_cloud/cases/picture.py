"""A picture that somebody took: read in full, and written anew without anything but the picture."""

from __future__ import annotations

import hashlib
import io
import threading
import warnings
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import structlog
from PIL import ExifTags, Image

from vigil_cloud.cases.errors import PhotographRefused, PhotographTooLarge
from vigil_cloud.city_time import CITY_ZONE

MOST_PIXELS: Final = 64_000_000
LONGEST_EDGE: Final = 4096
_FORMATS: Final = ("JPEG", "PNG", "WEBP")
_QUALITY: Final = 90
_TURNED: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""By Exif's ``Orientation`` (CIPA DC-008, 4.6.5.1.6)."""
_READING: Final = threading.BoundedSemaphore(2)
"""A picture in memory takes a few hundred megabytes at most: so many at once."""

_log = structlog.get_logger(__name__)
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
    zone_assumed: bool = False
    """The camera wrote ``taken`` without a zone: it is read as the city's."""
    media_type: str = "image/jpeg"


def written_anew(received: bytes) -> Prepared:
    """Raises ``PhotographRefused``, ``PhotographTooLarge``."""
    with _READING:
        try:
            with Image.open(io.BytesIO(received), formats=_FORMATS) as picture:
                return _anew(picture, received)
        except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
            raise PhotographTooLarge(MOST_PIXELS, "pixels") from error
        except Exception as error:
            # Decoders stumble over damaged files each in its own way.
            _log.info("photograph-refused", error=f"{type(error).__name__}: {error}"[:300])
            raise PhotographRefused(
                "This cannot be read as a whole JPEG, PNG or WebP picture; take it again."
            ) from error


def _anew(picture: Image.Image, received: bytes) -> Prepared:
    picture.load()  # what is wrong with the picture itself is no fault of what is told of it
    located, taken, assumed = _told(picture, received)
    upright = _upright(picture)
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
        zone_assumed=assumed,
    )


def _told(picture: Image.Image, received: bytes) -> tuple[bool, datetime | None, bool]:
    """As ``_said``; of metadata that is damaged, that it may have told where."""
    try:
        return _said(picture, received)
    except Exception as error:  # noqa: BLE001 - damaged metadata costs itself, not the photograph
        _log.info("photograph-metadata-unread", error=f"{type(error).__name__}: {error}"[:300])
        return True, None, False


def _upright(picture: Image.Image) -> Image.Image:
    """As it was held. Pillow's own way also writes the metadata anew, which fails for much that
    cameras write, and none of it is kept here."""
    try:
        turned = _TURNED.get(picture.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception as error:  # noqa: BLE001 - damaged metadata costs itself, not the photograph
        _log.info("photograph-not-turned", error=f"{type(error).__name__}: {error}"[:300])
        return picture
    return picture if turned is None else picture.transpose(turned)


def _said(picture: Image.Image, received: bytes) -> tuple[bool, datetime | None, bool]:
    """Whether the file tells where it was taken; when; whether that was without a zone."""
    exif = picture.getexif()
    located = bool(exif.get_ifd(ExifTags.IFD.GPSInfo)) or b"exif:GPS" in received
    details = exif.get_ifd(ExifTags.IFD.Exif)
    when = str(details.get(ExifTags.Base.DateTimeOriginal, ""))
    zone = str(details.get(ExifTags.Base.OffsetTimeOriginal, ""))
    try:
        taken = datetime.strptime(f"{when}{zone}", "%Y:%m:%d %H:%M:%S%z")
    except ValueError:
        pass
    else:
        return located, taken.astimezone(UTC), False
    try:
        # Most cameras write it without a zone; those of this city's people stand on its clock.
        taken = datetime.strptime(when, "%Y:%m:%d %H:%M:%S")  # noqa: DTZ007 - the zone follows
    except ValueError:
        return located, None, False
    return located, taken.replace(tzinfo=CITY_ZONE).astimezone(UTC), True
