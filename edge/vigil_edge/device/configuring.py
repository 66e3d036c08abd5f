"""The configuration in force: ``gateway.toml``, with what the cloud wants otherwise.

The newest revision of the cloud wins over the file, key by key; whatever is not right is not
used, and told with the words of ``vigil-edge check``. All or nothing: a revision with one
mistake changes nothing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

import structlog

from vigil_edge.configuration import desired as disk
from vigil_edge.configuration.added import Template
from vigil_edge.configuration.desired import Desired
from vigil_edge.configuration.device import SectionKind
from vigil_edge.configuration.gateway_file import Config, ConfigError, Document, check, read
from vigil_edge.configuration.mistakes import Mistake
from vigil_edge.configuration.remote import (
    Otherwise,
    Values,
    Wanted,
    differences,
    in_file,
    merged,
    values,
)
from vigil_schemas.control import AnyConfiguration, Configuration
from vigil_schemas.gateway import (
    ChangedSetting,
    CommandResult,
    ConfigurationReport,
    RefusedConfiguration,
    SettingMistake,
)

_MISTAKES: Final = 50
_AT_START: Final = ("gateway", "cloud", "outbox", "evidence")
"""Sections that are read when the agent starts, and not again."""

_log = structlog.get_logger("configuration")


class ActiveConfiguration:
    """One per agent. ``changed`` makes the agent that of ``config``; ``tell`` reports upward."""

    def __init__(self, file: Path, config: Config, domains: Sequence[SectionKind]) -> None:
        """``config``: what the file said when the agent started."""
        self.config = config
        self.changed: Callable[[], tuple[str, str]] = lambda: ("ok", "")
        """Returns a code and a message for what could not be followed."""
        self.answer: Callable[[CommandResult], Awaitable[None]] = _nobody
        self.report: Callable[[ConfigurationReport], Awaitable[None]] = _nobody
        self.templates: Callable[[], Mapping[str, Template]] = dict
        """What this gateway found: devices that the cloud adds are among it."""
        self._file = file
        self._domains = domains
        self._folder = config.gateway.data_dir
        self._first = config
        self._document: Document | None = None
        self._of_file = config
        self._desired = Desired()
        self._file_refused: RefusedConfiguration | None = None
        self._told_old: set[int] = set()

    @property
    def health_interval_s(self) -> float:
        """Seconds between two health reports: the cloud's word, else the file's."""
        wanted = self._desired.configuration
        if wanted is not None and wanted.health_interval_s is not None:
            return wanted.health_interval_s
        return self._of_file.health.interval_s

    @property
    def paused(self) -> list[str]:
        """Devices that the cloud wants to be at rest."""
        wanted = self._desired.configuration
        return [] if wanted is None else list(wanted.paused_devices)

    @property
    def stands_on(self) -> list[str]:
        """Findings that the cloud's devices are read by, and those that are wanted."""
        both = (self._desired.configuration, self._desired.waiting)
        return [each.found for one in both if one is not None for each in one.devices.values()]

    def start(self, before: bytes | None) -> None:
        """Lay the kept revision over the file. ``before``: one kept by an earlier version.

        Never raises for what the cloud wanted: the gateway then runs with its file alone.
        """
        self._recall(before)
        self._read_file()
        self._use()

    async def take(self, configuration: AnyConfiguration, *, retained: bool = False) -> None:
        """A newer revision; a known one changes nothing, and an older one is refused.
        ``retained``: the broker had kept it; nobody asks for it just now."""
        wanted = _newest_form(configuration)
        if wanted.revision <= self._desired.revision:
            if not self._is_known(wanted):
                await self._older(wanted)
            elif not retained:
                await self._answer_again()
            return
        mistakes = self._mistakes(wanted)
        if mistakes:
            refused = {
                "revision": wanted.revision,
                "refused": _refusal(wanted.revision, mistakes),
                "waiting": wanted,
            }
            self._keep(self._desired.model_copy(update=refused))
            await self._tell_refused(wanted.revision, mistakes)
            return
        await self._take_right(wanted)

    async def found_more(self) -> None:
        """A search ended: what was refused for a device that was not found may be right now."""
        wanted = self._desired.waiting
        if wanted is not None and not self._mistakes(wanted):
            await self._take_right(wanted)
            return
        before = self.config
        self._use()  # a device may be called otherwise where it was found again
        if self.config != before:
            self.changed()
            await self.report(self._state())

    async def _take_right(self, wanted: Configuration) -> None:
        file = in_file(self._document, self._of_file, wanted.settings) if self._document else {}
        self._keep(Desired(revision=wanted.revision, configuration=wanted, file=file))
        self._use()
        code, message = self.changed()
        await self._tell(wanted.revision, accepted=True, code=code, message=message)

    async def reload(self) -> list[SettingMistake]:
        """Read the file again, as SIGHUP asks; returns its mistakes. With any, nothing changes."""
        self._recall(None)
        try:
            self._read_file()
        except ConfigError as error:
            _log.error("gateway.toml is not taken: see vigil-edge check", error=str(error))
            self._file_refused = _refusal(0, error.mistakes)
        else:
            self._file_refused = None
        self._use()
        self.changed()
        for each in self._edited():
            _log.warning(
                "the file's value is not used: the cloud set this key (vigil-edge config reset)",
                device=each.device,
                key=each.key,
                file=each.file,
            )
        await self.report(self._state())
        return [] if self._file_refused is None else self._file_refused.mistakes

    async def say(self) -> None:
        """Report what is in force."""
        await self.report(self._state())

    def _recall(self, before: bytes | None) -> None:
        try:
            self._desired = disk.recall(self._folder)
        except (OSError, ValueError) as error:
            _log.error("the cloud's configuration cannot be read", error=str(error))
            return
        if self._desired.revision == 0 and not self._desired.dropped and before is not None:
            kept = Configuration.model_validate_json(before)
            self._desired = Desired(revision=kept.revision, configuration=kept)

    def _read_file(self) -> None:
        """Raises ``ConfigError``; then nothing has changed."""
        document = read(self._file)
        self._of_file = check(document, self._domains)
        self._document = document

    def _use(self) -> None:
        """Make ``config`` of the file and what the cloud wants."""
        self.config = self._of_file
        wanted = self._desired.configuration
        if wanted is None or self._document is None:
            return
        try:
            self.config = self._merged(self._document, wanted)
        except ConfigError as error:  # right when it came; the file has changed since
            mistakes = "; ".join(_said(each) for each in error.mistakes)
            _log.error("the cloud's settings are not used with this file", mistakes=mistakes)
            refused = _refusal(wanted.revision, error.mistakes)
            update = {"refused": refused, "waiting": self._desired.waiting or wanted}
            self._desired = self._desired.model_copy(update=update)
            self.config = self._what_holds(self._document, wanted)

    def _what_holds(self, document: Document, wanted: Configuration) -> Config:
        """Of a configuration that was right once: its devices go on being read, as far as they are
        known here. A value that no longer fits must not make a gateway deaf."""
        known = self.templates()
        there = {name: one for name, one in wanted.devices.items() if one.found in known}
        settings = {
            k: v for k, v in wanted.settings.items() if k not in wanted.devices.keys() - there
        }
        for attempt in (settings, {k: v for k, v in settings.items() if k in there}, {}):
            kept = wanted.model_copy(update={"devices": there, "settings": attempt})
            try:
                return self._merged(document, kept)
            except ConfigError as error:
                _log.info("less of the cloud's settings is tried", mistakes=len(error.mistakes))
        return self._of_file

    def _mistakes(self, wanted: Configuration) -> list[Mistake]:
        if self._document is None:
            return []
        try:
            self._merged(self._document, wanted)
        except ConfigError as error:
            return error.mistakes
        return []

    def _merged(self, document: Document, wanted: Configuration) -> Config:
        otherwise = Otherwise(wanted.settings, wanted.devices)
        return merged(document, self._of_file, otherwise, self._domains, self.templates())

    def _keep(self, desired: Desired) -> None:
        self._desired = desired
        try:
            disk.keep(self._folder, desired)
        except OSError as error:
            _log.error(
                "the cloud's configuration is not kept: it ends with the agent", error=str(error)
            )

    def _edited(self) -> list[ChangedSetting]:
        return differences(self._of_the_file_now(), self._desired.file)

    def _of_the_file_now(self) -> Values:
        if self._document is None or self.config is self._of_file:
            return {}
        return in_file(self._document, self._of_file, self._wanted())

    def _wanted(self) -> Wanted:
        wanted = self._desired.configuration
        return {} if wanted is None else wanted.settings

    def _state(self) -> ConfigurationReport:
        desired = self._desired
        in_force = desired.configuration is not None and (
            desired.configuration.revision == desired.revision and desired.refused is None
        )
        return ConfigurationReport(
            revision=self._desired.revision,
            in_force=in_force,
            dropped=self._desired.dropped,
            settings=values(self.config),
            cloud=differences(self._of_the_file_now()),
            edited=self._edited(),
            refused=self._file_refused or desired.refused,
            at_next_start=[
                name
                for name in _AT_START
                if getattr(self._of_file, name) != getattr(self._first, name)
            ],
        )

    async def _tell(self, revision: int, *, accepted: bool, code: str, message: str) -> None:
        result = CommandResult(
            command_id=f"config-{revision}", accepted=accepted, code=code, message=message[:400]
        )
        await self.answer(result)
        await self.report(self._state())

    async def _tell_refused(
        self, revision: int, mistakes: Sequence[Mistake | SettingMistake]
    ) -> None:
        message = "; ".join(_said(each) for each in mistakes)
        await self._tell(revision, accepted=False, code="bad-configuration", message=message)

    async def _answer_again(self) -> None:
        """The cloud sends again what is known here: the answer to it was lost, with an outbox that
        was full or damaged, or as the agent ended."""
        desired = self._desired
        if desired.dropped:
            message = "dropped at the gateway; a newer revision counts again"
            code = "configuration-dropped"
            await self._tell(desired.revision, accepted=False, code=code, message=message)
        elif desired.refused is not None:
            await self._tell_refused(desired.revision, desired.refused.mistakes)
        elif desired.configuration is not None:
            code, message = self.changed()
            await self._tell(desired.revision, accepted=True, code=code, message=message)

    async def _older(self, wanted: Configuration) -> None:
        """Once each: a retained configuration comes with every connection. One of a number that is
        known and with other contents is another: a cloud that was put back from an old copy gives
        its numbers a second time. What is in force is told with the refusal, so that the cloud's
        next one is above all that is known here."""
        revision = wanted.revision
        if revision in self._told_old:
            return
        known = self._desired.revision
        other = " with other contents" if revision == known else ""
        message = f"this gateway already has revision {known}{other}"
        await self._tell(revision, accepted=False, code="older-revision", message=message)
        # Only now: a refusal that found no room in the outbox is told when it comes again.
        self._told_old = {*self._told_old, revision} if len(self._told_old) < 64 else {revision}

    def _is_known(self, wanted: Configuration) -> bool:
        """Whether it is the newest one that came, as far as that can be told."""
        if wanted.revision < self._desired.revision:
            return False
        both = (self._desired.configuration, self._desired.waiting)
        same = [one for one in both if one is not None and one.revision == wanted.revision]
        return not same or wanted in same


async def _nobody(_: object) -> None:
    """Nobody is told."""


def _newest_form(configuration: AnyConfiguration) -> Configuration:
    if isinstance(configuration, Configuration):
        return configuration
    return Configuration.model_validate(configuration.model_dump())


def _refusal(revision: int, mistakes: Sequence[Mistake]) -> RefusedConfiguration:
    return RefusedConfiguration(
        revision=revision,
        mistakes=[
            SettingMistake(line=each.line, key=each.key[:200], message=each.message[:400])
            for each in mistakes[:_MISTAKES]
        ],
    )


def _said(mistake: Mistake | SettingMistake) -> str:
    return f"{mistake.key}: {mistake.message}" if mistake.key else mistake.message
