"""``gateway.toml``: read once at the entrance, into frozen models.

Device sections are an array of tables per domain (``[[water]]``); each is checked by
``vigil_edge.<domain>.settings.Settings``, which is imported only where such a section
stands. Paths may be relative to the folder that the file lies in.
"""

from __future__ import annotations

import importlib
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any, ClassVar, Final, Self, TypeVar
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    TypeAdapter,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from vigil_edge.mistakes import Mistake, from_validation, misplaced, show, suggestion
from vigil_edge.source import DeviceSettings
from vigil_edge.toml_lines import Path as KeyPath
from vigil_edge.toml_lines import lines_of
from vigil_schemas.errors import VigilError
from vigil_schemas.gateway import DeviceDescription
from vigil_schemas.types import Domain, GatewayId

_T = TypeVar("_T")
FOLDER: Final = "folder"
"""Key of the validation context that holds the configuration's folder."""


class ConfigError(VigilError):
    """A configuration cannot be used; ``mistakes`` names every reason."""

    code: ClassVar[str] = "bad-configuration"

    def __init__(self, file: Path, mistakes: list[Mistake]) -> None:
        self.file = file
        self.mistakes = mistakes
        super().__init__(
            f"{file} has {len(mistakes)} mistake(s); "
            f"`vigil-edge check --config {file}` names them all"
        )


def resolve(path: Path, info: ValidationInfo) -> Path:
    """A path as the file's author meant it: relative to the file's own folder."""
    folder = (info.context or {}).get(FOLDER)
    return path if folder is None else Path(folder) / path


def _existing(path: Path, info: ValidationInfo) -> Path:
    path = resolve(path, info)
    if not path.is_file():
        raise ValueError(f"there is no file {path}")
    return path


ResolvedPath = Annotated[Path, AfterValidator(resolve)]
"""A path that need not exist yet."""
ExistingFile = Annotated[Path, AfterValidator(_existing)]
"""A file that must be there when the configuration is read. Domains may use it too."""


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class GatewaySettings(_Section):
    """``[gateway]``: who this is, and where it keeps things."""

    id: GatewayId
    name: Annotated[str, Field(max_length=120)] = ""
    latitude: Annotated[float, Field(ge=-90, le=90)] | None = None
    longitude: Annotated[float, Field(ge=-180, le=180)] | None = None
    data_dir: ResolvedPath


