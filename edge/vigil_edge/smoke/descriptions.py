"""What a gateway tells the cloud of a bridge and of the alarms behind it, by its birth."""

from __future__ import annotations

from typing import Final

from vigil_edge.smoke import wired
from vigil_edge.smoke.observed import PARAMETERS
from vigil_edge.smoke.settings import BrokerSettings, ZigbeeSettings
from vigil_edge.smoke.wired_settings import WiredBoard, WiredPins, WiredSettings
from vigil_schemas.commands import Mute, PlayVoice, SelfTest
from vigil_schemas.gateway import DeviceDescription
from vigil_schemas.smoke import DOMAIN

TITLES: Final = {"zigbee2mqtt": "Zigbee2MQTT", "chirpstack": "ChirpStack", "matter": "Matter"}


def describe(settings: BrokerSettings | WiredSettings) -> list[DeviceDescription]:
    """The bridge or panel, and each alarm behind it."""
    if isinstance(settings, WiredBoard | WiredPins):
        return wired.describe(settings)
    driver = settings.driver
    bridge = settings.described(DOMAIN, driver, [])
    if not bridge.name:
        title = TITLES[driver]
        names = {"name": f"{title} bridge", "name_zh": f"{title} 橋接器"}
        bridge = bridge.model_copy(update=names)
    asked = [SelfTest.ACTION, Mute.ACTION] if isinstance(settings, ZigbeeSettings) else []
    speaks = settings.voice is not None and settings.voice.enabled
    bridge = bridge.model_copy(update={"commands": [PlayVoice.ACTION] if speaks else asked})
    alarms = [
        DeviceDescription(
            commands=asked,
            device=alarm.device,
            domain=DOMAIN,
            driver=driver,
            name=alarm.name,
            name_zh=alarm.name_zh,
            latitude=alarm.latitude,
            longitude=alarm.longitude,
            parameters=PARAMETERS,
        )
        for alarm in settings.alarm
    ]
    return [bridge, *alarms]
