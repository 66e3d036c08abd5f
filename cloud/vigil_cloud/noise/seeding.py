"""The noise register's part of the seed file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy.orm import Session

from vigil_cloud.domain.descriptor import SeedPart
from vigil_cloud.domain.seeding import SEEDER, BadSeed
from vigil_cloud.noise import recording
from vigil_cloud.noise.recording import IsRetired, NotRegistered, StillPlaced
from vigil_cloud.noise.register_schema import SECTIONS, RegisterBody


def _apply(session: Session, sections: Mapping[str, Sequence[Any]], now: datetime) -> None:
    body = RegisterBody.model_validate(
        {field: list(sections[name]) for name, (field, _) in SECTIONS.items()}
    )
    try:
        recording.enter(session, body, SEEDER, now)
    except (NotRegistered, IsRetired, StillPlaced) as error:
        raise BadSeed(str(error)) from error


SEED: Final = SeedPart({name: model for name, (_, model) in SECTIONS.items()}, _apply)
