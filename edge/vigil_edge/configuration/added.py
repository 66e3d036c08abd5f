"""Devices that the cloud adds beside those of ``gateway.toml``, each from what this gateway found.

Pure. A found device's table (address, unit, bridge and all) stays on this gateway; the cloud names
the finding, says what it is called, and answers what the device does not say of itself. So no
address, no file and no credential comes from afar, and what is laid in is checked as the file is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from vigil_edge.configuration.mistakes import Mistake
from vigil_schemas.control import AddedDevice
from vigil_schemas.types import Domain

Table = dict[str, JsonValue]


class Template(BaseModel):
    """What ``gateway.toml`` would say of one finding, but for its ``device`` and its names."""

    model_config = ConfigDict(frozen=True)

    domain: Domain
    table: Table
    inside: str = ""
    """Its table stands in this list of a section (``[[smoke.alarm]]``); empty: it is a section."""
    section: Table = Field(default_factory=dict)
    """With ``inside``: the section around it, where none is there yet."""
    absent: Table = Field(default_factory=dict)
    """With ``inside``: what a key of ``same`` means where a section does not write it."""
    same: tuple[str, ...] = ()
    """With ``inside``: keys by which a section that is there is the one."""
    choices: dict[str, dict[str, Table]] = Field(default_factory=dict)
    """By what has to be chosen and by its value: what is laid over ``table`` then."""


def lay_in(
    tables: dict[str, Any],
    added: Mapping[str, AddedDevice],
    templates: Mapping[str, Template],
) -> Iterator[Mistake]:
    """Put the added devices into a document's tables; what cannot be is a mistake."""
    for device, one in added.items():
        template = templates.get(one.found)
        if template is None:
            message = "this gateway has not found it (yet): search on the gateway's page"
            yield Mistake(0, device, message)
            continue
        table, missing = _chosen(template, one.choices)
        if missing:
            yield Mistake(0, f"{device}: {missing}", "has to be chosen among what is offered")
            continue
        _place(tables, template, {**table, "device": device})


def chosen(template: Template, choices: Mapping[str, str], device: str) -> dict[str, Any] | None:
    """The one section of a finding, as a document would hold it; ``None`` where a choice lacks."""
    table, missing = _chosen(template, choices)
    if missing:
        return None
    tables: dict[str, Any] = {}
    _place(tables, template, {**table, "device": device})
    section: dict[str, Any] = tables[template.domain][0]
    return section


def _chosen(template: Template, choices: Mapping[str, str]) -> tuple[Table, str]:
    table = dict(template.table)
    for key, by_value in template.choices.items():
        over = by_value.get(choices.get(key, ""))
        if over is None:
            return table, key
        table |= over
    return table, next((key for key in choices if key not in template.choices), "")


def _place(tables: dict[str, Any], template: Template, table: dict[str, Any]) -> None:
    sections = tables.setdefault(template.domain, [])
    if not isinstance(sections, list):
        return  # the file's own mistake, which its check names
    if not template.inside:
        sections.append(table)
        return
    section = next((each for each in sections if _is_it(each, template)), None)
    if section is None:
        section = dict(template.section)
        sections.append(section)
    section[template.inside] = [*section.get(template.inside, []), table]


def _is_it(section: Any, template: Template) -> bool:
    return isinstance(section, dict) and all(
        section.get(key, template.absent.get(key)) == template.section.get(key)
        for key in template.same
    )
