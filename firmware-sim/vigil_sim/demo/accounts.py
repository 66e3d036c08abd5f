"""Who can sign in to the demo, and which gateways may send."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from vigil_sim.scenario import Person

PASSWORD: Final = "vigil-demo-night"  # noqa: S105 - of the demo, which refuses to be anything else


class Account(NamedTuple):
    """One demo account; all have the same password, which only the demo accepts."""

    username: str
    display_name: str
    roles: tuple[str, ...]


ACCOUNTS: Final = (
    Account("duty", "值班 Duty officer", ("inspector", "dispatcher", "family")),
    Account("inspector", "稽查員 Inspector", ("inspector",)),
    Account("reviewer", "複核員 Reviewer", ("reviewer",)),
    Account("family", "家屬 Family", ("family",)),
    Account("dispatcher", "派遣員 Dispatcher", ("dispatcher",)),
    Account("maintainer", "維護員 Maintainer", ("maintainer",)),
    Account("admin", "管理員 Administrator", ("administrator",)),
)


def _table(name: str, values: Mapping[str, Any]) -> str:
    # A JSON string, number or list of strings is also a TOML one.
    lines = [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in values.items()]
    return f"[[{name}]]\n" + "\n".join(lines) + "\n"


def seed(tokens: Mapping[str, str], people: Iterable[Person], expires: str) -> str:
    """The seed file: accounts, gateway tokens, and the persons that carry the city's beacons.

    The accounts with the family role may see them until ``expires`` (RFC 3339).
    """
    parts = [
        _table(
            "account",
            {
                "username": account.username,
                "password": PASSWORD,
                "roles": list(account.roles),
                "display_name": account.display_name,
                "email": "",
            },
        )
        for account in ACCOUNTS
    ]
    parts += [_table("gateway", {"id": key, "token": token}) for key, token in tokens.items()]
    relatives = [account.username for account in ACCOUNTS if "family" in account.roles]
    for person in people:
        parts.append(
            _table("person", {"key": person.key, "name": person.name, "guardians": relatives})
        )
        parts += [_table("tag", {"tag": tag, "person": person.key}) for tag in person.tags]
        parts += [
            _table("consent", {"person": person.key, "account": account, "expires": expires})
            for account in relatives
        ]
    return "\n".join(parts)
