"""What a demo has to try out beside its night: an invitation, an amulet, links of a station."""

from __future__ import annotations

import secrets
from collections.abc import Sequence

from vigil_sim.domain import SignIn


def offers(sign_in: SignIn) -> Sequence[str]:
    """An amulet of this demo's own stock, so that the same folder can be used again."""
    tag = f"ibeacon:{secrets.token_hex(16)}:1:1"
    with sign_in("registrar") as desk:
        invited = desk.post("/invitations", {"reason": "the demo"})
        (amulet,) = desk.post("/amulets", {"tags": [tag]})["amulets"]
    said = [
        f"a family joins at {invited['link']} (once), with the amulet {amulet['code']}",
    ]
    with sign_in("maintainer") as keeper:
        for station in keeper.get("/stations")["stations"][:1]:
            made = keeper.post(f"/stations/{station['device']}/links", {})
            said += [
                f"{station['name_zh']} {station['name']}: does it work? {made['status_link']}",
                f"  its host's messages: {made['host_link']}",
            ]
    return said
