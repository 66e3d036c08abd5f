"""The cloud's settings: read once, at the entrance, from ``VIGIL_*`` variables and a TOML file.

A variable wins over a secret's own file, and that over the TOML file. Secrets that everyone knows
are refused unless ``demo`` is on: a city must not run on the keys of its documentation.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, ClassVar, Final, Literal, Self
from urllib.parse import quote, urlsplit

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from vigil_cloud.capacity.connections import HttpLimits
from vigil_cloud.capacity.limits import DiskLimits, Quotas
from vigil_schemas.environment import secret_folders
from vigil_schemas.errors import VigilError

DEMO_SECRET: Final = "vigil-demo-secret-known-to-everyone-do-not-use"  # noqa: S105 - public on purpose
SECRET_CHARACTERS: Final = 32
_WORN_OUT: Final = frozenset(
    {DEMO_SECRET, "changeme", "change-me", "secret", "password", "admin", "vigil", "vigil-demo"}
)
"""Secrets that stand in documentation or that people type first."""
_SECRETS: Final = (
    *("influx_token", "s3_secret_key", "broker_password", "emergency_token"),
    "database_password",
)


class ConfigurationError(VigilError):
    """The settings cannot be used; the message names each mistake and its key."""

    code: ClassVar[str] = "configuration"
    remedy: ClassVar[str] = (
        "Correct each setting that the message names, in the environment or the file."
    )


def weak(secret: str) -> bool:
    """Whether a secret key is short or stands in documentation."""
    return secret in _WORN_OUT or len(secret) < SECRET_CHARACTERS


def host_and_port(listen: str) -> tuple[str, int]:
    """The parts of ``host:port``; an IPv6 address stands in brackets, no host is 127.0.0.1.

    Raises ``ValueError``.
    """
    parts = urlsplit(f"//{listen}")
    if parts.port is None or parts.path or parts.query or parts.username is not None:
        raise ValueError(f"{listen!r} is not host:port")
    return parts.hostname or "127.0.0.1", parts.port


def _address(value: str, *schemes: str) -> str:
    """An address of one of these schemes with a host. Raises ``ValueError``."""
    parts = urlsplit(value)
    if parts.scheme not in schemes or not parts.hostname or parts.port == 0:
        raise ValueError(f"{value!r} is not {' or '.join(f'{one}://host' for one in schemes)}")
    return value


class SmtpSettings(BaseModel):
    """How e-mail leaves; empty ``host`` means that none is sent."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str = ""
    port: int = 587
    username: str = ""
    password: SecretStr = SecretStr("")
    sender: str = "vigil@localhost"
    security: Literal["starttls", "tls", "none"] = "starttls"


