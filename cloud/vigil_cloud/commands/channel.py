"""``vigil-cloud channel``: addresses that are told of alerts."""

from __future__ import annotations

import argparse
import json

from vigil_cloud.commands.opening import OPERATOR, Commands, add_command, add_subject, opened


def add(commands: Commands, common: argparse.ArgumentParser) -> None:
    """list, remove; they are added by the seed file."""
    actions = add_subject(commands, "channel", "addresses that are told of alerts")
    add_command(actions, "list", _list, "one JSON object a line, without the address", common)
    text = "tell it nothing any more, also not what waits"
    add_command(actions, "remove", _remove, text, common).add_argument("name")


def _list(options: argparse.Namespace) -> int:
    from vigil_cloud.notify.removal import channels

    with opened(options) as services, services.sessions() as session:
        for entry in channels(session):
            print(entry.model_dump_json())
    return 0


def _remove(options: argparse.Namespace) -> int:
    from vigil_cloud.database.engine import writing
    from vigil_cloud.notify.removal import remove_channel

    with opened(options) as services, writing(services.sessions) as session:
        remove_channel(session, options.name, by=OPERATOR, now=services.now())
    print(json.dumps({"channel": options.name, "removed": True}))
    return 0
