"""An ROSpec: what a client asks the reader to inventory, when, and what to report."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import Final

from vigil_sim.checkin.llrp import MalformedError, Parameter, Sighting, parameters, tlv

ROSPEC: Final = 177
_ROSPEC_ID = 1 << 15
_ANTENNA = 1 << 12
_RSSI = 1 << 10
_FIRST_SEEN = 1 << 9
_LAST_SEEN = 1 << 8
_COUNT = 1 << 7
_EVERYTHING = 0xFFFF


class State(IntEnum):
    """CurrentState of an ROSpec."""

    DISABLED = 0
    INACTIVE = 1
    ACTIVE = 2


@dataclass(slots=True)
class RoSpec:
    """One ROSpec and what it has inventoried but not yet reported."""

    id: int
    value: bytes
    """The parameter's value as it was added."""
    starts_at_once: bool
    """ROSpecStartTrigger Immediate (1); otherwise START_ROSPEC starts it."""
    runs_ms: int
    """From the stop triggers of the ROSpec or of its AISpec; 0: until it is stopped."""
    antennas: frozenset[int]
    """Empty: all."""
    report_every: int
    """N of the ROReportSpec; 0: at the end of a run."""
    content: int
    """TagReportContentSelector's bits."""
    state: State = State.DISABLED
    started_at: float = 0.0
    pending: dict[tuple[bytes, int], Sighting] = field(default_factory=dict)

    def encoded(self) -> bytes:
        """The ROSpec parameter with its present state, for GET_ROSPECS."""
        return tlv(ROSPEC, self.value[:5], bytes((self.state,)), self.value[6:])

    def hears(self, antenna: int) -> bool:
        """Whether this antenna takes part."""
        return not self.antennas or antenna in self.antennas

    def sight(self, epc: bytes, antenna: int, rssi_dbm: int, time_us: int) -> None:
        """Add one read to what will be reported."""
        seen = self.pending.get((epc, antenna))
        if seen is None:
            seen = Sighting(epc, antenna, rssi_dbm, time_us, time_us, 0, self.id)
        strongest = max(rssi_dbm, seen.rssi_dbm or rssi_dbm)
        times = min((seen.times or 0) + 1, 0xFFFF)
        self.pending[epc, antenna] = seen._replace(
            rssi_dbm=strongest, last_seen_us=time_us, times=times
        )

    def take_reports(self, *, everything: bool = False) -> list[list[Sighting]]:
        """The reports that are due now, each with what its selector asks for."""
        size = self.report_every or max(len(self.pending), 1)
        if not everything and (self.report_every == 0 or len(self.pending) < size):
            return []
        due = [self._selected(sighting) for sighting in self.pending.values()]
        self.pending.clear()
        return [due[at : at + size] for at in range(0, len(due), size)]

    def _selected(self, tag: Sighting) -> Sighting:
        asked = self.content
        return tag._replace(
            rospec=tag.rospec if asked & _ROSPEC_ID else None,
            antenna=tag.antenna if asked & _ANTENNA else None,
            rssi_dbm=tag.rssi_dbm if asked & _RSSI else None,
            first_seen_us=tag.first_seen_us if asked & _FIRST_SEEN else None,
            last_seen_us=tag.last_seen_us if asked & _LAST_SEEN else None,
            times=tag.times if asked & _COUNT else None,
        )


def parse(value: bytes) -> RoSpec:
    """An ROSpec from its parameter's value. Raises ``MalformedError``."""
    if len(value) < 6:
        raise MalformedError("an ROSpec begins with id, priority and state")
    spec = RoSpec(struct.unpack(">I", value[:4])[0], value, False, 0, frozenset(), 1, _EVERYTHING)
    if spec.id == 0:
        raise MalformedError("an ROSpec's id cannot be 0")
    inventories = 0
    for parameter in parameters(value[6:]):
        if parameter.type == 178:
            spec = _with_boundary(spec, parameter)
        elif parameter.type == 183:
            spec = _with_inventory(spec, parameter)
            inventories += 1
        elif parameter.type == 237:
            spec = _with_report(spec, parameter)
    if not inventories:
        raise MalformedError("an ROSpec needs an AISpec")
    return spec


def _with_boundary(spec: RoSpec, boundary: Parameter) -> RoSpec:
    for trigger in parameters(boundary.value):
        if trigger.type == 179 and trigger.value:
            spec = replace(spec, starts_at_once=trigger.value[0] == 1)
        elif trigger.type == 182 and len(trigger.value) >= 5 and trigger.value[0] == 1:
            spec = replace(spec, runs_ms=struct.unpack(">I", trigger.value[1:5])[0])
    return spec


def _with_inventory(spec: RoSpec, inventory: Parameter) -> RoSpec:
    value = inventory.value
    if len(value) < 2:
        raise MalformedError("an AISpec begins with its antennas")
    count = struct.unpack(">H", value[:2])[0]
    if len(value) < 2 + 2 * count:
        raise MalformedError("an AISpec's antennas are cut off")
    ports = frozenset(struct.unpack(f">{count}H", value[2 : 2 + 2 * count]))
    spec = replace(spec, antennas=frozenset() if 0 in ports else spec.antennas | ports)
    for parameter in parameters(value[2 + 2 * count :]):
        is_stop = parameter.type == 184 and len(parameter.value) >= 5
        if is_stop and parameter.value[0] == 1 and not spec.runs_ms:
            spec = replace(spec, runs_ms=struct.unpack(">I", parameter.value[1:5])[0])
    return spec


def _with_report(spec: RoSpec, report: Parameter) -> RoSpec:
    if len(report.value) < 3:
        raise MalformedError("an ROReportSpec begins with trigger and N")
    trigger, every = struct.unpack(">BH", report.value[:3])
    spec = replace(spec, report_every=every if trigger else 0)
    for parameter in parameters(report.value[3:]):
        if parameter.type == 238 and len(parameter.value) >= 2:
            spec = replace(spec, content=struct.unpack(">H", parameter.value[:2])[0])
    return spec