class RetentionSettings(BaseModel):
    """``[retention]`` or ``VIGIL_RETENTION__…``: for how many days what is kept; 0: for good."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    visits_days: Annotated[float, Field(ge=0)] = 90.0
    """Where people were: visits, and the alerts about them."""
    alerts_days: Annotated[float, Field(ge=0)] = 1825.0
    """Alerts that are over and that somebody has acknowledged; never one that waits."""
    evidence_days: Annotated[float, Field(ge=0)] = 1825.0
    """Packages of alerts that are over and acknowledged."""
    stray_evidence_days: Annotated[float, Field(ge=0)] = 180.0
    """Packages that no alert names."""
    cases_days: dict[str, Annotated[float, Field(ge=0)]] = Field(default_factory=dict)
    """Closed cases by kind, counted from the closing; one that is not named: what its domain says
    (ten years). One that is not closed is never removed."""
    downlinks_days: Annotated[float, Field(ge=0)] = 400.0
    """Commands; configurations stay."""
    shelves_days: Annotated[float, Field(ge=0)] = 1825.0
    """What was put aside of a device, counted from its end; who did it stays in the audit log."""
    audit_days: Annotated[float, Field(ge=0)] = 3650.0
    """Lines of the audit log; the rest of the chain still verifies."""
    series_days: dict[str, Annotated[float, Field(ge=0)]] = Field(default_factory=dict)
    """Readings by domain; of a domain that is not named, as long as the domain itself says."""


class Settings(BaseSettings):
    """Everything that an operator decides. Frozen: nothing below the entrance changes it."""

    model_config = SettingsConfigDict(
        env_prefix="VIGIL_", env_nested_delimiter="__", frozen=True, extra="forbid"
    )

    data_dir: Path = Path("var/cloud")
    """Embedded stores live here; also the default place of the database and the objects."""
    demo: bool = False
    """Known secrets are accepted and any gateway may enrol. Never on a public address."""
    secret_key: SecretStr = SecretStr("")
    """Keys column encryption; at least 32 characters. Changed by ``secret-key rotate`` alone:
    the database remembers its key's fingerprint and opens with no other."""
    public_url: str = ""
    """The address people open, for links in notifications; empty: none are sent, also none with
    which an alert is answered."""
    map_tiles_url: str = ""
    """Raster tiles under the map, an address with ``{z}/{x}/{y}``; empty draws the imported streets
    (``map import``), or the borders of villages."""
    map_tiles_attribution: str = ""
    """Whom the map names for its tiles."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["json", "console"] = "json"
    """Of the log on standard error: a JSON object a line, or columns for people."""

    http_host: str = "127.0.0.1"
    http_port: Annotated[int, Field(ge=0, le=65535)] = 8400
    http_limits: HttpLimits = Field(default_factory=HttpLimits)
    quotas: Quotas = Field(default_factory=Quotas)
    disk: DiskLimits = Field(default_factory=DiskLimits)
    operations_listen: str = ""
    """Where ``vigil-cloud ingest`` answers ``/healthz``, ``/readyz`` and ``/metrics`` about
    itself, as ``host:port``; empty: nowhere."""

    database_url: str = ""
    """SQLAlchemy address; empty is SQLite in ``data_dir``; ``postgresql+psycopg://…``."""
    database_password: SecretStr = SecretStr("")
    """Of the database's address, where that names a user and no password: so that the address
    may stand anywhere, and the password in a file of its own."""
    database_patience_s: Annotated[float, Field(ge=0)] = 300.0
    """So long a starting service waits for a database server that does not answer yet."""

    timeseries: Literal["sqlite", "influxdb"] = "sqlite"
    influx_url: str = "http://127.0.0.1:8086"
    influx_org: str = "vigil"
    influx_bucket: str = "vigil"
    influx_token: SecretStr = SecretStr("")

    objects_url: str = ""
    """``file:///folder`` (default: in ``data_dir``) or ``s3://bucket``."""
    s3_endpoint: str = ""
    s3_region: str = "us-east-1"
    s3_access_key: str = ""
    s3_secret_key: SecretStr = SecretStr("")

    broker_url: str = "embedded"
    """``embedded``; ``mosquitto``: one that `vigil-cloud serve` starts and configures, with
    certificates and access control; or ``mqtt://host:port`` or ``mqtts://host:port``."""
    broker_listen: str = "127.0.0.1:1883"
    """Where the embedded broker listens; of ``mosquitto``, where the cloud itself is served."""
    gateways_listen: str = "0.0.0.0:8883"
    """Where ``mosquitto`` listens for gateways with certificates."""
    broker_ca_file: Path | None = None
    broker_certificate_file: Path | None = None
    broker_key_file: Path | None = None
    broker_username: str = ""
    broker_password: SecretStr = SecretStr("")
    gateway_broker_url: str = ""
    """Where gateways reach the broker, ``mqtts://host:port``: what a box is told as it is enrolled.
    Empty: only a gateway on this machine can be enrolled, with the embedded broker."""
    gateway_certificate_days: Annotated[int, Field(ge=2, le=825)] = 90
    """For how long gateways' certificates are signed; they renew them at half of it."""
    shared_group: str = ""
    """Several ingest processes that name the same group share the messages."""

    open_enrolment: bool = False
    """Take messages of gateways that nobody has added."""
    stale_after_days: Annotated[float, Field(gt=0)] = 400.0
    future_after_s: Annotated[float, Field(gt=0)] = 600.0
    dead_letter_days: Annotated[float, Field(gt=0)] = 90.0
    """Refused messages are removed when they have not come again for so long."""
    retention: RetentionSettings = Field(default_factory=RetentionSettings)
    collector: str = "The health bureau of this city"
    """Who collects what is kept of people, as the notice names it (PDPA of Taiwan, art. 8), with
    how it is reached; ``collector_zh`` in Chinese."""
    collector_zh: str = "本市衛生局"
    station_help: str = "1999"
    """Whom the host of a device on their wall calls where it does not work."""
    station_silent_after_s: Annotated[float, Field(ge=1, le=7 * 86_400)] = 3600.0
    """The host of a station is told once it has not worked for so long."""
    cases_access_hours: dict[str, Annotated[float, Field(gt=0, le=720)]] = Field(
        default_factory=dict
    )
    """By kind of case: for how long it is shown to whoever asks with a reason; of a kind that is
    not named, as long as its domain says (a search: a day)."""
    offline_after_s: Annotated[float, Field(gt=0)] = 180.0
    """A gateway unheard of for this long is offline: three health intervals."""

    source_failed_after_s: Annotated[float, Field(gt=0)] = 600.0
    """A source that has failed for so long raises a platform alert."""
    remind_every_s: Annotated[float, Field(ge=60)] = 600.0
    """So often people are told again of a critical alert that nobody has acknowledged."""
    emergency_url: str = ""
    """Where the emergency line (119) takes CAP 1.2 by POST; empty: it is told nothing, which each
    alert that needs it says."""
    emergency_token: SecretStr = SecretStr("")
    """Sent there as ``Authorization: Bearer``."""
    emergency_sender: str = "vigil@localhost"
    """Who sends, as CAP's ``sender``: unique in the country."""
    timestamp_ca_file: Path | None = None
    """Time stamping authorities that are trusted (RFC 3161), PEM: stamps of sealed evidence are
    verified against them. Without it their authority is shown and not verified."""
    vehicle_register_file: Path | None = None
    """Whose a vehicle is, by plate, as JSON: the stand-in for the register that the police keep
    (``docs/noise.md``). Without it nobody can look an owner up."""
    emergency_station: str = ""
    """Where fire engines start, as ``latitude,longitude`` in degrees: a fire's page tells how far
    that is. Empty: it tells no distance."""
    notify_urls: list[str] = Field(default_factory=list)
    """Apprise addresses told of every alert, beside what accounts subscribe to."""
    push_services: list[str] = Field(
        default_factory=lambda: [
            "https://fcm.googleapis.com",
            "https://*.push.services.mozilla.com",
            "https://*.push.apple.com",
            "https://*.notify.windows.com",
        ]
    )
    """Push services that browsers may be told through (Web Push), as ``https://host[:port]``,
    ``*.`` in front for any name below; nothing else is ever posted to. Empty: no Web Push."""
    smtp: SmtpSettings = Field(default_factory=SmtpSettings)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - pydantic's signature
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """What is given in code comes first, then the environment, then secrets as files, then
        the file of settings."""
        settings_file = TomlConfigSettingsSource(settings_cls)
        return init_settings, env_settings, file_secret_settings, settings_file

    @field_validator("public_url", "emergency_url", "influx_url", "s3_endpoint")
    @classmethod
    def _is_of_the_web(cls, value: str, info: ValidationInfo) -> str:
        if value:
            _address(value, "https", "http")
            parts = urlsplit(value)
            if info.field_name == "public_url" and (
                parts.query or parts.fragment or parts.username is not None
            ):
                raise ValueError(f"{value!r} is more than an address that others go on from")
        return value

    @field_validator("broker_url")
    @classmethod
    def _is_ours_or_a_broker(cls, value: str) -> str:
        ours = value in {"embedded", "mosquitto"}
        return value if ours else _address(value, "mqtts", "mqtt")

    @field_validator("gateway_broker_url")
    @classmethod
    def _is_a_broker(cls, value: str) -> str:
        if value:
            parts = urlsplit(value)
            local = parts.hostname in {"127.0.0.1", "::1", "localhost"}
            if parts.scheme != "mqtts" and not (parts.scheme == "mqtt" and local):
                raise ValueError(f"{value!r} is not mqtts://host:port")
            if parts.hostname in _WORN_OUT:
                raise ValueError(f"{parts.hostname!r} stands in documentation: name the broker")
            host_and_port(parts.netloc if parts.port else f"{parts.netloc}:8883")
        return value

    @property
    def enrolment_open(self) -> bool:
        """Whether a gateway unknown to the gateways table may introduce itself."""
        return self.demo or self.open_enrolment

    @property
    def database(self) -> str:
        """The database's address with the default and its password filled in."""
        if not self.database_url:
            return f"sqlite:///{self.data_dir.absolute() / 'vigil.sqlite3'}"
        password = self.database_password.get_secret_value()
        parts = urlsplit(self.database_url)
        if not password or parts.username is None or parts.password is not None:
            return self.database_url
        user, _, host = parts.netloc.rpartition("@")
        return self.database_url.replace(
            f"//{parts.netloc}", f"//{user}:{quote(password, safe='')}@{host}", 1
        )

    @property
    def secret(self) -> str:
        """The secret key; in the demo the one that everyone knows."""
        return self.secret_key.get_secret_value() or DEMO_SECRET

    @field_validator("emergency_station")
    @classmethod
    def _is_a_place(cls, value: str) -> str:
        if value:
            degrees = [float(part) for part in value.split(",")]
            # What is no number is within nothing.
            if not (len(degrees) == 2 and abs(degrees[0]) <= 90 and abs(degrees[1]) <= 180):
                raise ValueError(f"{value!r} is not latitude,longitude")
        return value

    @property
    def station(self) -> tuple[float, float] | None:
        """Latitude and longitude of ``emergency_station``."""
        if not self.emergency_station:
            return None
        latitude, longitude = self.emergency_station.split(",")
        return float(latitude), float(longitude)

    @field_validator("broker_listen", "gateways_listen", "operations_listen")
    @classmethod
    def _is_host_and_port(cls, value: str, info: ValidationInfo) -> str:
        if value or info.field_name != "operations_listen":
            host_and_port(value)
        return value

    @model_validator(mode="after")
    def _refuse_known_secrets(self) -> Self:
        if self.demo:
            return self
        if weak(self.secret_key.get_secret_value()):
            raise ValueError(
                f"secret_key: set VIGIL_SECRET_KEY to at least {SECRET_CHARACTERS} random"
                " characters (for example from `openssl rand -hex 32`); without it only"
                " demo=true starts"
            )
        for name in _SECRETS:
            if getattr(self, name).get_secret_value() in _WORN_OUT:
                raise ValueError(f"{name}: this secret stands in documentation; make your own")
        if urlsplit(self.database_url).password in _WORN_OUT:
            raise ValueError("database_url: its password stands in documentation; make your own")
        return self


