"""The sections of ``gateway.toml`` that are not devices, as frozen models."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationInfo,
    field_validator,
    model_validator,
)

from vigil_edge.configuration import tls
from vigil_edge.configuration.addresses import HttpAddress, MqttAddress
from vigil_edge.configuration.allowed import DiscoverySettings
from vigil_edge.configuration.mistakes import misplaced
from vigil_edge.configuration.paths import ExistingFile, Folder, first_line
from vigil_schemas.types import GatewayId


def _no_switch(value: Any) -> Any:
    if isinstance(value, bool):  # which Python would take for 1 or 0
        raise ValueError("write a number")
    return value


Number = Annotated[float, BeforeValidator(_no_switch), Field(allow_inf_nan=False)]
Whole = Annotated[int, BeforeValidator(_no_switch)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class GatewaySettings(_Section):
    """``[gateway]``: who this is, and where it keeps things."""

    id: GatewayId
    """Its name in the cloud, in topics and in its certificate."""
    name: Annotated[str, Field(max_length=120)] = ""
    """As people call the place."""
    latitude: Annotated[Number, Field(ge=-90, le=90)] | None = None
    longitude: Annotated[Number, Field(ge=-180, le=180)] | None = None
    data_dir: Folder
    """Outbox, evidence, keys: what must survive a restart."""
    clock: Literal["kernel", "host"] = "kernel"
    """Who says that the clock is synchronised. ``host``: whoever writes this vouches for it, where
    the machine beneath (of a container, of a virtual machine) keeps it and the kernel cannot tell.
    Health and exceedances then say that it was vouched for (``clock_vouched``).
    """
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """From which level on the agent's log is written; ``vigil-edge run --log-level`` wins."""
    log_format: Literal["json", "console"] | None = None
    """A JSON object a line, or columns for people; without it columns at a terminal and JSON
    elsewhere. ``vigil-edge run --log-format`` wins.
    """


