"""``vigil-edge smoke``: the gateway's own decoder, over one payload."""

from __future__ import annotations

import argparse
import json

from vigil_edge.smoke import zigbee2mqtt
from vigil_edge.smoke.errors import CodecUnknown

_CODECS = {"zigbee2mqtt": zigbee2mqtt.read}


def add_commands(domain_parser: argparse.ArgumentParser) -> None:
    """Register ``decode``."""
    commands = domain_parser.add_subparsers(dest="subcommand", required=True, metavar="COMMAND")
    decode = commands.add_parser("decode", help="decode one payload of a smoke alarm")
    decode.add_argument("--codec", required=True, metavar="|".join(_CODECS))
    decode.add_argument("payload", metavar="PAYLOAD", help="as published, JSON")
    decode.set_defaults(run=_decode)


def _decode(args: argparse.Namespace) -> int:
    codec = _CODECS.get(args.codec)
    if codec is None:
        raise CodecUnknown(args.codec, _CODECS)
    print(json.dumps(codec(args.payload).as_json()))
    return 0
