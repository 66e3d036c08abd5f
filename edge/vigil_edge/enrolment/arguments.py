"""What ``vigil-edge enrol`` takes; apart, so that no other command loads an HTTP client."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Final

PACKAGE: Final = Path("/usr/lib/vigil-edge")
"""Where the Debian package has its Python environment."""
_OF_THE_PACKAGE: Final = (Path("/etc/vigil-edge"), Path("/var/lib/vigil-edge"))
_BY_HAND: Final = (Path("/etc/vigil"), Path("/var/lib/vigil"))
SERVICE: Final = "vigil-edge.service"


def folders(prefix: str) -> tuple[Path, Path]:
    """Of ``gateway.toml`` and of the agent's data, where ``sys.prefix`` is this: the package's
    unit reads its own."""
    return _OF_THE_PACKAGE if Path(prefix) == PACKAGE else _BY_HAND


def of_the_service(config: Path, prefix: str) -> bool:
    """Whether the package's unit runs the agent of this file, as its own user."""
    return Path(prefix) == PACKAGE and config.parent == _OF_THE_PACKAGE[0]


def add_enrolment_arguments(parser: argparse.ArgumentParser) -> None:
    """Of ``enrol``."""
    config, data = folders(sys.prefix)
    parser.add_argument("cloud", metavar="https://CLOUD")
    parser.add_argument("code", metavar="CODE")
    parser.add_argument("--dir", type=Path, default=config, help=f"of gateway.toml ({config})")
    parser.add_argument("--data-dir", type=Path, default=data, help=f"({data})")
    parser.add_argument(
        "--ca-file", type=Path, help="the authority of the cloud's own certificate, if private"
    )
    parser.add_argument(
        "--start", action="store_true", dest="start_agent", help="start the agent at once, here"
    )
