"""``vigil-edge noise …``: the noise pipeline over recordings."""

from __future__ import annotations

import argparse
import json
import math
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from vigil_edge.noise.align.cli import add_align
from vigil_edge.noise.errors import NoiseOptionError
from vigil_schemas.entrance import one_line

if TYPE_CHECKING:
    from vigil_edge.noise.replay import Options, Record
    from vigil_edge.noise.sound.pcm import PcmFormat
    from vigil_edge.noise.sound.wav import WavFile

_MOST_PASCAL_PER_UNIT: Final = 2e15
"""400 dB, as for the options in dB."""


def add_commands(domain_parser: argparse.ArgumentParser) -> None:
    """Register the tools under ``vigil-edge noise``."""
    commands = domain_parser.add_subparsers(dest="noise_command", required=True)
    replay = commands.add_parser(
        "replay",
        help="measure a recording: one JSON object a line",
        description="Measure a recording as the live pipeline would. Without a calibration the "
        "recorder's own full-scale note is used; without that, one unit is taken for 1 Pa.",
    )
    _add_input(replay)
    replay.add_argument("--channel", metavar="N", default="0", help="counted from 0, default 0")
    replay.set_defaults(run=run_replay)
    measure = commands.add_parser(
        "measure",
        help="everything the meter knows of a recording: one JSON object a line",
        description="Levels of each second with its flags, and of the whole with percentiles and"
        " third octaves. Calibration as for replay.",
    )
    _add_input(measure)
    measure.add_argument("--channel", metavar="N|all", default="0", help="default 0")
    measure.add_argument(
        "--events", action="store_true", help="a line for each crossing of the threshold, too"
    )
    measure.add_argument("--limit-db", metavar="L", help="of the decision; default: the threshold")
    measure.add_argument(
        "--calibrator-db",
        metavar="94|114",
        help="the recording holds a calibrator's tone of this level, whatever it reads",
    )
    measure.add_argument("--lowest-db", metavar="L", help="where the meter's range begins, dB(A)")
    measure.set_defaults(run=run_measure)
    _add_bearing(commands)
    _add_plate(commands)
    _add_classify(commands)
    add_align(commands)


def _add_input(command: argparse.ArgumentParser) -> None:
    command.add_argument("file", help="a WAV file, or headerless samples with --raw; - is stdin")
    # Values are read by hand, so that a bad one is told in one line like every other error.
    command.add_argument(
        "--full-scale-peak-db", metavar="D", help="peak level of digital full scale, dB re 20 µPa"
    )
    command.add_argument(
        "--pascal-per-unit", metavar="P", help="pascal of one unit; integers: of full scale"
    )
    command.add_argument("--raw", metavar="FORMAT", help="encoding:rate:channels, as s32le:48000:1")
    command.add_argument("--threshold-db", metavar="L", default="86", help="dB(A), default 86")
    command.add_argument(
        "--ignore-header-size",
        action="store_true",
        help="read to the end of the file, whatever length the header gives",
    )


