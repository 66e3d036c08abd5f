"""Zigbee alarms, found by asking Zigbee2MQTT for its list: what was paired there, and what it is.

Pairing itself is done at the bridge, with the alarm in the hand; nothing here asks for it.
Source: zigbee2mqtt.io, "MQTT topics and messages" (``bridge/devices``, retained).
"""

from __future__ import annotations

import json
import secrets
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any, Final

from vigil_edge.configuration.added import Template
from vigil_edge.device.seam import SourceError
from vigil_edge.discovery.addresses import spoken
from vigil_edge.discovery.reports import cut
from vigil_edge.discovery.search import Found, Place, Search
from vigil_edge.mqtt import MqttError, MqttOptions, MqttSession
from vigil_edge.smoke.bridge import listed
from vigil_edge.smoke.settings import BrokerSettings, ZigbeeSettings
from vigil_edge.text import well_formed
from vigil_schemas.discovery import RawReading
from vigil_schemas.smoke import DOMAIN

OF_THIS_BOX: Final = "mqtt://127.0.0.1:1883"
"""Where Zigbee2MQTT's own documentation has its broker; asked where no section names one."""
BASE_TOPIC: Final = "zigbee2mqtt"
MQTT_PORT: Final = 1883
WAIT_S: Final = 4.0
"""Retained lists come at once."""
LISTEN_S: Final = 20.0
"""For what an alarm says by itself."""
_LARGEST: Final = 1e300
_ABSENT: Final[dict[str, Any]] = {"broker": OF_THIS_BOX, "base_topic": BASE_TOPIC}
_SAME: Final = ("driver", "broker", "base_topic")
_TOLD: Final = (
    ("vendor", ("definition", "vendor")),
    ("model", ("definition", "model")),
    ("description", ("definition", "description")),
    ("address", ("ieee_address",)),
    ("power", ("power_source",)),
    ("software", ("software_build_id",)),
)


async def discover(search: Search) -> AsyncIterator[Place]:
    """Each broker with the alarms that a Zigbee2MQTT lists there."""
    brokers: dict[str, ZigbeeSettings | None] = {}
    for one in search.sections:
        if isinstance(one, ZigbeeSettings):
            brokers[one.broker] = one
    for address in spoken(search.addresses, "mqtt", MQTT_PORT):
        brokers.setdefault(f"mqtt://{address}", None)
    if not brokers:
        brokers[OF_THIS_BOX] = None
    taken = {
        (one.broker, getattr(one, "base_topic", ""), alarm.friendly_name): alarm.device
        for one in search.sections
        if isinstance(one, BrokerSettings)
        for alarm in one.alarm
    }
    for broker, settings in brokers.items():
        try:
            lists = await _lists(broker, settings)
        except (MqttError, OSError) as error:
            code = error.code if isinstance(error, MqttError) else "mqtt-unreachable"
            yield Place(broker, code=code, message=str(error))
            continue
        found = [
            _alarm(search.gateway, broker, base, device, taken)
            for base, payload in lists.items()
            for device in _alarms(payload)
        ]
        if not lists:
            message = "no Zigbee2MQTT has left its list here (bridge/devices)"
            yield Place(broker, code="bridge-not-heard", message=message)
            continue
        yield Place(f"{broker} {', '.join(sorted(lists))}", found)


async def _lists(broker: str, settings: BrokerSettings | None) -> dict[str, bytes]:
    """By base topic, what each bridge lists. Raises ``MqttError``, ``OSError``."""
    session = MqttSession(_options(broker, settings))
    found: dict[str, bytes] = {}
    try:
        await session.open([["+/bridge/devices"], [f"{BASE_TOPIC}/bridge/devices"]])
        while (message := await session.next(WAIT_S)) is not None:
            session.acknowledge(message)
            if message.topic and message.payload:
                found[message.topic.removesuffix("/bridge/devices")] = message.payload
    finally:
        await session.close()
    return found


