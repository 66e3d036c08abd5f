"""``vigil-cloud conform``: what is wrong with one gateway's messages, for who writes firmware."""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, Protocol

from vigil_cloud import config
from vigil_cloud.commands.opening import Commands, add_command
from vigil_cloud.conform.rules import RULES
from vigil_cloud.stopping import Stop, stoppable
from vigil_schemas.topics import COMMAND, DOWN, RECEIPT, STATUS
from vigil_schemas.types import Lane

if TYPE_CHECKING:
    from vigil_cloud.conform.conformance import Conformance, Told
    from vigil_cloud.conform.stand_in import StandIn
    from vigil_cloud.conform.watch import Watch

SHOWN: Final = 3
"""Of one kind of finding in words; the rest is counted."""
COUNT_S: Final = 10.0
LOOK_S: Final = 1.0
"""So often it is asked what should have come by now."""
_WAIT_S: Final = 0.25


def add(commands: Commands, common: argparse.ArgumentParser) -> None:
    """The command and its options."""
    parser = add_command(
        commands,
        "conform",
        _conform,
        "watch one gateway's messages on the broker and name each fault (docs/firmware.md);"
        " 0 none, 1 some, 2 it could not be watched",
        common,
    )
    parser.add_argument("gateway", metavar="GATEWAY")
    parser.add_argument(
        "--for",
        dest="seconds",
        type=_seconds,
        metavar="SECONDS",
        help="end after so long; otherwise at Ctrl-C",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.add_argument(
        "--lane",
        action="append",
        choices=[lane.value for lane in Lane],
        help="judge this lane's messages alone (may be given again); births always are",
    )
    parser.add_argument(
        "--broker", metavar="URL", help="mqtt://host:port or mqtts://host:port; else the settings'"
    )
    parser.add_argument(
        "--receipts",
        action="store_true",
        help="stand in for a cloud on a bench that has none: send receipts and one command",
    )


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError("give a number of seconds above 0")
    return value


def _conform(options: argparse.Namespace) -> int:
    from pydantic import TypeAdapter, ValidationError

    from vigil_cloud.conform.conformance import Conformance
    from vigil_cloud.conform.stand_in import StandIn
    from vigil_cloud.conform.watch import Watch
    from vigil_cloud.ingest.times import Limits
    from vigil_cloud.serving import broker_address
    from vigil_schemas.types import GatewayId

    try:
        gateway = TypeAdapter(GatewayId).validate_python(options.gateway)
    except ValidationError as error:
        raise config.ConfigurationError(
            f"gateway {options.gateway!r}: an id has 2 to 63 of a-z, 0-9 and '-'"
        ) from error
    given: dict[str, Any] = {"broker_url": options.broker} if options.broker else {}
    # No store is opened and nothing is encrypted: no secret key is needed.
    settings = config.load(options.config, demo=True, **given)
    limits = Limits(
        timedelta(days=settings.stale_after_days), timedelta(seconds=settings.future_after_s)
    )
    watch = Watch(broker_address(settings, None), gateway, _now)
    stand_in = StandIn(gateway, watch.publish) if options.receipts else None
    conformance = Conformance(
        gateway,
        limits,
        options.lane or tuple(Lane),
        stand_in.taken if stand_in else lambda _: None,
    )
    report = _Json() if options.json else _Words()
    with stoppable() as stop:
        stop.hold()
        try:
            watch.start()
            report.say("watching", {"gateway": gateway})
            _watch(watch, conformance, stand_in, stop, options.seconds, report)
        finally:
            watch.stop()
    return report.end(conformance, watch.left_out)


def _now() -> datetime:
    return datetime.now(UTC)


def _watch(
    watch: Watch,
    conformance: Conformance,
    stand_in: StandIn | None,
    stop: Stop,
    seconds: float | None,
    report: _Report,
) -> None:
    from vigil_cloud.conform.watch import Broken

    began = counted = looked = time.monotonic()
    while not stop.asked and (seconds is None or time.monotonic() - began < seconds):
        heard = watch.next(_WAIT_S)
        if isinstance(heard, Broken):
            report.say("broker-lost", {})
            conformance.broken()
        elif heard is not None:
            if stand_in is not None:
                stand_in.check(heard)
            report.show(conformance.heard(heard))
        if stand_in is not None:
            stand_in.send(conformance, _now())
        now = time.monotonic()
        if now - counted >= COUNT_S:
            counted = now
            report.count(now - began, conformance.counts)
        if now - looked >= LOOK_S:
            looked = now
            report.show(conformance.tick(_now()))
    watch.look_again()
    while (heard := watch.next(0)) is not None:
        if not isinstance(heard, Broken):
            report.show(conformance.heard(heard))
    report.show(conformance.tick(_now(), end=True))


class _Report(Protocol):
    """Where findings go."""

    def say(self, what: str, more: dict[str, Any]) -> None:
        """Something that is no finding."""

    def show(self, found: Iterable[Told]) -> None:
        """Findings, each as it comes."""

    def count(self, seconds: float, counts: Counter[str]) -> None:
        """How much was heard by now."""

    def end(self, conformance: Conformance, left_out: int) -> int:
        """The summary; returns the exit code."""


class _Words:
    """For people."""

    def __init__(self) -> None:
        self._shown: Counter[str] = Counter()

    def say(self, what: str, more: dict[str, Any]) -> None:
        told = "".join(f" {value}" for value in more.values())
        print(f"conform: {what}{told}", flush=True)

    def show(self, found: Iterable[Told]) -> None:
        for one in found:
            self._shown[one.code] += 1
            if self._shown[one.code] <= SHOWN:
                self._print(one)
            if self._shown[one.code] == SHOWN:
                print(f"      more of {one.code} are only counted from here on")

    @staticmethod
    def _print(one: Told) -> None:
        at = f" at {one.place}" if one.place else ""
        print(f"{'FAULT' if one.fault else 'note'} {one.code}{at}: {one.what}")
        if one.message:
            does = f" (ingest: {one.verdict})" if one.verdict else ""
            print(f"      message {one.message}{does}")
        print(f"      rule    {one.written}")
        print(f"      do      {one.remedy}", flush=True)

    def count(self, seconds: float, counts: Counter[str]) -> None:
        print(f"conform: {seconds:.0f} s: {_counted(counts)}", flush=True)

    def end(self, conformance: Conformance, left_out: int) -> int:
        faults = [(code, n) for code, n in conformance.found.items() if RULES[code].fault]
        if left_out:
            print(f"conform: {left_out} messages came too fast to be judged")
        print(f"conform: {_counted(conformance.counts)}")
        unseen = _unseen(conformance)
        if unseen:
            print(f"conform: not seen, so not judged: {', '.join(unseen)}")
        for code, count in sorted(faults):
            print(f"conform: {code}: {count} ({RULES[code].written})")
        print(f"conform: {len(faults)} kinds of faults" if faults else "conform: ok", flush=True)
        return 1 if faults else 0


class _Json:
    """For programs: JSON Lines."""

    def say(self, what: str, more: dict[str, Any]) -> None:
        self._print({"kind": what, **more})

    def show(self, found: Iterable[Told]) -> None:
        for one in found:
            self._print({"kind": "fault" if one.fault else "note", **one._asdict()})

    def count(self, seconds: float, counts: Counter[str]) -> None:
        self._print({"kind": "count", "seconds": round(seconds, 1), "counts": dict(counts)})

    def end(self, conformance: Conformance, left_out: int) -> int:
        faults = {code: n for code, n in conformance.found.items() if RULES[code].fault}
        summary = {
            "kind": "summary",
            "ok": not faults,
            "faults": faults,
            "counts": dict(conformance.counts),
            "not_seen": _unseen(conformance),
            "left_out": left_out,
        }
        self._print(summary)
        return 1 if faults else 0

    @staticmethod
    def _print(told: dict[str, Any]) -> None:
        print(json.dumps(told, ensure_ascii=False), flush=True)


def _counted(counts: Counter[str]) -> str:
    channels = (STATUS, *(lane.value for lane in Lane), "elsewhere", *DOWN, "faults")
    return ", ".join(f"{one} {counts[one]}" for one in channels if counts[one]) or "nothing heard"


def _unseen(conformance: Conformance) -> list[str]:
    """What a developer should not take for judged."""
    return [one for one in (STATUS, *Lane, RECEIPT, COMMAND) if not conformance.counts[one]]
