"""``vigil-edge``: run the agent, check its configuration, and play a domain's pipeline over files.

Results go to standard output, one JSON object a line; everything else to standard
error. Exit 0, or 2 where the input or the configuration cannot be read.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

from vigil_edge.configuration import variables
from vigil_edge.configuration.desired import keep, recall
from vigil_edge.configuration.gateway_file import Config, ConfigError, load, summary
from vigil_edge.configuration.lock import holder
from vigil_edge.domain import EdgeDomain
from vigil_edge.enrolment.arguments import SERVICE, add_enrolment_arguments, of_the_service
from vigil_edge.packages import PackageMissing, extra_of
from vigil_edge.registry import DOMAINS
from vigil_schemas import completion
from vigil_schemas.entrance import Parser, one_line, software
from vigil_schemas.errors import VigilError


def main(argv: Sequence[str] | None = None, domains: Sequence[EdgeDomain] = DOMAINS) -> int:
    """The console script, of a gateway that knows ``domains``; returns the exit status."""
    words = list(sys.argv[1:] if argv is None else argv)
    if isinstance(sys.stdout, io.TextIOWrapper):
        # JSON is UTF-8 under any locale; a file name's undecodable bytes become its \uXXXX.
        sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")
    try:
        args = _parser(words, domains).parse_args(words)
        return cast(int, args.run(args))
    except ModuleNotFoundError as error:
        if words[0] not in {domain.key for domain in domains} or _is_ours(error):
            raise  # nothing of a domain's extra: `entrance` says what to install
        absent = PackageMissing(error.name or str(error), extra_of(words[0]))
        print(f"vigil-edge: {absent.code}: {one_line(absent)}", file=sys.stderr)
        return 2
    except ConfigError as error:
        _print_mistakes(error)
        return 2
    except VigilError as error:
        print(f"vigil-edge: {error.code}: {one_line(error)}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        # Whoever read our output has seen enough; point stdout elsewhere for the exit's flush.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        print(f"vigil-edge: input-unreadable: {one_line(error)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def _parser(words: list[str], domains: Sequence[EdgeDomain]) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = Parser(prog="vigil-edge", description=__doc__)
    parser.add_argument("--version", action="version", version=f"vigil-edge {software()}")
    parser.set_defaults(domains=domains)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    run = commands.add_parser("run", help="run the gateway's agent until SIGTERM")
    run.add_argument("--config", type=Path, required=True, metavar="gateway.toml")
    run.add_argument("--log-format", choices=["json", "console"], help="else [gateway] log_format")
    run.add_argument(
        "--log-level",
        choices=["debug", "info", "warning", "error"],
        help="else [gateway] log_level",
    )
    run.set_defaults(run=_run)
    enrolment = commands.add_parser("enrol", help="make a gateway of this box, by a one-time code")
    add_enrolment_arguments(enrolment)
    enrolment.set_defaults(run=_enrol)
    check = commands.add_parser("check", help="name every mistake in a configuration")
    check.add_argument("--config", type=Path, required=True, metavar="gateway.toml")
    check.set_defaults(run=_check)
    evidence = commands.add_parser("evidence", help="the seal of this gateway's evidence")
    actions = evidence.add_subparsers(required=True, metavar="ACTION")
    public_key = actions.add_parser(
        "public-key", help="print the key that `vigil-cloud evidence verify` asks for"
    )
    public_key.add_argument("--config", type=Path, required=True, metavar="gateway.toml")
    public_key.set_defaults(run=_public_key)
    for word, about, look in (
        ("status", "how this gateway is, whether its agent runs or not", _status),
        ("doctor", "look at everything that it needs, and say what to mend", _doctor),
    ):
        command = commands.add_parser(word, help=about)
        command.add_argument("--config", type=Path, required=True, metavar="gateway.toml")
        command.add_argument("--json", action="store_true", help="for programs")
        command.set_defaults(run=look)
    _config_commands(commands)
    for domain in domains:
        if domain.add_commands is None:
            continue
        domain_parser = commands.add_parser(domain.key, help=domain.tools)
        if words[:1] == [domain.key]:
            # Only now: a domain's tools bring scipy and the like with them.
            domain.add_commands(domain_parser)
    completion.add(commands, lambda: _whole(domains))
    return parser


def _whole(domains: Sequence[EdgeDomain]) -> argparse.ArgumentParser:
    """With the tools of every domain whose packages are installed."""
    parser = _parser([], domains)
    (commands,) = (one for one in parser._actions if isinstance(one.choices, dict))
    for domain in domains:
        if domain.add_commands is None:
            continue
        try:
            domain.add_commands(
                cast("dict[str, argparse.ArgumentParser]", commands.choices)[domain.key]
            )
        except ModuleNotFoundError as error:
            if _is_ours(error):
                raise
            print(
                f"vigil-edge: without the tools of {domain.key}: {one_line(error)}", file=sys.stderr
            )
    return parser


def _config_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    config = commands.add_parser("config", help="what the cloud set otherwise than the file")
    actions = config.add_subparsers(required=True, metavar="ACTION")
    for word, about, run in (
        ("show", "print the cloud's newest configuration as the gateway keeps it", _config_show),
        ("reset", "drop it: the file alone counts, until a newer one comes", _config_reset),
    ):
        action = actions.add_parser(word, help=about)
        action.add_argument("--config", type=Path, required=True, metavar="gateway.toml")
        action.set_defaults(run=run)


def _config_show(args: argparse.Namespace) -> int:
    desired = recall(load(args.config, args.domains).gateway.data_dir)
    print(desired.model_dump_json(exclude_none=True))
    return 0


def _config_reset(args: argparse.Namespace) -> int:
    folder = load(args.config, args.domains).gateway.data_dir
    keep(folder, recall(folder).reset())
    agent = holder(folder)
    if agent is not None:
        os.kill(agent, signal.SIGHUP)
    print(json.dumps({"dropped": True, "agent": "told" if agent is not None else "not running"}))
    return 0


def _run(args: argparse.Namespace) -> int:
    from vigil_edge.agent import Given  # none of these is needed by `check` and the file tools
    from vigil_edge.log import configure, tell_unread
    from vigil_edge.process import run

    config = load(args.config, args.domains)
    own = config.gateway
    configure(args.log_format or own.log_format, args.log_level or own.log_level)
    tell_unread()
    try:
        return run(Given(args.config, config, args.domains))
    except OSError as error:
        # Of the disk or the kernel, and no mistake of the file: 2 would never be started again.
        print(f"vigil-edge: input-unreadable: {one_line(error)}", file=sys.stderr)
        return 1


def _enrol(args: argparse.Namespace) -> int:
    from vigil_edge.enrolment.command import enrol

    done = enrol(args, args.domains)
    config = str(done.config)
    ends = done.ends.isoformat()
    print(json.dumps({"gateway": done.gateway, "config": config, "certificate_ends": ends}))
    service = of_the_service(done.config, sys.prefix)
    command = ["systemctl", "restart", SERVICE] if service else ["vigil-edge", "run", "--config"]
    start = shlex.join(command if service else [*command, config])
    if not args.start_agent:
        print(f"vigil-edge: this box is gateway {done.gateway}; next: {start}", file=sys.stderr)
        return 0
    if service:  # run from here it would be root's, and its files, too
        return subprocess.run(command, check=False).returncode
    return main(["run", "--config", config], args.domains)


def _check(args: argparse.Namespace) -> int:
    config: Config = load(args.config, args.domains, checking=True)
    for line in summary(config):
        print(json.dumps(line, ensure_ascii=False))
    for slip in variables.unread():
        print(f"vigil-edge: {one_line(slip)}", file=sys.stderr)
    return 0


def _public_key(args: argparse.Namespace) -> int:
    from vigil_edge.evidence.key import public_key_of

    print(public_key_of(load(args.config, args.domains).gateway.data_dir))
    return 0


def _status(args: argparse.Namespace) -> int:
    """0 well, 1 something is not, 3 the agent does not run."""
    from vigil_edge.doctor.command import speaks_chinese
    from vigil_edge.status import as_json, lines, look

    now = datetime.now(UTC)
    found = look(load(args.config, args.domains), now)
    chinese = speaks_chinese(os.environ)
    if args.json:
        print(as_json(found))
    else:
        for line in lines(found, now):
            print(line.zh if chinese else line.en)
    if found.outbox_error:
        print(f"vigil-edge: input-unreadable: {one_line(found.outbox_error)}", file=sys.stderr)
    return found.exit_status


def _doctor(args: argparse.Namespace) -> int:
    """0 all is well, 1 something is to be mended."""
    from vigil_edge.doctor.command import examine

    all_well = True
    for line, well in examine(args.config, tuple(args.domains), as_json=args.json):
        print(line, flush=True)
        all_well &= well
    return 0 if all_well else 1


def _is_ours(error: ModuleNotFoundError) -> bool:
    return (error.name or "").partition(".")[0].startswith("vigil_")


def _print_mistakes(error: ConfigError) -> None:
    for mistake in error.mistakes:
        where = f"{mistake.key}: " if mistake.key else ""
        line = f"{error.file}:{mistake.line}: {where}{mistake.message}"
        print(one_line(line), file=sys.stderr)
