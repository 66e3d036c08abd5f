"""How what a station hears breaks: adverts on the air, and reports of a reader."""

from __future__ import annotations

import random
import struct
from dataclasses import replace
from typing import Final

from vigil_sim.checkin.beacons import Advert
from vigil_sim.checkin.llrp import HEADER_BYTES

ADVERT_STYLES: Final = ("truncated", "garbage")
REPORT_STYLES: Final = ("truncated", "wrong-length", "garbage")


def broken_advert(advert: Advert, style: str | None, rng: random.Random) -> Advert:
    """The advert with its data cut short (``truncated``) or overwritten (``garbage``)."""
    style = style or rng.choice(ADVERT_STYLES)

    def spoil(data: bytes) -> bytes:
        if style == "truncated":
            return data[: rng.randrange(len(data))]
        return rng.randbytes(len(data))

    return replace(
        advert,
        manufacturer_data={key: spoil(data) for key, data in advert.manufacturer_data.items()},
        service_data={key: spoil(data) for key, data in advert.service_data.items()},
    )


def broken_report(frame: bytes, style: str, rng: random.Random) -> bytes:
    """A whole report's bytes cut short, with a wrong length, or with a body of noise."""
    if style == "truncated":
        return frame[: rng.randrange(1, len(frame))]
    if style == "wrong-length":
        wrong = rng.choice((3, len(frame) + 7, 0xFFFFFFF0))
        return frame[:2] + struct.pack(">I", wrong) + frame[6:]
    return frame[:HEADER_BYTES] + rng.randbytes(len(frame) - HEADER_BYTES)
