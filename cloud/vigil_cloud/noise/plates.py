"""Licence plates: how they are written down and compared, and what a machine read."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Sequence
from typing import Final

from sqlalchemy.orm import Session

from vigil_cloud.alerts.sealing import CIPHER
from vigil_cloud.identity.cipher import Cipher, Undecipherable
from vigil_cloud.noise.models import Exceedance

PURPOSE: Final = "noise.plates"
_BETWEEN: Final = re.compile(r"[\s.·•\-‐-―−_]+")
_PLATE: Final = re.compile(r"[0-9A-Z一-鿿]{2,10}")


def normal(text: str) -> str | None:
    """As plates are kept and compared: full-width letters folded, upper case, no hyphens or
    spaces; ``None`` where it can be no plate. O and 0, I and 1 stay apart: whoever types them has
    looked."""
    folded = _BETWEEN.sub("", unicodedata.normalize("NFKC", text)).upper()
    return folded if _PLATE.fullmatch(folded) else None


def seal(session: Session, texts: Sequence[str]) -> bytes | None:
    """What a machine read, the likeliest first, for its column."""
    cipher: Cipher | None = session.info.get(CIPHER)
    if not texts or cipher is None:
        return None
    return cipher.seal(PURPOSE, json.dumps(list(texts), ensure_ascii=False))


def read(session: Session, row: Exceedance) -> list[str]:
    """What a machine read; nothing where it cannot be opened."""
    cipher: Cipher | None = session.info.get(CIPHER)
    if row.plates is None or cipher is None:
        return []
    try:
        found: list[str] = json.loads(cipher.open(PURPOSE, row.plates))
    except Undecipherable:
        return []
    return found
