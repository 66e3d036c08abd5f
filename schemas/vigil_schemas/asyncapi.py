"""The AsyncAPI 3.1 description of the MQTT interface, made from the same models."""

from __future__ import annotations

from typing import Any, Final

from vigil_schemas.checkin import CheckinVisit
from vigil_schemas.control import Command, Configuration, Receipt, ReceiptV1
from vigil_schemas.envelope import OBSERVATION_TYPES, PAYLOADS
from vigil_schemas.gateway import (
    CommandResult,
    DeviceHealth,
    GatewayBirth,
    GatewayDeath,
    GatewayHealth,
    ObservationLoss,
)
from vigil_schemas.noise import NoiseExceedance
from vigil_schemas.smoke import SmokeAlarm
from vigil_schemas.topics import COMMAND, CONFIG, RECEIPT, ROOT, STATUS
from vigil_schemas.types import Lane
from vigil_schemas.water import WaterExcursion

_EVENT_LANE: Final = (
    NoiseExceedance,
    WaterExcursion,
    CheckinVisit,
    SmokeAlarm,
    DeviceHealth,
    ObservationLoss,
    CommandResult,
)

CHANNELS: Final[dict[str, tuple[str, bool, list[str]]]] = {
    Lane.ALARM.value: ("Alarms that call for help at once", True, [SmokeAlarm.TYPE]),
    Lane.EVENT.value: (
        "Things that happened, each told once",
        True,
        [model.TYPE for model in _EVENT_LANE],
    ),
    Lane.OBSERVATION.value: (
        "Readings in packs, and the gateway's own health",
        True,
        [*OBSERVATION_TYPES, GatewayHealth.TYPE, ObservationLoss.TYPE],
    ),
    STATUS: (
        "Birth (retained) and death (last will) of a gateway",
        True,
        [GatewayBirth.TYPE, GatewayDeath.TYPE],
    ),
    RECEIPT: ("What the cloud has stored for good", False, [Receipt.TYPE, ReceiptV1.TYPE]),
    COMMAND: ("Something to do once", False, [Command.TYPE]),
    CONFIG: ("Settings changed from afar (retained)", False, [Configuration.TYPE]),
}
"""Channel: what it is for, whether gateways send on it, and which event types it carries."""


def _key(event_type: str) -> str:
    return event_type.removeprefix("city.vigil.").replace(".", "_")


def _message(event_type: str) -> dict[str, Any]:
    model = PAYLOADS.get(event_type)
    summary = (model.__doc__ or event_type) if model else "Readings of one device as a SenML pack"
    return {
        "name": event_type,
        "title": event_type,
        "summary": summary.strip().splitlines()[0],
        "contentType": "application/cloudevents+json",
        "payload": {
            "allOf": [
                {"$ref": "#/components/schemas/cloudevent_v1"},
                {
                    "type": "object",
                    "properties": {
                        "type": {"const": event_type},
                        "data": {"$ref": f"#/components/schemas/{_key(event_type)}"},
                    },
                },
            ]
        },
    }


def _localised(schema: Any, key: str) -> Any:
    """Point a schema's own ``$defs`` at their place inside the document."""
    if isinstance(schema, dict):
        return {
            name: value.replace("#/$defs/", f"#/components/schemas/{key}/$defs/")
            if name == "$ref" and isinstance(value, str)
            else _localised(value, key)
            for name, value in schema.items()
            if name not in ("$id", "$schema")
        }
    if isinstance(schema, list):
        return [_localised(entry, key) for entry in schema]
    return schema


def document(schemas: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """The whole AsyncAPI document, given every JSON Schema by name."""
    channels: dict[str, Any] = {}
    operations: dict[str, Any] = {}
    for channel, (summary, upward, types) in CHANNELS.items():
        channels[channel] = {
            "address": f"{ROOT}/{{gateway}}/{channel}",
            "description": summary,
            "parameters": {"gateway": {"description": "The gateway's id"}},
            "messages": {
                _key(name): {"$ref": f"#/components/messages/{_key(name)}"} for name in types
            },
        }
        operations[f"{'send' if upward else 'receive'}_{channel}"] = {
            "action": "send" if upward else "receive",
            "channel": {"$ref": f"#/channels/{channel}"},
            "summary": summary,
            "bindings": {"mqtt": {"qos": 1, "retain": channel in (STATUS, CONFIG)}},
        }
    every_type = sorted({name for _, _, types in CHANNELS.values() for name in types})
    return {
        "asyncapi": "3.1.0",
        "info": {
            "title": "Vigil gateway interface",
            "version": "1.0.0",
            "description": "MQTT 5 between a gateway and the cloud, seen from the gateway. "
            "Every message is a CloudEvents 1.0 event in JSON.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/cloudevents+json",
        "channels": channels,
        "operations": operations,
        "components": {
            "messages": {_key(name): _message(name) for name in every_type},
            "schemas": {
                _key(name) if name.startswith("city.") else name.replace(".", "_"): _localised(
                    schema, _key(name) if name.startswith("city.") else name.replace(".", "_")
                )
                for name, schema in schemas.items()
            },
        },
    }
