"""Variables of the environment that look like settings of the agent, which stand in its file."""

from __future__ import annotations

import os
from collections.abc import Mapping

from pydantic import BaseModel

from vigil_edge.configuration.sections import Head
from vigil_schemas import environment
from vigil_schemas.errors import VigilError


def unread(variables: Mapping[str, str] = os.environ) -> list[str]:
    """A sentence for each variable of ours that the agent does not read, with the key that is
    meant, where one is near. A folder of secrets that cannot be read is such a sentence as well:
    the agent reads none, and must not stop for it."""
    keys = {
        f"{environment.PREFIX}{key.upper()}": f"[{section}] {key}"
        for section, field in reversed(Head.model_fields.items())
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)
        for key in field.annotation.model_fields
    }
    try:
        found = environment.unread(variables, lambda _: False, keys)
    except (VigilError, OSError) as error:
        return [f"whether secrets are given that nobody reads is not known: {error}"]
    return [
        f"{name} is not read: settings stand in the file"
        + (f"; is {keys[near]} meant?" if near else "")
        for name, near in found.items()
    ]
