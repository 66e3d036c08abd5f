"""What ``vigil-edge enrol`` takes; apart, so that no other command loads an HTTP client."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_enrolment_arguments(parser: argparse.ArgumentParser) -> None:
    """Of ``enrol``."""
    parser.add_argument("cloud", metavar="https://CLOUD")
    parser.add_argument("code", metavar="CODE")
    parser.add_argument(
        "--dir", type=Path, default=Path("/etc/vigil"), help="of gateway.toml (/etc/vigil)"
    )
    parser.add_argument(
        "--data-dir", type=Path, default=Path("/var/lib/vigil"), help="(/var/lib/vigil)"
    )
    parser.add_argument(
        "--ca-file", type=Path, help="the authority of the cloud's own certificate, if private"
    )
    parser.add_argument(
        "--start", action="store_true", dest="start_agent", help="start the agent at once, here"
    )