def load(config: Path | None = None, **overrides: Any) -> Settings:
    """Settings from overrides, environment, secrets as files and file, in that order of weight.

    A secret's file has the name of its variable in small letters (``vigil_secret_key``) and lies
    in ``$VIGIL_SECRETS_DIR`` (a container's ``/run/secrets``) or where systemd puts a unit's
    credentials (``$CREDENTIALS_DIRECTORY``).

    Raises ``ConfigurationError`` that names every mistake with its key, and ``SecretsUnreadable``.
    """
    if config is not None and not config.is_file():
        raise ConfigurationError(f"{config}: no such file")

    try:
        made = Settings if config is None else _from_file(config)
        return made(_secrets_dir=secret_folders(), **overrides)
    except ValidationError as error:
        raise ConfigurationError("; ".join(_mistakes(error))) from None
    except ValueError as error:  # TOML that does not parse
        raise ConfigurationError(f"{config}: {error}") from None


def _from_file(config: Path) -> type[Settings]:
    class FromFile(Settings):
        model_config = SettingsConfigDict(toml_file=config)

    return FromFile


def _mistakes(error: ValidationError) -> list[str]:
    found = []
    for detail in error.errors(include_url=False, include_input=False):
        key = ".".join(str(part) for part in detail["loc"])
        text = detail["msg"].removeprefix("Value error, ")
        found.append(f"{key}: {text}" if key else text)
    return found