class CloudSettings(_Section):
    """``[cloud]``: the broker, and where evidence is uploaded."""

    broker: MqttAddress
    """``mqtts://host:port``, or ``mqtt://`` inside one network."""
    ca_file: ExistingFile | None = None
    """Who vouches for the broker; PEM."""
    certificate_file: ExistingFile | None = None
    """The gateway's own, whose common name is ``id``; PEM."""
    key_file: ExistingFile | None = None
    """Of the certificate; may be the same file."""
    username: Annotated[str, Field(min_length=1)] | None = None
    """Of a broker with passwords; without it ``id`` is sent where there is a password."""
    password_file: ExistingFile | None = None
    keepalive_s: Annotated[Whole, Field(ge=5, le=600)] = 30
    """A connection that was silent for half as long again is taken for broken."""
    url: HttpAddress | None = None
    """The cloud's address: evidence is uploaded and certificates are renewed there."""
    url_ca_file: Literal["system"] | ExistingFile | None = None
    """Who vouches for ``url``: a file, or ``system`` for the authorities that this machine trusts.
    None: ``ca_file``, as for the broker."""
    token: SecretStr | None = None
    """What the cloud knows the gateway by over HTTP; in a file of its own rather than here."""
    token_file: ExistingFile | None = None

    @field_validator("ca_file", "url_ca_file")
    @classmethod
    def _authorities(cls, value: Path | str | None) -> Path | str | None:
        if isinstance(value, Path):
            try:
                tls.context(value, None, None)
            except OSError as error:
                raise ValueError(f"{value} holds no certificate in PEM") from error
        return value

    @field_validator("certificate_file")
    @classmethod
    def _needs_tls(cls, value: Path | None, info: ValidationInfo) -> Path | None:
        if value is not None and str(info.data.get("broker", "")).startswith("mqtt:"):
            raise ValueError("a client certificate needs TLS: write the broker as mqtts://")
        return value

    @field_validator("password_file")
    @classmethod
    def _password(cls, value: Path | None) -> Path | None:
        _secret(value)
        return value

    @field_validator("token")
    @classmethod
    def _token(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            _for_a_header(value.get_secret_value())
        return value

    @field_validator("token_file")
    @classmethod
    def _one_token(cls, value: Path | None, info: ValidationInfo) -> Path | None:
        if value is not None and info.data.get("token") is not None:
            raise ValueError("give token or token_file, not both")
        if value is not None:
            _for_a_header(_secret(value))
        return value

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if (self.certificate_file is None) != (self.key_file is None):
            alone = "key_file" if self.certificate_file is None else "certificate_file"
            message = "certificate_file and key_file belong together: give both"
            raise misplaced(((alone,), message))
        if self.certificate_file is not None:
            try:
                tls.context(None, self.certificate_file, self.key_file)
            except ssl.SSLError as error:
                message = "is no certificate in PEM with its key in key_file"
                raise misplaced((("certificate_file",), message)) from error
            except ValueError as error:
                raise misplaced((("key_file",), str(error))) from error
        return self

    @property
    def tls(self) -> bool:
        """Whether the broker is spoken to under TLS."""
        return self.broker.startswith("mqtts:")

    @property
    def host(self) -> str:
        """Of ``broker``."""
        return urlsplit(self.broker).hostname or ""

    @property
    def port(self) -> int:
        """Of ``broker``; MQTT's own where it names none."""
        return urlsplit(self.broker).port or (8883 if self.tls else 1883)

    def tls_context(self) -> ssl.SSLContext:
        """Made of the files as they are now. Raises ``OSError``, ``ValueError``."""
        return tls.context(self.ca_file, self.certificate_file, self.key_file)

    def url_tls_context(self) -> ssl.SSLContext:
        """The same towards ``url``. Raises ``OSError``, ``ValueError``."""
        trusted = self.ca_file if self.url_ca_file is None else self.url_ca_file
        file = None if trusted == "system" else trusted
        return tls.context(file, self.certificate_file, self.key_file)

    def password(self) -> str | None:
        """First line of ``password_file``, as it is now. Raises ``OSError``, ``ValueError``."""
        return first_line(self.password_file)

    def bearer(self) -> str | None:
        """The token for uploads, from ``token``, or as ``token_file`` has it now.

        Raises ``OSError``, ``ValueError``.
        """
        return self.token.get_secret_value() if self.token else first_line(self.token_file)


def _secret(file: Path | None) -> str:
    try:
        return first_line(file) or ""
    except UnicodeDecodeError as error:
        raise ValueError(f"{file} is not UTF-8") from error


def _for_a_header(token: str) -> None:
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise ValueError("a token is letters, digits and signs of ASCII, without blanks")


class OutboxSettings(_Section):
    """``[outbox]``: how much may wait on this gateway's disk."""

    max_rows: Annotated[Whole, Field(ge=100, le=10**9)] = 1_000_000
    max_megabytes: Annotated[Number, Field(ge=1, le=10**6)] = 512
    window: Annotated[Whole, Field(ge=1, le=1000)] = 64
    """Messages per lane that may be under way without a receipt."""


class EvidenceSettings(_Section):
    """``[evidence]``: how much sealed evidence may wait for its upload, and who stamps its time."""

    max_megabytes: Annotated[Number, Field(ge=1, le=10**8)] = 4096
    timestamp_url: HttpAddress | None = None
    """Of a time stamping authority (RFC 3161): each package holds its stamp."""
    timestamp_ca_file: ExistingFile | None = None
    """Where its certificate must come from, PEM; without it answers are kept as they come."""
    timestamp_wait_s: Annotated[Number, Field(ge=0.2, le=30)] = 3.0
    """A package waits so long for its stamp, and is sealed without one then."""

    @field_validator("timestamp_ca_file")
    @classmethod
    def _authorities(cls, value: Path | None) -> Path | None:
        if value is not None:
            try:
                tls.context(value, None, None)
            except OSError as error:
                raise ValueError(f"{value} holds no certificate in PEM") from error
        return value

    @model_validator(mode="after")
    def _belongs(self) -> Self:
        if self.timestamp_ca_file is not None and self.timestamp_url is None:
            raise misplaced((("timestamp_ca_file",), "belongs to timestamp_url: give both"))
        return self


class HealthSettings(_Section):
    """``[health]``: how often the gateway says how it is."""

    interval_s: Annotated[Number, Field(ge=1, le=3600)] = 60


class Head(_Section):
    """Everything but the devices."""

    gateway: GatewaySettings
    cloud: CloudSettings
    outbox: OutboxSettings = OutboxSettings()
    evidence: EvidenceSettings = EvidenceSettings()
    health: HealthSettings = HealthSettings()
    discovery: DiscoverySettings = DiscoverySettings()
