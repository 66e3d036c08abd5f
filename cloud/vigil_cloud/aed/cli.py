"""``vigil-cloud aed``: what can be asked of the AED domain without a running city."""

from __future__ import annotations

import argparse
import json
import sys
from datetime import datetime
from pathlib import Path
from typing import ClassVar, Final

from vigil_cloud.commands.opening import Commands, add_command, add_subject
from vigil_schemas.errors import VigilError

_TOLD: Final = 5
"""So many are named."""


class BadDispatchOption(VigilError):
    """A position or a time that cannot be read. ``option`` names it."""

    code: ClassVar[str] = "bad-dispatch-option"
    remedy: ClassVar[str] = "Write `--at 120.44,23.48 --time 2026-05-01T08:00:00+08:00`."

    def __init__(self, option: str, message: str) -> None:
        super().__init__(f"{option}: {message}")
        self.option = option


def add(commands: Commands, common: argparse.ArgumentParser) -> None:
    """Its one action, ``dispatch``."""
    del common  # it opens no database
    actions = add_subject(commands, "aed", "defibrillators and volunteers")
    text = "whom to call to a heart that stopped, from files; one JSON object"
    dispatch = add_command(actions, "dispatch", _dispatch, text)
    dispatch.add_argument("--at", required=True, metavar="LON,LAT")
    dispatch.add_argument("--time", required=True, help="ISO 8601 with a zone")
    for name in ("volunteers", "aeds", "streets"):
        dispatch.add_argument(f"--{name}", required=True, type=Path)


def _dispatch(options: argparse.Namespace) -> int:
    from vigil_cloud.aed import dispatch_files
    from vigil_cloud.aed.dispatch import dispatch
    from vigil_cloud.aed.streets import network

    patient = _position(options.at)
    moment = _moment(options.time)
    plan = dispatch(
        patient,
        moment,
        dispatch_files.volunteers(options.volunteers),
        dispatch_files.aeds(options.aeds),
        network(dispatch_files.streets(options.streets), patient),
    )
    phases = [
        {
            "after_s": phase.after_s,
            "calls": [
                {
                    "who": call.who,
                    "role": call.role,
                    "predicted_s": call.predicted_s,
                    **({} if call.on_reject is None else {"on_reject": call.on_reject}),
                }
                for call in phase.calls
            ],
        }
        for phase in plan.phases
    ]
    if plan.lapsed:
        told = ", ".join(repr(who[:40]) for who in plan.lapsed[:_TOLD])
        more = f" and {len(plan.lapsed) - _TOLD} more" if len(plan.lapsed) > _TOLD else ""
        print(f"in reach, without a valid certificate, not called: {told}{more}", file=sys.stderr)
    if not phases:
        print("nobody who may be called is within reach", file=sys.stderr)
    print(json.dumps({"phases": phases}, ensure_ascii=False))
    return 0


def _position(text: str) -> tuple[float, float]:
    try:
        lon, lat = (float(part) for part in text.split(","))
    except ValueError as error:
        raise BadDispatchOption("--at", f"{text!r} is not LON,LAT") from error
    if not (-180 <= lon <= 180 and -90 <= lat <= 90):
        raise BadDispatchOption("--at", f"{text!r} lies outside of the world: longitude first")
    return lon, lat


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise BadDispatchOption("--time", f"{text!r} is no time in ISO 8601") from error
    if moment.tzinfo is None:
        raise BadDispatchOption("--time", f"{text!r} has no zone: add +08:00 or Z")
    if not 1970 < moment.year < 2999:
        raise BadDispatchOption("--time", f"{text!r} is no time of this calendar, 1971 to 2998")
    return moment