def _options(broker: str, settings: BrokerSettings | None) -> MqttOptions:
    """A session of its own, that the broker forgets at once."""
    shape = settings or ZigbeeSettings.model_validate(
        {
            "device": "search",
            "driver": "zigbee2mqtt",
            "broker": broker,
            "alarm": [{"friendly_name": "none", "device": "none"}],
        }
    )
    return MqttOptions(
        host=shape.host,
        port=shape.port,
        client_id=f"vigil-search-{secrets.token_hex(6)}",
        username=shape.username,
        password=shape.password(),
        tls=shape.tls,
        ca_file=shape.ca_file,
        session_s=0,
    )


def _alarms(payload: bytes) -> Iterator[Mapping[str, Any]]:
    """Of a bridge's list, the devices that can tell of fire."""
    known = listed(payload)
    if known is None:
        return
    for device in json.loads(payload):
        name = device.get("friendly_name") if isinstance(device, dict) else None
        if isinstance(name, str) and known[well_formed(name)].is_alarm:
            yield device


def _alarm(
    gateway: str,
    broker: str,
    base: str,
    device: Mapping[str, Any],
    taken: Mapping[tuple[str, str, str], str],
) -> Found:
    name = well_formed(str(device["friendly_name"]))
    facts = [("bridge", base), ("name on the bridge", name)]
    for title, path in _TOLD:
        value: Any = device
        for part in path:
            value = value.get(part) if isinstance(value, dict) else None
        if isinstance(value, str) and value:
            facts.append((title, value))
    configured = taken.get((broker, base, name))
    addable = configured is None and 0 < len(name) <= 120 and not set(name) & set("#+\0")
    return Found(
        driver="zigbee2mqtt",
        title=f"Alarm {name} on {base}",
        title_zh=f"{base} 上的警報器 {name}",
        # The alarm's own address: it keeps it when somebody calls it otherwise.
        identity=(broker, base, str(device.get("ieee_address") or name)),
        facts=tuple(facts),
        template=_template(gateway, broker, base, name) if addable else None,
        device=configured,
        readable=addable,
    )


def _template(gateway: str, broker: str, base: str, name: str) -> Template:
    bridge = gateway if base == BASE_TOPIC and broker == OF_THIS_BOX else f"{gateway}.{base}"
    return Template(
        domain=DOMAIN,
        table={"friendly_name": name},
        inside="alarm",
        section={
            "device": _device_id(f"{bridge}.bridge"),
            "driver": "zigbee2mqtt",
            "broker": broker,
            "base_topic": base,
        },
        absent=_ABSENT,
        same=_SAME,
    )


def _device_id(text: str) -> str:
    plain = "".join(c if c.isascii() and (c.isalnum() or c in "._-") else "-" for c in text.lower())
    return plain[-64:].lstrip("._-")


async def look(settings: ZigbeeSettings) -> list[RawReading]:
    """What the alarm says next, or last where the broker keeps it. Raises ``SourceError``."""
    name = settings.alarm[0].friendly_name
    session = MqttSession(_options(settings.broker, settings))
    try:
        await session.open([[f"{settings.base_topic}/{name}"]])
        message = await session.next(LISTEN_S)
        if message is None:
            raise SourceError(
                name, f"nothing was heard of it within {LISTEN_S:.0f} s: press its test button"
            )
        session.acknowledge(message)
    except MqttError as error:
        raise SourceError(name, str(error)) from error
    finally:
        await session.close()
    return list(_fields(message.payload))


def _fields(payload: bytes) -> Iterator[RawReading]:
    """Each field as it came."""
    try:
        said = json.loads(payload)
    except (ValueError, RecursionError):
        said = payload.decode("utf-8", "replace")
    for key, value in list(said.items() if isinstance(said, dict) else [("payload", said)])[:60]:
        # Whole numbers have no end in JSON; NaN is below nothing.
        finite = isinstance(value, int | float) and abs(value) < _LARGEST
        raw = json.dumps(value, ensure_ascii=False)
        yield RawReading(
            name=cut(str(key), 80),
            raw=cut(raw, 200),
            value=float(value) if finite else None,
        )
