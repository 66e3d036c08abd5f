"""``vigil-cloud dead-letters``: refused messages, looked at and replayed by hand."""

from __future__ import annotations

import argparse
import json

from vigil_cloud.commands.opening import OPERATOR, Commands, add_command, add_subject, opened


def add(commands: Commands, common: argparse.ArgumentParser) -> None:
    """list, show, replay, dismiss."""
    actions = add_subject(commands, "dead-letters", "refused messages")
    listing = add_command(actions, "list", _list, "the newest first, one JSON a line", common)
    listing.add_argument("--gateway", help="of one gateway alone")
    listing.add_argument("--all", action="store_true", help="also replayed and dismissed ones")
    listing.add_argument("--limit", type=int, default=100, metavar="N")
    for name, run, text in (
        ("show", _show, "one with its payload"),
        ("replay", _replay, "take it after all, once the reason has passed"),
        ("dismiss", _dismiss, "it was looked at and nothing follows"),
    ):
        action = add_command(actions, name, run, text, common)
        action.add_argument("number", type=int, metavar="ID")


def _list(options: argparse.Namespace) -> int:
    from vigil_cloud.ingest.dead_letters import dead_letters

    with opened(options) as services, services.sessions() as session:
        found = dead_letters(
            session,
            gateway=options.gateway,
            waiting=None if options.all else True,
            limit=options.limit,
        )
    for letter in found:
        print(letter.model_dump_json(exclude={"payload"}))
    return 0


def _show(options: argparse.Namespace) -> int:
    from vigil_cloud.ingest.dead_letters import dead_letter

    with opened(options) as services, services.sessions() as session:
        print(dead_letter(session, options.number).model_dump_json(indent=1))
    return 0


def _replay(options: argparse.Namespace) -> int:
    from vigil_cloud.app import handlers, reading_handlers
    from vigil_cloud.ingest.dead_letters import replay

    with opened(options) as services:
        letter = replay(
            services,
            handlers(services),
            options.number,
            OPERATOR,
            reading_handlers(services),
        )
    print(json.dumps({"id": letter.id, "gateway": letter.gateway, "settlement": letter.settlement}))
    return 0


def _dismiss(options: argparse.Namespace) -> int:
    from vigil_cloud.database.engine import writing
    from vigil_cloud.ingest.dead_letters import dismiss

    with opened(options) as services, writing(services.sessions) as session:
        letter = dismiss(session, options.number, OPERATOR, services.now())
    print(json.dumps({"id": letter.id, "gateway": letter.gateway, "settlement": letter.settlement}))
    return 0
