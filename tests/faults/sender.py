"""A gateway as a process that can be killed: the client of docs/firmware.md, told JSON lines.

``sender.py PORT GATEWAY STATE_FILE DEVICES``: each line on standard input is one fact with a key;
``kept KEY`` is answered once it is on the disk. A fact that is told again, since nobody answered,
is the same fact.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

CLIENT = Path(__file__).parents[2] / "firmware-sim" / "clients" / "micropython" / "gateway.py"
_spec = importlib.util.spec_from_file_location("small_gateway", CLIENT)
assert _spec is not None
assert _spec.loader is not None
small: Any = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(small)


class Sender(small.Gateway):  # type: ignore[misc]  # MicroPython has no types
    """With the devices that it is given."""

    devices: list[dict[str, Any]]

    def composed(
        self, channel: str, event_type: str, subject: str, data: str, number: int | None = None
    ) -> Any:
        if event_type == "city.vigil.gateway.birth.v1":
            data = json.dumps(json.loads(data) | {"devices": self.devices})
        return super().composed(channel, event_type, subject, data, number)


def main() -> int:
    port, name, file, devices = sys.argv[1:]
    store = small.Store(file)
    gateway = Sender("127.0.0.1", int(port), name, store)
    gateway.devices = json.loads(devices)
    gateway.clock_kept = True  # it is this machine's

    def told(_: Any, line: str) -> None:
        if not line:
            return
        fact = json.loads(line)
        done = store.state.setdefault("told", [])
        if fact["key"] not in done:
            done.append(fact["key"])  # on the disk together with its message
            gateway.tell(fact["lane"], fact["type"], fact["subject"], json.dumps(fact["data"]))
        sys.stdout.write(f"kept {fact['key']}\n")
        sys.stdout.flush()

    small.told = told
    return int(small.run(gateway))


if __name__ == "__main__":
    raise SystemExit(main())
