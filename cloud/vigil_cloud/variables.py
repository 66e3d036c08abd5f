"""Variables of the environment that look like settings and are none.

A slip in a name would otherwise be the default in silence.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import get_origin

from pydantic import BaseModel

from vigil_cloud.config import Settings
from vigil_schemas import environment


def unread(variables: Mapping[str, str] = os.environ) -> list[str]:
    """A sentence for each variable, or secret's file, of ours that nobody reads.

    Raises ``SecretsUnreadable``.
    """
    tables, whole = set(_tables()), set(_names())

    def is_read(name: str) -> bool:
        # What is in a table and wrong is refused by the table itself.
        return name in whole or any(name.startswith(f"{table}__") for table in tables)

    found = environment.unread(variables, is_read, whole)
    return [
        f"{name} is no setting of the cloud" + (f"; is {near} meant?" if near else "")
        for name, near in found.items()
    ]


def _names() -> Iterator[str]:
    """Every setting's variable, with those of the tables."""
    for name, field in Settings.model_fields.items():
        variable = f"{environment.PREFIX}{name.upper()}"
        yield variable
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from (f"{variable}__{one.upper()}" for one in field.annotation.model_fields)


def _tables() -> Iterator[str]:
    for name, field in Settings.model_fields.items():
        kind = get_origin(field.annotation) or field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel | dict):
            yield f"{environment.PREFIX}{name.upper()}"
