"""``gateway.toml``: read once at the entrance, into frozen models.

Device sections are an array of tables per domain (``[[water]]``); each is checked by its
domain's ``settings``, which is imported only where such a section stands. Paths may be
relative to the folder that the file lies in.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Final, TypeVar

from pydantic import TypeAdapter, ValidationError

from vigil_edge import packages
from vigil_edge.configuration.allowed import DiscoverySettings
from vigil_edge.configuration.device import DeviceSettings, SectionKind
from vigil_edge.configuration.mistakes import CHECKING, Mistake, from_validation, show, suggestion
from vigil_edge.configuration.paths import FOLDER
from vigil_edge.configuration.sections import (
    CloudSettings,
    EvidenceSettings,
    GatewaySettings,
    Head,
    HealthSettings,
    OutboxSettings,
)
from vigil_schemas.errors import VigilError
from vigil_schemas.gateway import DeviceDescription
from vigil_schemas.toml_lines import Path as KeyPath
from vigil_schemas.toml_lines import line_at, lines_of

_T = TypeVar("_T")
_LONG_NUMBER: Final = re.compile(r"[0-9_]{4300}")
"""Python refuses to read more digits than these."""


class ConfigError(VigilError):
    """A configuration cannot be used; ``mistakes`` names every reason."""

    code: ClassVar[str] = "bad-configuration"
    remedy: ClassVar[str] = (
        "Correct every mistake that is named; `vigil-edge check` names them all."
    )

    def __init__(self, file: Path, mistakes: list[Mistake]) -> None:
        self.file = file
        self.mistakes = mistakes
        super().__init__(
            f"{file} has {len(mistakes)} mistake(s); "
            f"`vigil-edge check --config {file}` names them all"
        )


@dataclass(frozen=True, slots=True)
class DeviceSection:
    """One ``[[domain]]`` table: one pipeline, of one or several devices."""

    domain: SectionKind
    index: int
    settings: DeviceSettings

    def describe(self) -> list[DeviceDescription]:
        """The devices behind this section, by the domain's own ``describe``."""
        return self.domain.describe(self.settings)


@dataclass(frozen=True, slots=True)
class Config:
    """A whole configuration that was found right."""

    gateway: GatewaySettings
    cloud: CloudSettings
    outbox: OutboxSettings
    evidence: EvidenceSettings
    health: HealthSettings
    discovery: DiscoverySettings
    sections: tuple[DeviceSection, ...]


@dataclass(frozen=True, slots=True)
class Document:
    """A file's tables as TOML, not yet checked against the domains."""

    file: Path
    tables: dict[str, Any]
    lines: dict[KeyPath, int]
    mistakes: tuple[Mistake, ...]
    """Of the syntax; where there are any, a missing key proves nothing."""


def load(file: Path, domains: Sequence[SectionKind], *, checking: bool = False) -> Config:
    """Read and check a configuration. Raises ``ConfigError`` with every mistake in it.

    ``checking``: also with those that a gateway starts with all the same, and reports.
    """
    return check(read(file), domains, checking=checking)


def read(file: Path) -> Document:
    """Raises ``ConfigError`` where it is no TOML at all."""
    try:
        text = file.read_bytes().decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else f"not UTF-8: {error}"
        raise ConfigError(file, [Mistake(1, "", f"cannot be read: {reason}")]) from error
    document, mistakes, text = _parse(text)
    if document is None:
        raise ConfigError(file, mistakes)
    return Document(file, document, lines_of(text), tuple(mistakes))


def check(document: Document, domains: Sequence[SectionKind], *, checking: bool = False) -> Config:
    """What a document means. Raises ``ConfigError`` with every mistake in it."""
    reader = _Reader(document, domains)
    reader.checking = checking
    config = reader.config()
    mistakes = [*document.mistakes, *reader.mistakes]
    if config is None or mistakes:
        raise ConfigError(document.file, sorted(set(mistakes)))
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
        except RecursionError:
            return None, [Mistake(1, "", "not TOML: lists or tables nested without end")], text
        except ValueError as error:  # TOMLDecodeError is one; a number of endless digits another
            line, reason = _place(str(error), lines)
            if mistakes and line <= mistakes[-1].line:
                break
            mistakes.append(Mistake(line, "", f"not TOML: {reason}"))
            lines[line - 1] = ""
    return None, mistakes[:1], text


def _place(message: str, lines: list[str]) -> tuple[int, str]:
    reason, _, place = message.rpartition(" (at ")
    if place.startswith("line "):
        return int(place[5 : place.index(",")]), reason
    for number, line in enumerate(lines, start=1):
        if _LONG_NUMBER.search(line):
            return number, "a number of so many digits"
    return len(lines), reason or message