class CloudSettings(_Section):
    """``[cloud]``: the broker, and where evidence is uploaded."""

    broker: str
    ca_file: ExistingFile | None = None
    certificate_file: ExistingFile | None = None
    key_file: ExistingFile | None = None
    username: Annotated[str, Field(min_length=1)] | None = None
    password_file: ExistingFile | None = None
    keepalive_s: Annotated[int, Field(ge=5, le=600)] = 30
    url: str | None = None
    token: SecretStr | None = None
    token_file: ExistingFile | None = None

    @field_validator("broker")
    @classmethod
    def _broker(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in ("mqtt", "mqtts") or not parts.hostname:
            raise ValueError("write mqtt://host:port, or mqtts://host:port for TLS")
        if parts.username or parts.password:
            raise ValueError("keep credentials out of the address: use username and password_file")
        _ = parts.port  # raises ValueError where it is no port
        return value

    @field_validator("url")
    @classmethod
    def _url(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("write http://host:port or https://host")
        return value.rstrip("/")

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if (self.certificate_file is None) != (self.key_file is None):
            alone = "key_file" if self.certificate_file is None else "certificate_file"
            message = "certificate_file and key_file belong together: give both"
            raise misplaced(((alone,), message))
        return self

    @field_validator("certificate_file")
    @classmethod
    def _needs_tls(cls, value: Path | None, info: ValidationInfo) -> Path | None:
        if value is not None and str(info.data.get("broker", "")).startswith("mqtt:"):
            raise ValueError("a client certificate needs TLS: write the broker as mqtts://")
        return value

    @field_validator("token_file")
    @classmethod
    def _one_token(cls, value: Path | None, info: ValidationInfo) -> Path | None:
        if value is not None and info.data.get("token") is not None:
            raise ValueError("give token or token_file, not both")
        return value

    @property
    def tls(self) -> bool:
        return self.broker.startswith("mqtts:")

    @property
    def host(self) -> str:
        return urlsplit(self.broker).hostname or ""

    @property
    def port(self) -> int:
        return urlsplit(self.broker).port or (8883 if self.tls else 1883)

    def password(self) -> str | None:
        """First line of ``password_file``."""
        return _first_line(self.password_file)

    def bearer(self) -> str | None:
        """The token for uploads, from ``token`` or ``token_file``."""
        return self.token.get_secret_value() if self.token else _first_line(self.token_file)


class OutboxSettings(_Section):
    """``[outbox]``: how much may wait on this gateway's disk."""

    max_rows: Annotated[int, Field(ge=100)] = 1_000_000
    max_megabytes: Annotated[float, Field(ge=1)] = 512
    window: Annotated[int, Field(ge=1, le=1000)] = 64
    """Messages per lane that may be under way without a receipt."""


class EvidenceSettings(_Section):
    """``[evidence]``: how much sealed evidence may wait for its upload."""

    max_megabytes: Annotated[float, Field(ge=1)] = 4096


class HealthSettings(_Section):
    """``[health]``: how often the gateway says how it is."""

    interval_s: Annotated[float, Field(ge=1, le=3600)] = 60


class _Head(_Section):
    gateway: GatewaySettings
    cloud: CloudSettings
    outbox: OutboxSettings = OutboxSettings()
    evidence: EvidenceSettings = EvidenceSettings()
    health: HealthSettings = HealthSettings()


@dataclass(frozen=True, slots=True)
class DeviceSection:
    """One ``[[domain]]`` table: one pipeline, of one or several devices."""

    domain: Domain
    index: int
    settings: DeviceSettings

    def describe(self) -> list[DeviceDescription]:
        """The devices behind this section, by the domain's own ``describe``."""
        described: list[DeviceDescription] = _pipeline_module(self.domain).describe(self.settings)
        return described


@dataclass(frozen=True, slots=True)
class Config:
    """A whole configuration that was found right."""

    gateway: GatewaySettings
    cloud: CloudSettings
    outbox: OutboxSettings
    evidence: EvidenceSettings
    health: HealthSettings
    sections: tuple[DeviceSection, ...]


def load(file: Path) -> Config:
    """Read and check a configuration. Raises ``ConfigError`` with every mistake in it."""
    try:
        text = file.read_bytes().decode()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else f"not UTF-8: {error}"
        raise ConfigError(file, [Mistake(1, "", f"cannot be read: {reason}")]) from error
    document, mistakes, text = _parse(text)
    if document is None:
        raise ConfigError(file, mistakes)
    reader = _Reader(document, lines_of(text), file.resolve().parent, torn=bool(mistakes))
    config = reader.config()
    mistakes += reader.mistakes
    if config is None or mistakes:
        raise ConfigError(file, sorted(set(mistakes)))
    return config


def _parse(text: str) -> tuple[dict[str, Any] | None, list[Mistake], str]:
    """The document; a line that breaks the syntax is named, then blanked so that the rest is seen.

    Returns ``None`` for the document where blanking single lines does not mend it.
    """
    mistakes: list[Mistake] = []
    lines = text.replace("\r\n", "\n").split("\n")
    for _ in range(20):
        try:
            return tomllib.loads("\n".join(lines)), mistakes, "\n".join(lines)
        except tomllib.TOMLDecodeError as error:
            line, reason = _place(str(error), len(lines))
            if mistakes and line <= mistakes[-1].line:
                break
            mistakes.append(Mistake(line, "", f"not TOML: {reason}"))
            lines[line - 1] = ""
    return None, mistakes[:1], text


def _place(message: str, last: int) -> tuple[int, str]:
    reason, _, place = message.rpartition(" (at ")
    if place.startswith("line "):
        return int(place[5 : place.index(",")]), reason
    return last, reason or message


class _Reader:
    """Checks one document, gathering mistakes instead of stopping at the first."""

    def __init__(
        self, document: dict[str, Any], lines: dict[KeyPath, int], folder: Path, *, torn: bool
    ) -> None:
        self.document = document
        self.lines = lines
        self.folder = folder
        self.torn = torn
        """A line was blanked: that a key is missing proves nothing."""
        self.mistakes: list[Mistake] = []

    def config(self) -> Config | None:
        head = self._head()
        sections = [
            section
            for domain in Domain
            for section in self._sections(domain, self.document.get(domain.value, []))
        ]
        self._unique(sections)
        if head is None:
            return None
        return Config(
            head.gateway, head.cloud, head.outbox, head.evidence, head.health, tuple(sections)
        )

    def _head(self) -> _Head | None:
        domains = {domain.value for domain in Domain}
        rest = {key: value for key, value in self.document.items() if key not in domains}
        for key in [key for key in rest if key not in _Head.model_fields]:
            rest.pop(key)
            hint = suggestion(key, [*_Head.model_fields, *domains])
            self.mistakes.append(
                Mistake(self._line((key,)), show((key,)), f"unknown section{hint}")
            )
        return self._validate(TypeAdapter(_Head), rest, ())

    def _sections(self, domain: Domain, tables: Any) -> Iterator[DeviceSection]:
        if not tables:
            return
        if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
            self._mistake((domain.value,), f"write [[{domain.value}]], in double brackets")
            return
        try:
            adapter = TypeAdapter[DeviceSettings](_settings_module(domain).Settings)
        except ModuleNotFoundError as error:
            self._mistake((domain.value,), f"cannot be read here: {error.name} is not installed")
            return
        for index, table in enumerate(tables):
            settings = self._validate(adapter, table, (domain.value, index))
            if settings is not None:
                yield DeviceSection(domain, index, settings)

    def _validate(self, adapter: TypeAdapter[_T], table: Any, at: KeyPath) -> _T | None:
        try:
            return adapter.validate_python(table, context={FOLDER: str(self.folder)})
        except ValidationError as error:
            for found in from_validation(error, adapter, table):
                if not (found.missing and self.torn):
                    self._mistake((*at, *found.path), found.message)
        return None

    def _unique(self, sections: list[DeviceSection]) -> None:
        """One device, one section: two pipelines must not speak in one name.

        Names count as they are written, so also those of sections with other mistakes.
        """
        names = list(self._written_devices())
        written = {device for device, _ in names}
        for section in sections:
            at: KeyPath = (section.domain.value, section.index)
            try:
                described = {entry.device for entry in section.describe()}
            except ModuleNotFoundError as error:
                self._mistake(at, f"cannot be driven here: {error.name} is not installed")
            else:
                names += [(device, at) for device in sorted(described - written)]
        seen: dict[str, KeyPath] = {}
        for device, path in names:
            before = seen.setdefault(device, path)
            if before[:2] != path[:2]:  # within one section its own settings say so
                where = f"{show(before)} (line {self._line(before)})"
                self._mistake(path, f"device {device!r} is already in {where}")

    def _written_devices(self) -> Iterator[tuple[str, KeyPath]]:
        """Every ``device`` of a section, or of a table in it, in the order of the domains."""
        for domain in Domain:
            tables = self.document.get(domain.value)
            for index, table in enumerate(tables if isinstance(tables, list) else []):
                yield from _devices(table, (domain.value, index))

    def _mistake(self, path: KeyPath, message: str) -> None:
        self.mistakes.append(Mistake(self._line(path), show(path), message))

    def _line(self, path: KeyPath) -> int:
        while path not in self.lines:
            path = path[:-1]
        return self.lines[path]


def _devices(table: Any, at: KeyPath) -> Iterator[tuple[str, KeyPath]]:
    if not isinstance(table, dict):
        return
    if isinstance(device := table.get("device"), str):
        yield device, (*at, "device")
    for key, value in table.items():
        for index, below in enumerate(value if isinstance(value, list) else []):
            yield from _devices(below, (*at, key, index))


def _settings_module(domain: Domain) -> ModuleType:
    return importlib.import_module(f"vigil_edge.{domain.value}.settings")


def _pipeline_module(domain: Domain) -> ModuleType:
    return importlib.import_module(f"vigil_edge.{domain.value}.pipeline")


def _first_line(file: Path | None) -> str | None:
    if file is None:
        return None
    lines: list[str] = file.read_text(encoding="utf-8").splitlines()
    return lines[0].strip() if lines else ""


def summary(config: Config) -> Iterator[Mapping[str, Any]]:
    """What ``vigil-edge check`` prints for a configuration that is right: a line per device."""
    for section in config.sections:
        for entry in section.describe():
            yield {
                "kind": "device",
                "device": entry.device,
                "domain": entry.domain.value,
                "driver": entry.driver,
                "name": entry.name,
                "parameters": entry.parameters,
            }
