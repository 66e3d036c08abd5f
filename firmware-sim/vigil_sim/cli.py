"""``vigil-sim``: play a city, run a fleet of sondes, render a passage, show the demo."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from vigil_schemas import completion
from vigil_schemas.entrance import Parser, software
from vigil_schemas.errors import VigilError
from vigil_sim.arguments import port, speed
from vigil_sim.domain import Commands, SimulatedDomain
from vigil_sim.registry import DOMAINS
from vigil_sim.scenario import CityScenario, load

LoadCityScenario = Callable[[str], CityScenario]


def main(
    arguments: Sequence[str] | None = None, domains: tuple[SimulatedDomain, ...] = DOMAINS
) -> int:
    """Exit code 0; 2 with one line saying why where the input cannot be used."""

    def load_scenario(name: str) -> CityScenario:
        return load(name, domains)

    parsed = _parser(load_scenario, domains).parse_args(arguments)
    try:
        return int(parsed.run(parsed))
    except VigilError as error:
        print(f"vigil-sim: {error.code}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def _parser(
    load_scenario: LoadCityScenario, domains: tuple[SimulatedDomain, ...]
) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = Parser(
        prog="vigil-sim", description="A simulated city for Vigil."
    )
    parser.add_argument("--version", action="version", version=f"vigil-sim {software()}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_play(commands, load_scenario)
    _add_check(commands, load_scenario)
    _add_streets(commands, load_scenario)
    for domain in domains:
        domain.add_commands(commands, load_scenario)
    _add_demo(commands)
    _add_city(commands)
    _add_week(commands)
    completion.add(commands, lambda: _parser(load_scenario, domains))
    return parser


def _add_play(commands: Commands[argparse.ArgumentParser], load_scenario: LoadCityScenario) -> None:
    play = commands.add_parser("play", help="run every device of a scenario")
    play.add_argument("scenario", help="a TOML file, or the name of a scenario that is shipped")
    play.add_argument("--speed", type=speed, help="world seconds per second")
    play.add_argument("--seed", type=int, help="instead of the scenario's own")
    play.add_argument("--dir", type=Path, required=True, help="where configurations and data go")
    play.add_argument("--broker", required=True, help="mqtt://host:port that gateways send to")
    play.add_argument("--cloud-url", help="http://host:port that evidence is uploaded to")
    play.add_argument("--tokens", type=Path, help='TOML file: gateway-id = "token"')
    play.add_argument(
        "--broker-password-file",
        type=Path,
        metavar="FILE",
        help="gateways sign in to the broker with their id and this password",
    )
    play.add_argument(
        "--emergency-port", type=port, help="the stand-in for 119 takes CAP 1.2 there (path /cap)"
    )
    play.add_argument("--wait", action="store_true", help="begin when a line arrives on stdin")
    play.add_argument("--exit-when-done", action="store_true")
    play.set_defaults(run=lambda parsed: _play(parsed, load_scenario))


def _play(parsed: argparse.Namespace, load_scenario: LoadCityScenario) -> int:
    from vigil_sim.play import Surroundings, play, read_tokens

    around = Surroundings(
        directory=parsed.dir.resolve(),
        broker=parsed.broker,
        cloud_url=parsed.cloud_url,
        tokens=read_tokens(parsed.tokens) if parsed.tokens else None,
        emergency_port=parsed.emergency_port,
        broker_password_file=(
            parsed.broker_password_file.resolve() if parsed.broker_password_file else None
        ),
    )
    return asyncio.run(
        play(
            load_scenario(parsed.scenario),
            around,
            speed=parsed.speed,
            seed=parsed.seed,
            wait=parsed.wait,
            exit_when_done=parsed.exit_when_done,
        )
    )


def _add_check(
    commands: Commands[argparse.ArgumentParser], load_scenario: LoadCityScenario
) -> None:
    check = commands.add_parser("check", help="name every mistake in a scenario")
    check.add_argument("scenario")
    check.set_defaults(run=lambda parsed: _check(parsed, load_scenario))


def _check(parsed: argparse.Namespace, load_scenario: LoadCityScenario) -> int:
    scenario = load_scenario(parsed.scenario)
    print(json.dumps({"kind": "scenario", "name": scenario.name, "devices": len(scenario.devices)}))
    return 0


def _add_streets(
    commands: Commands[argparse.ArgumentParser], load_scenario: LoadCityScenario
) -> None:
    text = "write the streets of a scenario's city as GeoJSON, for `vigil-cloud map import`"
    parser = commands.add_parser("streets", help=text)
    parser.add_argument("scenario")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE.geojson")
    parser.set_defaults(run=lambda parsed: _streets(parsed, load_scenario))


def _streets(parsed: argparse.Namespace, load_scenario: LoadCityScenario) -> int:
    from vigil_sim.streets import write

    scenario = load_scenario(parsed.scenario)
    count = write(scenario, parsed.out)
    print(json.dumps({"kind": "streets", "name": scenario.name, "features": count}))
    return 0


def _add_demo(commands: Commands[argparse.ArgumentParser]) -> None:
    from vigil_sim.demo.main import add_command

    add_command(commands)


def _add_city(commands: Commands[argparse.ArgumentParser]) -> None:
    from vigil_sim.demo.city_command import add_command

    add_command(commands)


def _add_week(commands: Commands[argparse.ArgumentParser]) -> None:
    from vigil_sim.week.command import add_command

    add_command(commands)


if __name__ == "__main__":
    sys.exit(main())
