"""``vigil-edge smoke``: the gateway's own decoder, over one payload."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping
from typing import Final

from vigil_edge.smoke import chirpstack, lorawan, matter, zigbee2mqtt
from vigil_edge.smoke.errors import CodecUnknown
from vigil_edge.smoke.report import AlarmReport


def _of_frame(codec: str) -> Callable[[str], AlarmReport]:
    return lambda payload: lorawan.DECODERS[codec](lorawan.from_hexadecimal(payload), None)


_CODECS: Final[Mapping[str, Callable[[str], AlarmReport]]] = {
    "zigbee2mqtt": zigbee2mqtt.read,
    "chirpstack": chirpstack.read,
    **{codec: _of_frame(codec) for codec in lorawan.DECODERS},
    "matter": matter.read,
}


def add_commands(domain_parser: argparse.ArgumentParser) -> None:
    """Register ``decode``."""
    commands = domain_parser.add_subparsers(dest="subcommand", required=True, metavar="COMMAND")
    decode = commands.add_parser("decode", help="decode one payload of a smoke alarm")
    decode.add_argument("--codec", required=True, metavar="|".join(_CODECS))
    decode.add_argument(
        "payload", metavar="PAYLOAD", help="as published: JSON, or the frame in hexadecimal"
    )
    decode.set_defaults(run=_decode)


def _decode(args: argparse.Namespace) -> int:
    codec = _CODECS.get(args.codec)
    if codec is None:
        raise CodecUnknown(args.codec, _CODECS)
    print(json.dumps(codec(args.payload).as_json()))
    return 0
