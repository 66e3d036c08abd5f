"""``vigil-cloud device``: devices and the gateways they belong to."""

from __future__ import annotations

import argparse
import json

from vigil_cloud.commands.opening import OPERATOR, Commands, add_command, add_subject, opened


def add(commands: Commands, common: argparse.ArgumentParser) -> None:
    """release."""
    actions = add_subject(commands, "device", "devices and the gateways they belong to")
    release = add_command(
        actions, "release", _release, "let the next gateway that describes it have it", common
    )
    release.add_argument("device")


def _release(options: argparse.Namespace) -> int:
    from vigil_cloud.database.engine import writing
    from vigil_cloud.devices.service import release

    with opened(options) as services, writing(services.sessions) as session:
        entry = release(session, options.device, OPERATOR, services.now())
    print(json.dumps({"device": entry.device, "released_from": entry.gateway}))
    return 0
