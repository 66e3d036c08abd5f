"""What deciders write down beside an outcome, such as a licence plate: checked, sealed, compared.

Sealed with the vote; the case's history holds a digest of it made with a random salt that is
sealed with it, so that the audit chain binds what was written without telling it.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Mapping
from typing import Final, NamedTuple

from vigil_cloud.cases.errors import BadDecision
from vigil_cloud.cases.models import CaseVote
from vigil_cloud.cases.port import CaseKind
from vigil_cloud.cases.sealing import Sealer, opened

PURPOSE: Final = "case.entries"


class Written(NamedTuple):
    """Texts by code, and the digest that the history holds of them."""

    values: Mapping[str, str]
    digest: str


NOTHING: Final = Written({}, "")


def checked(kind: CaseKind, outcome: str, given: Mapping[str, str]) -> dict[str, str]:
    """As it is kept. Raises ``BadDecision`` for what is missing, malformed or out of place."""
    wanted = {entry.code: entry for entry in kind.entries if outcome in entry.outcomes}
    for code in given:
        if code not in wanted:
            message = f"The outcome {outcome!r} takes no {code!r}."
            raise BadDecision(message, chosen=code, offered=wanted)
    found = {}
    for code, entry in wanted.items():
        text = entry.form(given.get(code, ""))
        if text is None:
            message = f"The outcome {outcome!r} needs: {entry.words.english}."
            raise BadDecision(message, chosen=given.get(code, ""), offered=[code])
        found[code] = text
    return found


def seal(sealer: Sealer, values: Mapping[str, str]) -> tuple[bytes | None, str]:
    """For the vote's column, and the digest for the history; nothing of nothing."""
    if not values:
        return None, ""
    salt = secrets.token_hex(16)
    text = json.dumps({"salt": salt, "values": dict(values)}, ensure_ascii=False)
    return sealer.seal(PURPOSE, text), _digest(salt, values)


def read(sealer: Sealer, vote: CaseVote) -> Written:
    """What a vote carries; nothing where its key is gone."""
    text = opened(sealer, PURPOSE, vote.entries)
    if not text:
        return NOTHING
    kept = json.loads(text)
    return Written(kept["values"], _digest(kept["salt"], kept["values"]))


def _digest(salt: str, values: Mapping[str, str]) -> str:
    content = json.dumps(dict(values), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(f"{salt}\n{content}".encode()).hexdigest()
