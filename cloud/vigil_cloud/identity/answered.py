"""Requests that make something, told apart by the key of whoever sent them.

A press that is doubled, or a request whose answer was lost on the way, comes twice with the same
``Idempotency-Key``: it does nothing more and is answered as at first. The answer may be shown once
alone (a link, a printed code), so it is kept, sealed, for a day. A case is answered as it then is:
see ``cases.idempotency``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Final, TypeVar

from fastapi import Depends, Request
from pydantic import BaseModel
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from vigil_cloud.database.upsert import insert
from vigil_cloud.identity.cipher import Cipher
from vigil_cloud.identity.dependencies import IdempotencyKey, ServicesDependency
from vigil_cloud.identity.errors import KeyReused
from vigil_cloud.identity.models import AnsweredRequest
from vigil_cloud.identity.reader import Reader

M = TypeVar("M", bound=BaseModel)
ANSWER: Final = "answered.request"
KEPT: Final = timedelta(days=1)
"""Longer than anybody tries again."""


@dataclass(frozen=True, slots=True)
class Once:
    """What a route does its work with where that must not be done twice."""

    request: Request
    services: ServicesDependency
    idempotency_key: IdempotencyKey = None

    def answer(
        self,
        session: Session,
        reader: Reader,
        body: BaseModel | None,
        model: type[M],
        act: Callable[[], M],
        *,
        person: str | None = None,
    ) -> M:
        """What ``act`` gives, or gave when this request came first; in the caller's transaction,
        once it is known that the reader may. ``person``: of whom the answer may tell, and with whom
        it is erased. Raises ``KeyReused``."""
        if self.idempotency_key is None:
            return act()
        cipher = Cipher(self.services.settings.secret)
        first, row = self._row(session, reader, body, person)
        if not first:
            return model.model_validate_json(cipher.open(ANSWER, row.answer))
        answer = act()
        row.answer = cipher.seal(ANSWER, answer.model_dump_json())
        return answer

    def _row(
        self, session: Session, reader: Reader, body: BaseModel | None, person: str | None
    ) -> tuple[bool, AnsweredRequest]:
        """Whether it comes first: of two at once the second waits for what becomes of the other."""
        said = "" if body is None else body.model_dump_json()
        cipher = Cipher(self.services.settings.secret)
        asked = digest(self.request.method, self.request.url.path, said)
        # A printed code is short: its plain hash would tell it to whoever copies the table.
        asked = cipher.keyed_hash("answered request v1", asked.encode()).hex()
        made = insert(session, AnsweredRequest).on_conflict_do_nothing()
        values = {
            "account_id": reader.account_id,
            "key": self.idempotency_key,
            "digest": asked,
            "person_key": person,
            "answer": b"",
            "at": self.services.now(),
        }
        found = session.scalar(made.values(values).returning(AnsweredRequest.key))
        query = select(AnsweredRequest).where(
            AnsweredRequest.account_id == reader.account_id,
            AnsweredRequest.key == self.idempotency_key,
        )
        row = session.scalars(query.execution_options(populate_existing=True)).one()
        if row.digest != asked:
            raise KeyReused("This Idempotency-Key was used for another request; make a new one.")
        return found is not None, row


OnceDependency = Annotated[Once, Depends(Once)]


class Done(BaseModel):
    """The answer of what has none."""


def digest(*parts: str) -> str:
    """What tells one request from another."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def prune(session: Session, now: datetime) -> bool:
    """Forget what nobody sends again. Nothing that a screen shows."""
    session.execute(delete(AnsweredRequest).where(AnsweredRequest.at < now - KEPT))
    return False
