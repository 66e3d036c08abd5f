"""LLRP: a million damaged inputs, and how many reads a second one reader may send.

``llrp_fuzzed``: inputs made of real messages by cutting, flipping and joining, and of noise; each
must end in an ``LlrpError`` or a result. ``llrp_longest_ms``: the longest of them.
``llrp_reads_a_second``: reports of one tag each, decoded and merged into visits, by processor time.
``llrp_suppressed_percent``: reads that led to no message of their own. ``llrp_crossings_missed``:
of 2,000 passages through two antennas, read 40 times each.
"""

from __future__ import annotations

import random
import struct
import time
from datetime import UTC, datetime, timedelta
from typing import Final

from vigil_edge.checkin import llrp_codec as codec
from vigil_edge.checkin.errors import LlrpError
from vigil_edge.checkin.track import Sighting
from vigil_edge.checkin.visits import Visits

FUZZED: Final = 1_000_000
READS: Final = 100_000
PASSAGES: Final = 2_000
START: Final = datetime(2026, 1, 1, tzinfo=UTC)


def report(tag: int, antenna: int, rssi: int, moment_us: int) -> bytes:
    """A ROAccessReport of one read, as a reader sends it."""
    body = b"\x8d" + tag.to_bytes(12, "big")
    body += b"\x81" + struct.pack(">H", antenna) + b"\x86" + struct.pack(">b", rssi)
    body += b"\x84" + struct.pack(">Q", moment_us) + b"\x88" + struct.pack(">H", 1)
    return codec.encode(61, 7, codec.tlv(240, body))


def seeds() -> list[bytes]:
    """One of each kind of message."""
    return [
        report(1, 1, -60, 1_700_000_000_000_000),
        codec.encode(20, 1, codec.continuous_inventory(99)),
        codec.encode(3, 2, codec.keep_alive_every(1000)),
        codec.encode(63, 3, codec.tlv(246, codec.tlv(128, bytes(8)) + codec.tlv(256, b"\0\0"))),
        codec.encode(30, 4, codec.tlv(287, struct.pack(">HH", 0, 0))),
        codec.encode(11, 5, codec.tlv(287, bytes(4)) + codec.tlv(137, bytes(20))),
        codec.encode(36, 6, codec.tlv(287, bytes(4)) + codec.tlv(177, bytes(6))),
    ]


def fuzz() -> None:
    """Crashes end the bench."""
    draw, made = random.Random(11), seeds()
    longest, refused = 0.0, 0
    for _ in range(FUZZED):
        data = bytearray(draw.choice(made))
        for _ in range(draw.randint(0, 6)):
            match draw.randrange(4):
                case 0:
                    data[draw.randrange(len(data))] = draw.randrange(256)
                case 1:
                    del data[draw.randrange(len(data)) :]
                case 2:
                    data += draw.choice(made)[: draw.randint(0, 60)]
                case _:
                    data[draw.randrange(len(data) + 1) :] = draw.randbytes(draw.randint(0, 40))
            if not data:
                data = bytearray(draw.randbytes(12))
        began = time.perf_counter()
        try:
            for frame in codec.frames(bytes(data)):
                codec.as_json(frame)
                codec.readable_tag_reports(frame.body)
                codec.capabilities(frame.body)
        except LlrpError:
            refused += 1
        longest = max(longest, time.perf_counter() - began)
    print(f"llrp_fuzzed: {FUZZED}")
    print(f"llrp_refused: {refused}")
    print(f"llrp_longest_ms: {1000 * longest:.1f}", flush=True)


def reads() -> None:
    """A busy gate: 200 tags under four antennas."""
    frames = [
        report(n % 200, 1 + n % 4, -40 - n % 30, (1_700_000_000_000 + n // 2) * 1000)
        for n in range(READS)
    ]
    station = Visits("gate", "uhf", absence_s=60, min_sightings=2, hold_off_s=2)
    began, told = time.process_time(), 0
    for number, data in enumerate(frames):
        tags, _ = codec.readable_tag_reports(codec.frame(data).body)
        now = START + timedelta(seconds=number / 2000)
        sightings = [Sighting(f"epc:{tag.epc}", now, tag.rssi, tag.antenna) for tag in tags]
        told += len(station.take(sightings))
    spent = time.process_time() - began
    told += len(station.sweep(START + timedelta(hours=1)))
    print(f"llrp_reads_a_second: {READS / spent:.0f}")
    print(f"llrp_core_percent_at_2000: {100 * spent * 2000 / READS:.1f}")
    print(f"llrp_suppressed_percent: {100 * (1 - told / READS):.2f}", flush=True)


def crossings() -> None:
    """Tags that pass both antennas of a gate, each several times, in both directions."""
    draw = random.Random(5)
    station = Visits("gate", "uhf", absence_s=60, min_sightings=2, hold_off_s=2)
    moment, events, wanted = 0.0, [], []
    for number in range(PASSAGES):
        tag, order = f"epc:{number % 100:024x}", draw.sample((1, 2), 2)
        begin = moment + draw.uniform(0, 0.2)
        wanted.append((tag, order))
        for read in range(40):
            antenna = order[read // 20]
            level = -50 - abs(read % 20 - 10) + draw.gauss(0, 0.5)
            events.append((begin + read * 0.05, tag, level, antenna))
        moment += 0.5
    told = []
    for at, tag, level, antenna in sorted(events):
        now = START + timedelta(seconds=at)
        told += station.take([Sighting(tag, now, level, antenna)])
    told += station.sweep(START + timedelta(days=1))
    ended = [visit for visit in told if visit.phase == "departed"]
    found = sum(len(visit.passages or ()) for visit in ended)
    right = 0
    for tag in {tag for tag, _ in wanted}:
        passed = [p for visit in ended if visit.tag == tag for p in visit.passages or ()]
        orders = [order for other, order in wanted if other == tag]
        right += sum(p.antennas == o and p.ordered for p, o in zip(passed, orders, strict=False))
    print(f"llrp_crossings_missed: {PASSAGES - found}")
    print(f"llrp_directions_right_percent: {100 * right / PASSAGES:.1f}", flush=True)


def main() -> None:
    """Prints the figures."""
    reads()
    crossings()
    fuzz()


if __name__ == "__main__":
    main()
