"""The ROSpecs of one reader: added, enabled, started, stopped and deleted by its client."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable

from vigil_sim.checkin.llrp import MalformedError, MessageType, Status, llrp_status, parameters
from vigil_sim.checkin.rospec import ROSPEC, RoSpec, State, parse


class RoSpecs:
    """Answers are bodies of response messages. ``finish`` reports what an ending run has seen."""

    def __init__(self, finish: Callable[[RoSpec], None]) -> None:
        self.by_id: dict[int, RoSpec] = {}
        self._finish = finish

    def add(self, body: bytes) -> bytes:
        """ADD_ROSPEC."""
        try:
            spec = next((parse(p.value) for p in parameters(body) if p.type == ROSPEC), None)
        except MalformedError as error:
            return llrp_status(Status.PARAMETER_ERROR, str(error))
        if spec is None:
            return llrp_status(Status.MISSING_PARAMETER, "ADD_ROSPEC has no ROSpec")
        if spec.id in self.by_id:
            return llrp_status(Status.FIELD_ERROR, f"ROSpec {spec.id} exists")
        self.by_id[spec.id] = spec
        return llrp_status()

    def change(self, type: MessageType, body: bytes) -> bytes:
        """DELETE, START, STOP, ENABLE and DISABLE_ROSPEC; id 0 means all where LLRP allows it."""
        if len(body) != 4:
            return llrp_status(Status.FIELD_ERROR, "the ROSpec's id is missing")
        wanted = struct.unpack(">I", body)[0]
        every_one_allowed = type not in (MessageType.START_ROSPEC, MessageType.STOP_ROSPEC)
        if wanted == 0 and every_one_allowed:
            chosen = list(self.by_id.values())
        elif wanted in self.by_id:
            chosen = [self.by_id[wanted]]
        else:
            return llrp_status(Status.FIELD_ERROR, f"there is no ROSpec {wanted}")
        if type is MessageType.START_ROSPEC and chosen[0].state is State.DISABLED:
            return llrp_status(Status.FIELD_ERROR, f"ROSpec {wanted} is disabled")
        for spec in chosen:
            self._move(spec, type)
        return llrp_status()

    def start_if_immediate(self, spec: RoSpec) -> None:
        """An enabled one with the trigger Immediate runs at once, and again after each run."""
        if spec.starts_at_once:
            _activate(spec)

    def _move(self, spec: RoSpec, type: MessageType) -> None:
        if spec.state is State.ACTIVE and type is not MessageType.START_ROSPEC:
            self._finish(spec)
        match type:
            case MessageType.DELETE_ROSPEC:
                del self.by_id[spec.id]
            case MessageType.DISABLE_ROSPEC:
                spec.state = State.DISABLED
            case MessageType.ENABLE_ROSPEC if spec.state is State.DISABLED:
                spec.state = State.INACTIVE
                self.start_if_immediate(spec)
            case MessageType.STOP_ROSPEC if spec.state is State.ACTIVE:
                spec.state = State.INACTIVE
                self.start_if_immediate(spec)
            case MessageType.START_ROSPEC:
                _activate(spec)


def _activate(spec: RoSpec) -> None:
    spec.state = State.ACTIVE
    spec.started_at = asyncio.get_running_loop().time()
