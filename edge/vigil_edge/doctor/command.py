"""``vigil-edge doctor``: a line for each look, in the language of ``LANG``."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from functools import partial
from itertools import chain
from pathlib import Path

from vigil_edge.configuration.gateway_file import Config, DeviceSection, load
from vigil_edge.doctor import checks
from vigil_edge.domain import EdgeDomain
from vigil_edge.examination import Finding, Text


def examine(
    file: Path, domains: tuple[EdgeDomain, ...], *, as_json: bool
) -> Iterator[tuple[str, bool]]:
    """Each look as it is printed, and whether it is well, as soon as it was looked: without a
    network each takes its seconds. Raises ``ConfigError``."""
    config = load(file, domains)
    chinese = speaks_chinese(os.environ)
    for found in chain(checks.everything(config), of_devices(config, domains)):
        yield (_json(found) if as_json else _line(found, chinese=chinese)), found.well


def of_devices(config: Config, domains: tuple[EdgeDomain, ...]) -> Iterator[Finding]:
    """What each section's domain looks at."""
    by_key = {domain.key: domain for domain in domains}
    for section in config.sections:
        look = by_key[section.domain.key].examine
        if look is not None:
            subject = subject_of(section)
            yield from checks.looked(subject, partial(look, section.settings, subject))


def subject_of(section: DeviceSection) -> Text:
    """What a device is called on its line."""
    device = section.settings.device
    return Text(device, section.settings.name_zh or device)


def speaks_chinese(environment: Mapping[str, str]) -> bool:
    """By ``LC_ALL``, ``LC_MESSAGES`` or ``LANG``, as gettext has it."""
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        if environment.get(name):
            return environment[name].lower().startswith("zh")
    return False


def _line(found: Finding, *, chinese: bool) -> str:
    at = 1 if chinese else 0
    if found.well:
        return f"{('ok', '正常')[at]}  {found.subject[at]}: {found.said[at]}"
    return f"{('MEND', '待修')[at]}  {found.subject[at]}: {found.said[at]} → {found.mend[at]}"


def _json(found: Finding) -> str:
    body = {
        "subject": found.subject.en,
        "well": found.well,
        "said": found.said._asdict(),
        "mend": found.mend._asdict() if not found.well else None,
    }
    return json.dumps(body, ensure_ascii=False)
