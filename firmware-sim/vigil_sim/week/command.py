"""``vigil-sim week``: the booklet of the service that this follows, counted again."""

from __future__ import annotations

import argparse
import contextlib
import math
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, Final

from vigil_schemas.errors import VigilError
from vigil_sim.demo.processes import Children, interrupts
from vigil_sim.week.assumptions import shipped
from vigil_sim.week.play import Asked, Came, expected_bytes, play, room

CITIES: Final = ("chiayi",)
LEAST_SCALE: Final = 0.001
WEEK_H: Final = 168.0
_SEEDS: Final = 2**31
_EVERY_S: Final = 1.0


class WeekRefused(VigilError):
    """What was asked for is no week that can be simulated."""

    code: ClassVar[str] = "week-refused-options"
    remedy: ClassVar[str] = "Correct the option that the message names."


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register ``week``."""
    parser = commands.add_parser("week", help="one simulated week through a real cloud, counted")
    parser.add_argument("city", help="whose numbers: chiayi")
    parser.add_argument("--scale", default="0.1", help="1 is the whole city (0.1)")
    parser.add_argument("--seed", default="1", help="another seed is another week (1)")
    parser.add_argument("--hours", default="168", help="of city time, from Monday 00:00 (168)")
    parser.add_argument("--out", type=Path, help="week.html and week.json go into this folder")
    parser.add_argument("--json", action="store_true", help="JSON instead of the table")
    parser.set_defaults(run=run)


def _number(name: str, text: str, low: float, high: float) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not low <= value <= high:
        raise WeekRefused(f"--{name} {text!r}: a number from {low:g} to {high:g}")
    return value


def _asked(parsed: argparse.Namespace) -> Asked:
    if parsed.city not in CITIES:
        raise WeekRefused(f"city {parsed.city!r}: there is {', '.join(CITIES)}")
    if not parsed.seed.isdecimal() or int(parsed.seed) >= _SEEDS:
        raise WeekRefused(f"--seed {parsed.seed!r}: a whole number from 0 to {_SEEDS - 1}")
    hours = _number("hours", parsed.hours, 2, WEEK_H)
    if hours % 0.5:
        raise WeekRefused(f"--hours {parsed.hours!r}: whole or half hours")
    out: Path | None = parsed.out
    if out is not None and out.exists() and not out.is_dir():
        raise WeekRefused(f"--out {out}: this is a file")
    return Asked(
        parsed.city, _number("scale", parsed.scale, LEAST_SCALE, 1), int(parsed.seed), hours
    )


class _Telling:
    """How far it is, on a terminal."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._told = 0.0
        self._on = sys.stderr.isatty()
        self._written = False

    def __call__(self, what: str, done: float) -> None:
        now = time.monotonic()
        if not self._on or now - self._told < _EVERY_S:
            return
        self._told = now
        took = now - self._began
        left = f", about {took * (1 - done) / done / 60:.0f} min left" if done > 0.05 else ""
        sys.stderr.write(f"\r\x1b[Kvigil: {100 * done:3.0f} %  {what}{left}")
        sys.stderr.flush()
        self._written = True

    def end(self) -> None:
        """Leave the line."""
        if self._written:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()


@contextlib.contextmanager
def _interruptible() -> Iterator[None]:
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.getsignal(number) for number in numbers}
    interrupts.install()
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def run(parsed: argparse.Namespace) -> int:
    """Exit code 0; 2 with one line for what cannot be simulated; 1 where the week failed; 130
    after Ctrl-C, and then nothing is written."""
    asked = _asked(parsed)
    directory = Path(tempfile.mkdtemp(prefix="vigil-week-"))
    telling = _Telling()
    children = Children(directory / "logs")
    failed = False
    try:
        needed, free = expected_bytes(asked), room(directory)
        if needed > free:
            raise WeekRefused(
                f"--scale {asked.scale:g}: needs {needed / 1e9:.1f} GB in {directory.parent} for a"
                f" while, {free / 1e9:.1f} GB are free; TMPDIR names another folder"
            )
        with _interruptible():
            try:
                came = play(asked, shipped(), directory / "run", children, telling)
            finally:
                children.stop()
            telling.end()
            _tell(came, parsed.out, as_json=parsed.json)
    except KeyboardInterrupt:
        telling.end()
        print("vigil-sim: stopped; nothing was written", file=sys.stderr)
        return 130
    except WeekRefused:
        raise
    except VigilError as error:
        failed = True
        telling.end()
        print(f"vigil-sim: {error.code}: {error}", file=sys.stderr)
        print(f"vigil-sim: logs are in {directory / 'logs'}", file=sys.stderr)
        return 1
    finally:
        shutil.rmtree(directory / "run" if failed else directory, ignore_errors=True)
    return 0


def _tell(came: Came, out: Path | None, *, as_json: bool) -> None:
    from vigil_sim.week import page, report, sensitivity

    given, seed = shipped(), came.asked.seed
    base = sensitivity.alone(given, seed)
    hangs = sensitivity.table(given, seed, base)
    document = report.document(came, given, base, hangs)
    if out is not None:
        html = page.page(came, given, base, hangs)
        out.mkdir(parents=True, exist_ok=True)
        with interrupts.held():
            for name, text in (("week.html", html), ("week.json", document)):
                _replace(out / name, text)
        interrupts.check()
    print(document if as_json else report.table(came, given, base, hangs), flush=True)
    if out is not None and not as_json:
        print(f"\nvigil: the page is {out / 'week.html'}", flush=True)


def _replace(path: Path, text: str) -> None:
    """Whole or not at all."""
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        part.write_text(text, "utf-8")
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
