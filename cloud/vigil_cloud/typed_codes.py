"""Codes that people type from a screen, a log or paper, as they were printed."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

LETTERS: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's: without the letters that look like others."""
_BETWEEN: Final = re.compile(r"[\s\u2010-\u2015\u2212-]")
"""Spaces and dashes between the groups, as keyboards and phones write them."""
_LOOKS_LIKE: Final = str.maketrans("OIL", "011")


def plain(typed: str) -> str:
    """What was printed, without its dashes; it may hold other letters than a code's."""
    # A Chinese input method writes letters, digits and dashes in full width.
    text = unicodedata.normalize("NFKC", typed)
    return _BETWEEN.sub("", text).upper().translate(_LOOKS_LIKE)
