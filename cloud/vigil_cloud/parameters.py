"""Numbers and truth in an address, read strictly: pydantic alone also takes `` 1 ``, ``1_000``,
``1.0``, ``yes`` and ``t``. Times are ``UtcDatetime``: RFC 3339 with a zone, no bare date."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Final

from pydantic import AfterValidator, BeforeValidator

from vigil_schemas.types import UtcDatetime

_NO_LINE: Final = r"\x00-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff"
_UNSEEN: Final = r"\s\u00ad\u115f\u1160\u200c\u200d\u2800\u3164\uffa0"
ONE_LINE: Final = rf"^[^{_NO_LINE}]*$"
"""Neither control characters nor a turn of the direction of writing, nor what has no width: what
people type stands in messages and lists beside what the city says. The joiners of emoji and of
Indic and Persian names (U+200C, U+200D) are let through."""
NAME: Final = rf"^[^{_NO_LINE}]*[^{_NO_LINE}{_UNSEEN}][^{_NO_LINE}]*$"
"""The same, with something to be seen: a name of blanks is nobody's."""

_WHOLE: Final = re.compile(r"-?(0|[1-9][0-9]{0,18})")
_TRUTH: Final = {"true": True, "false": False}


def _whole(value: object) -> object:
    if isinstance(value, str) and not _WHOLE.fullmatch(value):
        raise ValueError("a whole number in digits is wanted, such as 100")
    return value


def _truth(value: object) -> object:
    if isinstance(value, str):
        if value not in _TRUTH:
            raise ValueError("true or false is wanted")
        return _TRUTH[value]
    return value


def _foreseeable(value: datetime) -> datetime:
    if not 1970 <= value.year < 3000:
        raise ValueError("the time lies outside of the years 1970 to 2999")
    return value


Foreseeable = Annotated[UtcDatetime, AfterValidator(_foreseeable)]
"""A moment from which a service goes on reckoning: what is added stays within the calendar."""

Whole = Annotated[int, BeforeValidator(_whole)]
"""Add the bounds: ``Annotated[Whole, Query(ge=1)]``."""

Truth = Annotated[bool, BeforeValidator(_truth)]
