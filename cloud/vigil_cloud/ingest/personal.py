"""What ingest keeps of persons: refused messages that name them or a tag of theirs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from vigil_cloud.identity.personal_records import PersonalRecords
from vigil_cloud.refusals.models import DeadLetter

_PAGE: Final = 200


@dataclass(slots=True)
class _Found:
    numbers: list[int]
    last: int
    """Up to which they were looked through."""


class LettersThatName(PersonalRecords):
    """Dead letters hold what a gateway sent, whoever it names."""

    def find(self, session: Session, words: Sequence[str], known: Any = None) -> Any:
        """Every letter is read: those that were not there before."""
        found = _Found([], 0) if known is None else known
        named = [word.encode() for word in words]
        while True:
            page = session.execute(
                select(DeadLetter.id, DeadLetter.payload, DeadLetter.detail)
                .where(DeadLetter.id > found.last)
                .order_by(DeadLetter.id)
                .limit(_PAGE)
            ).all()
            for number, payload, detail in page:
                if any(word in payload or word in detail.encode() for word in named):
                    found.numbers.append(number)
            found.last = page[-1][0] if page else found.last
            if len(page) < _PAGE:
                return found

    def erase(
        self, session: Session, person_key: str, words: Sequence[str], found: Any, now: datetime
    ) -> Mapping[str, int]:
        """Those that were found."""
        del person_key, words, now
        for first in range(0, len(found.numbers), _PAGE):
            some = DeadLetter.id.in_(found.numbers[first : first + _PAGE])
            session.execute(delete(DeadLetter).where(some))
        return {"dead_letters": len(found.numbers)}
