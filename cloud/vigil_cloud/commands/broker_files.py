"""``vigil-cloud broker-files``: what a broker of one's own is configured with."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from pathlib import Path

from vigil_cloud.commands.opening import Commands, add_command, add_subject, opened
from vigil_schemas.entrance import one_line


def add(commands: Commands, common: argparse.ArgumentParser) -> None:
    """write, follow, rules."""
    actions = add_subject(
        commands, "broker-files", "certificates, revocation list and access rules for a broker"
    )
    for name, run, text in (
        ("write", _write, "write the authority, the broker's certificate and the list, once"),
        (
            "follow",
            _follow,
            "write them, and again within a second of each revocation, until SIGTERM",
        ),
    ):
        action = add_command(actions, name, run, text, common)
        action.add_argument("folder", type=Path, metavar="DIR")
        action.add_argument(
            "--name",
            action="append",
            required=True,
            dest="names",
            help="a host name or address that gateways reach the broker under; may be given again",
        )
        if name == "follow":
            action.add_argument(
                "--pid-file", type=Path, help="of Mosquitto, which is sent SIGHUP after each change"
            )
    rules = add_command(actions, "rules", _rules, "print the access rules, from one source")
    rules.add_argument("broker", choices=["mosquitto", "mosquitto-cloud", "emqx"])


def _write(options: argparse.Namespace) -> int:
    from vigil_cloud.broker_files import BrokerFiles

    with opened(options) as services:
        changed = BrokerFiles(services, options.folder, options.names).write()
    print(json.dumps({"folder": str(options.folder), "changed": changed}))
    return 0


def _follow(options: argparse.Namespace) -> int:
    from vigil_cloud.broker_files import BrokerFiles, Follower
    from vigil_cloud.broker_takeover import POLLED_S, REREAD_S, Address, Takeovers
    from vigil_cloud.stopping import stoppable

    died = False
    with stoppable() as stop, opened(options) as services:
        files = BrokerFiles(services, options.folder, options.names)
        files.write()
        _tell(options.pid_file)  # also where `write` has just changed them, or nobody was told
        address = Address.of_url(services.settings.gateway_broker_url)
        reread_s = REREAD_S if options.pid_file else POLLED_S
        end_sessions = (
            Takeovers(services, address, reread_s=reread_s).end_sessions if address else _nothing
        )
        follower = Follower(
            files, lambda: _tell(options.pid_file), ended=stop.end, end_sessions=end_sessions
        )
        try:
            end_sessions()  # of what was revoked while nobody followed
        except OSError as error:
            print(f"vigil-cloud: file-unavailable: {one_line(error)}", file=sys.stderr)
        stop.hold()
        follower.start()
        print(json.dumps({"kind": "ready", "folder": str(options.folder)}), flush=True)
        stop.wait()
        follower.stop()
        died = follower.died
    return 1 if died else 0


def _nothing() -> None:
    """Gateways' connections have no certificates there: ingest refuses their messages."""


def _tell(pid_file: Path | None) -> None:
    """Raises ``OSError``, which the follower tells and tries again."""
    if pid_file is None:
        return
    try:
        os.kill(int(pid_file.read_text("ascii").strip()), signal.SIGHUP)
    except (FileNotFoundError, ProcessLookupError):
        return  # it is not running; it reads the files as it starts
    except ValueError as error:
        raise OSError(f"{pid_file} holds no process id") from error


def _rules(options: argparse.Namespace) -> int:
    from vigil_cloud import broker_rules

    made = {
        "mosquitto": broker_rules.mosquitto_gateways_acl,
        "mosquitto-cloud": broker_rules.mosquitto_cloud_acl,
        "emqx": broker_rules.emqx_acl,
    }
    print(made[options.broker](), end="")
    return 0
