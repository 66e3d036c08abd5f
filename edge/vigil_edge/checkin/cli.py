"""``vigil-edge checkin``: the station's own decoders, over payloads and recordings."""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path
from typing import Any, Final

from vigil_edge.checkin import advertisement, llrp_codec
from vigil_edge.checkin.errors import LlrpError, NotHexadecimal, UnreadableFile
from vigil_schemas.entrance import one_line

_BETWEEN: Final = re.compile(r"\b0x|(?<=[0-9a-f]{2})[\s:,-]+(?=[0-9a-f]{2}|0x)", re.IGNORECASE)
"""What people and tools write before and between bytes: ``0x``, spaces, colons."""


_MOST_TOLD: Final = 20


def add_commands(domain_parser: argparse.ArgumentParser) -> None:
    """Register ``decode`` and ``decode-llrp``."""
    commands = domain_parser.add_subparsers(dest="subcommand", required=True, metavar="COMMAND")
    decode = commands.add_parser(
        "decode", help="decode BLE advertisement payloads given in hexadecimal"
    )
    decode.add_argument("payload", nargs="+", metavar="HEX", help="AD structures, as broadcast")
    decode.set_defaults(run=_decode)
    llrp = commands.add_parser("decode-llrp", help="decode a recording of LLRP messages")
    llrp.add_argument("file", type=Path, metavar="FILE")
    llrp.add_argument(
        "--body",
        metavar="NAME",
        help="FILE is the body of one message of this name, without the 10-byte header",
    )
    llrp.add_argument(
        "--uris", action="store_true", help="with each EPC as GS1 key (SGTIN-96, GIAI-96) or raw"
    )
    llrp.set_defaults(run=_decode_llrp)


def _decode(args: argparse.Namespace) -> int:
    payloads = [_hexadecimal(text) for text in args.payload]
    for payload in payloads:
        beacons = [beacon.as_json() for beacon in advertisement.decode(payload)]
        first = beacons[0] if beacons else {"kind": "unknown"}
        print(json.dumps({**first, "beacons": beacons}))
    return 0


def _hexadecimal(text: str) -> bytes:
    try:
        return bytes.fromhex(_BETWEEN.sub("", text.strip()))
    except ValueError as error:
        shown = text if len(text) <= 40 else f"{text[:40]}…"
        raise NotHexadecimal(
            f"{shown!r} is not a payload: give an even number of hexadecimal digits"
        ) from error


def _decode_llrp(args: argparse.Namespace) -> int:
    data = _content(args.file)
    if args.body is not None:
        kind = llrp_codec.message_type(args.body)
        print(json.dumps(_shown(llrp_codec.Frame(kind, 0, data), args.uris)))
        return 0
    if not data:
        raise UnreadableFile(args.file, "the file is empty; it should hold LLRP messages")
    # A capture is often cut at its end: what is whole before that is worth seeing. So is what
    # follows a message that cannot be read: its frame says where the next one begins.
    bad = _Unreadable()
    try:
        for message in llrp_codec.frames(data):
            try:
                print(json.dumps(_shown(message, args.uris)))
            except LlrpError as error:
                bad.add(error)
                if message.name == "ROAccessReport" and (tags := _readable(message)):
                    print(json.dumps(tags))
    except LlrpError as error:
        bad.add(error)
    bad.raise_last()
    return 0


class _Unreadable:
    """What cannot be read of a capture: the first of it and the last are told, however many there
    are, and none of it is kept."""

    def __init__(self) -> None:
        self._last: LlrpError | None = None
        self._untold = 0

    def add(self, error: LlrpError) -> None:
        """The one before is told: this one may be the last."""
        if self._last is not None:
            if self._untold < _MOST_TOLD:
                print(f"vigil-edge: {self._last.code}: {one_line(self._last)}", file=sys.stderr)
            self._untold += 1
        self._last = error.with_traceback(None)  # which would keep its message as well

    def raise_last(self) -> None:
        """Raises ``LlrpError`` if there was any."""
        if self._untold > _MOST_TOLD:
            more = self._untold - _MOST_TOLD
            print(f"vigil-edge: {more} more messages that cannot be read", file=sys.stderr)
        if self._last is not None:
            raise self._last


def _shown(message: llrp_codec.Frame, uris: bool) -> dict[str, Any]:
    shown = llrp_codec.as_json(message)
    if uris and shown["tags"]:
        shown["epc_uris"] = [tag.uri for tag in llrp_codec.tag_reports(message.body)]
    return shown


def _readable(message: llrp_codec.Frame) -> dict[str, Any] | None:
    """The tags of a report of which a part cannot be read; ``None`` where there is none."""
    tags, unreadable = llrp_codec.readable_tag_reports(message.body)
    if not tags:
        return None
    shown = [tag.as_json() for tag in tags]
    return {"message": message.name, "tags": shown, "unreadable_parts": unreadable}


def _content(file: Path) -> bytes:
    try:
        if file.is_char_device() or file.is_block_device():
            raise UnreadableFile(file, "this is a device, not a file")
        return file.read_bytes()
    except OSError as error:
        raise UnreadableFile(file, error.strerror or str(error)) from error
