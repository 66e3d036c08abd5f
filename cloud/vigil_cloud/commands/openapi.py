"""``vigil-cloud export-openapi``: the API's description, for whoever writes a client."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from vigil_cloud.commands.opening import Commands, add_command


def add(commands: Commands, _common: argparse.ArgumentParser) -> None:
    """export-openapi; it needs no settings."""
    openapi = add_command(commands, "export-openapi", _export, "the API's description as JSON")
    openapi.add_argument("file", type=Path, nargs="?", help="default: standard output")


def _export(options: argparse.Namespace) -> int:
    from vigil_cloud.app import openapi_document

    text = json.dumps(openapi_document(), indent=2, ensure_ascii=False, sort_keys=True) + "\n"
    if options.file is None:
        sys.stdout.write(text)
    else:
        options.file.write_text(text, "utf-8")
    return 0
