"""Who can sign in to the demo, and which gateways may send."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from vigil_sim.scenario import CityScenario
from vigil_sim.toml_text import dumps

PASSWORD: Final = "vigil-demo-night"  # noqa: S105 - of the demo, which refuses to be anything else


STREETS: Final = "streets.geojson"
"""Of the simulated city, beside the seed file."""


class Account(NamedTuple):
    """One demo account; all have the same password, which only the demo accepts."""

    username: str
    display_name: str
    roles: tuple[str, ...]
    relative: bool = False
    """May see where the scenario's persons are, who consented."""


ACCOUNTS: Final = (
    Account("duty", "值班 Duty officer", ("inspector", "dispatcher", "family"), relative=True),
    Account("inspector", "稽查員 Inspector", ("inspector",)),
    Account("reviewer", "複核員 Reviewer", ("reviewer",)),
    Account("reviewer2", "複核員二 Second reviewer", ("reviewer",)),
    Account("family", "家屬 Family", ("family",), relative=True),
    Account("resident", "住戶 Resident", ("family",)),
    Account("neighbour", "鄰居 Neighbour", ("family",)),
    Account("police", "警員 Police officer", ("police",)),
    Account("dispatcher", "119 派遣員 Fire dispatcher", ("dispatcher",)),
    Account("volunteer", "志工 Volunteer", ("volunteer",)),
    Account("volunteer2", "志工二 Second volunteer", ("volunteer",)),
    Account("irrigation", "水利小組 Irrigation", ("irrigation",)),
    Account("host", "廟公 Host of a station", ("host",)),
    Account("registrar", "衛生局收案員 Registrar", ("registrar",)),
    Account("maintainer", "維護員 Maintainer", ("maintainer",)),
    Account("admin", "管理員 Administrator", ("administrator",)),
)


def _table(name: str, values: Mapping[str, Any]) -> str:
    return dumps({name: [values]})


def seed(tokens: Mapping[str, str], scenario: CityScenario, expires: str, streets: str = "") -> str:
    """The seed file: accounts, gateway tokens, and what each domain needs the cloud to know.

    The relatives among the accounts may see persons until ``expires`` (RFC 3339). ``streets``: a
    file beside the seed file that the map draws.
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
    if streets:
        parts.append(dumps({"street_map": {"file": streets}}))
    parts += [_table("gateway", {"id": key, "token": token}) for key, token in tokens.items()]
    relatives = [account.username for account in ACCOUNTS if account.relative]
    for domain in scenario.domains:
        parts += [_table(name, keys) for name, keys in domain.seed(scenario, relatives, expires)]
    return "\n".join(parts)
