"""Numbers and truth in an address, read strictly: pydantic alone also takes `` 1 ``, ``1_000``,
``1.0``, ``yes`` and ``t``. Times are ``UtcDatetime``: RFC 3339 with a zone, no bare date."""

from __future__ import annotations

import re
from typing import Annotated, Final

from pydantic import BeforeValidator

ONE_LINE: Final = r"^[^\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]*$"
"""Neither control characters nor a turn of the direction of writing: what people type stands in
messages and lists beside what the city says."""

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


Whole = Annotated[int, BeforeValidator(_whole)]
"""Add the bounds: ``Annotated[Whole, Query(ge=1)]``."""

Truth = Annotated[bool, BeforeValidator(_truth)]
