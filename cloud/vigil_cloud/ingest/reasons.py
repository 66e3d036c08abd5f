"""Why messages of a source were refused, for the receipts of gateways that understand it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from typing import Final

from vigil_cloud.ingest.decode import Refusal
from vigil_schemas.control import RefusalReason

MOST_SOURCES: Final = 5_000
MOST_REASONS: Final = 8
DETAIL_CHARACTERS: Final = 200


class Reasons:
    """Counted since this process started. Belongs to one thread, and so to the lanes of one
    intake. What came without a source that can be read is told with every source of its gateway
    that this intake hears."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[str, str], dict[str, RefusalReason]] = OrderedDict()

    def note(self, refusals: Iterable[Refusal]) -> None:
        """Count these; the newest detail of each reason is kept."""
        for refusal in refusals:
            key = (refusal.gateway, refusal.source or "")
            found = self._known.setdefault(key, {})
            self._known.move_to_end(key)
            before = found.pop(refusal.reason, None)
            found[refusal.reason] = RefusalReason(
                reason=refusal.reason[:40],
                count=1 + (before.count if before else 0),
                detail=printable(refusal.detail)[:DETAIL_CHARACTERS],
            )
            if len(found) > MOST_REASONS:
                found.pop(next(iter(found)))
        while len(self._known) > MOST_SOURCES:
            self._known.popitem(last=False)

    def of(self, gateway: str, source: str) -> list[RefusalReason]:
        """The newest kinds of refusal, the newest last."""
        own = self._known.get((gateway, source), {})
        unnamed = self._known.get((gateway, ""), {})
        return [*unnamed.values(), *own.values()][-MOST_REASONS:]


def printable(text: str) -> str:
    """Half a surrogate pair is no UTF-8."""
    return text.encode(errors="replace").decode()