def _add_bearing(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    bearing = commands.add_parser(
        "bearing",
        help="where the sound of a recording comes from, every 40 ms",
        description="Azimuths in degrees counter-clockwise from +x, null where none can be told.",
    )
    bearing.add_argument("file", help="a WAV file with one channel per microphone; - is stdin")
    bearing.add_argument("--array", type=Path, required=True, metavar="ARRAY.toml")
    bearing.set_defaults(run=run_bearing)


def _add_plate(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    plate = commands.add_parser(
        "plate",
        help="the number plate in each picture, or null where it cannot be read surely",
        description="Works offline; needs the extra `plates`.",
    )
    plate.add_argument("images", nargs="+", type=Path, metavar="IMAGE")
    plate.set_defaults(run=run_plate)


def _add_classify(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    classify = commands.add_parser(
        "classify",
        help="whether each recording is a vehicle's driving noise, or what else it is",
        description="The loudest event of each recording decides. Ogg and FLAC need the extra "
        "`noise`; WAV needs nothing more.",
    )
    classify.add_argument("files", nargs="+", type=Path, metavar="FILE")
    classify.set_defaults(run=run_classify)


def run_classify(arguments: argparse.Namespace) -> int:
    """Print one line per file; 2 where one could not be read, after all the others."""
    from vigil_edge.noise.classify.command import classify
    from vigil_schemas.errors import VigilError

    status = 0
    for file in arguments.files:
        line: dict[str, object] = {"file": str(file)}
        try:
            verdict = classify(file)
        except VigilError as error:
            told = f"{error.code}: {error}"
            line |= {"class": None, "score": 0.0, "vetoed": False, "error": told}
            print(f"vigil-edge: {one_line(told)}", file=sys.stderr)
            status = 2
        else:
            line |= {
                "class": verdict.kind,
                "score": round(verdict.score, 4),
                "vetoed": verdict.vetoed,
                "vehicle": round(verdict.vehicle, 4),
            }
        print(json.dumps(line), flush=True)
    return status


def run_plate(arguments: argparse.Namespace) -> int:
    """Print one line per picture; 2 where one could not be looked at, after all the others."""
    from vigil_edge.noise.errors import PictureUnusable
    from vigil_edge.noise.plate.reader import read_file
    from vigil_edge.noise.plate.recogniser import recogniser

    recogniser()  # loaded before the first picture is timed, or told to be missing
    status = 0
    for image in arguments.images:
        line: dict[str, object] = {"image": str(image), "plate": None, "confidence": 0.0}
        try:
            read, milliseconds = read_file(image)
        except PictureUnusable as error:
            line |= {"box": None, "milliseconds": 0.0, "error": f"{error.code}: {error}"}
            print(f"vigil-edge: {error.code}: {one_line(error)}", file=sys.stderr)
            status = 2
        else:
            line |= {
                "plate": read.text,
                "confidence": read.confidence,
                "box": read.box,
                "milliseconds": round(milliseconds, 1),
                "characters": [round(each, 3) for each in read.characters],
            }
        print(json.dumps(line), flush=True)
    return status


def run_bearing(arguments: argparse.Namespace) -> int:
    """Print one line per 40 ms. Raises ``VigilError`` for what cannot be read."""
    from vigil_edge.noise.bearing.command import listen
    from vigil_edge.noise.sound.wav import on_disk

    path = Path("/dev/stdin" if arguments.file == "-" else arguments.file)
    with on_disk(path) as file:
        listened = listen(file, arguments.array)
        for notice in listened.notices:
            print(f"vigil-edge: {one_line(path.name)}: {one_line(notice)}", file=sys.stderr)
        for bearing in listened.bearings:
            line = {
                "t": bearing.t,
                "azimuth": bearing.azimuth,
                "confidence": bearing.confidence,
            }
            if bearing.mirror is not None:
                line["mirror"] = bearing.mirror
            print(json.dumps(line))
    return 0


def run_replay(arguments: argparse.Namespace) -> int:
    """Print the records of one recording. Raises ``VigilError`` for what cannot be read."""
    channel = _channel(arguments.channel)

    def records(recording: WavFile, options: Options) -> Iterator[Record]:
        from vigil_edge.noise.replay import replay

        return replay(recording, channel, options)

    return _print_records(arguments, records)


def run_measure(arguments: argparse.Namespace) -> int:
    """As ``run_replay``, with everything that the meter knows."""
    every = arguments.channel == "all"
    only = 0 if every else _channel(arguments.channel)

    def records(recording: WavFile, options: Options) -> Iterator[Record]:
        from vigil_edge.noise.replay import measure

        channels = range(recording.format.channels) if every else [only]
        return measure(recording, channels, options, events=arguments.events, named=every)

    return _print_records(arguments, records)


def _print_records(
    arguments: argparse.Namespace, records: Callable[[WavFile, Options], Iterator[Record]]
) -> int:
    # The meter needs scipy; a command line that only shows its help does not.
    from vigil_edge.noise.sound.pcm import PcmFormat
    from vigil_edge.noise.sound.wav import on_disk

    # Options first: a bad one is told whatever the file is.
    _calibration(arguments)
    for option in ("threshold_db", "limit_db", "lowest_db", "calibrator_db"):
        _number(getattr(arguments, option, None), "--" + option.replace("_", "-"))
    path = Path("/dev/stdin" if arguments.file == "-" else arguments.file)
    layout = PcmFormat.parse(arguments.raw) if arguments.raw is not None else None
    with on_disk(path) as file:
        recording = _opened(file, layout, arguments.ignore_header_size)
        options = _options(arguments, recording)
        # Nothing is printed of a recording that turns out to be bad half way.
        lines = [json.dumps(record) for record in records(recording, options)]
    for notice in options.notices:
        print(f"vigil-edge: {one_line(path.name)}: {one_line(notice)}", file=sys.stderr)
    for line in lines:
        print(line)
    return 0


def _calibration(arguments: argparse.Namespace) -> tuple[float | None, float | None]:
    """Peak level of full scale and pascal of a unit, of which one is given at most."""
    full_scale = _number(arguments.full_scale_peak_db, "--full-scale-peak-db")
    pascal = _number(arguments.pascal_per_unit, "--pascal-per-unit")
    if full_scale is not None and pascal is not None:
        raise NoiseOptionError("give --full-scale-peak-db or --pascal-per-unit, not both")
    if pascal is not None and not 0 < pascal <= _MOST_PASCAL_PER_UNIT:
        raise NoiseOptionError(
            f"--pascal-per-unit {pascal:g} must be above 0 and at most {_MOST_PASCAL_PER_UNIT:g}"
        )
    return full_scale, pascal


def _options(arguments: argparse.Namespace, recording: WavFile) -> Options:
    from vigil_edge.noise.meter.levels import pascal_per_unit
    from vigil_edge.noise.meter.weighting import CLASS_1_RATE_HZ
    from vigil_edge.noise.replay import Options

    full_scale, pascal = _calibration(arguments)
    notices = list(recording.notices)
    if full_scale is None and pascal is None:
        full_scale = recording.full_scale_peak_db
        notices.append(
            f"calibration from the recording: full scale is {full_scale:g} dB peak"
            if full_scale is not None
            else "no calibration given: levels take one unit for 1 Pa and are not sound levels"
        )
    elif full_scale is not None and recording.full_scale_peak_db not in (None, full_scale):
        notices.append(
            f"its own notes give {recording.full_scale_peak_db:g} dB for full scale;"
            f" {full_scale:g} dB is taken, as asked"
        )
    if recording.format.rate_hz < CLASS_1_RATE_HZ:
        notices.append(f"{recording.format.rate_hz} Hz does not hold the whole band of class 1")
    scaled = (full_scale, pascal) != (None, None)
    if pascal is None:
        pascal = 1.0 if full_scale is None else pascal_per_unit(full_scale)
    return Options(
        pascal,
        _number(arguments.threshold_db, "--threshold-db") or 0.0,
        full_scale_known=full_scale is not None,
        lowest_db=_number(getattr(arguments, "lowest_db", None), "--lowest-db"),
        calibrator_db=_calibrator_db(arguments, scaled=scaled),
        limit_db=_number(getattr(arguments, "limit_db", None), "--limit-db"),
        notices=notices,
    )


def _calibrator_db(arguments: argparse.Namespace, *, scaled: bool) -> float | None:
    """Of a calibrator's tone; of a recording without a scale that of the commoner one."""
    said = _number(getattr(arguments, "calibrator_db", None), "--calibrator-db")
    if said is not None and said not in (94.0, 114.0):
        raise NoiseOptionError(f"--calibrator-db {said:g}: calibrators give 94 or 114 dB")
    return said if said is not None or scaled else 94.0


def _channel(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,4}", text):
        raise NoiseOptionError(f"--channel {text!r} is no channel number")
    return int(text)


def _opened(file: Path, layout: PcmFormat | None, ignore_header_size: bool) -> WavFile:
    from vigil_edge.noise.sound.wav import open_wav, raw_file

    if layout is not None:
        return raw_file(file, layout)
    return open_wav(file, ignore_size=ignore_header_size)


def _number(text: str | None, option: str) -> float | None:
    if text is None:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise NoiseOptionError(f"{option} {text!r} is not a number")
    if option.endswith("-db") and abs(value) > 400:
        raise NoiseOptionError(f"{option} {text} dB is outside anything physical")
    return value
