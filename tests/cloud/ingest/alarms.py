"""Alarms of a gateway, and a room that writes down which it was handed."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from gateways import event, new_name, smoke
from ingest_bench import NOW, Bench
from vigil_cloud.devices.models import Gateway
from vigil_cloud.devices.seen import enrol
from vigil_cloud.domain.port import Received
from vigil_schemas.smoke import SmokeAlarm


def note(gateway: Gateway, event_id: str) -> None:
    gateway.health = {"ids": [*(gateway.health or {}).get("ids", []), event_id]}


class Alarms:
    """A room that writes down what it was handed, in the database as rooms do."""

    types = frozenset({SmokeAlarm.TYPE})

    def handle(self, session: Session, message: Received) -> None:
        with session.no_autoflush:
            gateway = session.get_one(Gateway, message.gateway)
        note(gateway, message.envelope.id)


def alarm(gateway: str, sequence: int, event_id: str, at: Any = NOW) -> tuple[str, bytes]:
    payload = event(
        gateway, sequence, smoke(at), subject="a-1", time=at, lane="alarm", event_id=event_id
    )
    return f"vigil/v1/{gateway}/alarm", payload


def ids_handled(bench: Bench, gateway: str) -> list[str]:
    with bench.services.sessions() as session:
        return list((session.get_one(Gateway, gateway).health or {}).get("ids", []))


def ready_gateway(bench: Bench) -> str:
    name = new_name()
    with bench.services.sessions() as session:
        enrol(session, name, NOW)
        session.commit()
    return name
