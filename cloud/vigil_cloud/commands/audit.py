"""``vigil-cloud audit``: the log of who read and changed what."""

from __future__ import annotations

import argparse
import json

from vigil_cloud.commands.opening import Commands, add_command, add_subject, opened


def add(commands: Commands, common: argparse.ArgumentParser) -> None:
    """Add ``audit verify``."""
    actions = add_subject(commands, "audit", "the log of who read and changed what")
    add_command(
        actions,
        "verify",
        _verify,
        "check its chain; print its length and its last hash",
        common,
    )


def _verify(options: argparse.Namespace) -> int:
    from vigil_cloud.identity.audit import verify

    with opened(options) as services, services.sessions() as session:
        lines, head = verify(session)
    print(json.dumps({"lines": lines, "head": head}))
    return 0
