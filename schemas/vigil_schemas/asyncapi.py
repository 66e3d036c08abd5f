"""The AsyncAPI 3.1 description of the MQTT interface, made from the same models."""

from __future__ import annotations

from typing import Any

from vigil_schemas.contract import OBSERVATION_TYPES, PAYLOADS, contracts, type_of
from vigil_schemas.control import (
    Command,
    CommandV1,
    Configuration,
    ConfigurationV1,
    ConfigurationV2,
    Receipt,
    ReceiptV1,
)
from vigil_schemas.discovery import DiscoveryReport, LookReport
from vigil_schemas.gateway import (
    CommandResult,
    ConfigurationReport,
    DeviceHealth,
    GatewayBirth,
    GatewayDeath,
    GatewayHealth,
    ObservationLoss,
)
from vigil_schemas.topics import COMMAND, CONFIG, RECEIPT, ROOT, STATUS
from vigil_schemas.types import Lane


def channels_of() -> dict[str, tuple[str, bool, list[str]]]:
    """Channel: what it is for, whether gateways send on it, and which event types it carries."""
    alarms = [type_of(model) for one in contracts() for model in one.alarms]
    events = [type_of(model) for one in contracts() for model in one.events]
    return {
        Lane.ALARM.value: ("Alarms that call for help at once", True, alarms),
        Lane.EVENT.value: (
            "Things that happened, each told once",
            True,
            [
                *events,
                DeviceHealth.TYPE,
                ObservationLoss.TYPE,
                CommandResult.TYPE,
                ConfigurationReport.TYPE,
                DiscoveryReport.TYPE,
                LookReport.TYPE,
            ],
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
        COMMAND: ("Something to do once", False, [CommandV1.TYPE, Command.TYPE]),
        CONFIG: (
            "Settings changed from afar (retained)",
            False,
            [ConfigurationV1.TYPE, ConfigurationV2.TYPE, Configuration.TYPE],
        ),
    }


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
    described = channels_of()
    for channel, (summary, upward, types) in described.items():
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
    every_type = sorted({name for _, _, types in described.values() for name in types})
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
