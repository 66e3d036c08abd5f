"""``vigil-edge smoke``: the gateway's own decoder, over one payload."""

from __future__ import annotations

import argparse
import json

from vigil_edge.smoke import zigbee2mqtt


def add_commands(domain_parser: argparse.ArgumentParser) -> None:
    """Register ``decode``."""
    commands = domain_parser.add_subparsers(dest="subcommand", required=True, metavar="COMMAND")
    decode = commands.add_parser("decode", help="decode one payload of a smoke alarm")
    decode.add_argument("--codec", choices=["zigbee2mqtt"], required=True)
    decode.add_argument("payload", metavar="PAYLOAD", help="as published, JSON")
    decode.set_defaults(run=_decode)


def _decode(args: argparse.Namespace) -> int:
    print(json.dumps(zigbee2mqtt.decode(args.payload).as_json()))
    return 0
