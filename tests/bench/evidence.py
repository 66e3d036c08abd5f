"""10,000 seeded changes of one byte of an evidence file: all found, and each located."""

from __future__ import annotations

import os
import random
import struct
import tempfile
import time
import zipfile
from collections import Counter
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from cloud.evidence.packages import contents, sealed_package
from vigil_cloud.evidence.verification import examine

SEED = 20261127
CHANGES = 10_000
"""A third of them in headers, which are a hundredth of the file: chance would hardly meet them."""


def main() -> int:
    rng = random.Random(SEED)
    key = Ed25519PrivateKey.from_private_bytes(rng.randbytes(32))
    public = key.public_key().public_bytes_raw()
    with tempfile.TemporaryDirectory() as folder:
        path = sealed_package(Path(folder), contents(SEED, scale=2), key)
        whole = path.read_bytes()
        parts = _parts(path, whole)
        headers = [part for part in parts if part[2] == "header"]
        sizes = [behind - first for first, behind, *_ in headers]
        assert not examine(path, public_key=public).faults
        made: Counter[str] = Counter()
        found: Counter[str] = Counter()
        located: Counter[str] = Counter()
        began = time.process_time()
        with path.open("r+b", buffering=0) as file:
            for number in range(CHANGES):
                if number % 3:
                    at = rng.randrange(len(whole))
                else:
                    first, behind, *_ = rng.choices(headers, sizes)[0]
                    at = rng.randrange(first, behind)
                _, _, kind, name = next(p for p in parts if p[0] <= at < p[1])
                os.pwrite(file.fileno(), bytes([whole[at] ^ rng.randrange(1, 256)]), at)
                faults = examine(path, public_key=public).faults
                os.pwrite(file.fileno(), whole[at : at + 1], at)
                made[kind] += 1
                found[kind] += bool(faults)
                exact = f"(byte {at} of the package)"
                located[kind] += any(
                    fault.where == name and (kind != "header" or exact in fault.what)
                    for fault in faults
                )
        took = time.process_time() - began
        assert not examine(path, public_key=public).faults, "it was put back as it was"
    for kind in sorted(made):
        print(f"evidence {kind}: {made[kind]} made, {found[kind]} found, {located[kind]} located")
    print(f"evidence changes: {made.total()} in a package of {len(whole)} bytes, seed {SEED}")
    print(f"evidence found_share: {found.total() / made.total():.6f}")
    print(f"evidence located_share: {located.total() / made.total():.6f}")
    print(f"evidence ms_each: {1000 * took / made.total():.2f}")
    return 0 if found.total() == located.total() == made.total() else 1


def _parts(path: Path, whole: bytes) -> list[tuple[int, int, str, str]]:
    """First byte, byte behind the last, ``header`` or ``content``, and the name that a fault
    there must have, read by the standard library."""
    parts = []
    with zipfile.ZipFile(path) as archive:
        infos, at = archive.infolist(), archive.start_dir
    for info in infos:
        name, extra = struct.unpack_from("<2H", whole, info.header_offset + 26)
        content = info.header_offset + 30 + name + extra
        parts.append((info.header_offset, content, "header", info.filename))
        parts.append((content, content + info.file_size, "content", info.filename))
    for info in infos:
        end = at + 46 + len(info.filename)
        parts.append((at, end, "header", info.filename))
        at = end
    return [*parts, (at, len(whole), "header", "package")]


if __name__ == "__main__":
    raise SystemExit(main())
