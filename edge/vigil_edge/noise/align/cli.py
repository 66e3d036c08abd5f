"""The options of ``vigil-edge noise align``, and its recording while somebody claps."""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from vigil_edge.noise.errors import NoiseOptionError
from vigil_schemas.entrance import one_line

if TYPE_CHECKING:
    from vigil_edge.configuration.gateway_file import Config
    from vigil_edge.noise.align.command import Asked
    from vigil_edge.noise.settings import NoiseSettings

LEAST_S: Final = 12.0
"""Before so long the sound's clock has not settled."""
MOST_S: Final = 300.0


def add_align(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register the command."""
    command = commands.add_parser(
        "align",
        help="measure a camera's delay, and how it looks, by claps or flashes",
        description="Stop the agent, start this, and clap (hands held still for a second after"
        " each) or fire a flash that bangs, a dozen times at uneven intervals and at different"
        " places in the picture. Prints lines for gateway.toml. 0: measured; 1: this recording"
        " does not tell; 2: something cannot be read.",
    )
    command.add_argument(
        "folder", nargs="?", type=Path, metavar="FOLDER", help="a recording that --keep left"
    )
    command.add_argument("--config", type=Path, metavar="gateway.toml")
    command.add_argument("--device", metavar="ID", help="where the file has several noise cameras")
    command.add_argument(
        "--camera",
        choices=("overview", "plate"),
        default="overview",
        help="plate: of a place with two cameras, [noise.plate_camera]; default overview,"
        " [noise.camera]",
    )
    command.add_argument("--seconds", type=float, default=60.0, help="to record, default 60")
    command.add_argument("--keep", type=Path, metavar="FOLDER", help="where the recording stays")
    command.add_argument(
        "--distance-m",
        type=float,
        metavar="D",
        help="from the claps to the microphone; with an array and a view it is worked out",
    )
    command.add_argument(
        "--height-m", type=float, default=1.5, metavar="H", help="above the road, default 1.5"
    )
    command.set_defaults(run=run_align)


def run_align(arguments: argparse.Namespace) -> int:
    """Raises ``VigilError`` for what cannot be read."""
    from vigil_edge.noise.align.command import SECTIONS, align, lines
    from vigil_edge.noise.align.recording import NotAligned, read

    _check(arguments)
    settings = None if arguments.config is None else _settings(arguments)
    if arguments.folder is None and settings is None:
        raise NoiseOptionError("give a FOLDER with a recording, or --config to make one")
    with tempfile.TemporaryDirectory() as spare:
        folder = arguments.folder or arguments.keep or Path(spare)
        try:
            if arguments.folder is None and settings is not None:
                _record(arguments, settings, folder)
            recording = read(folder)
            found = align(recording, _asked(arguments, settings))
        except NotAligned as error:
            print(f"vigil-edge: {error.code}: {one_line(error)}", file=sys.stderr)
            print(f"vigil-edge: {error.remedy}", file=sys.stderr)
            return 1
    for line in lines(found, recording.dated, SECTIONS[arguments.camera], recording.offset_s):
        print(line)
    return 0


def _check(arguments: argparse.Namespace) -> None:
    if not LEAST_S <= arguments.seconds <= MOST_S:
        raise NoiseOptionError(f"--seconds is between {LEAST_S:g} and {MOST_S:g}")
    if arguments.distance_m is not None and not 0 <= arguments.distance_m <= 200:
        raise NoiseOptionError("--distance-m is between 0 and 200")
    if not 0 <= arguments.height_m <= 10:
        raise NoiseOptionError("--height-m is between 0 and 10")


def _record(arguments: argparse.Namespace, settings: NoiseSettings, folder: Path) -> None:
    from vigil_edge.noise.align.recording import record

    print(f"vigil-edge: recording {arguments.seconds:g} s: clap or flash now", file=sys.stderr)
    asyncio.run(record(settings, arguments.seconds, folder, arguments.camera))


def _asked(arguments: argparse.Namespace, settings: NoiseSettings | None) -> Asked:
    from vigil_edge.noise.align.command import Asked

    if settings is None:
        return Asked(distance_m=arguments.distance_m, height_m=arguments.height_m)
    camera = settings.cameras.get(arguments.camera)
    return Asked(
        channel=settings.audio.channel,
        distance_m=arguments.distance_m,
        height_m=arguments.height_m,
        array=settings.array,
        view=None if camera is None else camera.view,
    )


def _settings(arguments: argparse.Namespace) -> NoiseSettings:
    """Raises ``ConfigError``, ``NoiseOptionError``."""
    from vigil_edge.configuration.gateway_file import load
    from vigil_edge.configuration.lock import holder
    from vigil_edge.noise.settings import NoiseSettings

    config: Config = load(arguments.config, arguments.domains)
    own = [one.settings for one in config.sections if isinstance(one.settings, NoiseSettings)]
    if arguments.device is not None:
        own = [one for one in own if one.device == arguments.device]
    if len(own) != 1:
        there = ", ".join(one.device for one in own) or "none"
        raise NoiseOptionError(f"--device names one noise camera of the file; there are: {there}")
    if arguments.folder is None and holder(config.gateway.data_dir) is not None:
        raise NoiseOptionError(
            "the agent runs and has the microphone: stop it first (systemctl stop vigil-edge)"
        )
    return own[0]