class _Reader:
    """Checks one document, gathering mistakes instead of stopping at the first."""

    def __init__(self, document: Document, domains: Sequence[SectionKind]) -> None:
        self.document = document.tables
        self.lines = document.lines
        self.folder = document.file.resolve().parent
        self.domains = domains
        self.torn = bool(document.mistakes)
        """A line was blanked: that a key is missing proves nothing."""
        self.checking = False
        self.mistakes: list[Mistake] = []

    def config(self) -> Config | None:
        head = self._head()
        sections = [
            section
            for domain in self.domains
            for section in self._sections(domain, self.document.get(domain.key, []))
        ]
        self._unique(sections)
        if head is None:
            return None
        return Config(
            gateway=head.gateway,
            cloud=head.cloud,
            outbox=head.outbox,
            evidence=head.evidence,
            health=head.health,
            discovery=head.discovery,
            sections=tuple(sections),
        )

    def _head(self) -> Head | None:
        domains = {domain.key for domain in self.domains}
        rest = {key: value for key, value in self.document.items() if key not in domains}
        for key in [key for key in rest if key not in Head.model_fields]:
            rest.pop(key)
            hint = suggestion(key, [*Head.model_fields, *domains])
            self.mistakes.append(
                Mistake(self._line((key,)), show((key,)), f"unknown section{hint}")
            )
        return self._validate(TypeAdapter(Head), rest, ())

    def _sections(self, domain: SectionKind, tables: Any) -> Iterator[DeviceSection]:
        if not tables:
            return
        if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
            self._mistake((domain.key,), f"write [[{domain.key}]], in double brackets")
            return
        try:
            adapter = TypeAdapter[DeviceSettings](domain.settings())
        except ModuleNotFoundError as error:
            # What reads a section is needed at a start as well.
            absent = packages.PackageMissing(str(error.name), packages.extra_of(domain.key))
            self._mistake((domain.key,), f"cannot be read here: {absent}")
            return
        if self.checking:
            self._packages(domain)
        for index, table in enumerate(tables):
            settings = self._validate(adapter, table, (domain.key, index))
            if settings is not None:
                yield DeviceSection(domain, index, settings)

    def _packages(self, domain: SectionKind) -> None:
        """What its pipelines import. A gateway that runs starts without, and reports the source
        as failed: other devices need it."""
        extra = packages.extra_of(domain.key)
        absent = packages.missing(extra)
        if absent:
            error = packages.PackageMissing(" and ".join(absent), extra)
            self._mistake((domain.key,), f"cannot be driven here: {error}")
        for one, other in packages.overwritten(extra):
            message = (
                f"{one} and {other} are both installed and overwrite each other's files:"
                f" pip uninstall {one} {other}, then pip install {one}"
            )
            self._mistake((domain.key,), message)

    def _validate(self, adapter: TypeAdapter[_T], table: Any, at: KeyPath) -> _T | None:
        context = {FOLDER: str(self.folder), CHECKING: self.checking}
        try:
            return adapter.validate_python(table, context=context)
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
            at: KeyPath = (section.domain.key, section.index)
            try:
                described = {entry.device for entry in section.describe()}
            except ModuleNotFoundError as error:
                extra = packages.extra_of(section.domain.key)
                absent = packages.PackageMissing(str(error.name), extra)
                self._mistake(at, f"cannot be driven here: {absent}")
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
        for domain in self.domains:
            tables = self.document.get(domain.key)
            for index, table in enumerate(tables if isinstance(tables, list) else []):
                yield from _devices(table, (domain.key, index))

    def _mistake(self, path: KeyPath, message: str) -> None:
        self.mistakes.append(Mistake(self._line(path), show(path), message))

    def _line(self, path: KeyPath) -> int:
        return line_at(self.lines, path)


def _devices(table: Any, at: KeyPath) -> Iterator[tuple[str, KeyPath]]:
    if not isinstance(table, dict):
        return
    if isinstance(device := table.get("device"), str):
        yield device, (*at, "device")
    for key, value in table.items():
        for index, below in enumerate(value if isinstance(value, list) else []):
            yield from _devices(below, (*at, key, index))


def summary(config: Config) -> Iterator[Mapping[str, Any]]:
    """What ``vigil-edge check`` prints for a configuration that is right: a line per device, and
    for each note of a section."""
    for section in config.sections:
        for entry in section.describe():
            yield {
                "kind": "device",
                "device": entry.device,
                "domain": entry.domain,
                "driver": entry.driver,
                "name": entry.name,
                "parameters": entry.parameters,
            }
        for note in section.settings.notes():
            yield {"kind": "note", "device": section.settings.device, "note": note}
