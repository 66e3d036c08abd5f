"""Writes the contract for firmware in any language: JSON Schemas and an AsyncAPI document.

``python -m vigil_schemas.export [--check] [DIRECTORY]``: writes, or with ``--check``
compares and exits 1 naming each file that has drifted from the models.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from vigil_schemas.asyncapi import document
from vigil_schemas.commands import COMMANDS
from vigil_schemas.contract import OBSERVATION_TYPES, PAYLOADS
from vigil_schemas.dossier import NAME as DOSSIER
from vigil_schemas.dossier import CaseDossier
from vigil_schemas.envelope import Envelope, schema_url
from vigil_schemas.evidence import EvidenceManifest, EvidenceManifestV1
from vigil_schemas.senml import Pack

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schemas() -> dict[str, dict[str, Any]]:
    """Every schema by its name (an event type, or a part that files carry)."""
    named: dict[str, dict[str, Any]] = {
        "cloudevent.v1": Envelope.model_json_schema(mode="validation"),
        DOSSIER: CaseDossier.model_json_schema(mode="validation"),
        "evidence.manifest.v1": EvidenceManifestV1.model_json_schema(mode="validation"),
        "evidence.manifest.v2": EvidenceManifest.model_json_schema(mode="validation"),
    }
    for event_type, model in PAYLOADS.items():
        named[event_type] = model.model_json_schema(mode="validation")
    for action, arguments in COMMANDS.items():
        named[f"command.{action}.v2"] = arguments.model_json_schema(mode="validation")
    for event_type in OBSERVATION_TYPES:
        named[event_type] = TypeAdapter(Pack).json_schema(mode="validation")
    return {
        name: {"$schema": DIALECT, "$id": schema_url(name), **schema}
        for name, schema in sorted(named.items())
    }


def files() -> dict[str, str]:
    """Relative file names and their exact contents. JSON is YAML, so the AsyncAPI is both."""
    written = {
        f"json/{name}.json": json.dumps(schema, indent=1, ensure_ascii=False) + "\n"
        for name, schema in schemas().items()
    }
    written["asyncapi.yaml"] = json.dumps(document(schemas()), indent=1, ensure_ascii=False) + "\n"
    return written


def drifted(directory: Path) -> list[str]:
    """Names whose committed contents differ from the models, or that should not be there."""
    wanted = files()
    stale = [
        name
        for name, text in wanted.items()
        if not (directory / name).is_file() or (directory / name).read_text("utf-8") != text
    ]
    present = {f"json/{path.name}" for path in (directory / "json").glob("*.json")}
    return sorted(stale + list(present - wanted.keys()))


def main(arguments: list[str] | None = None) -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(prog="python -m vigil_schemas.export", description=__doc__)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("directory", nargs="?", type=Path, default=Path(__file__).parents[1])
    options = parser.parse_args(arguments)
    if options.check:
        stale = drifted(options.directory)
        for name in stale:
            sys.stderr.write(f"schemas/{name} differs from the models: run make schemas\n")
        return 1 if stale else 0
    (options.directory / "json").mkdir(parents=True, exist_ok=True)
    for path in (options.directory / "json").glob("*.json"):
        path.unlink()
    for name, text in files().items():
        (options.directory / name).write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
