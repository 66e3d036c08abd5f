"""Why an alert was told again, in words: for its history and for messages."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from vigil_cloud.domain.registry import described
from vigil_schemas.types import Domain

_OF_THE_PLATFORM: Final = {
    "severity major": ("it is more severe", "情況加重"),
    "severity critical": ("it is critical now", "情況已屬緊急"),
    "fire": ("fire", "火災"),
    "another at": ("another at", "另一起，時間"),
    "119 has not answered: call by telephone": (
        "119 has not answered: call by telephone",
        "119 未回應，請改以電話通報",
    ),
    "119 is not connected: call by telephone": (
        "119 is not connected: call by telephone",
        "未與 119 連線，請改以電話通報",
    ),
    "the message to 119 cannot be read: call by telephone": (
        "the message to 119 cannot be read: call by telephone",
        "給 119 的訊息無法讀取，請改以電話通報",
    ),
}
"""The others are the domain's."""
_COUNTED: Final = {"devices": "個裝置", "fires": "起火災"}
_FIGURE: Final = re.compile(r"(.+) (\S+)")
_COUNT: Final = re.compile(r"([0-9]+) (\w+)")


def why_again(domain: Domain, step: str) -> tuple[str, str]:
    """English and Chinese of a ``told-again`` step of an alert of this domain. Several reasons
    stand one after the other; what nobody has put into words is shown as it is."""
    found = described(domain)
    known = {**_OF_THE_PLATFORM, **(found.told_again if found is not None else {})}
    reasons = [_put(one, known) for one in step.split(", ")]
    return ", ".join(one for one, _ in reasons), "、".join(one for _, one in reasons)


def _put(reason: str, known: Mapping[str, tuple[str, str]]) -> tuple[str, str]:
    """One of them. A figure stands behind its word, a count before it; what follows ``#`` only
    tells two of a kind apart."""
    reason = reason.partition(" #")[0]
    if reason in known:
        return known[reason]
    count = _COUNT.fullmatch(reason)
    if count is not None and count[2] in _COUNTED:
        return reason, f"{count[1]} {_COUNTED[count[2]]}"
    figure = _FIGURE.fullmatch(reason)
    if figure is not None and figure[1] in known:
        english, chinese = known[figure[1]]
        behind = figure[2].strip("()")
        return f"{english} ({behind})", f"{chinese} ({behind})"
    return reason, reason
