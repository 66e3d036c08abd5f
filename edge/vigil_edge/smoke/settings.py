"""``[[smoke]]``: the alarms behind one broker (Zigbee2MQTT, ChirpStack, a Matter controller), or on
contacts (``wired_settings``)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self
from urllib.parse import urlsplit

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, field_validator, model_validator

from vigil_edge.configuration.addresses import MqttAddress
from vigil_edge.configuration.device import DeviceSettings
from vigil_edge.configuration.mistakes import misplaced, repeated
from vigil_edge.configuration.paths import ExistingFile
from vigil_edge.smoke.spoken import Voice
from vigil_edge.smoke.wired_settings import WiredBoard, WiredPins
from vigil_schemas.types import DeviceId

GroupName = Annotated[str, Field(min_length=1, max_length=60, pattern=r"^[^\x00-\x1f]+$")]


class Group(BaseModel):
    """``[[smoke.group]]``: how alarms that sound together do so."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: GroupName
    sound: Literal["at-once", "confirmed"] = "at-once"
    """``at-once``: a dwelling, any alarm of it sounds all of it. ``confirmed``: a building, two
    alarms of it, or heat beside smoke."""


class Alarm(BaseModel):
    """``[[smoke.alarm]]``: one alarm, by its name in Zigbee2MQTT."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    friendly_name: Annotated[str, Field(pattern=r"^[^#+\x00]{1,120}$")]
    device: DeviceId
    name: Annotated[str, Field(max_length=120)] = ""
    name_zh: Annotated[str, Field(max_length=120)] = ""
    latitude: Annotated[float, Field(ge=-90, le=90)] | None = None
    longitude: Annotated[float, Field(ge=-180, le=180)] | None = None
    group: GroupName | Annotated[list[GroupName], Field(max_length=20)] = Field(
        default_factory=list
    )
    """Groups that it sounds with; one that is not declared sounds at once."""

    @property
    def groups(self) -> tuple[str, ...]:
        """Each once, in order."""
        return tuple(dict.fromkeys([self.group] if isinstance(self.group, str) else self.group))


class BrokerSettings(DeviceSettings):
    """One MQTT broker. ``device`` names the bridge, ``{first alarm}.bridge`` by default."""

    SOUNDS: ClassVar[bool] = False
    """Whether its sirens can be told to sound."""

    device: DeviceId
    driver: str
    broker: MqttAddress = "mqtt://127.0.0.1:1883"
    username: Annotated[str, Field(min_length=1)] | None = None
    password_file: ExistingFile | None = None
    ca_file: ExistingFile | None = None
    silent_after_s: Annotated[float, Field(ge=1, le=30 * 86_400)] | None = 90_000.0
    """An alarm not heard of for this long has lost its link (25 h, as Zigbee2MQTT itself). Once its
    rhythm is known: after two hours, or two of its intervals, where that is less."""
    voice: Voice | None = None
    """A loudspeaker at this gateway, that speaks while an alarm sounds."""
    alarm: Annotated[list[Alarm], Field(min_length=1, max_length=500)]
    group: Annotated[list[Group], Field(max_length=500)] = Field(default_factory=list)
    """Of the alarms above; what is not declared here is ``at-once``."""

    @model_validator(mode="before")
    @classmethod
    def _bridge_named(cls, values: Any) -> Any:
        if not isinstance(values, dict) or "device" in values:
            return values
        alarms = values.get("alarm")
        first = alarms[0] if isinstance(alarms, list) and alarms else None
        name = first.get("device") if isinstance(first, dict) else None
        return {**values, "device": f"{str(name)[:56]}.bridge"} if name else values

    @field_validator("alarm")
    @classmethod
    def _each_once(cls, value: list[Alarm]) -> list[Alarm]:
        twice = [*repeated(value, "friendly_name"), *repeated(value, "device")]
        if twice:
            raise misplaced(*twice)
        return value

    @model_validator(mode="after")
    def _groups_known(self) -> Self:
        twice = repeated(self.group, "name")
        if twice:
            raise misplaced(*twice)
        used = {name for alarm in self.alarm for name in alarm.groups}
        if used and not self.SOUNDS:
            # Taken, it would promise sirens that never sound.
            raise ValueError(f"alarms behind {self.driver} sound no group: leave out `group`")
        idle = [group.name for group in self.group if group.name not in used]
        if idle:
            # A slip of the pen would have a whole building woken at once, or nobody.
            raise ValueError(f"no [[smoke.alarm]] is in the group {idle[0]!r}")
        return self

    @property
    def host(self) -> str:
        """Of ``broker``."""
        return urlsplit(self.broker).hostname or ""

    @property
    def port(self) -> int:
        """Of ``broker``; MQTT's own where it names none."""
        return urlsplit(self.broker).port or (8883 if self.tls else 1883)

    @property
    def tls(self) -> bool:
        """Whether the broker is spoken to under TLS."""
        return self.broker.startswith("mqtts:")

    def password(self) -> str | None:
        """First line of ``password_file``."""
        return None if self.password_file is None else _first_line(self.password_file)


class ZigbeeSettings(BrokerSettings):
    """The alarms behind one Zigbee2MQTT."""

    SOUNDS: ClassVar[bool] = True

    driver: Literal["zigbee2mqtt"]
    base_topic: Annotated[str, Field(pattern=r"^[^#+\x00]{1,120}$")] = "zigbee2mqtt"


class LorawanAlarm(Alarm):
    """``[[smoke.alarm]]`` behind ChirpStack: ``friendly_name`` is its DevEUI."""

    friendly_name: Annotated[
        str, Field(pattern=r"^[0-9a-f]{16}$", validation_alias=AliasChoices("dev_eui"))
    ]

    @field_validator("friendly_name", mode="before")
    @classmethod
    def _small(cls, value: Any) -> Any:
        return value.lower() if isinstance(value, str) else value


class ChirpStackSettings(BrokerSettings):
    """LoRaWAN alarms behind one ChirpStack v4, by its MQTT integration."""

    driver: Literal["chirpstack"]
    application: Annotated[str, Field(pattern=r"^[^#+/\x00]{1,120}$")] | None = None
    """Its id; of every application where absent."""
    alarm: Annotated[list[LorawanAlarm], Field(min_length=1, max_length=500)]  # type: ignore[assignment]


class MatterAlarm(Alarm):
    """``[[smoke.alarm]]`` behind a Matter controller: ``friendly_name`` is its node id."""

    friendly_name: Annotated[
        str, Field(pattern=r"^\d{1,20}$", validation_alias=AliasChoices("node_id"))
    ]

    @field_validator("friendly_name", mode="before")
    @classmethod
    def _number(cls, value: Any) -> Any:
        return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


class MatterSettings(BrokerSettings):
    """Matter alarms whose controller publishes its nodes as JSON on a broker."""

    driver: Literal["matter"]
    base_topic: Annotated[str, Field(pattern=r"^[^#+\x00]{1,120}$")] = "matter"
    alarm: Annotated[list[MatterAlarm], Field(min_length=1, max_length=500)]  # type: ignore[assignment]


SmokeSettings = Annotated[
    ZigbeeSettings | ChirpStackSettings | MatterSettings | WiredBoard | WiredPins,
    Field(discriminator="driver"),
]


def _first_line(file: Path) -> str:
    return file.read_text().split("\n", 1)[0].strip()
